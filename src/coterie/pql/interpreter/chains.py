"""Chains of events (11): a search that tries every choice of events, but no state of the search twice.

A state is where the last element was placed, with the events that later elements name. Where nothing later depends on
the choice, the earliest place is as good as any (11.1: any combination may succeed, not only the greedy one).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from coterie.pql import ast
from coterie.pql.ast import Chain, Element, Expr, Tail
from coterie.pql.calendar import Range, ranges
from coterie.pql.interpreter.environment import Scope
from coterie.pql.interpreter.parts import conjuncts, named, variable_of
from coterie.pql.interpreter.values import Time, Value, projection
from coterie.pql.scopes import times_of

if TYPE_CHECKING:
    from coterie.pql.interpreter.evaluate import Evaluation

Bound = Mapping[str, Value]
"""The events chosen, by label."""
State = tuple[int | None, Bound]
"""Where the last element was placed, None before the first one, and the events that are named later."""
Spans = Sequence[Range]
"""Half-open spans of time, ascending and apart."""

ALWAYS: Spans = ((None, None),)


@dataclass(frozen=True, slots=True)
class Fitting:
    """Events that satisfy an element, by time; `unseen` tells, for a state, the next place that was not taken yet."""

    times: list[int] = field(default_factory=list)
    events: list[Value] = field(default_factory=list)
    unseen: dict[tuple[int, ...], list[int]] = field(default_factory=dict)

    def runs(self, time: int | None, spans: Spans) -> Iterator[tuple[int, int]]:
        """Yield the places of the events later than `time` and within the spans, as half-open runs."""
        begin = 0 if time is None else bisect_right(self.times, time)
        for low, high in spans:
            first = begin if low is None else max(begin, bisect_left(self.times, low))
            last = len(self.times) if high is None else bisect_left(self.times, high)
            if first < last:
                yield first, last
                begin = last

    def first(self, time: int | None, spans: Spans) -> int | None:
        """Return the time of the first event later than `time` and within the spans."""
        return next((self.times[first] for first, _ in self.runs(time, spans)), None)

    def ends(self, time: int | None, spans: Spans, count: int, barrier: int | None) -> Iterator[tuple[int, int]]:
        """Yield where an element of `count` events may be placed, the first of which must not lie after the barrier.

        The last of the events is the place (11.2); they may share a time (19).
        """
        runs = list(self.runs(time, spans))
        if not runs or (barrier is not None and self.times[runs[0][0]] > barrier):
            return
        if count == 1:
            beyond = len(self.times) if barrier is None else bisect_right(self.times, barrier)
            yield from ((first, min(last, beyond)) for first, last in runs if first < beyond)
            return
        missing = count - 1
        for first, last in runs:
            if missing >= last - first:
                missing -= last - first
                continue
            nth = bisect_left(self.times, self.times[first + missing])
            yield from ((max(begin, nth), end) for begin, end in runs if end > nth)
            return

    def fresh(self, runs: Iterable[tuple[int, int]], state: tuple[int, ...]) -> Iterator[int]:
        """Yield the places of the runs that were not yet yielded for that state."""
        following = self.unseen.setdefault(state, list(range(len(self.times) + 1)))
        for first, last in runs:
            place = _next(following, first)
            while place < last:
                following[place] = place + 1
                yield place
                place = _next(following, place + 1)


def _next(following: list[int], place: int) -> int:
    """Return the first place from `place` on that is not taken, and shorten the way to it."""
    found = place
    while following[found] != found:
        found = following[found]
    while following[place] != place:
        following[place], place = found, following[place]
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """Parts of an element: of its WHAT, its tails, and its WHERE."""

    what: tuple[Expr, ...]
    tails: tuple[Tail, ...]
    where: tuple[Expr, ...]

    @classmethod
    def of(cls, element: Element, tails: Iterable[Tail], chosen: Callable[[ast.Node], bool]) -> Asked:
        """Return the chosen parts of an element."""
        what, where = (tuple(filter(chosen, conjuncts(expr))) for expr in (element.what, element.where))
        return cls(what, tuple(filter(chosen, tails)), where)

    @property
    def nodes(self) -> tuple[ast.Node, ...]:
        """All of them."""
        return (*self.what, *self.tails, *self.where)


class Step:
    """An element, divided into what is asked of each event once, and what depends on the events chosen before."""

    def __init__(self, element: Element, label: str, labels: frozenset[str]) -> None:
        self.element, self.label = element, label
        self.gaps = tuple(tail for tail in element.when if _of_labels(tail, labels))
        """Tails whose times are those of labels: they admit spans of time."""
        tails = [tail for tail in element.when if tail not in self.gaps]
        others = labels - {label}
        self.alone = Asked.of(element, tails, lambda part: not named([part], others))
        """What is asked of each event."""
        self.related = Asked.of(element, tails, lambda part: bool(named([part], others)))
        """What relates an event to those chosen before."""
        self.asked = sorted(named(self.related.nodes, others))
        """Labels named in what relates them."""
        self.named = named(self.gaps, labels).union(self.asked)
        """All labels that are named."""
        self.known: dict[tuple[int, ...], Fitting] = {}


class Search:
    """The search for a chain in a scope."""

    def __init__(self, run: Evaluation, chain: Chain, scope: Scope) -> None:
        self.run, self.chain, self.scope = run, chain, scope
        labels = [f"${element.label.removeprefix('e')}" if chain.core else element.label for element in chain.elements]
        every = frozenset(labels)
        self.steps = [Step(element, label, every) for element, label in zip(chain.elements, labels, strict=True)]
        items = run.items(run.value(chain.array, scope))
        times = [(item, time) for item in items if isinstance(time := self._time_of(item), Time)]
        times.sort(key=lambda dated: dated[1].start)
        self.events = [item for item, _ in times]
        self._times = {id(item): time for item, time in times}

    def _time_of(self, item: Value) -> Value:
        for name in self.chain.timestamp:
            item = projection(item, name)
        return item

    def found(self) -> bool:
        """Return whether there is such a sequence."""
        states: list[State] = [(None, {})]
        excluded: list[Step] = []
        for place, step in enumerate(self.steps):
            if step.element.kind == "exclude":
                excluded.append(step)
                continue
            states = self._advance(states, step, excluded, self.steps[place + 1 :])
            excluded = []
            if not states:
                return False
        return any(self._barrier(state, excluded) is None for state in states)

    def _advance(
        self, states: Sequence[State], step: Step, excluded: Sequence[Step], later: Sequence[Step]
    ) -> list[State]:
        """Return the states after an element."""
        names = sorted(frozenset[str]().union(*(other.named for other in later)))
        every_place = step.label in names or (bool(later) and later[0].element.kind == "exclude")
        found: dict[tuple[int, ...], State] = {}
        for state in states:
            time, bound = state
            kept = {name: bound[name] for name in names if name in bound}
            key = tuple(id(value) for value in kept.values())
            fitting = self._fitting(step, bound)
            barrier = self._barrier(state, excluded)
            ends = fitting.ends(time, self._spans(step, bound), step.element.count, barrier)
            if every_place:
                for place in fitting.fresh(ends, key):
                    event = fitting.events[place]
                    after = {**kept, step.label: event} if step.label in names else kept
                    at = fitting.times[place]
                    found[(*key, at, id(event) if step.label in names else 0)] = at, after
                    self.run.spend(1)
            else:
                for first, _ in ends:
                    at = fitting.times[first]
                    best = found.get(key)
                    if best is None or best[0] is None or at < best[0]:
                        found[key] = at, kept
                    break
        return list(found.values())

    def _barrier(self, state: State, excluded: Sequence[Step]) -> int | None:
        """Return the time of the first excluded event after a state; None when there is none (11.4)."""
        time, bound = state
        firsts = (self._fitting(step, bound).first(time, self._spans(step, bound)) for step in excluded)
        return min((first for first in firsts if first is not None), default=None)

    # -- what an element asks ---------------------------------------------------------------------------------------

    def _fitting(self, step: Step, bound: Bound) -> Fitting:
        """Return the events that satisfy WHAT, WHERE and the tails that are not about labels alone."""
        if () not in step.known:
            step.known[()] = self._filtered(step, step.alone, self.events, {})
        key = tuple(id(bound.get(label)) for label in step.asked)
        if key not in step.known:
            alone = step.known[()]
            latest = max((self._times[id(bound[name])].start for name in step.asked if name in bound), default=None)
            later = alone.events if latest is None else alone.events[bisect_right(alone.times, latest) :]
            step.known[key] = self._filtered(step, step.related, later, bound)
        return step.known[key]

    def _filtered(self, step: Step, asked: Asked, events: Sequence[Value], bound: Bound) -> Fitting:
        """Return the events that satisfy what is asked."""
        self.run.spend(len(events))
        found = Fitting()
        scope = self._about(bound)
        for event in events:
            time = self._times[id(event)]
            if self._fits(step, asked, event, time, scope):
                found.times.append(time.start)
                found.events.append(event)
        return found

    def _fits(self, step: Step, asked: Asked, event: Value, time: Time, scope: Scope) -> bool:
        inside = scope.inside(event)
        for part in asked.what:
            if not self.run.truth(part, inside):
                return False
        for tail in asked.tails:
            if not self.run.occurs(time, tail, inside):
                return False
        if not asked.where:
            return True
        about = (inside if self.chain.core else scope.of_profile()).labelled({step.label: event}, {step.label: time})
        return all(self.run.truth(part, about) for part in asked.where)

    def _about(self, bound: Bound) -> Scope:
        """Return the scope in which labels are known, and stand for the times by which the chain is ordered (10.1)."""
        return self.scope.labelled(bound, {label: self._times[id(event)] for label, event in bound.items()})

    def _spans(self, step: Step, bound: Bound) -> Spans:
        """Return the spans that the tails about labels admit."""
        spans = ALWAYS
        if step.gaps:
            scope = self._about(bound)
            for tail in step.gaps:
                choices = product(*(self.run.times(time, scope) for time in times_of(tail)))
                admitted = (
                    span
                    for times in choices
                    for span in ranges(
                        tail, *(time for time in times if isinstance(time, Time)), zone=self.run.clock.zone
                    )
                )
                spans = _common(spans, _apart(admitted))
        return spans


def _of_labels(tail: Tail, labels: frozenset[str]) -> bool:
    """Whether the times of a tail are those of labels, whatever the event."""
    return all(_label(time) in labels for time in times_of(tail))


def _label(expr: ast.Node) -> str | None:
    while isinstance(expr, ast.Property):
        expr = expr.object
    return variable_of(expr)


def _apart(spans: Iterable[Range]) -> Spans:
    """Return the spans in ascending order, overlapping ones joined."""
    joined: list[Range] = []
    for low, high in sorted(spans, key=lambda span: (span[0] is not None, span[0] or 0)):
        if joined and (joined[-1][1] is None or (low is not None and low <= joined[-1][1]) or low is None):
            before = joined[-1]
            joined[-1] = before[0], None if before[1] is None or high is None else max(before[1], high)
        else:
            joined.append((low, high))
    return joined


def _common(left: Spans, right: Spans) -> Spans:
    """Return the spans that lie in both."""
    met = (
        (
            max((limit for limit in (one[0], other[0]) if limit is not None), default=None),
            min((limit for limit in (one[1], other[1]) if limit is not None), default=None),
        )
        for one in left
        for other in right
    )
    return _apart(span for span in met if span[0] is None or span[1] is None or span[0] < span[1])
