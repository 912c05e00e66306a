"""Graphs of the sample world, and a preview of other settings, against a plain fold of the raw records."""

from __future__ import annotations

from collections import defaultdict

import pytest

from coterie.demo.world import DemoReport
from coterie.workspace import Workspace

from .graphs import Graphs, change, fold, records
from .oracle import Oracle

Loaded = tuple[Workspace, DemoReport]
ORDER = ("HouseholdID", "Email", "WebID")


@pytest.fixture(scope="module")
def now(oracle: Oracle) -> Graphs:
    return fold(records(oracle), ORDER, {"HouseholdID"})


def test_graphs_and_links(loaded: Loaded, now: Graphs) -> None:
    con = loaded[0].sandbox.history.con
    named = "JOIN identity i ON i.identity = {0} JOIN namespace n ON n.namespace = i.namespace"
    groups: dict[int, set[str]] = defaultdict(set)
    for person, identity in con.execute(
        f"SELECT p.person, n.code || ':' || i.value FROM person_of p {named.format('p.identity')}"
    ).fetchall():
        groups[person].add(identity)
    assert {frozenset(group) for group in groups.values() if len(group) > 1} == now.graphs
    removed = con.execute(
        "SELECT count(*) FROM (SELECT DISTINCT a, b FROM removed_link) ANTI JOIN graph_link USING (a, b)"
    ).fetchall()
    assert removed == [(len(now.seen - now.links),)]


def test_a_preview_of_unique_addresses_is_exact(loaded: Loaded, oracle: Oracle, now: Graphs) -> None:
    ws, report = loaded
    position = ws.sandbox.log.last
    then = fold(records(oracle), ORDER, {"HouseholdID", "Email"})
    found = ws.identities.preview_settings(
        {
            "algorithm": "optimized",
            "namespaces": [{"code": code, "unique": code != "WebID"} for code in ORDER],
        }
    )
    assert (found.graphs_before, found.graphs_after) == (len(now.graphs), len(then.graphs))
    assert (found.merges, found.splits, found.exchanges, found.staying) == change(now.graphs, then.graphs)
    assert found.splits > 100
    assert found.links_removed == len(then.seen - then.links)
    assert found.profiles_before == report.persons
    assert ws.sandbox.log.last == position
