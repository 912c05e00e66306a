"""Suggestions of people who are perhaps one: who is found, what is said of them, what accepting does."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import CoterieError
from coterie.identity.suggest import Suggestions
from coterie.workspace import Workspace

LAST = [
    "Abbott",
    "Bradley",
    "Castillo",
    "Dominguez",
    "Eriksson",
    "Fitzgerald",
    "Gallagher",
    "Hernandez",
    "Ivanov",
    "Jankowski",
]
FIRST = [
    "Amelie",
    "Bernard",
    "Charlotte",
    "Dimitri",
    "Eleanor",
    "Frederic",
    "Gabriella",
    "Humphrey",
    "Isabelle",
    "Jonathan",
]
FIELDS = ["person.name.lastName", "person.name.firstName", "person.birthDate", "homeAddress.city"]
PEOPLE, TWICE = 600, 60


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """People of two systems, of whom some are in both, a few of those with a slip in the name or without a city."""
    folder = tmp_path_factory.mktemp("people")
    rng = random.Random(5)
    rows: list[dict[str, Any]] = [
        {
            "id": f"a{number}",
            "person": {
                "name": {"lastName": rng.choice(LAST) + rng.choice(LAST).lower(), "firstName": rng.choice(FIRST)},
                "birthDate": f"19{rng.randrange(40, 99)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}",
            },
            "homeAddress": {"city": rng.choice(["Lyon", "Nice", "Paris", "Lille", "Metz"])},
        }
        for number in range(PEOPLE)
    ]
    for number in range(TWICE):
        again = json.loads(json.dumps(rows[number])) | {"id": f"b{number}"}
        name = again["person"]["name"]
        if number % 5 == 0:
            name["lastName"] = name["lastName"][:-1]
        if number % 5 == 1:
            del again["homeAddress"]
        name["firstName"] = name["firstName"].upper() + " "
        rows.append(again)
    (folder / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with coterie.open(folder / "ws", create=True, clock=FixedClock("2026-06-15T12:00:00Z")) as workspace:
        texts = dict.fromkeys(["id", *FIELDS, "tags[]"], "string")
        identity = {"path": "id", "namespace": "CRMID", "primary": True}
        workspace.schemas.put({"name": "people", "class": "profile", "fields": texts, "identities": [identity]})
        workspace.datasets.put("people", "people")
        workspace.ingest.load("people", folder / "people.jsonl")
        yield workspace


@pytest.fixture(scope="module")
def found(ws: Workspace) -> Suggestions:
    return ws.identities.suggest(FIELDS, 0.9)


def test_people_of_both_systems_are_found_and_hardly_others(found: Suggestions) -> None:
    pairs = {frozenset((item.a.value[1:], item.b.value[1:])) for item in found.pairs}
    right = [pair for pair in pairs if len(pair) == 1]
    assert len(right) >= 0.95 * TWICE
    assert len(right) >= 0.95 * len(pairs)
    assert found.people == PEOPLE + TWICE
    assert found.compared < (PEOPLE + TWICE) ** 2 / 4
    assert [item.weight for item in found.pairs] == sorted((item.weight for item in found.pairs), reverse=True)


def test_a_suggestion_says_what_made_it(found: Suggestions) -> None:
    slip = next(item for item in found.pairs if {item.a.value, item.b.value} == {"a0", "b0"})
    said = {item.field: item for item in slip.agreements}
    assert list(said) == FIELDS
    name = said["person.name.lastName"]
    assert name.left is not None
    assert name.right is not None
    assert name.left[:-1] == name.right or name.left == name.right[:-1]
    assert said["person.name.firstName"].left == said["person.name.firstName"].right
    assert said["person.birthDate"].weight > said["homeAddress.city"].weight > 0
    unknown = next(item for item in found.pairs if {item.a.value, item.b.value} == {"a1", "b1"})
    assert unknown.agreements[3].weight == 0


def test_the_preview_says_how_many_would_merge(found: Suggestions) -> None:
    by = {item.probability: item for item in found.thresholds}
    assert list(by) == [0.5, 0.8, 0.9, 0.95, 0.99]
    assert by[0.9].pairs == len(found.pairs)
    assert [item.pairs for item in found.thresholds] == sorted((item.pairs for item in found.thresholds), reverse=True)
    ends = {end for item in found.pairs for end in (item.a, item.b)}
    assert by[0.9].merging == len(ends)


def test_accepted_pairs_become_merges_with_their_weight_and_can_be_undone(ws: Workspace, found: Suggestions) -> None:
    before = ws.profiles.count()
    chosen = found.pairs[:3]
    done = ws.identities.accept(chosen)
    assert [item.source for item in done.made] == ["splink"] * 3
    assert [item.weight for item in done.made] == [item.weight for item in chosen]
    assert done.refused == ()
    assert ws.profiles.count() == before - 3
    assert ws.profiles.get(*chosen[0].a).person == ws.profiles.get(*chosen[0].b).person
    again = ws.identities.accept(chosen[:1])
    assert [item.code for item in again.refused] == ["identity.merge-refused"]
    assert {item.pair for item in ws.identities.suggest(FIELDS).pairs}.isdisjoint(item.pair for item in chosen)
    ws.identities.undo(done.made[0].decision)
    assert ws.profiles.count() == before - 2
    assert ws.identities.undo_all(item.decision for item in done.made[1:]).split == 2
    assert ws.profiles.count() == before
    assert {item.pair for item in ws.identities.suggest(FIELDS).pairs} >= {item.pair for item in chosen}


def test_what_may_not_be_merged_is_counted_and_left_out(ws: Workspace, found: Suggestions) -> None:
    first = found.pairs[0]
    made = ws.identities.split(first.a, first.b)
    apart = ws.identities.suggest(FIELDS, 0.9)
    assert apart.forbidden == 1
    assert first.pair not in {item.pair for item in apart.pairs}
    ws.identities.undo(made.decision.decision)
    made = ws.identities.never_link(*first.a)
    assert first.pair not in {item.pair for item in ws.identities.suggest(FIELDS, 0.9).pairs}
    ws.identities.undo(made.decision.decision)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("suggest.fields", {"fields": FIELDS[:1]}),
        ("suggest.fields", {"fields": [FIELDS[0], FIELDS[0]]}),
        ("suggest.fields", {"fields": [FIELDS[0], "tags"]}),
        ("field.not-found", {"fields": [FIELDS[0], "person.name.lastNam"]}),
        ("suggest.threshold", {"fields": FIELDS, "threshold": 0.2}),
        ("suggest.block", {"fields": FIELDS[:2], "blocks": [["homeAddress.city"]]}),
        ("suggest.view", {"fields": FIELDS, "view": "unstitched"}),
    ],
)
def test_what_cannot_be_asked_is_refused(ws: Workspace, code: str, arguments: dict[str, object]) -> None:
    with pytest.raises(CoterieError) as caught:
        ws.identities.suggest(**arguments)
    assert caught.value.code == code


def test_blocks_that_give_too_many_pairs_are_refused_or_refined(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.identity.suggest.MOST_PAIRS", 10_000)
    with pytest.raises(CoterieError, match=r"agree in homeAddress\.city") as caught:
        ws.identities.suggest(FIELDS, blocks=[["homeAddress.city"]])
    assert caught.value.code == "suggest.block"
    found = ws.identities.suggest(FIELDS)
    assert ("person.name.firstName", "homeAddress.city") in found.blocks
    assert len(found.pairs) >= 0.9 * TWICE
    monkeypatch.setattr("coterie.identity.suggest.MOST_PAIRS", 0)
    with pytest.raises(CoterieError, match="too many people"):
        ws.identities.suggest(FIELDS[1:])


def test_without_splink_it_says_what_to_install(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(CoterieError) as caught:
        ws.identities.suggest(FIELDS)
    assert caught.value.code == "suggest.extra"


def test_a_file_of_nobody_gives_nothing(tmp_path: Path) -> None:
    with coterie.open(tmp_path, create=True) as empty:
        empty.schemas.put({"name": "people", "class": "profile", "fields": dict.fromkeys(["id", *FIELDS], "string")}
                          | {"identities": [{"path": "id", "namespace": "CRMID", "primary": True}]})  # fmt: skip
        assert empty.identities.suggest(FIELDS).pairs == ()
