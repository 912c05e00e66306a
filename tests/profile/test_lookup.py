"""Looking up a profile: what is found by what, why each value is what it is, and paging through events."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coterie.core.errors import Invalid
from coterie.core.ids import person_id
from coterie.profile import lookup
from coterie.profile.lookup import Contribution, Membership, ProfileView
from coterie.profile.policy import VIEWS
from coterie.profile.timeline import Page

from .world import World

CRM, EMAIL, WEB, WEB2 = ("CRM", "1"), ("Email", "a@x"), ("ECID", "7"), ("ECID", "8")


def view(at: int, sku: str, **rest: Any) -> dict[str, Any]:
    return {
        "_id": f"e{at}{sku}",
        "timestamp": at,
        "eventType": "view",
        "items": [{"sku": sku, "price": Decimal("1.10")}],
    } | rest


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.load(
        "crm", [([CRM, EMAIL], {"name": {"first": "Ann"}, "age": 30, "score": Decimal("19.99")})], 1000, "record"
    )
    world.load("mail", [([EMAIL], {"name": {"first": "Anna"}, "consents": {"post": True}})], 2000, "record")
    world.load(
        "mail", [([EMAIL], {"name": {"first": "Anne"}, "consents": {"post": False, "sms": True}})], 3000, "record"
    )
    world.load("web", [([WEB], view(50, "a")), ([WEB, CRM], view(70, "b")), ([WEB2], view(60, "c"))], 4000, "event")
    yield world
    world.close()


def get(world: World, pair: tuple[str, str], name: str = "default", **options: Any) -> ProfileView | None:
    (chosen,) = (item for item in VIEWS if item.name == name)
    return lookup.get(world.con, *pair, chosen, leaves=world.leaves, event_union=world.event, **options)


def test_any_identity_of_the_graph_finds_the_whole(world: World) -> None:
    found = [get(world, pair) for pair in (CRM, EMAIL, WEB)]
    assert found[0] is not None
    assert found == [found[0]] * 3
    profile = found[0]
    assert profile.person == person_id(*CRM)
    assert profile.attributes == {
        "name": {"first": "Anne"},
        "age": 30,
        "score": Decimal("19.99"),
        "consents": {"post": False, "sms": True},
    }
    assert profile.attributes == world.profiles("default")[world.numbers[CRM]]
    assert [(item.namespace, item.value, item.links) for item in profile.identities] == [
        (*CRM, 2),
        (*EMAIL, 1),
        (*WEB, 1),
    ]
    assert profile.links == 2
    assert profile.sources == (
        Contribution("crm", 1, 0, 1000),
        Contribution("mail", 2, 0, 3000),
        Contribution("web", 0, 2, 4000),
    )


def test_every_attribute_says_who_won_and_who_lost(world: World) -> None:
    profile = get(world, CRM)
    assert profile is not None
    first = profile.provenance["name.first"]
    assert (first.winner.dataset, first.winner.value, first.winner.recorded_at, first.winner.batch) == (
        "mail",
        "a@x",
        3000,
        "b3",
    )
    assert [(claim.source.dataset, claim.source.batch, claim.value) for claim in first.losers] == [("crm", "b1", "Ann")]
    assert profile.provenance["age"].losers == ()
    assert set(profile.provenance) == {"name.first", "age", "score", "consents.post", "consents.sms"}


def test_reverting_the_winner_brings_back_the_value_before(world: World) -> None:
    world.revert(3, 5000)
    profile = get(world, CRM)
    assert profile is not None
    assert profile.attributes["name"] == {"first": "Anna"}
    assert profile.attributes["consents"] == {"post": True}


def test_without_stitching_only_a_primary_identity_finds_anything(world: World) -> None:
    crm, mail, web = (get(world, pair, "unstitched") for pair in (CRM, EMAIL, WEB))
    assert crm is not None
    assert mail is not None
    assert web is not None
    assert crm.attributes == {"name": {"first": "Ann"}, "age": 30, "score": Decimal("19.99")}
    assert crm.events == ()
    assert mail.attributes["name"] == {"first": "Anne"}
    assert [item.event["_id"] for item in web.events] == ["e70b", "e50a"]
    world.load("shop", [([("Shop", "s"), ("Phone", "5")], {"age": 4})], 6000, "record")
    assert get(world, ("Phone", "5"), "unstitched") is None
    assert get(world, ("Phone", "5")) is not None


def test_what_was_never_seen_is_not_found(world: World) -> None:
    assert get(world, ("CRM", "2")) is None
    assert get(world, ("crm", "1")) is None
    world.revert(4, 5000)
    assert get(world, WEB2) is None


def test_events_come_newest_first_page_by_page(world: World) -> None:
    rows = [([WEB], view(70, f"x{n}")) for n in range(5)]
    world.load("web", rows, 5000, "event")
    seen, cursor = [], None
    while True:
        profile = get(world, CRM, page=Page(2, cursor))
        assert profile is not None
        seen += [item.event["_id"] for item in profile.events]
        cursor = profile.next
        if cursor is None:
            break
    assert seen == ["e70x4", "e70x3", "e70x2", "e70x1", "e70x0", "e70b", "e50a"]
    everything = get(world, CRM)
    assert everything is not None
    assert everything.events[-1].event == {
        "_id": "e50a",
        "timestamp": "1970-01-01T00:00:00.050Z",
        "eventType": "view",
        "items": [{"sku": "a", "price": Decimal("1.10")}],
    }
    assert (everything.events[-1].dataset, everything.events[-1].batch) == ("web", "b4")
    nothing = get(world, CRM, page=Page(0))
    assert nothing is not None
    assert (nothing.events, nothing.next) == ((), None)


def ids(profile: ProfileView | None) -> list[str]:
    assert profile is not None
    return [item.event["_id"] for item in profile.events]


def test_events_are_filtered_and_counted(world: World) -> None:
    bought = [([WEB], view(80, "d") | {"eventType": "buy"}), ([CRM], view(90, "e"))]
    world.load("shop", bought, 5000, "event")
    pages = {
        Page(): ["e90e", "e80d", "e70b", "e50a"],
        Page(types=("buy",)): ["e80d"],
        Page(types=("buy", "view"), datasets=("shop",)): ["e90e", "e80d"],
        Page(datasets=("web",)): ["e70b", "e50a"],
        Page(since=70, until=90): ["e80d", "e70b"],
        Page(oldest_first=True): ["e50a", "e70b", "e80d", "e90e"],
        Page(datasets=("none",)): [],
    }
    for page, expected in pages.items():
        found = get(world, CRM, page=page)
        assert ids(found) == expected
        assert found is not None
        assert (found.matching, found.next) == (len(expected), None)


@pytest.mark.parametrize("oldest_first", [False, True])
def test_filtered_events_come_page_by_page_in_either_order(world: World, oldest_first: bool) -> None:
    world.load("web", [([WEB], view(70, f"x{n}")) for n in range(4)], 5000, "event")
    seen, cursor = [], None
    while True:
        found = get(world, CRM, page=Page(2, cursor, types=("view",), since=60, oldest_first=oldest_first))
        assert found is not None
        assert found.matching == 5
        seen += ids(found)
        cursor = found.next
        if cursor is None:
            break
    expected = ["e70b", "e70x0", "e70x1", "e70x2", "e70x3"]
    assert seen == (expected if oldest_first else expected[::-1])


@pytest.mark.parametrize("cursor", ["", "1:2", "a:b:c", "1:2:3:4", "1:2:" + "9" * 50])
def test_a_wrong_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        get(world, CRM, page=Page(before=cursor))
    assert caught.value.code == "profile.cursor"


def test_memberships_of_the_audiences_asked_for(world: World) -> None:
    person = world.numbers[CRM]
    world.con.execute(
        "INSERT INTO membership (audience, person, entered_at, exited_at, version, cause) VALUES "
        "('a', $1, 10, 20, 1, 'x'), ('a', $1, 30, NULL, 2, 'y'), "
        "('b', $1, 10, 20, 1, NULL), ('c', $1, 10, NULL, 1, 'x'), ('a', $2, 1, NULL, 1, 'x')",
        [person, person + 1],
    )
    profile = get(world, EMAIL, audiences=["b", "a"])
    assert profile is not None
    assert profile.memberships == (
        Membership("a", "realized", 30, None, 2, "y"),
        Membership("b", "exited", 10, 20, 1, ""),
    )


def test_a_profile_is_plain_json(world: World) -> None:
    text = msgspec.json.Encoder(decimal_format="number").encode(get(world, CRM))
    assert b'"score":19.99' in text


def test_a_sample_begins_with_those_who_have_most_identities(world: World) -> None:
    found = lookup.sample(world.con, "default", 5, leaves=world.leaves)
    assert [(item.namespace, item.value, item.identities) for item in found] == [(*CRM, 3), (*WEB2, 1)]
    assert found[0].attributes["age"] == 30
    assert lookup.sample(world.con, "default", 1, leaves=world.leaves) == found[:1]
