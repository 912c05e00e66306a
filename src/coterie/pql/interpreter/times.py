"""Time while a query runs (10), and when an answer about it may change although no data do.

What has been asked of time holds until `Clock.until`: each question lowers it to the next instant at which its own
answer may be another. A rule whose questions all keep their answers keeps its own, so it cannot change before then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coterie.core.clock import DAY
from coterie.pql.ast import RelativeUnit, Tail, TimeWord, Unit
from coterie.pql.calendar import LENGTHS, Edge, Interval, Range, edges, interval, place, ranges, unit_of
from coterie.pql.interpreter.values import Time
from coterie.pql.local import UTC, change, instants, offset, to_local

Word = TimeWord | RelativeUnit

_NOW, _TODAY = TimeWord("now"), TimeWord("today")
FAR = 400_000 * 366 * DAY
"""Longer than any distance of the language: what has not changed by then never does."""


class Clock:
    """The instant of an evaluation (1.3) and the zone of its calendar.

    Parameters
    ----------
    at : int
        The instant.
    zone : str
        IANA name.
    watching : bool
        Whether `until` is kept.
    """

    def __init__(self, at: int, zone: str, *, watching: bool = False) -> None:
        self.at, self.zone, self.watching = at, zone, watching
        self.until: int | None = None
        """The first instant at which some answer given may change; None: never."""
        self._known: dict[int, tuple[Range, ...]] = {}

    def edge(self, at: int) -> None:
        """Note an instant at which an answer may change."""
        if at > self.at and (self.until is None or at < self.until):
            self.until = at

    # -- values -----------------------------------------------------------------------------------------------------

    def now(self) -> Time:
        """Return `now` as a value."""
        return Time(self.at, moving="now")

    def today(self) -> Time:
        """Return `today` as a value."""
        day = interval(_TODAY, self.at, self.zone)
        return Time(day.start, day.end, day.local, "today")

    def unit_ends(self, unit: Unit) -> None:
        """Note that an answer holds for the calendar unit that runs."""
        if self.watching:
            self._local_edge(unit_of(self.at, unit, self.zone, 1).start)

    def settle(self, time: Time) -> None:
        """Note that a time that passes was used in a way that holds only while it stays as it is."""
        if not self.watching or time.moving is None:
            return
        if time.moving == "now":
            self.edge(self.at + 1)
        else:
            self.unit_ends("day")

    def met(self, left: Time, right: Time) -> None:
        """Note that the starts of two times were compared."""
        if not self.watching or left.moving == right.moving:
            return
        for moving, other in ((left, right), (right, left)):
            if moving.moving == "now":
                self.edge(other.start)
                self.edge(other.start + 1)
            elif moving.moving == "today":
                self._local_edge(unit_of(other.start, "day", self.zone).start)
                self._local_edge(unit_of(other.start, "day", self.zone, 1).start)

    # -- occurs (10.3) ----------------------------------------------------------------------------------------------

    def occurs(self, value: Time, tail: Tail, times: Sequence[Word | Time]) -> bool:
        """Return whether an instant satisfies a tail; of a day, its start counts."""
        if self.watching:
            self._watch(value, tail, times, [self._placed(time) for time in times])
        at = value.start
        return any((low is None or low <= at) and (high is None or at < high) for low, high in self._spans(tail, times))

    def _spans(self, tail: Tail, times: Sequence[Word | Time]) -> tuple[Range, ...]:
        """Return the ranges of a tail; those of words alone are worked out once."""
        if any(isinstance(time, Time) for time in times):
            return ranges(tail, *map(self._placed, times), zone=self.zone)
        if id(tail) not in self._known:
            self._known[id(tail)] = ranges(tail, *map(self._placed, times), zone=self.zone)
        return self._known[id(tail)]

    def _placed(self, time: Word | Time) -> Interval:
        return time if isinstance(time, Time) else interval(time, self.at, self.zone)

    def _watch(self, value: Time, tail: Tail, times: Sequence[Word | Time], placed: Sequence[Interval]) -> None:
        """Note when the value, or an end of a range, passes the other."""
        words = [_word(time) for time in times]
        if value.moving is None and not any(words):
            return
        for bound in (edge for pair in edges(tail, *placed, zone=self.zone) for edge in pair if edge is not None):
            word = words[-1] if bound.last else words[0]
            if word is not None and value.moving != "now":
                self._passes(value.start, bound, word)
                self.settle(value)
            elif word != _NOW:
                self.met(value, Time(place(bound, *placed, zone=self.zone)))
                if word is not None:
                    self.unit_ends(word.unit if isinstance(word, RelativeUnit) else "day")

    def _passes(self, at: int, bound: Edge, word: Word) -> None:
        """Note when a moving end of a range passes an instant: ends only move on."""
        if word == _NOW and (bound.steps == 0 or bound.unit in LENGTHS) and not bound.days:
            self.edge(at + 1 - bound.extra - bound.steps * LENGTHS.get(bound.unit, 0))
            return

        def passed(now: int) -> bool:
            time = interval(word, now, self.zone)
            return at < place(bound, time, time, zone=self.zone)

        self._fold()
        found = self._first(passed)
        if found is not None:
            self._local_edge(found)

    def _first(self, holds: Callable[[int], bool]) -> int | None:
        """Return the first instant at which what becomes true and stays so does; None if not before `until`."""
        if holds(self.at):
            return None
        if self.until is not None:
            if not holds(self.until - 1):
                return None
            low, high = self.at, self.until - 1
        else:
            low, step = self.at, DAY
            while not holds(low + step):
                low, step = low + step, step * 2
                if step > FAR:
                    return None
            high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    # -- clocks that are changed ------------------------------------------------------------------------------------

    def _local_edge(self, at: int) -> None:
        """Note an instant at which clocks show a certain time, and the other one if they show it twice."""
        if self.zone == UTC:
            self.edge(at)
            return
        self._fold()
        self.edge(at)
        for same in instants(to_local(at, self.zone), self.zone):
            self.edge(same)

    def _fold(self) -> None:
        """Note the next instant at which clocks go back, if it is near: local time is then what it was before."""
        if self.zone != UTC and offset(self.at + DAY, self.zone) < offset(self.at, self.zone):
            self.edge(change(self.at, self.at + DAY, self.zone))


def _word(time: Word | Time) -> Word | None:
    """Return the word for a time that passes; None for one that stays."""
    if not isinstance(time, Time):
        return time
    return None if time.moving is None else _NOW if time.moving == "now" else _TODAY
