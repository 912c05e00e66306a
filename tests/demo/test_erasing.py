"""Erasing a household of the sample world leaves no trace of it, and the others untouched."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pyarrow.parquet as pq

import coterie
from coterie.core.errors import NotFound
from coterie.demo.world import DemoReport
from coterie.governance.traces import distinctive
from coterie.workspace import Workspace

HOUSEHOLD = ("HouseholdID", "2421")


def test_a_household_is_erased_from_every_store(loaded: tuple[Workspace, DemoReport], tmp_path: Path) -> None:
    original, _ = loaded
    original.sandbox.history.con.execute("CHECKPOINT")
    root = tmp_path / "own"
    shutil.copytree(original.sandbox.path.parent, root)
    with coterie.open(root) as ws:
        before = ws.status()
        preview = ws.privacy.preview([HOUSEHOLD])
        stores = {item.store for item in preview.findings}
        assert {"staged files", "history", "exports"} <= stores
        report = ws.privacy.erase([HOUSEHOLD])
        assert {item.after for item in report.stores} == {0}
        assert report.rows == report.counts.events + report.counts.records > 1000
        after = ws.status()
        assert after.identities == before.identities - len(preview.identities)
        assert after.events == before.events - report.counts.events
        assert ws.profiles.count() == original.profiles.count() - 1
        for identity in preview.identities:
            try:
                ws.profiles.get(*identity)
            except NotFound:
                continue
            raise AssertionError(identity)
        other = ("HouseholdID", "1")
        assert ws.profiles.get(*other).attributes == original.profiles.get(*other).attributes
    values = [item.value.encode() for item in preview.identities if distinctive(item.value)]
    assert len(values) > 1
    for path in (root / ws.sandbox.path.name).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            data += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
            data += str(pq.read_table(path).to_pylist()).encode() if data[:4] == b"PAR1" else b""
            assert not any(value in data for value in values), path
