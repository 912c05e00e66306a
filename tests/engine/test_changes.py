"""When truth can change with no new data: never later than it does, exactly then where that is promised."""

from __future__ import annotations

import random
from typing import Any

import pytest

from coterie.core.clock import parse_instant
from coterie.engine.people import earliest
from coterie.engine.sql import SqlEngine
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds, next_change, read_profile
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE

from .world import World

NOW = parse_instant("2026-03-30T12:00:00Z")
DAY, HOUR = 86_400_000, 3_600_000

EXACT = (
    'xEvent[eventType = "buy" and timestamp occurs <= 30 days before now].count() >= 2',
    'not xEvent[eventType = "buy" and timestamp occurs <= 30 days before now]',
    "xEvent[timestamp occurs < 36 hours before now].sum(commerce.order.priceTotal) > 40",
    "xEvent[timestamp occurs >= 2 days before now and timestamp occurs <= 9 days before now]",
    "xEvent[timestamp occurs > 1 week before now].count() = 3",
    "xEvent.max(timestamp) occurs <= 20 days before now",
    "xEvent[timestamp occurs today]",
    "xEvent[timestamp occurs <= 7 days before today].count() >= 2",
    "xEvent.exists(timestamp occurs <= 2 days after now)",
    "xEvent[timestamp occurs <= 1 month before now].count() >= 2",
    'chain(xEvent, timestamp, [A: WHAT(eventType = "view") WHEN(<= 30 days before now), B: WHAT(eventType = "buy")])',
    "person.birthDate occurs >= 18 years before today",
    "loyalty.points > 3",
    'inSegment("seg-a")',
)
SOUND = (
    "xEvent[timestamp occurs this month].count() >= 2",
    "xEvent[timestamp occurs last week]",
    "currentDayOfMonth() = 31",
    "person.birthDate.getMonth() = currentMonth()",
    "orders.exists(total > 3) and xEvent.exists(timestamp occurs yesterday)",
    "exists A from xEvent where A.timestamp occurs <= 9 days before now, B from xEvent where B._id != A._id",
    "xEvent.topN(timestamp, 1).head().timestamp occurs <= 3 months before now",
    "if (person.birthDate occurs on today, 1, 2) = 1",
)


def people(seed: int) -> list[dict[str, Any]]:
    """Persons with events at and around the edges of the windows above."""
    rng = random.Random(seed)
    edges = [30 * DAY, 36 * HOUR, 2 * DAY, 9 * DAY, 7 * DAY, 20 * DAY, 12 * HOUR, 0, 28 * DAY, 30 * DAY + 12 * HOUR]
    found = []
    for number in range(30):
        events = []
        for place in range(rng.randrange(5)):
            at = NOW - rng.choice(edges) + rng.choice((0, 0, 1, -1, rng.randrange(3 * DAY), -rng.randrange(30 * DAY)))
            price = {"order": {"priceTotal": rng.randrange(10, 30)}}
            kind = rng.choice(("buy", "view"))
            events.append({"_id": f"{number}-{place}", "timestamp": at, "eventType": kind, "commerce": price})
        month, day = rng.choice((3, 4, 2)), rng.choice((28, 1, 30 if rng.random() < 0.5 else 15))
        birth = f"{rng.choice((2008, 2007, 1990))}-{month:02}-{min(day, 28 if month == 2 else 30):02}"
        found.append({"id": f"p{number}", "person": {"birthDate": birth}, "events": events})
    return found


def asked(world: World, rule: str, zone: str) -> dict[str, int]:
    conditions = conditions_of(normalise(parse(rule), SAMPLE, zone))
    found = SqlEngine(world.con, SAMPLE).next_changes(conditions, "default", NOW)
    first = earliest(found.values())
    return {world.names[person]: at for person, at in zip(first.people.tolist(), first.instants.tolist(), strict=True)}


@pytest.mark.parametrize("seed", range(3))
def test_the_instant_is_never_after_the_change_and_often_it(seed):
    profiles = people(seed)
    world = World(SAMPLE, profiles, NOW)
    changes = 0
    for zone in ("UTC", "Europe/Paris"):
        for rule in (*EXACT, *SOUND):
            instants, tree = asked(world, rule, zone), parse(rule)
            for profile in profiles:
                at = instants.get(profile["id"])
                change = next_change(tree, profile, NOW, SAMPLE, zone=zone)
                assert at is None or at > NOW, (rule, profile)
                if change is not None and change < NOW + 400 * DAY:
                    changes += 1
                    assert at is not None, (rule, zone, profile, change)
                    assert at <= change, (rule, zone, profile, at, change)
    assert changes > 300


@pytest.mark.parametrize("rule", EXACT)
def test_going_from_instant_to_instant_comes_to_the_change(rule):
    """Each instant but the last is one at which nothing changes; the change itself is never passed over."""
    profiles = people(7)[:12]
    tree = parse(rule)
    for profile in profiles:
        world = World(SAMPLE, [profile], NOW)
        change = next_change(tree, profile, NOW, SAMPLE)
        person = read_profile(profile, SAMPLE)
        now, looks = NOW, 0
        while change is not None and now < change and looks < 40:
            world.at = now
            conditions = conditions_of(normalise(tree, SAMPLE))
            first = earliest(SqlEngine(world.con, SAMPLE).next_changes(conditions, "default", now).values())
            (now,) = first.instants.tolist()
            looks += 1
            assert now <= change
        if looks < 40 and change is not None:
            assert now == change
            assert holds(tree, person, now, SAMPLE) != holds(tree, person, NOW, SAMPLE)


def test_only_persons_asked_about_are_answered():
    from pyroaring import BitMap

    profiles = people(1)
    world = World(SAMPLE, profiles, NOW)
    conditions = conditions_of(normalise(parse(EXACT[0]), SAMPLE))
    (everyone,) = SqlEngine(world.con, SAMPLE).next_changes(conditions, "default", NOW).values()
    some = BitMap(everyone.people[:2].tolist())
    (found,) = SqlEngine(world.con, SAMPLE).next_changes(conditions, "default", NOW, some).values()
    assert found.people.tolist() == list(some)
