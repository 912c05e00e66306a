"""What the sample world holds, against the raw files: rows, identities, persons, one profile; and a second run."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

import coterie
from coterie.core.errors import Conflict
from coterie.demo import webfile, world
from coterie.workspace import Workspace

from .oracle import Oracle

Loaded = tuple[Workspace, world.DemoReport]


def test_rows(loaded: Loaded, oracle: Oracle, folder: Path) -> None:
    ws, report = loaded
    with gzip.open(folder / webfile.EVENTS, "rt") as text:
        lines = sum(1 for _ in text)
    ((events, accounts),) = oracle.con.execute(
        "select (select count(*) from web), (select count(*) from account)"
    ).fetchall()
    assert {row.dataset: (row.rows_read, row.accepted, row.quarantined, row.duplicates) for row in report.datasets} == {
        "demographics": (801, 801, 0, 0),
        "transactions": (1_469_307, 1_469_307, 0, 0),
        "campaigns": (6_589, 6_589, 0, 0),
        "redemptions": (2_102, 2_102, 0, 0),
        "web_generated": (lines, lines, 0, lines - events),
        "accounts_generated": (accounts, accounts, 0, 0),
    }
    status = ws.status()
    assert status.events == 1_469_307 + 6_589 + 2_102 + events + accounts
    assert status.records == 801


def test_identities_and_persons(loaded: Loaded, oracle: Oracle) -> None:
    ws, report = loaded
    ((browsers, addresses, pairs),) = oracle.con.execute(
        """
        with pair as (
            select browser as a, household as b from web where household is not null
            union select browser, household from account
            union select browser, email from account
            union select household, email from account
        )
        select (select count(distinct browser) from web), (select count(distinct email) from account), count(*)
        from pair
        """
    ).fetchall()
    assert report.identities == {"HouseholdID": 2_469, "WebID": browsers, "Email": addresses}
    assert report.links == pairs
    assert report.persons == oracle.con.execute("select count(*) from seen").fetchall()[0][0]
    assert ws.profiles.count("unstitched") == 2_469 + browsers  # nothing is stored under an address


def test_a_shared_browser_leads_to_both_households(loaded: Loaded, oracle: Oracle) -> None:
    ws, _ = loaded
    shared = oracle.con.execute(
        "select browser, list_sort(list(distinct household)) from web where household is not null "
        "group by browser having count(distinct household) > 1 order by browser limit 5"
    ).fetchall()
    for browser, households in shared:
        by_browser = ws.profiles.get("WebID", browser, events=1)
        for household in households:
            assert ws.profiles.get("HouseholdID", household, events=1).person == by_browser.person
            apart = ws.profiles.get("HouseholdID", household, "unstitched", events=1)
            assert apart.person == ws.profiles.get("HouseholdID", household, "unstitched", events=1).person
        people = {ws.profiles.get("HouseholdID", item, "unstitched", events=1).person for item in households}
        assert len(people) == 2


def test_a_second_run_changes_nothing_and_says_the_same(loaded: Loaded, folder: Path) -> None:
    ws, first = loaded
    batches, status = ws.ingest.batches(), ws.status()
    second = world.load(ws, folder=folder)
    assert ws.ingest.batches() == batches
    assert msgspec.structs.replace(ws.status(), position=0) == msgspec.structs.replace(status, position=0)
    timeless = [
        msgspec.structs.replace(
            report, seconds=0, audiences=tuple(msgspec.structs.replace(row, seconds=0) for row in report.audiences)
        )
        for report in (first, second)
    ]
    assert timeless[0] == timeless[1]
    assert second.seconds < 20


def test_time_stands_still_in_its_workspace(loaded: Loaded) -> None:
    ws, _ = loaded
    mark = msgspec.json.decode((ws.sandbox.path.parent / "coterie.json").read_bytes())
    assert mark["clock"] == "2018-01-01T00:00:00Z"


def test_a_workspace_in_use_is_refused_and_keeps_its_clock(tmp_path: Path) -> None:
    with coterie.open(tmp_path, create=True) as ws:
        ws.schemas.put({"name": "people", "class": "profile", "fields": {"name": "string"}})
        ws.datasets.put("people", "people")
        with pytest.raises(Conflict, match="dataset people") as caught:
            world.load(ws)
        assert caught.value.code == "demo.workspace"
    with coterie.open(tmp_path, "other", create=True) as ws, pytest.raises(Conflict, match="sandbox prod"):
        world.load(ws)
    assert "clock" not in msgspec.json.decode((tmp_path / "coterie.json").read_bytes())
