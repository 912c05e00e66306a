"""Tails on columns: the same instants as on known times, calendar steps and clamping among them."""

from __future__ import annotations

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.clock import DAY, format_date, format_instant, parse_instant
from coterie.core.schema import Schema, SchemaClass, read_fields, union_of
from coterie.pql.ast import BetweenTail, DirectionTail, DistanceTail, Name, OnTail, TimeWord, Unit
from coterie.pql.calendar import Interval, civil, interval, ranges

from .oracle import NOW
from .world import World

UNION = union_of(
    [
        Schema(
            "p", SchemaClass.PROFILE, read_fields({"seen": "date-time", "born": "date", "due": "date-time"}, "test")
        ),
        Schema("e", SchemaClass.EVENT, read_fields({"note": "string"}, "test")),
    ]
)
# the ends of months, leap days, and their neighbours
PLACES = [
    parse_instant(text) for text in ("2024-02-29", "2024-03-31", "2025-02-28", "2026-03-31T12:00", "2026-06-15T12:00")
]
INSTANTS = st.builds(
    lambda place, days, ms: place + days * DAY + ms,
    st.sampled_from(PLACES),
    st.integers(-33, 33),
    st.sampled_from([-1, 0, 1]),
)
UNITS = st.sampled_from([unit for unit in get_args(Unit) if unit not in ("millisecond", "century", "millennium")])
TAILS = st.one_of(
    st.builds(
        lambda op, count, unit, way: (
            f"{op} {count} {unit}s {way} {{}}",
            DistanceTail(op, count, unit, way, Name("r")),
        ),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from([0, 1, 2, 12]),
        UNITS,
        st.sampled_from(["before", "after", "from"]),
    ),
    st.sampled_from(["before", "after", "from"]).map(lambda way: (f"{way} {{}}", DirectionTail(way, Name("r")))),
    st.just(("{}", OnTail(Name("r")))),
)


def admits(tail, at: int, *times: Interval) -> bool:
    return any((low is None or low <= at) and (high is None or at < high) for low, high in ranges(tail, *times))


@settings(max_examples=60)
@given(st.lists(st.tuples(INSTANTS, INSTANTS), min_size=1, max_size=4), st.lists(TAILS, min_size=1, max_size=4))
def test_tails_relative_to_fields(pairs, tails):
    people = [
        {"id": f"p{n}", "seen": format_instant(seen), "due": format_instant(due), "born": format_date(due)}
        for n, (seen, due) in enumerate(pairs)
    ]
    world = World(UNION, [*people, {"id": "q", "seen": format_instant(NOW)}], NOW)
    for text, tail in tails:
        expected = [f"p{n}" for n, (seen, due) in enumerate(pairs) if admits(tail, seen, Interval(due))]
        assert world.members(f"seen occurs {text.format('due')}") == expected, text
        days = [Interval(due - due % DAY, due - due % DAY + DAY) for _, due in pairs]
        expected = [f"p{n}" for n, (seen, _) in enumerate(pairs) if admits(tail, seen, days[n])]
        assert world.members(f"seen occurs {text.format('born')}") == expected, text


@settings(max_examples=40)
@given(st.lists(INSTANTS, min_size=1, max_size=4), st.lists(TAILS, min_size=1, max_size=4), INSTANTS)
def test_tails_relative_to_now_and_today(seen, tails, now):
    world = World(UNION, [{"id": f"p{n}", "seen": format_instant(at)} for n, at in enumerate(seen)], now)
    for text, tail in tails:
        for word in ("now", "today"):
            time = interval(TimeWord(word), now)
            expected = [f"p{n}" for n, at in enumerate(seen) if admits(tail, at, time)]
            assert world.members(f"seen occurs {text.format(word)}") == expected, (text, word)


@given(st.lists(st.tuples(INSTANTS, INSTANTS), min_size=1, max_size=4))
@settings(max_examples=30)
def test_between_fields_includes_both_ends(pairs):
    people = [
        {"id": f"p{n}", "seen": format_instant(seen), "due": format_instant(due), "born": format_date(seen)}
        for n, (seen, due) in enumerate(pairs)
    ]
    world = World(UNION, people, NOW)
    tail = BetweenTail(Name("a"), Name("b"))
    expected = [
        f"p{n}"
        for n, (seen, due) in enumerate(pairs)
        if admits(tail, due, Interval(seen), interval(TimeWord("now"), NOW))
    ]
    assert world.members("due occurs between seen and now") == expected
    days = [Interval(seen - seen % DAY, seen - seen % DAY + DAY) for seen, _ in pairs]
    assert world.members("due occurs between seen and born") == [
        f"p{n}" for n, (seen, due) in enumerate(pairs) if admits(tail, due, Interval(seen), days[n])
    ]


@given(st.lists(INSTANTS, min_size=1, max_size=4))
@settings(max_examples=20)
def test_parts_of_dates(seen):
    world = World(UNION, [{"id": f"p{n}", "seen": format_instant(at)} for n, at in enumerate(seen)], NOW)
    for place, name in enumerate(("getYear", "getMonth", "getDayOfMonth")):
        for wanted in {civil(at)[place] for at in seen}:
            expected = [f"p{n}" for n, at in enumerate(seen) if civil(at)[place] == wanted]
            assert world.members(f"seen.{name}() = {wanted}") == expected
    assert world.members("currentYear() = 2026 and currentMonth() = 6 and currentDayOfMonth() = 15") == sorted(
        world.names.values()
    )
    assert world.members("today.getMonth() = now.getMonth()") == sorted(world.names.values())


def test_texts_are_read_as_times():
    world = World(UNION, [{"id": "p0", "seen": "2026-06-01T10:00:00Z"}, {"id": "p1", "seen": "2026-06-02"}], NOW)
    assert world.members('seen > "2026-06-01T10:00:00Z"') == ["p1"]
    assert world.members('seen occurs on "2026-06-01"') == ["p0"]
    assert world.members('seen occurs after "2026-06-01"') == ["p1"]
    assert world.members("seen occurs on date(2026, 6, 2)") == ["p1"]
