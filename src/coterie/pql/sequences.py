"""Sequences: events related by their distances in time and by what must not happen, as data for engines.

A chain of events states one (`sequence_of`), and so do filters of events inside one another that relate each event to
the one around: `exists A …, B … B.timestamp occurs <= 3 days after A.timestamp`. Such filters that say the same as a
chain become that chain (`as_chain`), so that both are one condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from coterie.pql.ast import (
    BetweenTail,
    Binary,
    Call,
    Chain,
    Element,
    Expr,
    Filter,
    Name,
    Occurs,
    Positional,
    Tail,
    TimeWord,
    Unary,
    Up,
)
from coterie.pql.calendar import LENGTHS, Interval, ranges
from coterie.pql.chains import LATER, Gap, gaps_of, meet, tails_of
from coterie.pql.logic import all_of, operands_of
from coterie.pql.scopes import XEVENT, levels_of, reads_events, shift, times_of, walk, with_times
from coterie.pql.times import with_exclusions


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that must not be there, at a distance from the event of a step; `closed` includes the time of the next.

    `where` is read in the scope of the excluded event, with the profile around it.
    """

    where: Expr
    gap: Gap = LATER
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a sequence: `count` events that satisfy `where`, placed at the last of them.

    `where` is read in the scope of the event, with the profile around it.
    All of the events lie at a distance of `gap` from the place of the step before. Nothing of `between` lies between
    that place and the first of them; nothing of `around` lies at its distance from the place of this step.
    """

    where: Expr
    count: int = 1
    gap: Gap = LATER
    between: tuple[Exclusion, ...] = ()
    around: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps, each related to the one before; what is `between` at the first step is all that lies before it."""

    steps: tuple[Step, ...]


def sequence_of(expr: Expr) -> Sequence | None:
    """Return the sequence that a canonical chain or filter of events states, or None when it states none."""
    match expr:
        case Chain(_, ("timestamp",), elements):
            steps = _of_elements(elements)
        case Filter():
            steps = _of_filters(expr, 0)
            if steps is not None and len(steps) == 1 and not steps[0].around:
                return None
        case _:
            return None
    if steps is None or not all(map(_simple, _conditions(steps))):
        return None
    return Sequence(tuple(steps))


def _conditions(steps: list[Step]) -> Iterator[Expr]:
    for step in steps:
        yield step.where
        yield from (exclusion.where for exclusion in (*step.between, *step.around))


def _simple(where: Expr) -> bool:
    """Whether a condition reads only the event and plain attributes of the profile."""
    if reads_events(where) or not levels_of(where) <= {0, 1}:
        return False
    return not any(
        (isinstance(node, Call) and node.name == "inSegment")
        or (isinstance(node, Name | Up) and node.name in ("identityMap", "segmentMembership"))
        for node, _ in walk(where)
    )


# -- chains ---------------------------------------------------------------------------------------------------------


def _of_elements(elements: tuple[Element, ...]) -> list[Step] | None:
    steps: list[Step] = []
    excluded: list[Exclusion] = []
    for element in elements:
        gaps = gaps_of(with_times(tail, (TimeWord("now"),)) for tail in element.when)
        if gaps is None or len(gaps) != 1:
            return None
        if element.kind == "exclude":
            excluded.append(Exclusion(element.what, gaps[0]))
            continue
        steps.append(Step(element.what, element.count, gaps[0], tuple(excluded)))
        excluded = []
    steps[-1] = replace(steps[-1], around=tuple(excluded))
    return steps


def as_chain(expr: Filter) -> Expr:
    """Return the chain that a canonical filter of `xEvent` states, or the filter itself."""
    sequence = sequence_of(expr) if expr.array == XEVENT else None
    if sequence is None:
        return expr
    elements: list[Element] = []
    for place, step in enumerate(sequence.steps):
        last = place == len(sequence.steps) - 1
        if not (
            _strict(step.gap) and all(map(_within_chain, (*step.between, *step.around))) and (last or not step.around)
        ):
            return expr
        elements += _excluded(step.between, place)
        when = tails_of(step.gap, Positional(place)) if place else ()
        elements.append(Element(f"e{place + 1}", "what", step.where, when, step.count, None))
        elements += _excluded(step.around, place + 1)
    return Chain(XEVENT, ("timestamp",), with_exclusions(elements), core=True, span=expr.span)


def _strict(gap: Gap) -> bool:
    return gap.least is not None and gap.least >= 1


def _within_chain(exclusion: Exclusion) -> bool:
    return _strict(exclusion.gap) and not exclusion.closed


def _excluded(exclusions: tuple[Exclusion, ...], label: int) -> list[Element]:
    return [
        Element("x", "exclude", exclusion.where, tails_of(exclusion.gap, Positional(label)), 1, None)
        for exclusion in exclusions
    ]


# -- filters inside one another -------------------------------------------------------------------------------------

_NOW = Interval(0)


def _of_filters(expr: Filter, around: int) -> list[Step] | None:
    """Return the steps of a filter of events that has `around` events around it; None when it is no sequence."""
    if expr.array != XEVENT:
        return None
    gap, own, inner, without = Gap(None, None), [], [], []
    for part in operands_of("and", expr.condition):
        match part:
            case Filter(array) if array == XEVENT:
                inner.append(part)
            case Unary("not", Filter(array, condition)) if array == XEVENT:
                without.append(condition)
            case _:
                related = _relation(part)
                if related is None:
                    own.append(part)
                elif related[0] != 1 or around == 0 or (both := meet(gap, related[1])) is None:
                    return None
                else:
                    gap = both
    where = _apart(own, around)
    exclusions = [_exclusion(condition, around) for condition in without]
    if where is None or len(inner) > 1 or any(exclusion is None for exclusion in exclusions):
        return None
    found = [exclusion for exclusion in exclusions if exclusion is not None]
    step = Step(
        where,
        1,
        gap if around else LATER,
        tuple(exclusion for level, exclusion in found if level == 2),
        tuple(exclusion for level, exclusion in found if level == 1),
    )
    if not inner:
        return [step]
    rest = _of_filters(inner[0], around + 1)
    return None if rest is None else [step, *rest]


def _apart(parts: list[Expr], around: int) -> Expr | None:
    """Return a condition on an event as read without the `around` events around it, or None when it reads those."""
    if any(level in range(1, around + 1) for part in parts for level in levels_of(part)) or any(
        map(reads_events, parts)
    ):
        return None
    return all_of(shift(part, -around, 1) for part in parts)


def _exclusion(condition: Expr, around: int) -> tuple[int, Exclusion] | None:
    """Return the level of the event to which an excluded one is related, and the exclusion.

    Level 1 is the event just around; level 2 the one before it, up to which the excluded one must come then.
    """
    gaps, own = {1: Gap(None, None), 2: Gap(None, None)}, []
    for part in operands_of("and", condition):
        relations = _relations(part)
        if not relations:
            own.append(part)
        for level, gap in relations:
            if level not in gaps or (both := meet(gaps[level], gap)) is None:
                return None
            gaps[level] = both
    where = _apart(own, around + 1)
    if where is None:
        return None
    if gaps[2] == Gap(None, None):
        return 1, Exclusion(where, gaps[1])
    if around == 0 or gaps[1] not in (Gap(None, -1), Gap(None, 0)):
        return None
    return 2, Exclusion(where, gaps[2], closed=gaps[1].most == 0)


def _relations(expr: Expr) -> list[tuple[int, Gap]]:
    """Return the events around to which a condition relates the time of an event, and at which distance each."""
    match expr:
        case Occurs(Name("timestamp"), BetweenTail(Up(first, "timestamp"), Up(last, "timestamp"))):
            return [(first, Gap(0, None)), (last, Gap(None, 0))]
        case _:
            related = _relation(expr)
            return [] if related is None else [related]


def _relation(expr: Expr) -> tuple[int, Gap] | None:
    """Return the event around to which a condition relates the time of an event, and at which distance."""
    gap: Gap | None
    match expr:
        case Binary(op, Name("timestamp"), Up(level, "timestamp")):
            gap = _COMPARED.get(op)
        case Binary(op, Up(level, "timestamp"), Name("timestamp")):
            gap = _reversed(_COMPARED.get(op))
        case Occurs(Name("timestamp"), tail) if (found := _around(tail)) is not None:
            level, gap = found, _admitted(tail)
        case Occurs(Up(level, "timestamp"), tail) if times_of(tail) == (Name("timestamp"),):
            gap = _reversed(_admitted(tail))
        case _:
            return None
    return None if gap is None else (level, gap)


_COMPARED: dict[str, Gap] = {
    "=": Gap(0, 0),
    ">": Gap(1, None),
    ">=": Gap(0, None),
    "<": Gap(None, -1),
    "<=": Gap(None, 0),
}


def _around(tail: Tail) -> int | None:
    match times_of(tail):
        case (Up(level, "timestamp"),):
            return level
        case _:
            return None


def _admitted(tail: Tail) -> Gap | None:
    """Return the one distance from its time that a tail admits."""
    if getattr(tail, "unit", "day") not in LENGTHS:
        return None
    match ranges(tail, _NOW):
        case ((low, end),):
            return Gap(low, None if end is None else end - 1)
        case _:
            return None


def _reversed(gap: Gap | None) -> Gap | None:
    if gap is None:
        return None
    return Gap(None if gap.most is None else -gap.most, None if gap.least is None else -gap.least)
