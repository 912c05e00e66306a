"""Chains as what they mean: how far apart two events lie, and the quantifiers that a chain stands for.

A chain asks for events e1, e2, … one strictly after the other. It says the same as a filter inside a filter: there is
an item for the first element, and later than it one for the second, and so on; nothing excluded lies between. An
element of several items is placed at the last of them: as many as it counts lie after the element before and up to it.
What is excluded before such an element must not come before the first of its items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from coterie.pql.ast import (
    Binary,
    Chain,
    DirectionTail,
    DistanceTail,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    OnTail,
    Positional,
    Tail,
    Unary,
)
from coterie.pql.calendar import LENGTHS, Interval, canonical_distance, ranges
from coterie.pql.scopes import XEVENT, at_level, attach, shift, times_of, with_times


@dataclass(frozen=True, slots=True)
class Gap:
    """How long after another event one comes, in ms, both limits included; None for no limit."""

    least: int | None = 1
    most: int | None = None


LATER = Gap()
"""Any time later."""


def gaps_of(tails: Iterable[Tail]) -> tuple[Gap, ...] | None:
    """Return the distances at which an event later than R satisfies tails about R; None when they are no fixed ones."""
    found = [LATER]
    for tail in tails:
        if not isinstance(tail, DistanceTail | DirectionTail | OnTail):
            return None
        if isinstance(tail, DistanceTail) and tail.unit not in LENGTHS:
            return None
        admitted = [Gap(low, None if end is None else end - 1) for low, end in ranges(tail, Interval(0))]
        found = [gap for one in found for other in admitted if (gap := meet(one, other)) is not None]
    return tuple(found)


def meet(one: Gap, other: Gap) -> Gap | None:
    """Return the distances that two gaps have in common, None when there are none."""
    least = max((limit for limit in (one.least, other.least) if limit is not None), default=None)
    most = min((limit for limit in (one.most, other.most) if limit is not None), default=None)
    return None if least is not None and most is not None and least > most else Gap(least, most)


def tails_of(gap: Gap, time: Expr) -> tuple[Tail, ...]:
    """Return the canonical tails of a later event that state a gap after `time`."""
    tails: list[Tail] = []
    if gap.least is not None and gap.least > 1:
        tails.append(DistanceTail(">=", *canonical_distance(gap.least, "millisecond"), "after", time))
    if gap.most is not None:
        tails.append(DistanceTail("<=", *canonical_distance(gap.most, "millisecond"), "after", time))
    return tuple(tails)


@dataclass(frozen=True, slots=True)
class Part:
    """An element of a chain: what holds of an item that has the items of the earlier elements around it."""

    condition: Expr
    count: int = 1
    excluded: bool = False


def nested(array: Expr, timestamp: tuple[str, ...], parts: Sequence[Part], spend: Callable[[Expr], Expr]) -> Expr:
    """Return the chain of an array as filters inside one another.

    Parameters
    ----------
    array : Expr
        The array, as it is named outside the chain.
    timestamp : tuple of str
        Path of the time of an item. An item without a time has no place in the order.
    parts : sequence of Part
        The elements; the condition of one after n included elements is read with their n items around it.
    spend : callable
        Called with each condition that is repeated; may refuse it.
    """
    return _Nesting(array, timestamp, spend).after(list(parts), 0)


class _Nesting:
    def __init__(self, array: Expr, timestamp: tuple[str, ...], spend: Callable[[Expr], Expr]) -> None:
        self.array = array
        self.timestamp = timestamp
        self.spend = spend

    def after(self, parts: list[Part], bound: int) -> Expr:
        """Return that items for the parts exist, `bound` items being chosen."""
        excluded = [part for part in parts[: _leading(parts)] if part.excluded]
        rest = parts[len(excluded) :]
        if not rest:
            return _all(Unary("not", self.some(bound, [*self.later(1, bound), part.condition])) for part in excluded)
        element, *following = rest
        conditions = [*self.later(1, bound), element.condition]
        if not bound and not (self.timestamp == ("timestamp",) and self.array == XEVENT):
            conditions.insert(0, Method(self.moment(0), "isNotNull", ()))
        if element.count > 1:
            matches = self.some(bound + 1, self.counted(element, 1, bound))
            conditions.append(Binary(">=", Method(matches, "count", ()), Literal(element.count, "integer")))
        conditions += (Unary("not", self.some(bound + 1, self.between(part, element, bound))) for part in excluded)
        if following:
            conditions.append(self.after(following, bound + 1))
        return self.some(bound, conditions)

    def between(self, part: Part, element: Part, bound: int) -> list[Expr]:
        """Return what holds of an excluded item before `element`, whose chosen item lies around it."""
        conditions = [
            self.spend(shift(part.condition, 1, 1)),
            Binary("<", self.moment(0), self.moment(1)),
            *self.later(2, bound),
        ]
        if element.count > 1:
            conditions.append(Unary("not", self.some(bound + 2, self.counted(element, 2, bound))))
        return conditions

    def counted(self, element: Part, by: int, bound: int) -> list[Expr]:
        """Return what holds of an item of a counted element, `by` scopes inside it, up to the item just around."""
        condition = self.spend(shift(element.condition, by, 1))
        return [condition, Binary("<=", self.moment(0), self.moment(1)), *self.later(by + 1, bound)]

    def later(self, levels: int, bound: int) -> list[Expr]:
        """Return that the item is later than the last chosen one, `levels` scopes out, if one is chosen."""
        return [Binary(">", self.moment(0), self.moment(levels))] if bound else []

    def moment(self, level: int) -> Expr:
        return path(at_level(level, "this"), self.timestamp)

    def some(self, depth: int, conditions: list[Expr]) -> Expr:
        """Return the items that satisfy conditions, in Boolean position that there are any."""
        return Filter(shift(self.array, depth), _all(conditions))


def _leading(parts: list[Part]) -> int:
    return next((place for place, part in enumerate(parts) if not part.excluded), len(parts))


def _all(conditions: Iterable[Expr]) -> Expr:
    first, *rest = conditions
    for condition in rest:
        first = Binary("and", first, condition)
    return first


def path(owner: Expr, names: Iterable[str]) -> Expr:
    """Return the core form of ``owner.name.name…``."""
    for name in names:
        owner = attach(owner, name)
    return owner


def quantified(chain: Chain) -> Expr:
    """Return a core chain, whose tails are about the element before, as filters inside one another."""
    parts, bound = [], 0
    for element in chain.elements:
        inside = [shift(element.what, bound, 1)]
        for tail in element.when:
            before = tuple(at_level(1, "timestamp") if isinstance(t, Positional) else t for t in times_of(tail))
            inside.append(Occurs(Name("timestamp"), with_times(tail, before)))
        parts.append(Part(_all(inside), element.count, element.kind == "exclude"))
        bound += element.kind == "what"
    return nested(chain.array, chain.timestamp, parts, lambda condition: condition)
