"""The log alone gives the same workspace; a crash leaves a batch whole or absent."""

import json
import signal
import subprocess
import sys

import duckdb
import pytest

import coterie
from coterie.core.errors import Conflict, Damaged
from coterie.pipeline.apply import ACCEPTED, commit


def test_a_rebuilt_workspace_is_the_same(loaded, files, clock, tmp_path, picture):
    clock.at += 1000
    later = tmp_path / "later.jsonl"
    later.write_text(json.dumps({"card": {"email": "bob@example.org"}, "loyalty": {"tier": "gold"}}) + "\n")
    batch = loaded.ingest.load("loyalty", later).batch
    clock.at += 1000
    loaded.audiences.put("lyon", 'homeAddress.city = "Lyon" or homeAddress.city = "Nice"')
    loaded.audiences.evaluate()
    clock.at += 1000
    loaded.ingest.revert(batch)
    clock.at += 1000
    loaded.audiences.delete("gold-or-lyon")
    loaded.audiences.put("gold-or-lyon", 'loyalty.tier = "gold"')
    loaded.audiences.evaluate(at="2026-06-20T00:00:00Z")
    seen = picture(loaded)
    rebuilt = loaded.rebuild(tmp_path / "again")
    assert rebuilt.same, [table.table for table in rebuilt.tables if not table.same]
    assert {"membership", "profile_default", "person_of_default", "link"} <= {
        table.table for table in rebuilt.tables if table.rows
    }
    with coterie.open(tmp_path / "again", clock=clock) as again:
        assert picture(again) == seen
        assert [batch.status for batch in again.ingest.batches()] == [batch.status for batch in loaded.ingest.batches()]


def test_a_rebuild_needs_an_empty_place(loaded, tmp_path):
    with pytest.raises(Conflict, match="not empty"):
        loaded.rebuild(tmp_path)


def test_a_difference_would_be_seen(loaded, tmp_path):
    loaded.sandbox.history.con.execute("UPDATE membership SET entered_at = entered_at + 1 WHERE audience = 'lyon'")
    rebuilt = loaded.rebuild(tmp_path / "again")
    assert [table.table for table in rebuilt.tables if not table.same] == ["membership"]


LOADER = """
import os, signal, sys, coterie
from coterie.core.clock import FixedClock

class Killer:
    def report(self, stage, done=None, total=None):
        if stage == sys.argv[3]:
            print("killed at", stage, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

with coterie.open(sys.argv[1], clock=FixedClock("2026-06-16T00:00:00Z"), progress=Killer()) as ws:
    ws.ingest.load("web", sys.argv[2], evaluate=False)
"""
ROWS = 20_000
ABSENT = ["copying", "reading", "identities", "writing", "links", "profiles of view unstitched"]
WHOLE = [ACCEPTED]


@pytest.mark.parametrize("stage", [*ABSENT, *WHOLE])
def test_a_batch_is_whole_or_absent_after_sigkill(loaded, tmp_path, clock, stage):
    """A process killed before the log has the batch leaves nothing of it; after that, reopening applies it whole."""
    root = tmp_path / "ws"
    loaded.close()
    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        for number in range(ROWS):
            file.write(
                f'{{"_id": "k{number}", "timestamp": "2026-06-10T10:00:00Z", "eventType": "view", '
                f'"browser": "b{number % 5000}", "login": "u{number % 2500}"}}\n'
            )
    done = subprocess.run(
        [sys.executable, "-c", LOADER, str(root), str(path), stage], stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, f"killed at {stage}\n")
    with coterie.open(root, clock=clock) as ws:
        told = " ".join(ws.recovered)
        states = {batch.id: batch.status for batch in ws.ingest.batches()}
        assert "b000004" in told
        if stage in ABSENT:
            assert ("absent" in told, states["b000004"], ws.status().events) == (True, "abandoned", 6)
            assert not ws.sandbox.log.staged("b000004").exists()
            assert ws.ingest.load("web", path, evaluate=False).accepted == ROWS
        else:
            assert ("applied whole" in told, states["b000004"]) == (True, "active")
            assert ws.ingest.load("web", path, evaluate=False).status == "unchanged"
        assert ws.status().events == 6 + ROWS
        assert ws.profiles.count() == 5 + 2500  # two browsers share each login
    with coterie.open(root, clock=clock) as ws:
        assert ws.recovered == []


def test_what_cannot_be_applied_is_not_accepted(loaded, files, tmp_path, clock):
    """An error inside the effect takes back the whole of it, the log included."""
    con, last = loaded.sandbox.history.con, loaded.status().position
    con.execute("ALTER TABLE link RENAME TO hidden")
    later = tmp_path / "later.jsonl"
    later.write_text('{"_id": "z1", "timestamp": "2026-06-11T00:00:00Z", "browser": "w8"}\n')
    with pytest.raises(duckdb.CatalogException):
        loaded.ingest.load("web", later)
    con.execute("ALTER TABLE hidden RENAME TO link")
    assert loaded.sandbox.log.last == last
    assert [batch.status for batch in loaded.ingest.batches()][-1] == "failed"
    assert not loaded.sandbox.log.staged("b000004").exists()
    assert loaded.ingest.load("web", later).status == "active"


def test_nothing_goes_on_past_an_entry_that_is_not_visible(loaded, clock):
    loaded.sandbox.log.append("batch.refused", {"batch": "b000009", "dataset": "web"})
    with pytest.raises(Damaged) as caught:
        commit(loaded.sandbox, "audience.evaluated", {"at": 0, "audiences": [], "cause": "test"})
    assert caught.value.code == "workspace.behind"
    root = loaded.sandbox.path.parent
    loaded.close()
    with coterie.open(root, clock=clock) as again:
        assert again.audiences.evaluate().people == 5
