"""Rules that read one another, the ledger of memberships, and exports."""

import json

import duckdb
import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience
from coterie.audience.export import export
from coterie.core.errors import Invalid


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute(
            """
            CREATE TABLE membership (audience VARCHAR, person INTEGER, entered_at BIGINT, exited_at BIGINT,
                                     version INTEGER, cause VARCHAR, namespace VARCHAR DEFAULT 'ups',
                                     valid_until BIGINT);
            CREATE TABLE namespace (namespace INTEGER, code VARCHAR);
            CREATE TABLE identity (identity INTEGER, namespace INTEGER, value VARCHAR, batch INTEGER);
            CREATE TABLE person_of_default (identity INTEGER, person INTEGER);
            INSERT INTO namespace VALUES (1, 'Email'), (2, 'Web "ID"');
            INSERT INTO identity VALUES (0, 1, 'a;b\\c', 1), (1, 2, 'w1', 1), (2, 2, 'w2', 1), (3, 1, 'z', 1);
            INSERT INTO person_of_default VALUES (0, 0), (1, 0), (2, 0), (3, 3)
            """
        )
        yield connection


def test_intervals_open_and_close_once(con):
    assert ledger.settle(con, "x", BitMap([0, 3]), at=10, version=1, cause="evaluation") == (2, 0)
    assert ledger.settle(con, "x", BitMap([0, 3]), at=20, version=1, cause="evaluation") == (0, 0)
    assert ledger.settle(con, "x", BitMap([3, 5]), at=30, version=2, cause="batch b000002") == (1, 1)
    assert ledger.settle(con, "x", BitMap([0, 3, 5]), at=40, version=2, cause="evaluation") == (1, 0)
    rows = con.execute("SELECT person, entered_at, exited_at, version FROM membership ORDER BY 1, 2").fetchall()
    assert rows == [(0, 10, 30, 1), (0, 40, None, 2), (3, 10, None, 1), (5, 30, None, 2)]
    assert ledger.members(con, "x") == BitMap([0, 3, 5])
    assert ledger.members(con, "y") == BitMap()


def test_history_tells_entries_and_exits_newest_first(con):
    ledger.settle(con, "x", BitMap([0, 3]), at=10, version=1, cause="evaluation")
    ledger.settle(con, "x", BitMap([5]), at=30, version=1, cause="batch b000002")
    assert ledger.history(con, "x", 10) == [
        ledger.Change(30, 1, 2, "batch b000002"),
        ledger.Change(10, 2, 0, "evaluation"),
    ]
    assert len(ledger.history(con, "x", 1)) == 1


def test_membership_at_an_instant(con):
    ledger.settle(con, "x", BitMap([0]), at=10, version=1, cause="evaluation")
    ledger.settle(con, "x", BitMap([3]), at=20, version=1, cause="evaluation")
    assert [sorted(ledger.members_at(con, "x", at)) for at in (9, 10, 19, 20)] == [[], [0], [0], [3]]


def test_a_circle_of_audiences_is_named():
    rules = {"a": 'inSegment("b")', "b": 'inSegment("c") or loyalty.points > 1', "c": 'not(inSegment("a"))'}
    read = {name: plan.reads(Audience(name, pql)) for name, pql in rules.items()}
    with pytest.raises(Invalid, match=r"a → b → c → a|b → c → a → b|c → a → b → c") as caught:
        plan.in_order(read)
    assert caught.value.code == "pql.cycle"
    del read["c"]
    assert plan.in_order(read) == ["b", "a"]


@pytest.mark.parametrize("name", ["", "Two Words", "UPPER", "a/b", "x" * 129])
def test_a_name_is_one_plain_word(name):
    with pytest.raises(Invalid) as caught:
        Audience(name, "true")
    assert caught.value.code == "audience.name"


@pytest.fixture
def filled(con):
    ledger.settle(con, "x", BitMap([0, 3]), at=1_700_000_000_123, version=1, cause="evaluation")
    ledger.settle(con, "other", BitMap([3]), at=5, version=1, cause="evaluation")
    return con


def test_csv_joins_identities_and_escapes_what_divides_them(filled, tmp_path):
    written = export(filled, "x", "default", tmp_path / "deep" / "x.csv")
    assert (written.members, written.format) == (2, "csv")
    with duckdb.connect() as reader:
        rows = reader.execute(f"SELECT * FROM read_csv('{written.path}', all_varchar = true)").fetchall()
    assert [row[1:] for row in rows] == [
        ("2023-11-14T22:13:20.123Z", r"a\;b\\c", "w1;w2"),
        ("2023-11-14T22:13:20.123Z", "z", None),
    ]
    assert {path.name for path in tmp_path.joinpath("deep").iterdir()} == {"x.csv"}


def test_jsonl_and_parquet_keep_lists(filled, tmp_path):
    export(filled, "x", "default", tmp_path / "x.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert lines[0]['Web "ID"'] == ["w1", "w2"]
    export(filled, "x", "default", tmp_path / "x.out", "parquet")
    table = pq.read_table(tmp_path / "x.out").to_pylist()
    assert [{key: row[key] for key in ("person", "Email")} for row in table] == [
        {key: line[key] for key in ("person", "Email")} for line in lines
    ]


def test_an_export_replaces_the_older_file_and_an_unknown_format_is_refused(filled, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("old")
    assert export(filled, "nobody", "default", path).members == 0
    assert path.read_text().startswith("person,")
    with pytest.raises(Invalid) as caught:
        export(filled, "x", "default", tmp_path / "x.xlsx")
    assert caught.value.code == "export.format"
    assert {item.name for item in tmp_path.iterdir()} == {"x.csv"}


def test_a_place_that_cannot_be_written_is_named(filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid) as caught:
        export(filled, "x", "default", tmp_path / "file" / "x.csv")
    assert caught.value.code == "export.unwritable"
