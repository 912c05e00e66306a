"""Canonical forms of `occurs` and `chain`: times, distances, the elements of a sequence."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from coterie.core.clock import DAY
from coterie.core.schema import FieldType
from coterie.pql.ast import (
    Binary,
    Chain,
    DistanceTail,
    Element,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    RelativeUnit,
    Tail,
    TimeWord,
)
from coterie.pql.calendar import Interval, canonical_distance, ranges
from coterie.pql.logic import all_of, any_of, operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import FALSE
from coterie.pql.scopes import Scopes, attach, levels_of, shift, times_of, with_times

if TYPE_CHECKING:
    from coterie.pql.canon import Canon

Time = TimeWord | RelativeUnit | Expr

_DAYS = {"last": TimeWord("yesterday"), "this": TimeWord("today"), "next": TimeWord("tomorrow")}


def shifted(tail: Tail, by: int) -> Tail:
    """Return the tail for a place `by` scopes deeper."""
    return with_times(
        tail, tuple(t if isinstance(t, TimeWord | RelativeUnit) else shift(t, by) for t in times_of(tail))
    )


def occurs(canon: Canon, value: Expr, tail: Tail, scopes: Scopes) -> Expr:
    """Return the canonical form of ``value occurs tail``."""
    if isinstance(tail, DistanceTail) and not any(ranges(tail, time) for time in (Interval(0), Interval(0, DAY))):
        return FALSE
    lifted = _with_projected_time(canon, value, tail, scopes)
    return lifted or Occurs(_instant(canon, value, scopes), canonical_tail(canon, tail, scopes))


def _with_projected_time(canon: Canon, value: Expr, tail: Tail, scopes: Scopes) -> Expr | None:
    """Return that a tail is satisfied with one of the values of a projection in it; None when there is none in it."""
    for place, time in enumerate(times_of(tail)):
        if isinstance(time, TimeWord | RelativeUnit):
            continue

        def inside(item: Expr, by: int, place: int = place) -> Expr:
            times = times_of(shifted(tail, by))
            return Occurs(shift(value, by), with_times(tail, (*times[:place], item, *times[place + 1 :])))

        lifted = canon.lifted(time, scopes, inside)
        if lifted is not None:
            return lifted
    return None


def canonical_tail(canon: Canon, tail: Tail, scopes: Scopes) -> Tail:
    """Return the tail with canonical times, and its distance in the largest unit."""
    tail = with_times(tail, tuple(_time(canon, time, scopes) for time in times_of(tail)))
    if isinstance(tail, DistanceTail):
        count, unit = canonical_distance(tail.count, tail.unit)
        tail = replace(tail, count=count, unit=unit)
    return tail


def _time(canon: Canon, time: Time, scopes: Scopes) -> Time:
    match time:
        case TimeWord():
            return time
        case RelativeUnit(which, unit):
            return _DAYS[which] if unit == "day" else time
        case Name("now" | "today" as word):
            return TimeWord(word)
        case _:
            return _instant(canon, time, scopes)


def _instant(canon: Canon, expr: Expr, scopes: Scopes) -> Expr:
    """Return the instant that an expression denotes: an event stands for its timestamp."""
    found = canon.field(expr, scopes)
    if found is not None and found.type is FieldType.OBJECT:
        expr = attach(expr, "timestamp")
    return canon.value(expr, scopes)


def chain(canon: Canon, expr: Chain, scopes: Scopes) -> Expr:
    """Return the canonical form of a chain of events (see `resolve`).

    A filter of the events moves into every element. What a step asks of the profile alone moves out. What is excluded
    at one place and distance is one element.
    """
    array, inside = expr.array, canon.inside(expr.array, scopes)
    common: list[Expr] = []
    while isinstance(array, Filter):
        common.append(array.condition)
        array = array.array
    steps: list[Element] = []
    around: list[Expr] = []
    elements: list[Element] = []
    for element in expr.elements:
        what = all_of(canon.truth(part, inside) for part in (element.what, *common))
        if element.kind == "exclude":
            elements.append(replace(element, what=what))
            continue
        if what == FALSE:
            return FALSE
        parts = list(operands_of("and", what))
        outer = [part for part in parts if 0 not in levels_of(part)]
        around += [canon.truth(shift(part, -1), scopes) for part in outer]
        steps.append(replace(element, label=f"e{len(steps) + 1}", what=all_of(p for p in parts if p not in outer)))
        elements.append(steps[-1])
    found = with_exclusions(elements)
    if len(found) == 1:
        only = Method(Filter(array, steps[0].what), "count", ())
        around.append(canon.truth(Binary(">=", only, Literal(steps[0].count, "integer")), scopes))
    else:
        around.append(Chain(array, expr.timestamp, found, core=True, span=expr.span))
    return all_of(around)


def with_exclusions(elements: list[Element]) -> tuple[Element, ...]:
    """Return the canonical elements: what is excluded between the same two, at the same distance, is one."""
    found: list[Element] = []
    excluded = 0
    for kind, run in groupby(elements, lambda element: element.kind):
        if kind == "what":
            found += run
            continue
        by_tails: dict[tuple[Tail, ...], list[Element]] = {}
        for element in run:
            by_tails.setdefault(element.when, []).append(element)
        joined = [
            replace(same[0], what=what)
            for same in by_tails.values()
            if (what := any_of(element.what for element in same)) != FALSE
        ]
        for element in sorted(joined, key=lambda element: (to_text(element.what), repr(element.when))):
            excluded += 1
            found.append(replace(element, label=f"x{excluded}"))
    return tuple(found)
