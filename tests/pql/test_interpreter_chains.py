"""Chains in the interpreter (section 11): against a search that tries every choice of events, and in size."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.clock import DAY, parse_instant
from coterie.pql import parse
from coterie.pql.ast import Chain
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE, schema

NOW = parse_instant("2026-06-15T12:00:00Z")
HOUR = 3_600_000
OPS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


@dataclass(frozen=True)
class Wanted:
    """An element in few words: the type of its events, and what relates them to an earlier one."""

    label: str
    excluded: bool
    type: str
    count: int
    gap: tuple[str, int, str] | None
    rise: tuple[str, str] | None
    recent: int | None

    @property
    def text(self):
        tails = [] if self.gap is None else ["{} {} hours after {}".format(*self.gap)]
        tails += [] if self.recent is None else [f"<= {self.recent} hours before now"]
        return "".join(
            [
                f'{self.label}: {"EXCLUDE" if self.excluded else "WHAT"}(eventType = "{self.type}")',
                f" WHEN({' and '.join(tails)})" if tails else "",
                f" COUNT({self.count})" if self.count > 1 else "",
                "" if self.rise is None else f" WHERE({self.label}.{PRICE} {self.rise[0]} {self.rise[1]}.{PRICE})",
            ]
        )

    def fits(self, event, bound):
        if event["eventType"] != self.type:
            return False
        if self.gap is not None and not self._within(event["timestamp"], bound[self.gap[2]]["timestamp"]):
            return False
        if self.recent is not None and not NOW - self.recent * HOUR <= event["timestamp"] <= NOW:
            return False
        return self.rise is None or OPS[self.rise[0]](price(event), price(bound[self.rise[1]]))

    def _within(self, at, after):
        op, hours, _ = self.gap
        limit = after + hours * HOUR
        return OPS[op](at, limit) and (op not in ("<", "<=") or at >= after)


PRICE = "commerce.order.priceTotal"


def price(event):
    return event["commerce"]["order"]["priceTotal"]


def matched(wanted, events, before=None, bound=None, excluded=()):
    """Whether the elements can be satisfied, every choice of events being tried."""
    bound = bound or {}

    def barred(low, high):
        return any(
            other.fits(event, bound)
            and (low is None or event["timestamp"] > low)
            and (high is None or event["timestamp"] < high)
            for other in excluded
            for event in events
        )

    if not wanted:
        return not barred(before, None)
    first, *rest = wanted
    if first.excluded:
        return matched(rest, events, before, bound, [*excluded, first])
    fitting = [e for e in events if first.fits(e, bound) and (before is None or e["timestamp"] > before)]
    for chosen in itertools.combinations(fitting, first.count):
        times = [event["timestamp"] for event in chosen]
        if barred(before, min(times)):
            continue
        for event in chosen:
            if event["timestamp"] == max(times) and matched(rest, events, max(times), {**bound, first.label: event}):
                return True
    return False


@st.composite
def chains(draw):
    found = []
    for place in range(draw(st.integers(1, 4))):
        labels = [one.label for one in found if not one.excluded]
        excluded = draw(st.integers(0, 3)) == 0
        gaps = (
            st.tuples(st.sampled_from(list(OPS)), st.integers(0, 4), st.sampled_from(labels)) if labels else st.none()
        )
        rises = st.tuples(st.sampled_from(list(OPS)), st.sampled_from(labels)) if labels else st.none()
        found.append(
            Wanted(
                "ABCD"[place],
                excluded,
                draw(st.sampled_from("xyz")),
                1 if excluded else draw(st.sampled_from([1, 1, 1, 2, 3])),
                draw(st.none() | gaps),
                draw(st.none() | st.none() | rises),
                draw(st.none() | st.none() | st.integers(0, 8)),
            )
        )
    if all(one.excluded for one in found):
        found.append(Wanted("E", False, "x", 1, None, None, None))
    return found


EVENTS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from("xxyyz"), st.integers(0, 3)).map(
        lambda e: {
            "timestamp": NOW - e[0] * HOUR,
            "eventType": e[1],
            "commerce": {"order": {"priceTotal": e[2]}},
        }
    ),
    max_size=8,
).map(lambda events: [{"_id": str(place), **event} for place, event in enumerate(events)])


@settings(max_examples=300, deadline=None)
@given(chains(), EVENTS)
def test_a_chain_holds_when_some_choice_of_events_satisfies_it(wanted, events):
    text = f"chain(xEvent, timestamp, [{', '.join(one.text for one in wanted)}])"
    assert holds(parse(text), {"events": events}, NOW, SAMPLE) == matched(wanted, events), text


def many(types, count=5_000):
    return {
        "events": [
            {
                "_id": f"{place:05}",
                "timestamp": NOW - 200 * DAY + place * HOUR // 2,
                "eventType": types[place % len(types)],
            }
            for place in range(count)
        ]
    }


@pytest.mark.parametrize(
    "elements",
    [
        'A: WHAT(eventType = "a"), B: WHAT(eventType = "b"), C: WHAT(eventType = "none")',
        (
            'A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 90 days after A), C: WHAT(eventType = "c") '
            "WHEN(> 400 days after B)"
        ),
        (
            'A: WHAT(eventType = "a"), N: EXCLUDE(eventType = "d"), B: WHAT(eventType = "b"), '
            'M: EXCLUDE(eventType = "e"), C: WHAT(eventType = "none")'
        ),
        (
            'A: WHAT(eventType = "a") COUNT(100), B: WHAT(eventType = "b") COUNT(100) WHEN(<= 90 days after A), '
            'C: WHAT(eventType = "c") WHEN(> 400 days after A)'
        ),
    ],
)
def test_a_person_of_many_events_is_answered_by_few_steps(elements, monkeypatch):
    # each event is looked at a few times for each element, whatever the choices there are
    monkeypatch.setattr("coterie.pql.interpreter.evaluate.BUDGET", 60_000)
    rule = parse(f"chain(xEvent, timestamp, [{elements}])")
    assert not holds(rule, many("abc"), NOW, SAMPLE)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('chain(xEvent, timestamp, [e1: WHAT(eventType = "x"), e2: WHAT(true) WHEN(<= 1 hour after $1)])', True),
        ('chain(xEvent, timestamp, [e1: WHAT(eventType = "x"), e2: WHAT(true) WHEN(< 1 hour after $1)])', False),
    ],
)
def test_labels_of_a_core_tree_are_numbers(rule, expected):
    tree = parse(rule)
    assert isinstance(tree, Chain)
    events = [
        {"_id": "1", "timestamp": NOW - HOUR, "eventType": "x"},
        {"_id": "2", "timestamp": NOW, "eventType": "y"},
    ]
    assert holds(replace(tree, core=True), {"events": events}, NOW, SAMPLE) is expected


def test_labels_that_are_written_are_never_those_of_a_core_tree():
    union = schema(
        {"name": "people", "class": "profile", "fields": {"id": "string", "timestamp": "date-time"}},
        {"name": "events", "class": "event", "fields": {"e1": "string"}},
    )
    written = "chain(xEvent, timestamp, [e1: WHAT(true), e2: WHAT(true) WHEN(<= 1 hour after $1.timestamp)])"
    events = [{"_id": str(place), "timestamp": NOW + place * HOUR} for place in range(2)]
    assert holds(parse(written), {"timestamp": NOW, "events": events}, NOW, union)
    assert not holds(parse(written), {"timestamp": NOW - 1, "events": events}, NOW, union)
    # a field that is called like a label of the core tree
    (leaf,) = conditions_of(normalise(parse('chain(xEvent, timestamp, [A: WHAT(true), B: WHAT(e1 = "x")])'), union))
    events[1]["e1"] = "x"
    assert holds(leaf.expr, {"events": events}, NOW, union)
