"""The language over one profile in memory: every rule of the specification, read directly from the tree as written.

It is the meaning that engines are compared with, and it says of a single person what holds and when that changes. A
profile is plain data: nested mappings, its events under ``events``, instants as ISO 8601 text or milliseconds, days as
text, numbers as `int`, `Decimal` (as written) or `float` (a binary double). Numbers in parentheses, such as (5.2), are
those of the rules in ``docs/reference/pql.md``.

>>> from coterie.core.schema import Field, FieldType, Union
>>> from coterie.pql import parse
>>> text, time = Field(FieldType.STRING), Field(FieldType.DATETIME)
>>> profile = Field(FieldType.OBJECT, properties={"city": text})
>>> event = Field(FieldType.OBJECT, properties={"_id": text, "timestamp": time, "eventType": text})
>>> union = Union(profile, event)
>>> anna = {"city": "Lyon", "events": [{"_id": "1", "timestamp": "2026-06-10T09:00:00Z", "eventType": "buy"}]}
>>> now = 1_781_524_800_000  # 2026-06-15T12:00:00Z
>>> rule = parse('city = "Lyon" and xEvent[eventType = "buy" and timestamp occurs <= 7 days before now]')
>>> holds(rule, anna, now, union)
True
>>> value(parse("xEvent[timestamp occurs this month].count()"), anna, now, union)
1
>>> next_change(rule, anna, now, union) - now == (2 * 24 - 3) * 3_600_000 + 1
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType, Union
from coterie.pql.ast import Expr
from coterie.pql.interpreter import change
from coterie.pql.interpreter.environment import Scope
from coterie.pql.interpreter.evaluate import Evaluation
from coterie.pql.interpreter.times import Clock
from coterie.pql.interpreter.values import Array, Object, Time, Value, plain, read
from coterie.pql.local import UTC, zone_of

__all__ = ["Object", "events_where", "holds", "next_change", "read_profile", "value"]

Profile = Mapping[str, Any] | Object


def holds(
    expr: Expr, profile: Profile, at: int, union: Union, *, zone: str = UTC, within: Sequence[Mapping[str, Any]] = ()
) -> bool:
    """Return whether a query holds for a profile.

    Parameters
    ----------
    expr : Expr
        A tree without problems (see `check`), as written or in canonical form.
    profile : mapping or Object
        Plain data, or what `read_profile` made of it, which saves reading it again for each of many queries.
    at : int
        The evaluation instant.
    union : Union
        The fields there are.
    zone : str
        IANA name of the time zone whose calendar is meant.
    within : sequence of mapping
        Objects around the expression inside the profile, outermost first: for a part of a filter of `xEvent`, one of
        the profile's events.

    Raises
    ------
    Invalid
        ``pql.zone`` for an unknown zone, ``pql.too-deep`` for a tree that is nested too deep.
    Unsupported
        ``pql.too-costly`` for a rule that looks at too many items.
    """
    return _truth(expr, read_profile(profile, union, zone), within, Clock(at, zone), union)


def value(
    expr: Expr, profile: Profile, at: int, union: Union, *, zone: str = UTC, within: Sequence[Mapping[str, Any]] = ()
) -> Any:
    """Return the value of a query as plain data; the parameters are those of `holds`.

    Instants are ISO 8601 text, days ``YYYY-MM-DD``, tuples of a select mappings by variable, and null is None.
    """
    person = read_profile(profile, union, zone)
    try:
        return plain(Evaluation(person, Clock(at, zone), union.computed).value(expr, _scope(person, within)), zone)
    except RecursionError:
        raise _too_deep() from None


def events_where(
    condition: Expr, profile: Profile, at: int, union: Union, *, zone: str = UTC
) -> list[Mapping[str, Any]]:
    """Return the events of a profile for which a condition on one event holds, as they were given, in order of time.

    The condition is as in a filter of `xEvent`; the other parameters are those of `holds`.
    """
    person = read_profile(profile, union, zone)
    events, evaluation, scope = (
        person.get("xEvent"),
        Evaluation(person, Clock(at, zone), union.computed),
        _scope(person, ()),
    )
    assert isinstance(events, Array)
    try:
        return [
            event.raw
            for event in events.items
            if isinstance(event, Object) and event.raw is not None and evaluation.truth(condition, scope.inside(event))
        ]
    except RecursionError:
        raise _too_deep() from None


def next_change(
    expr: Expr, profile: Profile, at: int, union: Union, *, zone: str = UTC, within: Sequence[Mapping[str, Any]] = ()
) -> int | None:
    """Return the first instant after `at` at which a query's truth differs from that at `at`, although no data change.

    The parameters are those of `holds`.

    Returns
    -------
    int or None
        Up to the instant the truth is what it was at `at`; None: it stays so for good. At the instant it differs, but
        for one case: after 400 instants at which it might have, or 100 years ahead, the search ends and the instant at
        which to look again is returned.
    """
    person = read_profile(profile, union, zone)
    return change.next_change(lambda clock: _truth(expr, person, within, clock, union), at, zone)


def read_profile(profile: Profile, union: Union, zone: str = UTC) -> Object:
    """Return plain data as the object that queries read; its events are in the order of time, then of id (19)."""
    if isinstance(profile, Object):
        return profile
    zone_of(zone)
    properties = {**union.profile.properties, "xEvent": Field(FieldType.ARRAY, items=union.event)}
    person = Object(profile, Field(FieldType.OBJECT, properties=properties), zone)
    events = sorted((Object(event, union.event, zone) for event in profile.get("events") or ()), key=_order)
    person.put("xEvent", Array(tuple(events), blank=lambda: read(None, union.event, zone)))
    return person


def _order(event: Object) -> tuple[int, str]:
    time, name = event.get("timestamp"), event.get("_id")
    return time.start if isinstance(time, Time) else 0, str(name)


def _truth(expr: Expr, person: Object, within: Sequence[Mapping[str, Any]], clock: Clock, union: Union) -> bool:
    try:
        return Evaluation(person, clock, union.computed).truth(expr, _scope(person, within))
    except RecursionError:
        raise _too_deep() from None


def _scope(person: Object, within: Sequence[Mapping[str, Any]]) -> Scope:
    """Return the scope inside objects of the profile, each found where it is in the one around it."""
    scope = Scope((person,))
    for raw in within:
        scope = scope.inside(_found(scope.objects[-1], raw))
    return scope


def _found(around: Value, raw: Mapping[str, Any]) -> Value:
    for inner in around.arrays() if isinstance(around, Object) else ():
        for item in inner.items:
            if isinstance(item, Object) and item.raw is raw:
                return item
    raise Invalid("pql.scope", "an object given as the place of an expression is none of the profile's.")


def _too_deep() -> Invalid:
    return Invalid("pql.too-deep", "the rule is nested too deep.", hint="Divide it into several audiences.")
