"""What is set aside: the quarantine and repeated events; and what a report says."""

import msgspec
import pytest

from coterie.core.clock import DAY
from coterie.ingest import duplicates, quarantine
from coterie.ingest.report import BatchReport

from .shop import column, connect, run

MAPPING = {"fields": {name: name for name in ("_id", "timestamp", "crm")}}


@pytest.fixture
def con():
    con = connect()
    con.execute(
        "CREATE TABLE quarantine (batch VARCHAR NOT NULL, dataset VARCHAR NOT NULL, file VARCHAR, line BIGINT,"
        " field VARCHAR, value VARCHAR, code VARCHAR NOT NULL, reason VARCHAR NOT NULL, expires_at BIGINT NOT NULL)"
    )
    con.execute('CREATE TABLE live_event ("$dataset" INTEGER, "_id" VARCHAR)')
    return con


def load(con, tmp_path, **files):
    for name, rows in files.items():
        (tmp_path / f"{name}.csv").write_text("_id,timestamp,crm\n" + "".join(f"{row}\n" for row in rows))
    _, staged, _ = run([tmp_path / f"{name}.csv" for name in files], {"crm": "string"}, MAPPING, con=con)
    return staged


def test_bad_rows_go_aside_with_file_and_line_until_they_expire(con, tmp_path):
    staged = load(con, tmp_path, a=["1,2026-01-01,c", "2,never,c"], b=["3,2026-01-01,", "4"])
    names = [file.name for file in staged.files]
    assert quarantine.write(con, "b1", "sales", names, 30 * DAY) == 3
    quarantine.write(con, "b2", "sales", names, 31 * DAY)
    rows = quarantine.read(con, "b1")
    assert [(row.file, row.line, row.field, row.value, row.code) for row in rows] == [
        ("a.csv", 3, "timestamp", "never", "value.type.date-time"),
        ("b.csv", 2, "crm", None, "identity.missing"),
        ("b.csv", 3, None, "4", "row.malformed"),
    ]
    assert quarantine.count(con, "b1") == {"identity.missing": 1, "row.malformed": 1, "value.type.date-time": 1}
    assert len(quarantine.read(con, "b1", limit=2)) == 2
    assert quarantine.expire(con, 30 * DAY - 1) == 0
    assert quarantine.expire(con, 30 * DAY) == 3
    assert quarantine.read(con, "b1") == []
    assert len(quarantine.read(con, "b2", limit=None)) == 3
    assert quarantine.RETENTION == 30 * DAY


def test_the_first_of_equal_ids_stays_and_ids_of_other_datasets_do_not_count(con, tmp_path):
    load(
        con, tmp_path, a=["1,2026-01-01,c", "2,2026-01-01,c", "1,2026-01-02,d"], b=["3,2026-01-01,c", "1,2026-01-03,e"]
    )
    con.execute("INSERT INTO live_event VALUES (7, '3'), (8, '2')")
    assert duplicates.mark(con, 7) == 3
    assert sorted(con.execute("FROM stage_duplicate").fetchall()) == [(2,), (3,), (4,)]
    con.execute("INSERT INTO live_event VALUES (7, '1')")
    assert duplicates.mark(con, 7) == 4
    assert duplicates.mark(con, 9) == 2


def test_no_duplicates(con, tmp_path):
    load(con, tmp_path, a=["1,2026-01-01,c", "01,2026-01-01,c"])
    assert duplicates.mark(con, 7) == 0
    assert con.execute("SELECT count(*) FROM stage_duplicate").fetchone() == (0,)


def test_a_staging_replaces_the_one_before(con, tmp_path):
    load(con, tmp_path, a=["1,never,c"])
    staged = load(con, tmp_path, a=["2,2026-01-01,c"])
    assert staged.errors == {}
    assert column(con, "_id") == ["2"]
    assert con.execute("SELECT count(*) FROM stage_error").fetchone() == (0,)


def test_events_of_the_future_are_taken_and_counted(con, tmp_path):
    (tmp_path / "a.csv").write_text("_id,timestamp,crm\n1,2026-01-01,c\n2,2026-01-03,c\n")
    _, staged, _ = run(tmp_path / "a.csv", {"crm": "string"}, MAPPING, con=con, now=1767312000000)
    assert staged.accepted == 2
    assert staged.warnings == {"event.future": 1}


def test_reports_are_plain_data():
    report = BatchReport("b000001", "sales", "active", ["a.csv"], 10, 9, 1, errors={"encoding": 1})
    assert msgspec.convert(msgspec.to_builtins(report), BatchReport) == report
