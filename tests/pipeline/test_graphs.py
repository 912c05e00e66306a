"""Graphs through the real intake: the documented cases, any order of loading, reverts, and settings applied at once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie.core.clock import FixedClock, format_instant
from coterie.core.errors import Invalid
from coterie.identity import batch_limit
from coterie.pipeline import settings
from coterie.workspace import Workspace

START = 1_780_000_000_000
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "identity-examples.jsonl").read_text().splitlines()
]
OWN = {
    item["code"]: item["type"]
    for case in CASES
    for item in case["namespaces"]
    if item["code"]
    not in ("ECID", "CRMID", "Email", "Phone", "AAID", "GAID", "IDFA", "Email_LC_SHA256", "Phone_SHA256")
}

Identity = tuple[str, str]
Event = tuple[int, Sequence[Identity]]
Groups = set[frozenset[Identity]]
RULES = {
    "algorithm": "optimized",
    "namespaces": [{"code": "CRMID", "unique": True}, "Email", "Web"],
    "graph_limit": 5,
}


def opened(folder: Path, clock: FixedClock) -> Workspace:
    ws = coterie.open(folder, create=True, clock=clock)
    ws.identities.put_namespace({"code": "Web", "type": "COOKIE"})
    ws.schemas.put({"name": "seen", "class": "event", "fields": {"note": "string"}, "identity_map": True})
    ws.datasets.put("seen", "seen")
    return ws


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START + 10_000_000)


@pytest.fixture
def ws(tmp_path: Path, clock: FixedClock) -> Iterator[Workspace]:
    with opened(tmp_path / "ws", clock) as workspace:
        yield workspace


def written(path: Path, events: Iterable[Event], name: str = "e") -> Path:
    with path.open("w") as file:
        for number, (at, identities) in enumerate(events):
            named: dict[str, list[dict[str, str]]] = {}
            for code, value in identities:
                named.setdefault(code, []).append({"id": value})
            row = {
                "_id": f"{name}{number}",
                "timestamp": format_instant(START + at),
                "eventType": "seen",
                "identityMap": named,
            }
            file.write(json.dumps(row) + "\n")
    return path


def load(ws: Workspace, path: Path) -> Any:
    report = ws.ingest.load("seen", path, threshold=1.0, evaluate=False)
    assert report.status == "active"
    return report


def groups(ws: Workspace) -> Groups:
    """Return the graphs of two or more identities."""
    rows = ws.sandbox.history.con.execute(
        "SELECT list([n.code, i.value]) FROM person_of p JOIN identity i ON i.identity = p.identity "
        "JOIN namespace n ON n.namespace = i.namespace GROUP BY p.person HAVING count(*) > 1"
    ).fetchall()
    return {frozenset((code, value) for code, value in group) for (group,) in rows}


def links(ws: Workspace) -> set[tuple[Identity, Identity, int, int]]:
    """Return the links in force of graphs that were replayed."""
    rows = ws.sandbox.history.con.execute(
        "SELECT (SELECT [n.code, i.value] FROM identity i JOIN namespace n USING (namespace) WHERE identity = a), "
        "(SELECT [n.code, i.value] FROM identity i JOIN namespace n USING (namespace) WHERE identity = b), "
        "first_at, last_at FROM graph_link"
    ).fetchall()
    return {(*sorted([tuple(a), tuple(b)]), first, last) for a, b, first, last in rows}


def renamed(identity: Sequence[str], case: str) -> Identity:
    """Return an identity of a case as one of its own in a workspace that all cases share."""
    code, value = identity
    return ("Web" if code == "ECID" else code), f"{value} of {case}"


def settings_of(case: Any) -> dict[str, Any]:
    ranked = sorted(case["namespaces"], key=lambda item: item["priority"])
    rules = [{"code": renamed([item["code"], ""], "")[0], "unique": item["unique"]} for item in ranked]
    return {"algorithm": case["algorithm"], "namespaces": rules, "blocked_namespaces": []}


@pytest.mark.parametrize("given", [None, [], "CRMID", {"namespaces": "CRMID"}, {"graph_limit": "5"}, {"limit": 5}])
def test_settings_in_another_form_are_refused(given: Any) -> None:
    with pytest.raises(Invalid) as caught:
        settings.read(given)
    assert caught.value.code == "identity.settings-spec"


def test_the_documented_cases_hold(ws: Workspace, tmp_path: Path, clock: FixedClock) -> None:
    for code, kind in OWN.items():
        ws.identities.put_namespace({"code": code, "type": kind})
    for _, group in groupby(sorted(CASES, key=lambda case: str(settings_of(case))), key=settings_of):
        cases = list(group)
        ws.identities.put_settings(settings_of(cases[0]))
        clock.at += 1000
        events: list[Event] = [
            (event["t"], [renamed(item, case["id"]) for item in event["identities"]])
            for case in cases
            for event in case["events"]
        ]
        name = cases[0]["id"]
        load(ws, written(tmp_path / f"{name}.jsonl", events, name))
        found = groups(ws)
        for case in cases:
            mine = {group for group in found if any(value.endswith(f" of {case['id']}") for _, value in group)}
            wanted = {frozenset(renamed(item, case["id"]) for item in group) for group in case["expectClusters"]}
            assert mine == wanted, case["id"]
    assert ws.rebuild(tmp_path / "again").same


def story(chance: random.Random, size: int) -> list[Event]:
    """Return random events: few people, shared browsers, graphs that grow past the limit, all at different times."""
    times = chance.sample(range(10 * size), size)
    events: list[Event] = []
    for at in times:
        people = [("CRMID", str(chance.randint(1, 3)))] if chance.random() < 0.5 else []
        people += [("Email", chance.choice("ab"))] if chance.random() < 0.4 else []
        browsers = [("Web", str(chance.randint(1, 7))) for _ in range(chance.randint(1, 2))]
        events.append((at, sorted({*people, *browsers})))
    return events


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_loading_gives_the_same_and_a_revert_is_as_never_loaded(
    tmp_path: Path, clock: FixedClock, seed: int
) -> None:
    chance = random.Random(seed)
    events = story(chance, 36)
    cuts = [events[:12], events[12:24], events[24:]]
    files = [written(tmp_path / f"{number}.jsonl", part, f"p{number}-") for number, part in enumerate(cuts)]
    extra = written(tmp_path / "extra.jsonl", story(chance, 12), "x")
    with opened(tmp_path / "in-order", clock) as ws:
        ws.identities.put_settings(RULES)
        for file in sorted(files, key=lambda path: path.name):
            clock.at += 1000
            load(ws, file)
        wanted = groups(ws), links(ws)
        assert wanted[1]
    with opened(tmp_path / "other-order", clock) as ws:
        batch = ""
        for place, file in enumerate(chance.sample(files, len(files))):
            if place == 1:
                batch = load(ws, extra).batch
                ws.identities.put_settings(RULES)
            clock.at += 1000
            load(ws, file)
        ws.ingest.revert(batch)
        assert (groups(ws), links(ws)) == wanted
        assert ws.rebuild(tmp_path / "again").same
        anew = told(ws)
        ws.identities.put_settings(RULES | {"graph_limit": 4})
        ws.identities.put_settings(RULES)
        assert told(ws) == anew


def told(ws: Workspace) -> dict[str, list[Any]]:
    """Return all that is told of graphs."""
    con = ws.sandbox.history.con
    tables = ("person_of", "folded", "graph_link", "removed_link", "evicted")
    return {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables}


def partition(ws: Workspace, *, owning: bool = False) -> dict[Identity, frozenset[Identity]]:
    """Return the graph of every identity, or of those that own events, these among each other."""
    owners = 'WHERE p.identity IN (SELECT "$identity" FROM live_event)' if owning else ""
    rows = ws.sandbox.history.con.execute(
        "SELECT list([n.code, i.value]) FROM person_of p JOIN identity i ON i.identity = p.identity "
        f"JOIN namespace n ON n.namespace = i.namespace {owners} GROUP BY p.person"
    ).fetchall()
    graphs = [frozenset((code, value) for code, value in group) for (group,) in rows]
    return {identity: graph for graph in graphs for identity in graph}


@pytest.mark.parametrize("seed", range(3))
def test_a_preview_says_exactly_what_applying_gives(ws: Workspace, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    if seed == 2:
        ws.identities.put_settings(RULES | {"graph_limit": 3})
    load(ws, written(tmp_path / "story.jsonl", story(chance, 60)))
    before, owning = partition(ws), partition(ws, owning=True)
    persons = {
        person for (person,) in ws.sandbox.history.con.execute("SELECT DISTINCT person FROM person_of").fetchall()
    }
    seen = told(ws)
    asked = {"algorithm": "none", "graph_limit": 0} if seed == 2 else RULES
    found = ws.identities.preview_settings(asked)
    assert told(ws) == seen
    ws.identities.put_settings(asked)

    after, owning_after = partition(ws), partition(ws, owning=True)
    assert found.graphs_before == len({graph for graph in before.values() if len(graph) > 1})
    assert found.graphs_after == len({graph for graph in after.values() if len(graph) > 1})
    assert found.staying == len({graph for graph in before.values() if len(graph) > 1 and after[min(graph)] == graph})
    assert found.profiles_before == len(set(owning.values()))
    assert found.profiles_after == len(set(owning_after.values())) == ws.profiles.count()
    assert found.profiles_changed == len(set(owning.values()) - set(owning_after.values()))
    kept = {person for (person,) in ws.sandbox.history.con.execute("SELECT DISTINCT person FROM person_of").fetchall()}
    assert found.merges + found.splits + found.exchanges > 0
    assert found.renamed <= len(persons - kept)
    for change in found.samples:
        sides = {frozenset(group) for group in change.before}, {frozenset(group) for group in change.after}
        assert sides[0] == {before[identity] for group in sides[0] for identity in group}
        assert sides[1] == {after[identity] for group in sides[1] for identity in group}
        assert (len(sides[0]) > 1, len(sides[1]) > 1) == {
            "merge": (True, False),
            "split": (False, True),
            "exchange": (True, True),
        }[change.kind]
    (removed,) = ws.sandbox.history.con.execute(
        "SELECT count(*) FROM (SELECT a, b FROM removed_link EXCEPT SELECT a, b FROM graph_link)"
    ).fetchall()[0]
    (evicted,) = ws.sandbox.history.con.execute("SELECT count(DISTINCT identity) FROM evicted").fetchall()[0]
    assert (found.links_removed, found.identities_evicted) == (removed, evicted)
    assert (evicted > 0, removed > 0) == (seed != 2, seed != 2)


def test_people_are_known_by_their_best_identity_under_rules(ws: Workspace, tmp_path: Path) -> None:
    load(ws, written(tmp_path / "a.jsonl", [(1, [("Web", "w")])]))
    load(ws, written(tmp_path / "b.jsonl", [(2, [("CRMID", "1"), ("Web", "w")])], "f"))
    named = ws.profiles.get("Web", "w").person
    found = ws.identities.preview_settings(RULES)
    assert (found.renamed, found.staying, found.profiles_changed) == (1, 1, 0)
    ws.identities.put_settings(RULES)
    best = ws.profiles.get("Web", "w").person
    assert best == ws.profiles.get("CRMID", "1").person != named
    lineage = ws.sandbox.history.con.execute("SELECT kind, batch, decision FROM lineage").fetchall()
    assert lineage == [("renamed", None, None)]


def test_a_preview_tells_who_lacks_the_best_namespace(ws: Workspace, tmp_path: Path) -> None:
    events: list[Event] = [
        (1, [("CRMID", "1"), ("Web", "a")]),
        (2, [("Email", "x"), ("Web", "b")]),
        (3, [("Web", "c"), ("Web", "d")]),
    ]
    load(ws, written(tmp_path / "a.jsonl", events))
    found = ws.identities.preview_settings(RULES)
    assert (found.graphs_after, found.lacking, found.dangling) == (3, 2, 1)
    assert "2 of 3 graphs (66.7 %) have no identity of CRMID" in found.warnings[0]
    assert "1 identities of people were never seen" in found.warnings[1]
    ws.identities.put_settings(RULES)
    load(ws, written(tmp_path / "b.jsonl", [(4, [("CRMID", "2"), ("Web", "a"), ("Web", "e")])], "f"))
    stats = ws.identities.stats()
    assert (stats.graphs, stats.lacking, stats.dangling) == (3, 2, 1)
    assert (stats.links, stats.links_removed, stats.replayed, stats.identities_evicted) == (6, 1, 4, 0)
    assert [(item.namespace, item.profiles, item.most) for item in stats.collapsed_by] == [("Web", 2, 2)]
    assert stats.collapsed == 2


def test_events_with_two_values_of_their_best_namespace_are_put_aside(ws: Workspace, tmp_path: Path) -> None:
    ws.identities.put_settings({"algorithm": "optimized", "namespaces": ["CRMID", "Email", "Web"]})
    events: list[Event] = [
        (1, [("Email", "a"), ("Web", "1"), ("Web", "2")]),
        (2, [("Web", "1"), ("Web", "2")]),
        (3, [("CRMID", "1"), ("Email", "a"), ("Email", "b")]),
        (4, [("Email", "a"), ("Email", "a"), ("Web", "3")]),
        (5, [("Email", "a"), ("Email", "null"), ("Web", "3")]),
    ]
    report = load(ws, written(tmp_path / "a.jsonl", events))
    assert report.errors == {"identity.two-primaries": 1}
    (aside,) = ws.ingest.quarantine(report.batch)
    assert (aside.line, aside.field, aside.code) == (2, "identityMap", "identity.two-primaries")
    assert "1" in str(aside.value)
    owners = ws.sandbox.history.con.execute(
        'SELECT n.code, i.value FROM live_event e JOIN identity i ON i.identity = e."$identity" '
        'JOIN namespace n USING (namespace) ORDER BY "timestamp"'
    ).fetchall()
    assert owners == [("Email", "a"), ("CRMID", "1"), ("Email", "a"), ("Email", "a")]
    assert ws.rebuild(tmp_path / "again").same


def test_a_record_that_breaks_uniqueness_by_itself_links_nobody_and_is_counted(ws: Workspace, tmp_path: Path) -> None:
    ws.identities.put_settings(
        {"algorithm": "optimized", "namespaces": ["CRMID", {"code": "Email", "unique": True}, "Web"]}
    )
    report = load(ws, written(tmp_path / "a.jsonl", [(1, [("CRMID", "1"), ("Email", "a"), ("Email", "b")])]))
    assert report.warnings == {"identity.not-unique": 1}
    assert ws.ingest.batch(report.batch).metrics["warnings"] == {"identity.not-unique": 1}
    assert groups(ws) == set()


def test_an_identity_is_left_out_of_a_batch_after_fifty_others(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = ("Web", "hub")
    events: list[Event] = [(1000 - n, [hub, ("CRMID", f"{n:02d}")]) for n in range(49)]
    events += [(n, [hub, ("Email", f"{n}"), ("CRMID", "first")]) for n in range(2)]  # 49 before, then 51
    events += [(10, [hub, ("CRMID", "00")]), (11, [hub, ("Email", "x"), ("CRMID", "y")])]
    ws.identities.put_settings({"graph_limit": 0})
    report = load(ws, written(tmp_path / "a.jsonl", events))
    assert report.warnings == {"identity.batch-limit": 3}
    # the 50th record brings two at once and is the last one that counts for the hub
    shared = {hub, ("Email", "0"), ("CRMID", "first"), ("Email", "1"), *(("CRMID", f"{n:02d}") for n in range(49))}
    assert groups(ws) == {frozenset(shared), frozenset({("Email", "x"), ("CRMID", "y")})}
    (records,) = ws.sandbox.history.con.execute(
        'SELECT count(*) FROM event WHERE "$identities" IS NULL AND "timestamp" = $1', [START + 10]
    ).fetchall()[0]
    assert records == 1
    # in a batch of its own it begins anew
    assert load(ws, written(tmp_path / "b.jsonl", [(12, [hub, ("Email", "x")])], "b")).warnings == {}
    assert len(groups(ws)) == 1
    kept = told(ws)
    assert ws.rebuild(tmp_path / "again").same
    monkeypatch.setattr(batch_limit, "FEW", -1)
    assert ws.rebuild(tmp_path / "compiled").same
    assert told(ws) == kept
