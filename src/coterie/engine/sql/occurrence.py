"""`occurs`: a tail as ranges on an instant, at known times or at those of a column."""

from __future__ import annotations

from collections.abc import Iterable

from coterie.core.clock import DAY
from coterie.engine.sql import clocks
from coterie.engine.sql.constructs import FALSE, Sql, both, build, either, whole
from coterie.engine.sql.values import TIMES, Kind, Scalar, mismatch
from coterie.pql.ast import Expr, Tail
from coterie.pql.calendar import LENGTHS, MONTHS, Edge, Interval, edges, ranges

_FAR = 1 << 62


def occurs(value: Scalar, tail: Tail, times: list[Scalar], zone: str, expr: Expr) -> Sql:
    """Return that an instant satisfies a tail.

    Parameters
    ----------
    value : Scalar
        The instant.
    tail : Tail
        What it must satisfy.
    times : list of Scalar
        The one or two times of the tail.
    zone : str
        The time zone of the calendar.
    expr : Expr
        The whole, for the error that refuses it.
    """
    read = [_read(time) for time in times]
    if value.kind not in TIMES or any(time.kind not in TIMES for time in read if time is not None):
        raise mismatch(expr, "a time")
    if any(time is None for time in read):
        return FALSE
    placed = [time for time in read if time is not None]
    known = [time.constant for time in placed if isinstance(time.constant, Interval)]
    if len(known) == len(placed):
        return either(_within(value.sql, low, high) for low, high in ranges(tail, *known, zone=zone))
    forms = [_form(time) for time in placed]

    def place(edge: Edge | None) -> Sql | None:
        return None if edge is None else _place(edge, placed, zone)

    admitted = edges(tail, *forms, zone=zone)
    return either(_limited(value.sql, place(low), place(high)) for low, high in admitted)


def _read(time: Scalar) -> Scalar | None:
    """Return text as the time it names; None when it names none."""
    if not isinstance(time.constant, str):
        return time
    found = time.named
    return None if found is None else Scalar(whole(found.start), Kind.INSTANT, constant=found)


def _form(time: Scalar) -> Interval:
    if isinstance(time.constant, Interval):
        return time.constant
    return Interval(0, DAY) if time.kind is Kind.DAY else Interval(0)


def _within(value: Sql, low: int | None, high: int | None) -> Sql:
    return _limited(value, None if low is None else _bounded(low), None if high is None else _bounded(high))


def _bounded(at: int) -> Sql:
    return whole(max(-_FAR, min(_FAR, at)))


def _limited(value: Sql, low: Sql | None, high: Sql | None) -> Sql:
    limits: Iterable[Sql] = [
        *([] if low is None else [build(">=", value, low)]),
        *([] if high is None else [build("<", value, high)]),
    ]
    return both(limits)


def _place(edge: Edge, times: list[Scalar], zone: str) -> Sql:
    """Return the instant of an edge; calendar steps are clamped to the last day of a month."""
    time = times[-1] if edge.last else times[0]
    sql, extra = time.sql, edge.extra
    if edge.end:
        form = _form(time)
        assert form.end is not None
        if time.kind is Kind.DAY and not isinstance(time.constant, Interval):
            sql = clocks.add_days(sql, 1, zone)
        else:
            extra += form.end - form.start
    if edge.steps:
        if edge.unit in LENGTHS:
            extra += edge.steps * LENGTHS[edge.unit]
        else:
            sql = clocks.add_months(sql, edge.steps * MONTHS[edge.unit], zone)
    if edge.days:
        sql = clocks.add_days(build("+", sql, whole(extra)) if extra else sql, edge.days, zone)
        extra = 0
    return build("+", sql, whole(extra)) if extra else sql
