"""Sets of characters: ranges of code points, their negation, and those that differ only by case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

Range = tuple[int, int]
Ranges = tuple[Range, ...]

LAST = 0x10FFFF
ALL: Ranges = ((0, LAST),)
_LAST_CASED = 0x1EFFF


def joined(ranges: Iterable[Range]) -> Ranges:
    """Return ranges in order, those that touch made one."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def negated(ranges: Ranges) -> Ranges:
    """Return all other characters."""
    found, start = [], 0
    for low, high in joined(ranges):
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


def folded(ranges: Ranges) -> Ranges:
    """Return the ranges with all characters that differ from theirs by case only."""
    more = [
        (other, other)
        for code, orbit in _orbits().items()
        if any(low <= code <= high for low, high in ranges)
        for other in orbit
    ]
    return joined((*ranges, *more))


def overlap(left: Ranges, right: Ranges) -> bool:
    """Whether two sets have a character in common."""
    return any(a <= d and c <= b for a, b in left for c, d in right)


@cache
def _orbits() -> dict[int, tuple[int, ...]]:
    """Return the characters that are one to a comparison without case, by each that has others.

    Simple case folding alone: one character for one, whatever the language. Dotless and dotted i have no others.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for code in range(_LAST_CASED + 1):
        char = chr(code)
        upper = char.upper()
        base = upper if len(upper) == 1 and char not in "ıİ" else char
        lower = base.lower()
        groups[lower if len(lower) == 1 else base].append(code)
    return {code: tuple(group) for group in groups.values() if len(group) > 1 for code in group}
