"""The registry of conditions: what was found out about people, kept for every rule that asks the same.

A condition has one canonical form, so audiences, counts, funnels and comparisons that share it share its answer. An
answer holds for one view, while the data stand still; a condition that reads the present instant also holds for that
instant alone, and so does one that reads events when those after a past instant are left out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from coterie.engine.protocol import Engine
from coterie.pql.analysis import analyse_condition
from coterie.pql.conditions import Condition

LIMIT = 256 * 1024 * 1024
"""Bytes of bitmaps that a registry keeps."""

_ENTRY = 512
"""Bytes an entry takes beside what its containers hold: key, objects, headers."""
_CONTAINER = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What an answer holds for: a view, a position of the data, and the instant asked at.

    In the `past` events after the instant are left out.
    """

    view: str
    position: int
    at: int
    past: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How long conditions of one shape took: the time of each call is divided evenly among its conditions."""

    conditions: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds a condition."""
        return self.seconds / self.conditions if self.conditions else 0.0


Key = tuple[str, str, int, int | None, bool]


class Registry:
    """Bitmaps by condition, the least recently used forgotten first.

    Parameters
    ----------
    limit : int
        How many bytes the bitmaps may take.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.bytes = 0
        self.paces: dict[str, Pace] = {}
        self._kept: OrderedDict[Key, tuple[BitMap, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def everyone(self, place: Place, read: Callable[[], BitMap]) -> BitMap:
        """Return all persons of a view, read when they are not known; not to be changed."""
        key = ("", place.view, place.position, None, False)
        found = self._find(key)
        if found is None:
            found = read()
            self._keep(key, found)
        return found

    def find(self, condition: Condition, place: Place) -> BitMap | None:
        """Return the persons for whom a condition holds, if they are known; not to be changed."""
        return self._find(_key(condition, place)) if _is_lasting(condition) else None

    def keep(self, condition: Condition, place: Place, people: BitMap) -> None:
        """Keep an answer, unless it reads memberships: those change without new data."""
        if _is_lasting(condition):
            self._keep(_key(condition, place), people)

    def note(self, conditions: Sequence[Condition], seconds: float) -> None:
        """Remember how long a call for conditions took."""
        for condition in conditions:
            shape = type(condition.shape).__name__
            pace = self.paces.get(shape, Pace())
            self.paces[shape] = Pace(pace.conditions + 1, pace.seconds + seconds / len(conditions))

    def _find(self, key: Key) -> BitMap | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def _keep(self, key: Key, people: BitMap) -> None:
        people.run_optimize()
        size = _bytes(people)
        before = self._kept.pop(key, None)
        self.bytes += size - (before[1] if before else 0)
        self._kept[key] = (people, size)
        position = key[2]
        while self._kept and (self.bytes > self.limit or self._oldest()[2] < position):
            _, (_, freed) = self._kept.popitem(last=False)
            self.bytes -= freed

    def _oldest(self) -> Key:
        return next(iter(self._kept))


def _key(condition: Condition, place: Place) -> Key:
    reads = analyse_condition(condition)
    past = place.past and reads.reads_events
    return (condition.key, place.view, place.position, place.at if reads.relative or past else None, past)


def _is_lasting(condition: Condition) -> bool:
    return not analyse_condition(condition).reads_memberships


def _bytes(people: BitMap) -> int:
    found = people.get_statistics()
    held = found["n_bytes_array_containers"] + found["n_bytes_run_containers"] + found["n_bytes_bitset_containers"]
    return held + _CONTAINER * found["n_containers"] + _ENTRY


class Remembering:
    """An engine that asks another one only for conditions whose answer is not known; see `Engine`.

    Parameters
    ----------
    engine : Engine
        Who is asked.
    registry : Registry
        What is known.
    position : int
        Position of the data that `engine` reads.
    past : bool
        Whether `engine` leaves out events after the instant it is asked at.
    """

    def __init__(self, engine: Engine, registry: Registry, position: int, *, past: bool = False) -> None:
        self.engine = engine
        self.registry = registry
        self.position = position
        self.past = past

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds; see `Engine`."""
        place = Place(view, self.position, at, self.past)
        known = {condition.key: self.registry.find(condition, place) for condition in conditions}
        missing = [condition for condition in conditions if known[condition.key] is None]
        found: dict[str, BitMap] = {}
        if missing:
            began = time.perf_counter()
            found = self.engine.evaluate(missing, view, at, memberships, people)
            if people is None:
                self.registry.note(missing, time.perf_counter() - began)
                for condition in missing:
                    self.registry.keep(condition, place, found[condition.key])
        for key, bitmap in known.items():
            if bitmap is not None:
                found[key] = bitmap if people is None else bitmap & people
        return found
