"""Records of persons: all identities of a graph, live facts only, and the past as of an instant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coterie.core.schema import Union
from coterie.profile import lookup
from coterie.profile.policy import STITCHED
from coterie.profile.record import record_of, records
from coterie.profile.timeline import Page

from .world import World

CRM, EMAIL, WEB, ALONE = ("CRM", "1"), ("Email", "a@x"), ("ECID", "7"), ("ECID", "8")


def view(id_: str, at: int) -> dict[str, Any]:
    return {"_id": id_, "timestamp": at, "items": [{"sku": id_, "price": Decimal("1.10")}, {"sku": "z"}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.load("crm", [([CRM, EMAIL], {"score": Decimal("19.99"), "since": "2020-02-29"})], 1000, "record")
    world.load("web", [([WEB], view("b", 70)), ([WEB, CRM], view("a", 70)), ([ALONE], view("c", 60))], 4000, "event")
    world.load("web", [([EMAIL], view("d", 10))], 5000, "event")
    world.con.execute(
        "INSERT INTO membership (audience, person, entered_at, exited_at, version, cause) VALUES "
        "('buyers', 0, 20, 40, 1, ''), ('buyers', 0, 60, NULL, 2, ''), "
        "('visitors', 0, 30, NULL, 1, ''), ('lost', 0, 10, 50, 1, '')"
    )
    yield world
    world.close()


def read(world: World, people: list[int], name: str = "default", **options: Any) -> dict[int, dict[str, Any]]:
    return dict(records(world.con, Union(world.profile, world.event), name, people, **options))


def shown(id_: str, at: str) -> dict[str, Any]:
    return {"_id": id_, "timestamp": at, "items": [{"sku": id_, "price": Decimal("1.10")}, {"sku": "z"}]}


def test_a_profile_that_was_looked_up_is_the_same_record(world: World) -> None:
    world.load(
        "web",
        [([WEB], view(id_, at)) for id_, at in (("y", 1000), ("x", 1000), ("w", 999), ("v", 1001))],
        6000,
        "event",
    )
    for pair in (CRM, ALONE):
        found = lookup.get(
            world.con,
            *pair,
            STITCHED,
            leaves=world.leaves,
            event_union=world.event,
            page=Page(100, oldest_first=True),
            audiences=["buyers", "visitors", "lost"],
        )
        assert found is not None
        number = world.numbers[pair]
        assert record_of(found) == read(world, [number])[number]


def test_the_whole_of_a_person(world: World) -> None:
    crm, alone = world.numbers[CRM], world.numbers[ALONE]
    found = read(world, [alone, crm, 99])
    assert list(found) == [crm, alone]
    assert found[crm] == {
        "score": Decimal("19.99"),
        "since": "2020-02-29",
        "events": [
            shown("d", "1970-01-01T00:00:00.010Z"),
            shown("a", "1970-01-01T00:00:00.070Z"),
            shown("b", "1970-01-01T00:00:00.070Z"),
        ],
        "identityMap": {"CRM": [{"id": "1"}], "ECID": [{"id": "7"}], "Email": [{"id": "a@x"}]},
        "segmentMembership": {
            "ups": {
                "buyers": {"status": "realized", "lastQualificationTime": "1970-01-01T00:00:00.060Z", "version": "2"},
                "lost": {"status": "exited", "lastQualificationTime": "1970-01-01T00:00:00.010Z", "version": "1"},
                "visitors": {"status": "realized", "lastQualificationTime": "1970-01-01T00:00:00.030Z", "version": "1"},
            }
        },
    }
    assert found[alone] == {"events": [shown("c", "1970-01-01T00:00:00.060Z")], "identityMap": {"ECID": [{"id": "8"}]}}


def test_as_of_an_instant(world: World) -> None:
    (found,) = read(world, [0], until=40).values()
    assert [event["_id"] for event in found["events"]] == ["d"]
    statuses = {name: entry["status"] for name, entry in found["segmentMembership"]["ups"].items()}
    assert statuses == {"buyers": "exited", "lost": "realized", "visitors": "realized"}
    (found,) = read(world, [0], until=40, audiences=["lost", "unknown"], events=False).values()
    assert found["events"] == []
    assert list(found["segmentMembership"]["ups"]) == ["lost"]


def test_withdrawn_batches_leave_no_trace(world: World) -> None:
    world.revert(2, 6000)
    found = read(world, [world.numbers[CRM], world.numbers[ALONE]])
    assert [event["_id"] for event in found.pop(world.numbers[CRM])["events"]] == ["d"]
    assert found == {}


def test_a_view_without_stitching(world: World) -> None:
    found = read(world, list(world.numbers.values()), "unstitched")
    assert {number: [event["_id"] for event in record["events"]] for number, record in found.items()} == {
        world.numbers[CRM]: [],
        world.numbers[EMAIL]: ["d"],
        world.numbers[WEB]: ["a", "b"],
        world.numbers[ALONE]: ["c"],
    }
