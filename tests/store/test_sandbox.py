from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from coterie.core.clock import FixedClock
from coterie.core.errors import Busy, Damaged, Invalid, NotFound, Unsupported
from coterie.store.lock import holder
from coterie.store.sandbox import Sandbox, sandboxes

CLOCK = FixedClock("2018-01-01")


def open_sandbox(root: Path, name: str = "prod", *, create: bool = True, catalog_url: str | None = None) -> Sandbox:
    return Sandbox.open(root, name, clock=CLOCK, create=create, catalog_url=catalog_url, threads=1)


def put(sandbox: Sandbox, name: str) -> None:
    body = {"kind": "schema", "id": name, "body": {}}
    sandbox.catalog.apply(sandbox.log.append("definition.put", body))


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    with open_sandbox(tmp_path) as sandbox:
        put(sandbox, "a")
        assert sandbox.exports.is_dir()
        assert sandbox.clock is CLOCK
    assert json.loads((tmp_path / "coterie.json").read_text()) == {"format": 1}
    with open_sandbox(tmp_path, create=False) as sandbox:
        assert sandbox.log.last == sandbox.catalog.position == 1
        assert sandbox.history.position == 0
        assert sandbox.catalog.definition("schema", "a").recorded_at == CLOCK.at


def test_sandboxes_share_nothing(tmp_path: Path) -> None:
    with open_sandbox(tmp_path) as prod, open_sandbox(tmp_path, "dev-1") as dev:
        put(prod, "a")
        assert dev.log.last == 0
        assert dev.catalog.find("schema", "a") is None
    assert sandboxes(tmp_path) == ["dev-1", "prod"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        open_sandbox(tmp_path / "nowhere", create=False)
    assert caught.value.code == "workspace.not-found"
    assert not (tmp_path / "nowhere").exists()
    open_sandbox(tmp_path).close()
    with pytest.raises(NotFound, match="Did you mean prod") as missing:
        open_sandbox(tmp_path, "prot", create=False)
    assert missing.value.code == "sandbox.not-found"
    assert not (tmp_path / "prot").exists()


@pytest.mark.parametrize("name", ["", "Prod", "1st", "../etc", "a b", "a" * 64, "prod\n"])
def test_names_of_sandboxes(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        open_sandbox(tmp_path, name)
    assert caught.value.code == "sandbox.name"


def test_a_second_opener_is_told_and_leaves_no_lock(tmp_path: Path) -> None:
    with open_sandbox(tmp_path) as sandbox:
        sandbox.lock.announce("http://127.0.0.1:8321")
        with pytest.raises(Busy) as caught:
            open_sandbox(tmp_path)
        assert caught.value.where["pid"] == os.getpid()
        assert caught.value.where["url"] == "http://127.0.0.1:8321"
        put(sandbox, "a")  # the holder is not disturbed
    assert holder(tmp_path / "prod" / "lock") is None


def test_a_failed_opening_gives_everything_back(tmp_path: Path) -> None:
    open_sandbox(tmp_path).close()
    whole = (tmp_path / "prod" / "history.duckdb").read_bytes()
    (tmp_path / "prod" / "history.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(Damaged):
        open_sandbox(tmp_path)
    assert holder(tmp_path / "prod" / "lock") is None
    (tmp_path / "prod" / "history.duckdb").write_bytes(whole)
    open_sandbox(tmp_path).close()


def test_opening_tidies_up(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("a")
    with open_sandbox(tmp_path / "ws") as sandbox:
        sandbox.log.stage("b-1", [file])
        sandbox.log.stage("b-2", [file])
        sandbox.log.append("batch.accepted", {"batch": "b-1", "dataset": "d", "files": []})
        (sandbox.tmp / "left").write_text("over")
    with open_sandbox(tmp_path / "ws") as sandbox:
        assert sandbox.discarded == ["b-2"]
        assert sandbox.log.staged("b-1").is_dir()
        assert not sandbox.log.staged("b-2").exists()
        assert not (sandbox.tmp / "left").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from coterie.core.clock import SystemClock
from coterie.store.sandbox import Sandbox
sandbox = Sandbox.open(Path(sys.argv[1]), "prod", clock=SystemClock(), create=True, threads=1)
sandbox.log.stage("b-1", [Path(sys.argv[0])] if Path(sys.argv[0]).is_file() else [Path(sys.executable)])
sandbox.log.append("definition.put", {"kind": "schema", "id": "a", "body": {}})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_kill_the_derived_stores_are_behind_and_catch_up(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    with open_sandbox(tmp_path, create=False) as sandbox:
        assert sandbox.discarded == ["b-1"]
        assert (sandbox.log.last, sandbox.catalog.position, sandbox.history.position) == (1, 0, 0)
        for entry in sandbox.log.entries(sandbox.catalog.position):
            sandbox.catalog.apply(entry)
        assert sandbox.catalog.definition("schema", "a").version == 1


def test_a_lost_history_is_filled_under_the_definitions_of_the_day(tmp_path: Path) -> None:
    with open_sandbox(tmp_path) as sandbox:
        for name in ("a", "b", "c"):
            put(sandbox, name)
            with sandbox.history.transaction(sandbox.log.last):
                pass
    (tmp_path / "prod" / "history.duckdb").unlink()
    with open_sandbox(tmp_path) as sandbox:
        assert (sandbox.catalog.position, sandbox.history.position) == (0, 0)
        assert sandbox.catalog.find("schema", "c") is None
        for entry in sandbox.log.entries():
            sandbox.catalog.apply(entry)
            with sandbox.history.transaction(entry.position):
                pass
        assert [found.id for found in sandbox.catalog.definitions("schema")] == ["a", "b", "c"]


@pytest.mark.parametrize("behind", [0, 1])
def test_a_history_one_entry_behind_leaves_the_catalog(tmp_path: Path, behind: int) -> None:
    with open_sandbox(tmp_path) as sandbox:
        for position in (1, 2):
            put(sandbox, f"s{position}")
            if position <= 2 - behind:
                with sandbox.history.transaction(position):
                    pass
    with open_sandbox(tmp_path) as sandbox:
        assert (sandbox.catalog.position, sandbox.history.position) == (2, 2 - behind)


# -- formats ----------------------------------------------------------------------------------------------------------


def test_a_newer_workspace_is_refused_by_name(tmp_path: Path) -> None:
    open_sandbox(tmp_path).close()
    (tmp_path / "coterie.json").write_text('{"format": 2}')
    with pytest.raises(Unsupported, match=r"workspace at .* has format 2.*up to 1") as caught:
        open_sandbox(tmp_path)
    assert caught.value.code == "store.format"
    (tmp_path / "coterie.json").write_text("{")
    with pytest.raises(Damaged) as damaged:
        open_sandbox(tmp_path)
    assert damaged.value.code == "workspace.damaged"


@pytest.mark.parametrize("store", ["catalog", "history"])
def test_a_store_ahead_of_its_log_is_refused(tmp_path: Path, store: str) -> None:
    with open_sandbox(tmp_path) as sandbox:
        put(sandbox, "a")
        with sandbox.history.transaction(1):
            pass
    for left in (tmp_path / "prod" / "log").glob("log.db*"):
        left.unlink()  # the log was lost, say, and the rest restored from a backup
    if store == "history":
        for left in (tmp_path / "prod").glob("catalog.db*"):
            left.unlink()
    with pytest.raises(Damaged, match=f"the {store} of .* stands at log entry 1, but the log ends at 0") as caught:
        open_sandbox(tmp_path)
    assert caught.value.code == "store.ahead"


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_sandboxes_share_a_postgresql_and_nothing_in_it(tmp_path: Path, postgresql: str) -> None:
    with (
        open_sandbox(tmp_path, "pg-one", catalog_url=postgresql) as one,
        open_sandbox(tmp_path, "pg-two", catalog_url=postgresql) as two,
    ):
        put(one, "a")
        assert two.catalog.position == 0
        assert not (tmp_path / "pg-one" / "catalog.db").exists()
    with pytest.raises(Damaged) as caught:  # another workspace that would use the same database schema
        open_sandbox(tmp_path / "elsewhere", "pg-one", catalog_url=postgresql)
    assert caught.value.code == "store.ahead"


def test_the_address_may_name_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "catalogs").mkdir()
    open_sandbox(tmp_path / "ws", "dev", catalog_url=f"sqlite:///{tmp_path}/catalogs/{{sandbox}}.db").close()
    assert (tmp_path / "catalogs" / "dev.db").is_file()


def test_the_history_is_an_ordinary_duckdb_file(tmp_path: Path) -> None:
    open_sandbox(tmp_path).close()
    with duckdb.connect(str(tmp_path / "prod" / "history.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM live_event").fetchall() == [(0,)]


def test_time_stands_still_where_the_workspace_says_so(tmp_path):
    with Sandbox.open(tmp_path / "ws", "prod", clock=None, create=True) as sandbox:
        assert sandbox.clock.now() > 1_700_000_000_000
        sandbox.keep_clock(1_514_764_800_000)
    with Sandbox.open(tmp_path / "ws", "prod", clock=None, create=False) as sandbox:
        assert sandbox.clock.now() == 1_514_764_800_000
    with Sandbox.open(tmp_path / "ws", "prod", clock=FixedClock(5), create=False) as sandbox:
        assert sandbox.clock.now() == 5
