"""Why two identities are one person or not, through the real intake: chains, cuts, evictions, links that came back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import cast

import msgspec
import pytest
from rich.console import Console

import coterie
from coterie.cli import graphs
from coterie.core.clock import FixedClock, parse_instant
from coterie.identity.joining import Joining
from coterie.workspace import Workspace

RULES = {"algorithm": "optimized", "namespaces": [{"code": "CRMID", "unique": True}, "Email", "Web"]}
TOM, SUMMER, MAIL = ("CRMID", "Tom"), ("CRMID", "Summer"), ("Email", "e")


def web(number: int) -> tuple[str, str]:
    return ("Web", str(number))


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock("2026-06-15T12:00:00Z")) as workspace:
        workspace.identities.put_namespace({"code": "Web", "type": "COOKIE"})
        workspace.schemas.put({"name": "shop", "class": "event", "fields": {"page": "string"}, "identity_map": True})
        workspace.datasets.put("shop", "shop")
        yield workspace


def load(ws: Workspace, *events: tuple[int, list[tuple[str, str]]]) -> None:
    path = ws.sandbox.path.parent / f"{len(ws.ingest.batches())}.jsonl"
    with path.open("w") as file:
        for place, (day, identities) in enumerate(events):
            named: dict[str, list[dict[str, str]]] = {}
            for code, value in identities:
                named.setdefault(code, []).append({"id": value})
            row = {"_id": f"{path.stem}-{place}", "timestamp": f"2026-06-{day:02d}T00:00:00Z", "eventType": "view"}
            file.write(json.dumps({**row, "identityMap": named}) + "\n")
    assert ws.ingest.load("shop", path).status == "active"


def chain(found: Joining) -> list[tuple[str, str, bool]]:
    return [(str(step.a), str(step.b), step.in_force) for step in found.chain]


def test_the_shortest_chain_is_told_and_of_two_the_newer(ws: Workspace) -> None:
    load(
        ws,
        (1, [TOM, web(1)]),
        (2, [web(1), web(2)]),
        (3, [web(2), MAIL]),  # a long way round
        (4, [TOM, web(3)]),
        (5, [web(3), MAIL]),
        (6, [TOM, web(4)]),
        (7, [web(4), MAIL]),
    )
    found = ws.identities.explain(TOM, MAIL)
    assert chain(found) == [("CRMID:Tom", "Web:4", True), ("Web:4", "Email:e", True)]
    assert [step.first.id for step in found.chain if step.first] == ["0-5", "0-6"]
    assert (found.evicted, found.decisions, found.history) == ((), (), ())
    back = ws.identities.explain(MAIL, TOM)
    assert [(b, a, force) for a, b, force in reversed(chain(back))] == chain(found)


def test_a_cut_link_is_told_with_the_record_that_cut_it_and_whether_it_came_back(ws: Workspace) -> None:
    ws.identities.put_settings(RULES)
    load(ws, (1, [TOM, web(1)]), (2, [TOM, MAIL]), (3, [SUMMER, web(1)]))
    found = ws.identities.explain(MAIL, web(1))
    assert not found.joined
    assert chain(found) == [("Email:e", "CRMID:Tom", True), ("CRMID:Tom", "Web:1", False)]
    removed = found.chain[1].removed
    assert removed is not None
    assert removed.cause is not None
    assert (removed.kind, removed.namespace, removed.at, removed.back) == (
        "rule",
        "CRMID",
        parse_instant("2026-06-03"),
        False,
    )
    assert (removed.cause.id, removed.cause.row, removed.cause.batch) == ("0-2", 3, "b000001")
    assert set(removed.cause.identities) == {SUMMER, web(1)}
    load(ws, (4, [TOM, web(1)]))
    again = ws.identities.explain(MAIL, web(1))
    assert again.joined
    assert chain(again) == [("Email:e", "CRMID:Tom", True), ("CRMID:Tom", "Web:1", True)]
    graph = ws.identities.graph(*TOM)
    assert sorted((item.kind, str(item.cause and item.cause.id), item.back) for item in graph.removed) == [
        ("rule", "0-2", True),
        ("rule", "1-0", False),
    ]


def test_of_two_chains_the_one_with_fewer_cuts_is_told(ws: Workspace) -> None:
    ws.identities.put_settings(RULES)
    load(
        ws,
        (1, [TOM, web(1)]),
        (2, [SUMMER, web(1)]),  # cuts Tom from browser 1
        (3, [TOM, web(2)]),
        (4, [SUMMER, web(2)]),  # cuts Tom from browser 2
        (5, [SUMMER, MAIL]),
    )
    found = ws.identities.explain(TOM, MAIL)
    assert [step.in_force for step in found.chain] == [False, True, True]
    assert {str(step.b) for step in found.chain} >= {"CRMID:Summer", "Email:e"}
    newest = found.chain[0]
    assert (str(newest.b), newest.removed is not None) == ("Web:2", True)


def test_who_left_a_full_graph_is_told(ws: Workspace) -> None:
    ws.identities.put_settings({**RULES, "graph_limit": 3})
    load(ws, (1, [TOM, web(1)]), (2, [TOM, web(2)]), (3, [TOM, MAIL]), (4, [web(1)]))
    found = ws.identities.explain(TOM, web(1))
    assert chain(found) == [("CRMID:Tom", "Web:1", False)]
    assert found.chain[0].removed is not None
    assert found.chain[0].removed.kind == "evicted"
    assert [(str(item.identity), item.cause and item.cause.id) for item in found.evicted] == [("Web:1", "0-2")]
    assert [str(item.identity) for item in ws.identities.graph(*TOM).evicted] == ["Web:1"]
    assert ws.profiles.get(*web(1)).events  # it is a person of its own


def test_a_policy_without_stitching_joins_nobody(ws: Workspace) -> None:
    load(ws, (1, [TOM, web(1)]), (2, [web(1)]))
    found = ws.identities.explain(TOM, web(1), "unstitched")
    assert (found.joined, chain(found)) == (False, [("CRMID:Tom", "Web:1", True)])


def test_a_revert_parts_people_and_says_so(ws: Workspace) -> None:
    load(ws, (1, [TOM, web(1)]), (2, [MAIL, web(2)]))
    load(ws, (3, [TOM, MAIL]))
    assert ws.identities.explain(web(1), web(2)).joined
    ws.ingest.revert("b000002")
    found = ws.identities.explain(web(1), web(2))
    assert (found.joined, found.chain) == (False, ())
    assert [(item.kind, item.batch) for item in found.history] == [("merged", "b000002"), ("split", "b000002")]
    assert [(item.kind, item.batch) for item in ws.identities.graph(*MAIL).history] == [
        ("merged", "b000002"),
        ("split", "b000002"),
    ]


def test_a_link_that_no_record_could_make_is_told_with_the_reason(ws: Workspace) -> None:
    ws.identities.put_settings({"namespaces": [{"code": "CRMID", "unique": True}]})
    load(ws, (1, [TOM, SUMMER, MAIL]), (2, [TOM, ("AAID", "1")]), (3, [MAIL, ("AAID", "1")]))
    two = ws.identities.explain(TOM, SUMMER)
    assert chain(two) == [("CRMID:Tom", "CRMID:Summer", False)]
    assert (two.chain[0].removed, two.blocked) == (None, ())
    assert "holds two values of a unique namespace" in shown(two)
    never = ws.identities.explain(TOM, ("AAID", "1"))
    assert (chain(never), never.blocked) == ([("CRMID:Tom", "AAID:1", False)], ("AAID",))
    assert "one of the two is never linked" in shown(never)
    ws.identities.never_link(*MAIL)
    assert "one of the two is never linked" in shown(ws.identities.explain(TOM, MAIL))


def shown(found: Joining) -> str:
    """Return what the command line says."""
    out = Console(file=StringIO(), width=200)
    graphs.joining(out, msgspec.to_builtins(found))
    return cast(StringIO, out.file).getvalue()
