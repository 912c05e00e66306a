"""What the sample world holds, against the raw files: rows, identities, persons, one profile; and a second run."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

import coterie
from coterie.core.errors import Conflict
from coterie.demo import webfile, world
from coterie.profile.lookup import ProfileView
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


def test_every_identity_belongs_to_the_household_that_was_last_seen_with_it(loaded: Loaded, oracle: Oracle) -> None:
    ws, _ = loaded
    rows = ws.sandbox.history.con.execute(
        "SELECT n.code || ':' || i.value, m.code || ':' || j.value FROM person_of p "
        "JOIN identity i ON i.identity = p.identity JOIN namespace n ON n.namespace = i.namespace "
        "JOIN identity j ON j.identity = p.person JOIN namespace m ON m.namespace = j.namespace"
    ).fetchall()
    assert dict(rows) == {name: oracle.person_of.get(name, name) for name, _ in rows}


def test_a_shared_browser_goes_to_who_logged_in_last_and_logins_stay_with_their_person(
    loaded: Loaded, oracle: Oracle
) -> None:
    ws, _ = loaded
    shared = oracle.con.execute(
        "select identity[7:], winner[13:], loser, count(*) filter (household is null), "
        "count(*) filter (household = loser) from ("
        "  select distinct identity, o.person as winner, household as loser from owner o join web w using (identity) "
        "  where o.person <> 'HouseholdID:' || household"
        ") join web using (identity) group by all order by all"
    ).fetchall()
    assert len(shared) > 20
    for browser, winner, loser, anonymous, logged_in in shared[:4]:
        assert logged_in > 0
        mine, theirs = (ws.profiles.get("HouseholdID", item, events=10_000) for item in (winner, loser))
        assert ws.profiles.get("WebID", browser, events=0).person == mine.person != theirs.person
        assert (_in(browser, theirs, None), _in(browser, theirs, loser)) == (0, logged_in)
        assert (_in(browser, mine, None), _in(browser, mine, loser)) == (anonymous, 0)
        told = ws.identities.explain(("WebID", browser), ("HouseholdID", loser))
        (step,) = told.chain
        assert not step.in_force
        assert step.records >= logged_in
        assert step.removed is not None
        assert (step.removed.kind, step.removed.namespace, step.removed.back) == ("rule", "HouseholdID", False)
        cause = step.removed.cause
        assert cause is not None
        assert cause.at > step.last_at
        assert cause.dataset in ("web_generated", "accounts_generated")


def _in(browser: str, profile: ProfileView, household: str | None) -> int:
    """Count the web events of a profile that happened in a browser, those of a household's logins or those without."""
    found = [item.event for item in profile.events if item.dataset == "web_generated"]
    mine = [event for event in found if event["browser"]["id"] == browser]
    return sum(event.get("household", {}).get("id") == household for event in mine)


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
