"""Sequences against all choices of events: chains of every clause, and variables related by their times."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coterie.core.errors import Unsupported
from coterie.core.schema import Schema, SchemaClass, read_fields, union_of
from coterie.engine.sql.sequences import MOST
from coterie.engine.sql.statements import Statements
from coterie.engine.sql.terms import DEEPEST
from coterie.pql import check as problems
from coterie.pql import parse
from coterie.pql.ast import Chain
from coterie.pql.conditions import Aggregate, Sequence, conditions_of
from coterie.pql.interpreter import holds
from coterie.pql.normal import normalise

from .oracle import NOW
from .world import World

HOUR = 3_600_000
INF = float("inf")
EVENT = {"timestamp": "date-time", "eventType": "string", "price": "integer"}
VISIT = {"visits[].seen.at": "date-time", "visits[].eventType": "string", "visits[].price": "integer"}
PERSON = {"id": "string", "level": "integer", "tier": "string"} | VISIT
UNION = union_of(
    [
        Schema("p", SchemaClass.PROFILE, read_fields(PERSON, "a test")),
        Schema("e", SchemaClass.EVENT, read_fields(EVENT, "a test")),
    ]
)

Event = dict[str, Any]
Bound = dict[str, Event]
Test = tuple[str, Callable[[Event, Bound, dict[str, Any]], bool]]

# few instants, close together, so that events share them and gaps are met exactly
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "timestamp": st.integers(-6, 0).map(lambda steps: NOW + steps * HOUR),
            "eventType": st.sampled_from("abc"),
            "price": st.integers(1, 3),
        }
    ),
    max_size=7,
)
VISITS = EVENTS.flatmap(
    lambda events: st.tuples(
        *(
            st.integers(0, 5).map(
                lambda lost, event=event: (
                    {key: event[key] for key in ("eventType", "price")}
                    | ({"seen": {"at": event["timestamp"]}} if lost else {})
                )
            )
            for event in events
        )
    ).map(list)
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {"level": st.integers(1, 3), "tier": st.sampled_from(["x", "y"]), "events": EVENTS, "visits": VISITS}
    ),
    min_size=1,
    max_size=6,
).map(
    lambda people: [
        person | {"id": f"p{place}", "events": [{"_id": str(n)} | event for n, event in enumerate(person["events"])]}
        for place, person in enumerate(people)
    ]
)


@dataclass(frozen=True)
class Element:
    """An element: its text without the label, what it means, how many events it stands for."""

    kind: str
    label: str
    count: int
    tests: tuple[Test, ...]
    text: str


def time(event: Event) -> int:
    return event["timestamp"] if "timestamp" in event else event["seen"]["at"]


def reached(elements: list[Element], person: dict[str, Any], events: list[Event], after: float, bound: Bound) -> bool:
    """Whether the elements can be satisfied by events later than an instant: every choice is tried."""
    excluded = list(itertools.takewhile(lambda element: element.kind == "EXCLUDE", elements))
    events = [event for event in events if time(event) > after]

    def fits(element: Element, event: Event) -> bool:
        here = {**bound, element.label: event}
        return all(test(event, here, person) for _, test in element.tests)

    def unwanted(until: float) -> bool:
        return any(fits(element, event) for element in excluded for event in events if time(event) < until)

    if len(excluded) == len(elements):
        return not unwanted(INF)
    element, rest = elements[len(excluded)], elements[len(excluded) + 1 :]
    for chosen in itertools.combinations([event for event in events if fits(element, event)], element.count):
        begin, end = min(map(time, chosen)), max(map(time, chosen))
        if unwanted(begin):
            continue
        for event in chosen:
            if time(event) == end and reached(rest, person, events, end, {**bound, element.label: event}):
                return True
    return False


def written(elements: list[Element], array: str = "xEvent", timestamp: str = "timestamp") -> str:
    return f"chain({array}, {timestamp}, [{', '.join(f'{e.label}: {e.text}' for e in elements)}])"


OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def of_type(name: str) -> Test:
    return f'eventType = "{name}"', lambda event, *_: event["eventType"] == name


WHAT = st.one_of(
    st.sampled_from("abc").map(of_type),
    st.sampled_from("abc").map(of_type),
    st.sampled_from(["ab", "bc"]).map(
        lambda two: (f'eventType in ["{two[0]}", "{two[1]}"]', lambda event, *_: event["eventType"] in two)
    ),
    st.integers(1, 3).map(lambda n: (f"price >= {n}", lambda event, *_: event["price"] >= n)),
    st.just(("price <= ^.level", lambda event, _, person: event["price"] <= person["level"])),
)
WINDOW = st.sampled_from(
    [
        ("<= 4 hours before now", lambda event, *_: NOW - 4 * HOUR <= time(event) <= NOW),
        ("> 2 hours before now", lambda event, *_: time(event) < NOW - 2 * HOUR),
    ]
)
OWN = st.sampled_from(
    [
        ('tier = "x"', lambda *args: args[2]["tier"] == "x"),
        ("level < {own}.price", lambda event, _, person: person["level"] < event["price"]),
    ]
)


def gap(label: str, op: str, hours: int, unit: str = "hours") -> Test:
    text = f"{op} {hours * 60 if unit == 'minutes' else hours} {unit} after {label}"

    def holds(event: Event, bound: Bound, _: Any) -> bool:
        after = time(event) - time(bound[label])
        return OPS[op](after, hours * HOUR) and (op not in ("<", "<=") or after >= 0)

    return text, holds


def related(draw: st.DrawFn, labels: list[str], *, anywhere: bool) -> Test:
    label = draw(st.sampled_from(labels)) if anywhere else labels[-1]
    ops = ["<", "<=", ">", ">=", "="] + (["!="] if anywhere else [])
    return gap(label, draw(st.sampled_from(ops)), draw(st.integers(0, 4)), draw(st.sampled_from(["hours", "minutes"])))


def dearer(label: str) -> Test:
    return f"{{own}}.price > {label}.price", lambda event, bound, _: event["price"] > bound[label]["price"]


@st.composite
def elements(draw: st.DrawFn, *, regular: bool) -> list[Element]:
    """Return the elements of a chain; one that is regular relates each only to the one before it, by time."""
    kinds = draw(st.lists(st.sampled_from(["WHAT", "WHAT", "EXCLUDE"]), min_size=1, max_size=4))
    if "WHAT" not in kinds:
        kinds.append("WHAT")
    found: list[Element] = []
    labels: list[str] = []
    for place, kind in enumerate(kinds):
        own = f"L{place}"
        what = draw(WHAT)
        when = [draw(WINDOW)] if draw(st.integers(0, 5)) == 0 else []
        where = [draw(OWN)] if draw(st.integers(0, 5)) == 0 else []
        if labels and draw(st.booleans()):
            when += [related(draw, labels, anywhere=not regular) for _ in range(draw(st.integers(1, 2)))]
        if labels and not regular and draw(st.booleans()):
            where.append(dearer(draw(st.sampled_from(labels))))
        count = draw(st.sampled_from([1, 1, 2, 3])) if kind == "WHAT" else 1
        text = f"{kind}({what[0]})"
        if when:
            text += f" WHEN({' and '.join(tail for tail, _ in when)})"
        if count > 1:
            text += f" COUNT({count})"
        if where:
            text += f" WHERE({' and '.join(test for test, _ in where)})".replace("{own}", own)
        found.append(Element(kind, own, count, (what, *when, *where), text))
        if kind == "WHAT":
            labels.append(own)
    return found


def check(people: list[dict[str, Any]], rules: list[tuple[str, list[bool]]]) -> None:
    """Compare the members of rules with what holds of each person, and with the interpreter."""
    world = World(UNION, people, NOW)
    for text, expected in rules:
        note(text)
        assert not problems(text, UNION).problems, text
        asked = [(person["id"], holds(parse(text), person, NOW, UNION)) for person in people]
        wanted = [person["id"] for person, held in zip(people, expected, strict=True) if held]
        assert [name for name, held in asked if held] == wanted, f"the interpreter: {text}"
        assert world.members(text) == wanted, text


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=40, suppress_health_check=SLOW)
@given(PEOPLE, st.lists(elements(regular=True), min_size=1, max_size=5))
def test_any_choice_of_events_may_satisfy_a_chain(people, rules):
    check(people, [(written(rule), [reached(rule, p, p["events"], -INF, {}) for p in people]) for rule in rules])
    for rule in rules:
        for condition in conditions_of(normalise(parse(written(rule)), UNION)):
            assert isinstance(condition.shape, Sequence) or not isinstance(condition.expr, Chain), condition.text


@settings(max_examples=30, suppress_health_check=SLOW)
@given(PEOPLE, st.lists(elements(regular=False), min_size=1, max_size=4))
def test_elements_may_be_related_in_any_way(people, rules):
    """In an array of the profile too, some items of which have no time and no place in the order."""
    asked = []
    for rule in rules:
        asked.append((written(rule), [reached(rule, p, p["events"], -INF, {}) for p in people]))
        visits = [[visit for visit in person["visits"] if "seen" in visit] for person in people]
        of_visits = [reached(rule, *one, -INF, {}) for one in zip(people, visits, strict=True)]
        asked.append((written(rule, "visits", "seen.at"), of_visits))
    check(people, asked)


def relation(earlier: str, later: str, op: str, hours: int, way: str) -> Test:
    """Return a relation of the times of two variables, which may be the same event."""
    holds = {
        "after": lambda d: OPS[op](d, hours * HOUR) and (op not in ("<", "<=") or d >= 0),
        "before": lambda d: OPS[op](-d, hours * HOUR) and (op not in ("<", "<=") or d <= 0),
        "from": lambda d: OPS[op](abs(d), hours * HOUR),
    }[way]
    text = f"{later}.timestamp occurs {op} {hours} hours {way} {earlier}.timestamp"
    return text, lambda event, bound, _: holds(time(event) - time(bound[earlier]))


def near(earlier: str, later: str, op: str, hours: int) -> Test:
    """Return a relation of the times in either direction."""
    return relation(earlier, later, op, hours, "from")


def compared(earlier: str, later: str, op: str) -> Test:
    text = f"{later}.timestamp {op} {earlier}.timestamp"
    return text, lambda event, bound, _: OPS[op](time(event), time(bound[earlier]))


def relations(earlier: str, later: str) -> st.SearchStrategy[Test]:
    return (
        st.builds(
            relation,
            st.just(earlier),
            st.just(later),
            st.sampled_from(["<", "<=", ">", ">=", "="]),
            st.integers(0, 3),
            st.sampled_from(["after", "before"]),
        )
        | st.builds(near, st.just(earlier), st.just(later), st.sampled_from(["<", "<="]), st.integers(0, 3))
        | st.builds(compared, st.just(earlier), st.just(later), st.sampled_from(["<", "<=", ">", ">=", "="]))
    )


BETWEEN: list[Test] = [
    (
        "N.timestamp occurs between A.timestamp and B.timestamp",
        lambda event, bound, _: time(bound["A"]) <= time(event) <= time(bound["B"]),
    ),
    (
        "N.timestamp occurs after A.timestamp and N.timestamp occurs before B.timestamp",
        lambda event, bound, _: time(bound["A"]) < time(event) < time(bound["B"]),
    ),
    (
        "N.timestamp >= A.timestamp and N.timestamp < B.timestamp",
        lambda event, bound, _: time(bound["A"]) <= time(event) < time(bound["B"]),
    ),
    (
        "N.timestamp occurs <= 1 hour after A.timestamp and N.timestamp < B.timestamp",
        lambda event, bound, _: (
            time(bound["A"]) <= time(event) <= time(bound["A"]) + HOUR and time(event) < time(bound["B"])
        ),
    ),
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Callable[[dict[str, Any]], bool]]:
    """Return two variables related by their times, with a third that is not there, and what they mean."""
    a, b, n = (draw(st.sampled_from("abc")) for _ in range(3))
    close = draw(relations("A", "B"))
    absent = draw(st.none() | st.sampled_from(BETWEEN) | relations("A", "N") | relations("B", "N"))
    text = f'exists A from xEvent where A.eventType = "{a}", B from xEvent where B.eventType = "{b}" and {close[0]}'
    if absent is not None:
        text += f' and not (exists N from xEvent where N.eventType = "{n}" and {absent[0]})'

    def decide(person: dict[str, Any]) -> bool:
        def free(first: Event, second: Event) -> bool:
            others = [event for event in person["events"] if event["eventType"] == n]
            return absent is None or not any(absent[1](x, {"A": first, "B": second}, person) for x in others)

        return any(
            first["eventType"] == a
            and second["eventType"] == b
            and close[1](second, {"A": first}, person)
            and free(first, second)
            for first, second in itertools.product(person["events"], repeat=2)
        )

    return text, decide


@settings(max_examples=30, suppress_health_check=SLOW)
@given(PEOPLE, st.lists(pairs(), min_size=1, max_size=5))
def test_variables_related_by_their_times(people, rules):
    """The same event may stand for both."""
    check(people, [(text, [decide(person) for person in people]) for text, decide in rules])
    for text, _ in rules:
        shapes = [condition.shape for condition in conditions_of(normalise(parse(text), UNION))]
        assert all(isinstance(shape, Sequence | Aggregate) for shape in shapes), text


def hourly(steps: int, excluded: str = "") -> str:
    """Return a chain of steps an hour apart at most, with something excluded after each but the last."""
    parts = []
    for n in range(steps):
        parts.append(f"E{n}: WHAT(price = 1)" + (f" WHEN(<= 1 hour after E{n - 1})" if n else ""))
        if excluded and n < steps - 1:
            parts.append(f"X{n}: {excluded}".replace("{before}", f"E{n}"))
    return f"chain(xEvent, timestamp, [{', '.join(parts)}])"


@pytest.mark.parametrize("excluded", ["", "EXCLUDE(price = 2) WHEN(<= 3 hours after {before})"])
def test_a_statement_grows_longer_with_the_steps_not_deeper(excluded):
    steps = 60
    events = [{"_id": str(n), "timestamp": NOW - n * HOUR, "price": 1} for n in range(steps)]
    other = [*events, {"_id": "x", "timestamp": NOW - HOUR // 2, "price": 2}]
    profiles = [{"id": "p0", "events": events}, {"id": "p1", "events": events[1:]}, {"id": "p2", "events": other}]
    world = World(UNION, profiles, NOW)
    assert world.members(hourly(steps, excluded)) == (["p0"] if excluded else ["p0", "p2"])

    def depth(steps: int) -> int:
        [condition] = conditions_of(normalise(parse(hourly(steps, excluded)), UNION))
        sql = Statements(UNION, "default", NOW).statement(condition).sql
        return max(itertools.accumulate((char == "(") - (char == ")") for char in sql))

    assert depth(60) == depth(6)


def test_a_sequence_too_long_is_refused_by_name():
    world = World(UNION, [{"id": "p0", "events": []}], NOW)
    with pytest.raises(Unsupported) as refused:
        world.members(hourly(MOST + 1))
    assert refused.value.code == "engine.unsupported"
    assert str(MOST) in (refused.value.hint or "")


def test_items_too_deep_inside_one_another_are_refused_before_they_are_planned():
    def of_visits(steps: int) -> str:
        return hourly(steps).replace("xEvent, timestamp", "visits, seen.at")

    visits = [{"seen": {"at": NOW - n * HOUR}, "price": 1} for n in range(2)]
    world = World(UNION, [{"id": "p0", "visits": visits}], NOW)
    assert world.members(f"{of_visits(2)} and not {of_visits(DEEPEST)}") == ["p0"]
    with pytest.raises(Unsupported) as refused:
        world.members(of_visits(DEEPEST + 1))
    assert refused.value.code == "engine.unsupported"
    assert str(DEEPEST) in (refused.value.hint or "")
