from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.clock import FixedClock
from coterie.core.errors import Conflict, CoterieError, Damaged, Invalid, Unsupported
from coterie.store.log import Entry, Log


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1000)


def filled(path: Path, clock: FixedClock, entries: int = 3) -> Path:
    log = Log.open(path, clock)
    for number in range(entries):
        log.append("definition.put", {"kind": "schema", "id": f"s{number}", "body": {"text": "é" * 50}})
    log.close()
    return path / "log.db"


def test_entries_come_back_in_order_after_reopening(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path, clock)
    assert log.last == 0
    written = [log.append("definition.put", {"n": number, "text": "a\0b ☃"}) for number in range(1203)]
    assert written[0] == Entry(1, 1000, "definition.put", {"n": 0, "text": "a\0b ☃"})
    log.close()
    log = Log.open(tmp_path, clock)
    assert log.last == 1203
    assert list(log.entries()) == written
    assert list(log.entries(after=1200)) == written[1200:]
    assert list(log.entries(after=1203)) == []
    log.close()


def test_accepted_at_never_falls(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path, clock)
    log.append("x", {})
    clock.at = 500
    assert log.append("x", {}).accepted_at == 1000
    log.close()
    log = Log.open(tmp_path, clock)
    assert log.append("x", {}).accepted_at == 1000
    clock.at = 2000
    assert log.append("x", {}).accepted_at == 2000
    log.close()


def test_taking_over_keeps_position_and_instant(tmp_path: Path, clock: FixedClock) -> None:
    old, new = Log.open(tmp_path / "old", clock), Log.open(tmp_path / "new", FixedClock(9_999_999))
    for at in (1000, 1000, 4000):
        clock.at = at
        old.append("x", {"at": at})
    for entry in old.entries():
        new.append_as(entry)
    assert list(new.entries()) == list(old.entries())
    for wrong in (Entry(3, 5000, "x", {}), Entry(5, 5000, "x", {}), Entry(4, 3999, "x", {})):
        with pytest.raises(Conflict) as caught:
            new.append_as(wrong)
        assert caught.value.code == "log.order"
    old.close()
    new.close()


def test_reading_while_appending(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path, clock)
    log.append("x", {})
    seen = []
    for entry in log.entries():
        seen.append(entry.position)
        if entry.position < 1100:
            log.append("x", {})
    assert seen == list(range(1, 1101))
    log.close()


KILLED = """
import sys
from pathlib import Path
from coterie.core.clock import SystemClock
from coterie.store.log import Log
log = Log.open(Path(sys.argv[1]), SystemClock())
while True:
    entry = log.append("x", {"text": "y" * 3000, "n": log.last + 1})
    print(entry.position, flush=True)
"""


def test_killed_while_appending(tmp_path: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        acknowledged = int([*lines, *process.stdout.read().splitlines(keepends=True)][-1])
        process.wait()
        process.stdout.close()
        log = Log.open(tmp_path, FixedClock(0))
        assert log.last in (acknowledged, acknowledged + 1)  # the last one may be written but not yet printed
        for position, entry in enumerate(log.entries(), 1):
            assert entry.body == {"text": "y" * 3000, "n": position}
        log.close()


# -- damage and formats -----------------------------------------------------------------------------------------------


def read_all(path: Path) -> None:
    log = Log.open(path, FixedClock(0))
    try:
        for _ in log.entries():
            pass
    finally:
        log.close()


@pytest.mark.parametrize("size", [1, 50, 5000, 12_288, 20_000])
def test_truncated(tmp_path: Path, clock: FixedClock, size: int) -> None:
    database = filled(tmp_path, clock, 300)
    os.truncate(database, size)
    with pytest.raises(Damaged) as caught:
        read_all(tmp_path)
    assert caught.value.code == "log.damaged"
    assert "backup" in (caught.value.hint or "")


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged) as caught:
        Log.open(tmp_path, FixedClock(0))
    assert caught.value.code == "log.damaged"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET body = replace(body, 's1', 's9') WHERE position = 2",
        "UPDATE entry SET accepted_at = 1001 WHERE position = 2",
        "DELETE FROM entry WHERE position = 2",
        "DELETE FROM entry WHERE position = 1",
        "UPDATE entry SET position = 7 WHERE position = 3",
        "UPDATE entry SET digest = x'00' WHERE position = 1",
    ],
)
def test_altered(tmp_path: Path, clock: FixedClock, statement: str) -> None:
    database = filled(tmp_path, clock)
    read_all(tmp_path)
    con = sqlite3.connect(database)
    con.execute(statement)
    con.commit()
    con.close()
    with pytest.raises(Damaged) as caught:
        read_all(tmp_path)
    assert caught.value.code == "log.damaged"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_found_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "log"
    if not folder.exists():
        filled(folder, FixedClock(1000), 40)
    whole = (folder / "log.db").read_bytes()
    log = Log.open(folder, FixedClock(0))
    expected = list(log.entries())
    log.close()
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[place] ^= data.draw(st.integers(1, 255))
    (folder / "log.db").write_bytes(broken)
    try:
        log = Log.open(folder, FixedClock(0))
        try:
            assert list(log.entries()) == expected
        finally:
            log.close()
    except CoterieError as error:
        assert error.code in {"log.damaged", "store.format"}  # noqa: PT017
    finally:
        for left in folder.glob("log.db*"):
            left.unlink()
        (folder / "log.db").write_bytes(whole)


def test_newer_format_is_refused_by_name(tmp_path: Path, clock: FixedClock) -> None:
    con = sqlite3.connect(filled(tmp_path, clock))
    con.execute("PRAGMA user_version = 7")
    con.close()
    with pytest.raises(Unsupported, match=r"log at .* has format 7.*up to 1") as caught:
        Log.open(tmp_path, clock)
    assert caught.value.code == "store.format"
    assert caught.value.where["store"] == "log"


def test_a_stranger_is_refused_by_name(tmp_path: Path, clock: FixedClock) -> None:
    con = sqlite3.connect(tmp_path / "log.db")
    con.execute("CREATE TABLE something (a)")
    con.close()
    with pytest.raises(Unsupported, match="format unknown"):
        Log.open(tmp_path, clock)


def test_format_0_is_upgraded(tmp_path: Path, clock: FixedClock) -> None:
    con = sqlite3.connect(tmp_path / "log.db")
    con.execute(
        "CREATE TABLE entry (position INTEGER PRIMARY KEY, accepted_at INTEGER NOT NULL, kind TEXT NOT NULL,"
        " body TEXT NOT NULL) STRICT"
    )
    con.execute("""INSERT INTO entry VALUES (1, 10, 'x', '{"n": 1}'), (2, 20, 'y', '{}')""")
    con.commit()
    con.close()
    for _ in range(2):
        log = Log.open(tmp_path, clock)
        assert list(log.entries())[:2] == [Entry(1, 10, "x", {"n": 1}), Entry(2, 20, "y", {})]
        log.append("z", {})
        log.close()
    con = sqlite3.connect(tmp_path / "log.db")
    assert con.execute("PRAGMA user_version").fetchone() == (1,)
    assert con.execute("SELECT count(*), min(length(digest)) FROM entry").fetchone() == (4, 16)
    con.close()


def test_a_directory_that_cannot_be_written(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "log.db").mkdir()
    with pytest.raises(Damaged) as caught:
        Log.open(tmp_path, clock)
    assert caught.value.code == "log.unwritable"


# -- staged files -----------------------------------------------------------------------------------------------------


class Spy:
    def __init__(self) -> None:
        self.reports: list[tuple[str, float | None, float | None]] = []

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        self.reports.append((stage, done, total))


def test_staging_copies_and_says_how_far(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path / "prod" / "log", clock)
    big = tmp_path / "a" / "my [odd].2024.csv.gz"
    small = tmp_path / "b" / "plain"
    for file, text in ((big, b"0123456789" * 900_000), (small, b"x")):
        file.parent.mkdir()
        file.write_bytes(text)
    spy = Spy()
    first, second = log.stage("b-1", [big, small], spy)
    assert (first.name, first.path) == ("my [odd].2024.csv.gz", "log/files/b-1/00000.csv.gz")
    assert second.path == "log/files/b-1/00001"
    assert (first.bytes, first.sha256) == (9_000_000, sha256(big.read_bytes()).hexdigest())
    assert (tmp_path / "prod" / first.path).read_bytes() == big.read_bytes()
    assert log.staged("b-1") == tmp_path / "prod" / "log" / "files" / "b-1"
    assert spy.reports[-1] == ("copying", 9_000_001, 9_000_001)
    assert len(spy.reports) == 4

    again = log.stage("b-2", [tmp_path / "prod" / first.path])  # as a rebuild does
    assert Path(again[0].path).name == Path(first.path).name
    with pytest.raises(Conflict) as caught:
        log.stage("b-1", [small])
    assert caught.value.code == "batch.staged"
    log.discard("b-1")
    log.discard("b-1")
    assert not log.staged("b-1").exists()
    log.close()


def test_staging_is_whole_or_not_at_all(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path / "log", clock)
    good = tmp_path / "good"
    good.write_bytes(b"x")
    for bad in (tmp_path / "missing", tmp_path):
        with pytest.raises(Invalid) as caught:
            log.stage("b-1", [good, bad])
        assert caught.value.code == "ingest.unreadable-file"
        assert caught.value.where["file"] == str(bad)
        assert not log.staged("b-1").exists()
    log.close()


@pytest.mark.parametrize("batch", ["", "..", ".hidden", "a/b", "a b", "x" * 200])
def test_a_batch_id_is_a_plain_name(tmp_path: Path, clock: FixedClock, batch: str) -> None:
    log = Log.open(tmp_path / "log", clock)
    for use in (lambda: log.stage(batch, []), lambda: log.staged(batch), lambda: log.discard(batch)):
        with pytest.raises(Invalid):
            use()
    log.close()


def test_orphans_are_removed(tmp_path: Path, clock: FixedClock) -> None:
    log = Log.open(tmp_path / "log", clock)
    file = tmp_path / "f.csv"
    file.write_bytes(b"x")
    for batch in ("b-1", "b-2", "b-3"):
        log.stage(batch, [file])
    log.append("batch.accepted", {"batch": "b-2"})
    assert log.discard_orphans() == ["b-1", "b-3"]
    assert log.discard_orphans() == []
    assert log.staged("b-2").is_dir()
    log.close()
