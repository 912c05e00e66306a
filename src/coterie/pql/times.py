"""Canonical forms of `occurs` and `chain`: times, distances, the elements of a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coterie.core.schema import FieldType
from coterie.pql.ast import Chain, DistanceTail, Expr, Filter, Name, Occurs, RelativeUnit, Tail, TimeWord
from coterie.pql.calendar import canonical_distance
from coterie.pql.logic import all_of
from coterie.pql.resolve import FALSE
from coterie.pql.scopes import XEVENT, Scopes, attach, shift, times_of, with_times

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
    return Occurs(_instant(canon, value, scopes), canonical_tail(canon, tail, scopes))


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
    """Return the canonical form of a chain; a filter of its array moves into every element."""
    array, inside = expr.array, canon.inside(expr.array, scopes)
    common: list[Expr] = []
    while isinstance(array, Filter):
        common.append(array.condition)
        array = array.array
    elements = []
    for element in expr.elements:
        what = all_of(canon.truth(part, inside) for part in (element.what, *common))
        if element.kind == "what" and what == FALSE:
            return FALSE
        when = tuple(canonical_tail(canon, tail, inside) for tail in element.when)
        where = element.where and canon.truth(element.where, inside)
        elements.append(replace(element, what=what, when=when, where=where))
    return Chain(XEVENT if array == XEVENT else canon.value(array, scopes), expr.timestamp, tuple(elements))
