"""The calendar of a time zone on columns: compared with the interpreter where clocks change."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from pyroaring import BitMap

from coterie.core.clock import format_instant, parse_instant
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.pql import check
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .world import World

HALF_HOUR = 1_800_000
CHANGES = {
    "Europe/Paris": ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Asia/Beirut": ("2026-03-28T22:00:00Z", "2026-10-24T21:00:00Z"),
    "Australia/Lord_Howe": ("2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z"),
    "America/Sao_Paulo": ("2018-11-04T03:00:00Z", "2018-02-18T02:00:00Z"),
}
RULES = [
    "xEvent[timestamp.getMonth() = 3].count() > 1",
    "xEvent[timestamp.getDayOfMonth() in [28, 31]]",
    "person.birthDate occurs on xEvent.head().timestamp",
    "xEvent.exists(timestamp occurs on $1.person.birthDate)",
    "xEvent.exists(timestamp occurs <= 1 month after $1.person.birthDate)",
    "xEvent.exists(timestamp occurs = 1 month after $1.person.birthDate)",
    "xEvent.exists(timestamp occurs != 1 day before $1.person.birthDate)",
    "exists A from xEvent, B from xEvent where A != B and B.timestamp occurs <= 1 month after A.timestamp",
    "xEvent.exists(timestamp occurs after $1.person.birthDate)",
    "person.birthDate < xEvent.head().timestamp",
    "person.birthDate = date(2026, 3, 29)",
    'person.birthDate in ["2026-03-29", "2026-10-25"]',
    "person.birthDate occurs this month",
    "person.birthDate occurs >= 1 month before today",
    "xEvent.exists(timestamp occurs on date(timestamp.getYear(), timestamp.getMonth(), 29))",
    "xEvent.map(timestamp).max() occurs between today and tomorrow",
    "person.birthDate.getDayOfMonth() = 29",
]


def profile(number: int, at: int, chance: random.Random) -> dict:
    near = [0, -86_400_000, -28 * 86_400_000, -31 * 86_400_000]
    times = [at + chance.choice([*near, chance.randrange(-96, 10) * HALF_HOUR]) for _ in range(chance.randrange(4))]
    born = date.fromisoformat(format_instant(at)[:10]) + timedelta(days=chance.choice([0, 1, -1, -2, -28, -30, -31]))
    events = [{"_id": f"{number}.{n}", "timestamp": format_instant(time)} for n, time in enumerate(times)]
    return {"id": f"p{number:02}", "person": {"birthDate": born.isoformat()}, "events": events}


@pytest.mark.parametrize("zone", CHANGES)
def test_rules_mean_the_calendar_of_their_zone(zone):
    chance = random.Random(zone)
    for change in CHANGES[zone]:
        at = parse_instant(change) + chance.randrange(-3, 4) * HALF_HOUR
        profiles = [profile(number, at, chance) for number in range(20)]
        world = World(SAMPLE, profiles, at)
        rules = [check(text, SAMPLE).require() for text in RULES]
        found = {}
        normal = [normalise(rule, SAMPLE, zone) for rule in rules]
        wanted = {condition.key: condition for rule in normal for condition in conditions_of(rule)}
        found = SqlEngine(world.con, SAMPLE).evaluate(list(wanted.values()), "default", at, world.memberships)
        for text, expr, rule in zip(RULES, rules, normal, strict=True):
            members = [world.names[person] for person in fold(rule, found, BitMap(world.names))]
            expected = [one["id"] for one in profiles if holds(expr, one, at, SAMPLE, zone=zone)]
            assert sorted(members) == expected, (text, format_instant(at))
