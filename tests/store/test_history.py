from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.errors import Busy, Conflict, Damaged, Invalid, NotFound, Unsupported
from coterie.core.schema import Field, FieldType, Leaf, Schema, SchemaClass, read_fields
from coterie.store.history import History, column_type, quote
from coterie.store.history.columns import columns
from coterie.store.history.tables import FORMAT


def open_history(path: Path) -> History:
    return History.open(path / "history.duckdb", path / "tmp", threads=1)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = open_history(tmp_path)
    yield history
    history.close()


def rows(history: History, query: str, *values: Any) -> list[tuple[Any, ...]]:
    return history.con.execute(query, list(values)).fetchall()


def leaves_of(**fields: Any) -> list[Leaf]:
    return list(Schema("s", SchemaClass.PROFILE, read_fields(fields, "test")).leaves().values())


# -- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "depth", "expected"),
    [
        (Field(FieldType.STRING), 0, "VARCHAR"),
        (Field(FieldType.INTEGER), 1, "BIGINT[]"),
        (Field(FieldType.NUMBER), 0, "DOUBLE"),
        (Field(FieldType.NUMBER, decimals=0), 0, "DECIMAL(18,0)"),
        (Field(FieldType.NUMBER, decimals=9), 2, "DECIMAL(18,9)[][]"),
        (Field(FieldType.BOOLEAN), 0, "BOOLEAN"),
        (Field(FieldType.DATE), 0, "BIGINT"),
        (Field(FieldType.DATETIME), 3, "BIGINT[][][]"),
    ],
)
def test_column_types_are_those_duckdb_reports(history: History, field: Field, depth: int, expected: str) -> None:
    leaf = Leaf("a.b", field, depth)
    assert column_type(leaf) == expected
    history.ensure_leaves("record", [leaf])
    history.ensure_leaves("record", [leaf])
    assert columns(history.con, "record")["a.b"] == expected


@settings(max_examples=40, deadline=None)
@given(name=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=30))
def test_quoted_names_are_names_whatever_they_hold(name: str) -> None:
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t ({quote(name)} INTEGER)")
        assert con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 't'").fetchall() == [(name,)]


def test_new_leaves_are_added_and_read_as_null(history: History) -> None:
    history.ensure_leaves("event", leaves_of(page="string"))
    history.con.execute('INSERT INTO event ("$dataset", "$batch", "$row", "_id", page) VALUES (1, 1, 0, \'e\', \'/\')')
    history.ensure_leaves("event", leaves_of(**{"items[].price": {"type": "number", "decimals": 2}, "page": "string"}))
    assert rows(history, 'SELECT "_id", page, "items.price" FROM live_event') == [("e", "/", None)]
    assert columns(history.con, "event") == columns(history.con, "event_duplicate")
    assert columns(history.con, "event")["items.price"] == "DECIMAL(18,2)[]"


@pytest.mark.parametrize("changed", ["integer", {"type": "number", "decimals": 3}])
def test_a_field_keeps_its_type(history: History, changed: Any) -> None:
    history.ensure_leaves("record", leaves_of(price={"type": "number", "decimals": 2}))
    with pytest.raises(Conflict, match="price") as caught:
        history.ensure_leaves("record", leaves_of(other="string", price=changed))
    assert caught.value.code == "schema.retype"
    assert "other" not in columns(history.con, "record")


def test_names_that_differ_by_case_alone_are_refused(history: History) -> None:
    history.ensure_leaves("record", leaves_of(email="string"))
    with pytest.raises(Conflict) as caught:
        history.ensure_leaves("record", leaves_of(Email="string"))
    assert caught.value.code == "schema.retype"


_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "date", "date-time"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waves=st.lists(st.dictionaries(st.sampled_from("abcdefgh"), _TYPES, max_size=4), max_size=5))
def test_evolution_only_ever_adds(waves: list[dict[str, str]]) -> None:
    history = History.open(Path(":memory:"), Path("tmp"), threads=1)
    expected: dict[str, str] = {}
    for wave in waves:
        wanted = {leaf.path: column_type(leaf) for leaf in leaves_of(**wave)} if wave else {}
        clash = any(expected.get(path, kind) != kind for path, kind in wanted.items())
        try:
            history.ensure_leaves("record", leaves_of(**wave))
            assert not clash
            expected |= wanted
        except Conflict:
            assert clash
        found = columns(history.con, "record")
        assert {path: kind for path, kind in found.items() if not path.startswith("$")} == expected
        assert [column[0] for column in history.con.execute("SELECT * FROM live_record").description or []] == list(
            found
        )
    history.close()


def layout(history: History) -> dict[str, str]:
    history.con.execute("CHECKPOINT")
    found = rows(
        history,
        "SELECT DISTINCT column_name, compression FROM pragma_storage_info('record') WHERE segment_type = 'VARCHAR'",
    )
    return {name: kind for name, kind in found if not name.startswith("$")}


def test_texts_are_laid_out_for_the_values_that_the_first_large_load_brings(history: History) -> None:
    leaves = leaves_of(email="string", city="string", tags={"type": "array", "items": "string"}, points="integer")
    history.ensure_leaves("record", leaves)
    many = (
        '(SELECT 1 AS "$dataset", 1 AS "$batch", i AS "$row", \'somebody\' || i || \'@example.org\' AS email, '
        "'city ' || i % 50 AS city, ['tag ' || i] AS tags, i AS points FROM range(30_000) t(i))"
    )
    few = f"(SELECT * FROM {many} LIMIT 10_000)"
    history.fit_texts(leaves, few)
    assert rows(history, "SELECT sql ILIKE '%uncompressed%' FROM duckdb_tables() WHERE table_name = 'record'") == [
        (False,)
    ]

    history.fit_texts(leaves, many)
    history.con.execute(f"INSERT INTO record BY NAME SELECT * FROM {many}")
    found = layout(history)
    assert found["email"] == "Uncompressed"
    assert found["city"] != "Uncompressed"
    assert rows(history, "SELECT count(DISTINCT email), count(DISTINCT city), sum(points) FROM live_record") == [
        (30_000, 50, 449_985_000)
    ]

    crowded = many.replace("% 50", "% 25_000")
    history.fit_texts(leaves, crowded)  # what holds values stays as it is
    assert rows(history, "SELECT count(city), count(email) FROM live_record") == [(30_000, 30_000)]
    assert layout(history) == found


# -- transactions -----------------------------------------------------------------------------------------------------


def test_position_and_effect_go_together(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    with history.transaction(1) as con:
        con.execute("INSERT INTO namespace VALUES (1, 'Email')")

    def fail() -> None:
        with history.transaction(2) as con:
            con.execute("INSERT INTO namespace VALUES (2, 'Phone')")
            history.ensure_leaves("event", leaves_of(page="string"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert history.position == 1
    assert rows(history, "SELECT code FROM namespace") == [("Email",)]
    assert "page" not in columns(history.con, "event")
    with pytest.raises(Conflict) as caught, history.transaction(1):
        pass
    assert caught.value.code == "history.applied"
    history.close()
    history = open_history(tmp_path)
    assert history.position == 1
    assert rows(history, "SELECT code FROM namespace") == [("Email",)]
    history.close()


def test_a_failed_statement_takes_the_transaction_with_it(history: History) -> None:
    with pytest.raises(duckdb.Error, match="nonsense"), history.transaction(1) as con:
        con.execute("INSERT INTO namespace VALUES (1, 'Email'); SELECT nonsense")
    with history.transaction(1) as con:
        con.execute("INSERT INTO namespace VALUES (2, 'Phone')")
    assert rows(history, "SELECT code FROM namespace") == [("Phone",)]


KILLED = """
import os, signal, sys
from pathlib import Path
from coterie.store.history import History
history = History.open(Path(sys.argv[1]) / "history.duckdb", Path(sys.argv[1]) / "tmp", threads=1)
with history.transaction(1) as con:
    con.execute("INSERT INTO namespace SELECT range, 'n' || range FROM range(300000)")
with history.transaction(2) as con:
    con.execute("INSERT INTO namespace SELECT range, 'n' || range FROM range(300000)")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_in_a_transaction(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -9
    history = open_history(tmp_path)
    assert history.position == 1
    assert rows(history, "SELECT count(*) FROM namespace") == [(300_000,)]
    history.close()


def test_work_larger_than_memory_spills(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    history = History.open(tmp_path / "h.duckdb", tmp_path / "tmp", memory_limit="120MB", threads=1)
    query = "SELECT count(*) FROM (SELECT DISTINCT hash(range)::VARCHAR || range AS text FROM range(4_000_000))"
    history.con.execute("SET max_temp_directory_size = '0KB'")
    with pytest.raises(duckdb.OutOfMemoryException):
        rows(history, query)
    history.con.execute("RESET max_temp_directory_size")
    assert rows(history, query) == [(4_000_000,)]
    history.close()


# -- numbers, batches, live views, views ------------------------------------------------------------------------------


def test_numbers_are_given_once(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    assert [history.number("dataset", name) for name in ("web", "shop", "web")] == [1, 2, 1]
    assert history.number("namespace", "Email") == 1
    history.close()
    history = open_history(tmp_path)
    assert [history.number("dataset", name) for name in ("shop", "new")] == [2, 3]
    history.close()


@pytest.fixture
def loaded(history: History) -> History:
    """Three batches; the second overwrites a record of the first, the third writes it twice."""
    history.ensure_leaves("record", leaves_of(name="string"))
    for number in (1, 2, 3):
        history.add_batch(number, f"b-{number}", 1, number * 100)
        history.con.execute(
            'INSERT INTO event ("$dataset", "$batch", "$row", "$identity", "_id") VALUES (1, ?, 0, 7, ?)',
            [number, f"e{number}"],
        )
        history.con.execute("INSERT INTO link VALUES (7, 8, ?, 1, 5, 5, 1)", [number])
    for batch, row, identity, name in [
        (3, 1, 7, "3b"),
        (1, 0, 7, "1"),
        (3, 0, 7, "3a"),
        (2, 9, 7, "2"),
        (1, 1, 8, "x"),
    ]:
        history.con.execute(
            'INSERT INTO record ("$dataset", "$batch", "$row", "$identity", name) VALUES (1, ?, ?, ?, ?)',
            [batch, row, identity, name],
        )
    history.con.execute(
        'INSERT INTO record ("$dataset", "$batch", "$row", "$identity", name) VALUES (2, 1, 0, 7, \'other dataset\')'
    )
    return history


def fragments(history: History) -> list[tuple[Any, ...]]:
    return rows(
        history,
        'SELECT "$dataset", "$identity", arg_max(name, ("$batch", "$row")) FROM live_record GROUP BY ALL ORDER BY ALL',
    )


def test_live_views_follow_withdrawals(loaded: History) -> None:
    other = [(1, 8, "x"), (2, 7, "other dataset")]
    assert fragments(loaded) == [(1, 7, "3b"), *other]
    loaded.withdraw_batch(3, 900)
    assert fragments(loaded) == [(1, 7, "2"), *other]
    assert rows(loaded, 'SELECT "_id" FROM live_event ORDER BY ALL') == [("e1",), ("e2",)]
    assert rows(loaded, "SELECT batch FROM live_link ORDER BY ALL") == [(1,), (2,)]
    assert rows(loaded, 'SELECT count(*) FROM live_record WHERE "$batch" = 3') == [(0,)]
    with loaded.transaction(1):
        loaded.withdraw_batch(2, 950)
    assert fragments(loaded) == [(1, 7, "1"), *other]
    loaded.withdraw_batch(1, 990)
    assert fragments(loaded) == []
    assert rows(loaded, "SELECT count(*) FROM event") == [(3,)]  # facts stay
    loaded.withdraw_batch(3, 999)
    assert rows(loaded, "SELECT withdrawn_at FROM batch ORDER BY batch") == [(990,), (950,), (900,)]


def test_a_withdrawal_rolled_back_leaves_the_views(loaded: History) -> None:

    def fail() -> None:
        with loaded.transaction(1):
            loaded.withdraw_batch(3, 900)
            assert fragments(loaded)[0] == (1, 7, "2")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert fragments(loaded)[0] == (1, 7, "3b")
    assert "withdrawn" not in str(rows(loaded, "SELECT sql FROM duckdb_views() WHERE view_name = 'live_event'"))


def test_withdrawals_hold_after_reopening_and_evolution(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    for number in (1, 2):
        history.add_batch(number, f"b-{number}", 1, 100)
        history.con.execute('INSERT INTO event ("$dataset", "$batch", "$row") VALUES (1, ?, 0)', [number])
    history.withdraw_batch(1, 200)
    history.close()
    history = open_history(tmp_path)
    assert rows(history, 'SELECT "$batch" FROM live_event') == [(2,)]
    history.ensure_leaves("event", leaves_of(page="string"))
    assert rows(history, 'SELECT "$batch", page FROM live_event') == [(2, None)]
    history.close()


def test_unknown_and_repeated_batches(history: History) -> None:
    history.add_batch(1, "b-1", 1, 100)
    for number, name in ((1, "b-9"), (9, "b-1")):
        with pytest.raises(Conflict) as caught:
            history.add_batch(number, name, 1, 100)
        assert caught.value.code == "batch.twice"
    with pytest.raises(NotFound) as missing:
        history.withdraw_batch(5, 100)
    assert missing.value.code == "batch.not-found"


def test_tables_of_a_view(history: History) -> None:
    for _ in range(2):
        history.ensure_view("default")
    assert list(columns(history.con, "person_of_default")) == ["identity", "person"]
    assert list(columns(history.con, "lineage_default")) == ["person", "into", "batch", "decision", "at", "kind"]
    with pytest.raises(Invalid) as caught:
        history.ensure_view("Not a name")
    assert caught.value.code == "view.name"


def test_a_cursor_reads_what_is_committed(history: History) -> None:
    reader = history.cursor()
    with history.transaction(1) as con:
        con.execute("INSERT INTO namespace VALUES (1, 'Email')")
        assert reader.execute("SELECT count(*) FROM namespace").fetchall() == [(0,)]
    assert reader.execute("SELECT count(*) FROM namespace").fetchall() == [(1,)]
    reader.close()


# -- formats and damage -----------------------------------------------------------------------------------------------


def test_format_0_is_upgraded(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    history.con.execute("INSERT INTO membership VALUES ('a', 1, 10, NULL, 1, 'batch', 'ups', NULL)")
    for name in ("cause", "namespace", "valid_until"):  # format 0 had none of them
        history.con.execute(f"ALTER TABLE membership DROP COLUMN {name}")
    for name in ("$operation", "$unset"):
        history.con.execute(f"ALTER TABLE record DROP COLUMN {quote(name)}")
    graphs = ("decision", "folded", "graph_link", "removed_link", "evicted", "person_of", "lineage")
    states = ("graph_state", "graph_part")
    for name in (*graphs, *states, "suppressed", "evaluated", "event_view", "dataset_order"):
        history.con.execute(f"DROP TABLE {name}")
    history.con.execute("CREATE TABLE person_of_default AS SELECT 3 AS identity, 1 AS person")
    history.con.execute("CREATE TABLE person_of_unstitched AS SELECT 3 AS identity, 3 AS person")
    history.con.execute("UPDATE meta SET value = 0 WHERE key = 'format'")
    history.close()
    for _ in range(2):
        history = open_history(tmp_path)
        assert rows(history, "SELECT * FROM membership") == [("a", 1, 10, None, 1, None, "ups", None)]
        assert rows(history, "SELECT value FROM meta WHERE key = 'format'") == [(FORMAT,)]
        assert rows(history, "SELECT * FROM person_of_default") == [(3, 1)]
        assert rows(history, "SELECT * FROM person_of_unstitched") == [(3, 3)]
        history.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE meta SET value = 7 WHERE key = 'format'", "7"),
        ("UPDATE meta SET value = -1 WHERE key = 'format'", "-1"),
        ("DROP TABLE meta", "unknown"),
    ],
)
def test_an_unknown_format_is_refused_by_name(tmp_path: Path, statement: str, found: str) -> None:
    history = open_history(tmp_path)
    history.con.execute(statement)
    history.close()
    with pytest.raises(Unsupported, match=f"history at .* has format {found}.*up to {FORMAT}") as caught:
        open_history(tmp_path)
    assert caught.value.code == "store.format"
    assert caught.value.where["store"] == "history"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "history.duckdb"
    open_history(tmp_path).close()
    whole = file.read_bytes()
    for broken in (b"", b"no database at all" * 1000, whole[:5000], whole[:8192] + b"\xff" * 4096 + whole[12_288:]):
        file.write_bytes(broken)
        with pytest.raises(Damaged, match=r"history\.duckdb") as caught:
            open_history(tmp_path)
        assert caught.value.code == "history.damaged"


HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_held_by_another_program_is_named(tmp_path: Path) -> None:
    open_history(tmp_path).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "history.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Busy, match=str(process.pid)) as caught:
            open_history(tmp_path)
        assert caught.value.code == "history.locked"
        process.communicate()


def test_senseless_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        History.open(tmp_path / "h.duckdb", tmp_path / "tmp", memory_limit="lots")
    assert caught.value.code == "history.setting"


def test_data_stand_still_while_only_other_things_are_written(history: History) -> None:
    assert (history.position, history.changed) == (0, 0)
    for position, facts, changed in ((1, True, 1), (2, False, 1), (3, True, 3), (4, False, 3)):
        with history.transaction(position, facts=facts):
            pass
        assert (history.position, history.changed) == (position, changed)
    with pytest.raises(ZeroDivisionError), history.transaction(5):
        raise ZeroDivisionError
    assert history.changed == 3


def test_after_an_opening_all_may_have_changed(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    with history.transaction(1):
        pass
    with history.transaction(2, facts=False):
        pass
    history.close()
    again = open_history(tmp_path)
    assert (again.position, again.changed) == (2, 2)
    again.close()
