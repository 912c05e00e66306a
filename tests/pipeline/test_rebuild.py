"""The log alone gives the same workspace; a crash leaves a batch whole or absent."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import coterie
from coterie.core.errors import Conflict


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
import sys, coterie
from coterie.core.clock import FixedClock
with coterie.open(sys.argv[1], clock=FixedClock("2026-06-16T00:00:00Z")) as ws:
    print("ready", flush=True)
    ws.ingest.load("web", sys.argv[2], evaluate=False)
    print("done", flush=True)
"""


@pytest.mark.parametrize("delay", [0.02, 0.15, 0.4, 0.8, 1.2, 1.8, 2.5])
def test_a_batch_is_whole_or_absent_after_sigkill(loaded, tmp_path, clock, delay):
    """Kill a loading process at some point: early ones hit the copying, late ones the application of the batch."""
    rows, root = 150_000, tmp_path / "ws"
    loaded.close()
    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        for number in range(rows):
            file.write(
                f'{{"_id": "k{number}", "timestamp": "2026-06-10T10:00:00Z", "eventType": "view", '
                f'"browser": "b{number % 5000}", "login": "u{number % 2500}"}}\n'
            )
    process = subprocess.Popen(
        [sys.executable, "-c", LOADER, str(root), str(path)], stdout=subprocess.PIPE, env=os.environ, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with coterie.open(root, clock=clock) as ws:
        states = {batch.id: batch.status for batch in ws.ingest.batches()}
        assert set(states.values()) <= {"active", "abandoned"}
        count = ws.status().events
        assert count in (6, 6 + rows)
        told = " ".join(ws.recovered)
        if count == 6:
            assert states.get("b000004") in (None, "abandoned")
            assert ("absent" in told) == ("b000004" in states)
            report = ws.ingest.load("web", path, evaluate=False)
            assert report.accepted == rows
        else:
            assert states["b000004"] == "active"
        assert ws.status().events == 6 + rows
        assert ws.profiles.count() == 5 + 2500  # two browsers share each login
