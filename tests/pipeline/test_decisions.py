"""Decisions about identities: what they change, what they refuse, and that undoing one gives back what was."""

from __future__ import annotations

import json
import random
from contextlib import suppress

import pytest

from coterie.core.errors import Conflict, Invalid, NotFound
from coterie.core.ids import Identity
from coterie.identity.settings import Algorithm, IdentitySettings, NamespaceRule
from coterie.identity.suggest import Suggestion
from coterie.pipeline.define import save
from coterie.pipeline.rebuild import digest

DERIVED = ("person_of", "profile_default", "profile_unstitched", "folded", "graph_link", "removed_link", "evicted")
ANN, BOB, CID = ("CRMID", "1"), ("CRMID", "2"), ("CRMID", "3")
ANNS, BOBS = ("Email", "ann@example.org"), ("Email", "bob@example.org")
DEES = ("Email", "dee@example.org")
W1, W2, W9 = ("WebID", "w1"), ("WebID", "w2"), ("WebID", "w9")
UNIQUE = IdentitySettings(
    Algorithm.OPTIMIZED, (NamespaceRule("CRMID", unique=True), NamespaceRule("Email"), NamespaceRule("WebID"))
)


def state(ws):
    return {table: digest(ws.sandbox, table) for table in DERIVED}


def person(ws, identity):
    return ws.profiles.get(*identity).person


def names(people):
    return {frozenset(tuple(identity) for identity in one.identities) for one in people}


def load(ws, tmp_path, clock, *rows, name="crm"):
    path = tmp_path / f"{name}-{clock.at}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    clock.at += 1000
    assert ws.ingest.load(name, path).status == "active"


def test_a_merge_makes_one_person_until_it_is_undone(loaded, clock):
    before = state(loaded)
    gold = loaded.audiences.size("gold-or-lyon")
    clock.at += 1000
    made = loaded.identities.merge([BOBS, W9], "bob told us on the phone")
    assert (made.decision.decision, made.decision.kind, made.decision.reason) == (
        1,
        "merge",
        "bob told us on the phone",
    )
    assert names(made.before) == {frozenset({BOB, BOBS, W2}), frozenset({W9})}
    assert names(made.after) == {frozenset({BOB, BOBS, W2, W9})}
    assert (made.merged, made.split) == (1, 0)
    assert person(loaded, W9) == person(loaded, BOB)
    graph = loaded.identities.graph(*W9)
    (link,) = [link for link in graph.links if link.decisions]
    ends = {(graph.identities[end].namespace, graph.identities[end].value) for end in (link.a, link.b)}
    assert (ends, link.decisions, link.records, link.first_at) == ({BOBS, W9}, (1,), 0, clock.at)
    assert [item.decision for item in graph.decisions] == [1]
    assert [(item.kind, item.decision) for item in graph.history] == [("merged", 1)]
    assert "hats" in {item.event.get("search", {}).get("query") for item in loaded.profiles.get(*BOB).events}

    clock.at += 1000
    undone = loaded.identities.undo(1)
    assert names(undone.before) == names(made.after)
    assert names(undone.after) == names(made.before)
    assert (undone.merged, undone.split) == (0, 1)
    assert undone.decision.withdrawn_at == clock.at
    assert state(loaded) == before
    assert loaded.audiences.size("gold-or-lyon") == gold


def test_audiences_follow_a_decision_as_they_follow_a_load(loaded, clock, members):
    assert members(loaded, "gold-or-lyon") == {frozenset({ANN, ANNS, W1})}
    clock.at += 1000
    loaded.identities.merge([ANN, W9])
    assert members(loaded, "gold-or-lyon") == {frozenset({ANN, ANNS, W1, W9})}
    clock.at += 1000
    loaded.identities.split(ANN, ANNS)
    assert members(loaded, "gold-or-lyon") == {frozenset({ANN, W1, W9}), frozenset({ANNS})}
    assert [change.cause for change in loaded.audiences.history("gold-or-lyon")][:1] == ["decision 2"]
    clock.at += 1000
    loaded.identities.undo(2)
    assert members(loaded, "gold-or-lyon") == {frozenset({ANN, ANNS, W1, W9})}


def test_a_split_holds_also_for_records_to_come(loaded, clock, tmp_path):
    clock.at += 1000
    made = loaded.identities.split(ANN, ANNS, "a shared mailbox")
    assert names(made.after) == {frozenset({ANN, W1}), frozenset({ANNS})}
    load(loaded, tmp_path, clock, {"crm": {"id": "1", "email": "ann@example.org"}, "person": {"name": "Ann"}})
    assert person(loaded, ANN) != person(loaded, ANNS)
    (link,) = {(item.a, item.b, item.kind, item.back) for item in loaded.identities.graph(*ANN).removed}
    assert (set(link[:2]), link[2:]) == ({ANN, ANNS}, ("split", False))
    told = loaded.identities.explain(ANN, ANNS)
    assert not told.joined
    assert [(step.in_force, step.removed.kind) for step in told.chain] == [(False, "split")]
    assert [item.kind for item in told.decisions] == ["split"]
    assert [(item.kind, item.decision) for item in told.history] == [("split", 1)]
    clock.at += 1000
    loaded.identities.undo(1)
    assert person(loaded, ANN) == person(loaded, ANNS)


def test_an_identity_that_is_never_linked_joins_nobody(loaded, clock, tmp_path):
    before = state(loaded)
    clock.at += 1000
    made = loaded.identities.never_link(*ANNS)
    assert names(made.after) == {frozenset({ANN, W1}), frozenset({ANNS})}
    told = loaded.identities.explain(ANN, ANNS)
    assert (told.joined, [(step.in_force, step.removed) for step in told.chain]) == (False, [(False, None)])
    assert [item.kind for item in told.decisions] == ["never"]
    between = loaded.identities.explain(ANN, BOB)
    assert between.chain == ()
    clock.at += 1000
    loaded.identities.undo(1)
    assert state(loaded) == before


def test_an_identity_can_be_kept_from_linking_before_it_is_seen(loaded, clock, tmp_path):
    clock.at += 1000
    made = loaded.identities.never_link("Email", "info@example.org", "the shop's own address")
    assert (made.before, made.after) == ((), ())
    shared = [
        {"crm": {"id": "7", "email": "info@example.org"}, "person": {"name": "Gil"}},
        {"crm": {"id": "8", "email": "info@example.org"}, "person": {"name": "Hal"}},
    ]
    load(loaded, tmp_path, clock, *shared)
    assert person(loaded, ("CRMID", "7")) != person(loaded, ("CRMID", "8"))
    told = loaded.identities.explain(("CRMID", "7"), ("CRMID", "8"))
    assert [(str(step.a), str(step.b), step.in_force) for step in told.chain] == [
        ("CRMID:7", "Email:info@example.org", False),
        ("Email:info@example.org", "CRMID:8", False),
    ]
    clock.at += 1000
    assert names(loaded.identities.undo(1).after) == {
        frozenset({("CRMID", "7"), ("CRMID", "8"), ("Email", "info@example.org")})
    }


def test_a_merge_counts_again_when_its_identity_may_be_linked_again(loaded, clock):
    clock.at += 1000
    loaded.identities.merge([BOBS, W9])
    merged = state(loaded)
    clock.at += 1000
    loaded.identities.never_link(*W9)
    assert person(loaded, W9) != person(loaded, BOB)
    clock.at += 1000
    loaded.identities.undo(2)
    assert person(loaded, W9) == person(loaded, BOB)
    assert state(loaded) == merged


def test_a_merge_holds_for_the_others_when_one_of_its_identities_is_never_linked(loaded, clock):
    clock.at += 1000
    loaded.identities.merge([W9, CID, DEES])
    clock.at += 1000
    made = loaded.identities.never_link(*W9)
    assert person(loaded, CID) == person(loaded, DEES) != person(loaded, W9)
    assert names(made.after) >= {frozenset({W9})}
    assert loaded.identities.explain(CID, DEES).joined
    then = loaded.identities.graph(*CID, at=clock.at)
    assert DEES in {(item.namespace, item.value) for item in then.identities}
    clock.at += 1000
    loaded.identities.put_settings({"blocked_namespaces": ["CRMID"]})
    assert person(loaded, CID) != person(loaded, DEES)


@pytest.mark.parametrize("algorithm", ["none", "optimized"])
def test_a_merge_that_names_two_values_of_a_unique_namespace_is_refused_with_and_without_rules(
    loaded, clock, algorithm
):
    clock.at += 1000
    loaded.identities.put_settings({"algorithm": algorithm, "namespaces": [{"code": "CRMID", "unique": True}]})
    with pytest.raises(Conflict, match="CRMID:1, CRMID:2") as caught:
        loaded.identities.merge([ANN, BOB])
    assert (caught.value.code, caught.value.where) == ("identity.merge-refused", {"namespace": "CRMID"})
    assert loaded.identities.decisions() == []


def test_what_cannot_be_decided_is_refused(loaded, clock):
    ids = loaded.identities

    def refused(kind, code, call, *arguments):
        with pytest.raises(kind) as caught:
            call(*arguments)
        assert caught.value.code == code
        return caught.value

    refused(Invalid, "identity.decision", ids.merge, [ANN])
    refused(Invalid, "identity.decision", ids.split, ANN, ANN)
    refused(NotFound, "identity.not-found", ids.merge, [ANN, ("CRMID", "99")])
    refused(NotFound, "identity.not-found", ids.split, ANN, ("CRMID", "99"))
    refused(NotFound, "namespace.not-found", ids.never_link, "Mail", "x")
    refused(NotFound, "decision.not-found", ids.undo, 1)
    for number in (0, -1, 10**40, "1", True):
        refused(NotFound, "decision.not-found", ids.undo, number)
    for pair in (("Email",), ("Email", ""), ("Email", 5), "Email:x", 5):
        refused(Invalid, "identity.text", ids.merge, [ANN, pair])
        refused(Invalid, "identity.text", ids.split, ANN, pair)
        refused(Invalid, "identity.text", ids.explain, pair, ANN)
    refused(Invalid, "identity.text", ids.never_link, "Email", "")
    for value in (" ", "NULL ", "x" * 1025):
        refused(Invalid, "identity.decision", ids.never_link, "Email", value)
    many = refused(Invalid, "identity.decision", ids.merge, [("CRMID", str(number)) for number in range(21)])
    assert "at most 20" in many.message
    assert ids.decisions() == []
    assert "one person already" in str(refused(Conflict, "identity.merge-refused", ids.merge, [ANN, ANNS]))
    assert loaded.sandbox.log.last == loaded.sandbox.history.position
    clock.at += 1000
    ids.split(ANN, W9)
    assert "decision 1" in str(refused(Conflict, "identity.merge-refused", ids.merge, [ANNS, W9]))
    refused(Conflict, "identity.decided", ids.split, W9, ANN)
    ids.never_link(*BOBS)
    refused(Conflict, "identity.decided", ids.never_link, *BOBS)
    refused(Conflict, "identity.merge-refused", ids.merge, [BOBS, W9])
    ids.undo(2)
    refused(Conflict, "identity.undone", ids.undo, 2)
    assert [(item.decision, item.kind, item.withdrawn_at is None) for item in ids.decisions()] == [
        (1, "split", True),
        (2, "never", False),
    ]


def test_a_merge_that_the_settings_forbid_is_refused_by_the_values_that_would_meet(ws, files, clock):
    save(ws.sandbox, "default", UNIQUE)
    for name, path in files.items():
        clock.at += 1000
        ws.ingest.load(name, path)
    with pytest.raises(Conflict, match="CRMID is unique in a graph, and theirs would hold CRMID:1, CRMID:2") as caught:
        ws.identities.merge([ANNS, W2])
    assert (caught.value.code, caught.value.where) == ("identity.merge-refused", {"namespace": "CRMID"})
    clock.at += 1000
    assert names(ws.identities.merge([ANNS, W9]).after) == {frozenset({ANN, ANNS, W1, W9})}


def test_a_merge_beyond_the_graph_limit_is_refused(ws, files, clock):
    save(ws.sandbox, "default", IdentitySettings(graph_limit=4))
    for name, path in files.items():
        clock.at += 1000
        ws.ingest.load(name, path)
    with pytest.raises(Conflict, match="5 identities"):
        ws.identities.merge([ANN, CID])


@pytest.mark.parametrize("seed", range(2))
def test_decisions_undone_in_any_order_leave_nothing(loaded, clock, seed, tmp_path):
    rng = random.Random(seed)
    known = [ANN, BOB, CID, ANNS, BOBS, W1, W2, W9]
    if seed:  # with rules, and a browser that two people share
        loaded.identities.put_settings(UNIQUE)
        shared = {"_id": "e7", "timestamp": "2026-06-07T10:00:00Z", "eventType": "login", "browser": "w2", "login": "1"}
        load(loaded, tmp_path, clock, shared, name="web")
        assert [item.kind for item in loaded.identities.graph(*W2).removed] == ["rule"]
    before, made = state(loaded), []
    acts = [
        lambda: loaded.identities.merge(rng.sample(known, rng.choice([2, 2, 3]))),
        lambda: loaded.identities.split(*rng.sample(known, 2)),
        lambda: loaded.identities.never_link(*rng.choice(known)),
    ]
    while len(made) < 6:
        clock.at += 1000
        with suppress(Conflict):  # of what is refused nothing is left
            made.append(rng.choice(acts)().decision.decision)
    rng.shuffle(made)
    for number in made[:3]:
        clock.at += 1000
        loaded.identities.undo(number)
    rebuilt = loaded.rebuild(tmp_path / "again")
    assert rebuilt.same, [table.table for table in rebuilt.tables if not table.same]
    for number in made[3:]:
        clock.at += 1000
        loaded.identities.undo(number)
    assert state(loaded) == before


def suggested(number, a, b):
    return Suggestion(f"s{number}", Identity(*a), Identity(*b), 0.99, 10.0 - number, ())


def test_accepted_suggestions_are_one_entry_and_each_can_be_undone(loaded, clock, tmp_path):
    alone, entries = state(loaded), loaded.sandbox.log.last
    clock.at += 1000
    chosen = [
        suggested(1, BOBS, W9),
        suggested(2, W9, DEES),
        suggested(3, BOB, DEES),
        suggested(4, ("CRMID", "no"), W9),
    ]
    with pytest.raises(NotFound):
        loaded.identities.accept(chosen)
    done = loaded.identities.accept(chosen[:3])
    assert [(item.decision, item.identities, item.weight) for item in done.made] == [
        (1, (BOBS, W9), 9.0),
        (2, (W9, DEES), 8.0),
    ]
    assert (done.merged, [(item.pair, item.code) for item in done.refused]) == (2, [("s3", "identity.merge-refused")])
    kinds = [entry.kind for entry in loaded.sandbox.log.entries() if entry.position > entries]
    assert [kind for kind in kinds if not kind.startswith("audience.")] == ["identities.decided"]
    graph = loaded.identities.graph(*DEES)
    assert {item.decision for item in graph.history if item.kind == "merged"} == {1, 2}
    assert loaded.rebuild(tmp_path / "together").same

    clock.at += 1000
    loaded.identities.undo(2)
    assert person(loaded, DEES) != person(loaded, BOB) == person(loaded, W9)
    with pytest.raises(Conflict) as caught:
        loaded.identities.undo_all([1, 2])
    assert caught.value.code == "identity.undone"
    clock.at += 1000
    loaded.identities.accept([suggested(1, DEES, W9)])
    clock.at += 1000
    undone = loaded.identities.undo_all([3, 1])
    assert ([item.decision for item in undone.decisions], undone.split) == ([1, 3], 2)
    assert state(loaded) == alone
    (split,) = [item for item in loaded.identities.graph(*DEES).history if item.kind == "split"][-1:]
    assert split.decision == 3
    assert loaded.rebuild(tmp_path / "apart").same
