"""How audiences overlap: every pair of them, in numbers and, where it is worth saying, in words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import msgspec
from pyroaring import BitMap

from coterie.core.shares import percent, share

NEARLY = 0.9
"""The share from which an overlap is put into words."""


class Size(msgspec.Struct, frozen=True):
    """An audience and how many members it has."""

    audience: str
    members: int


class Pair(msgspec.Struct, frozen=True):
    """Two audiences: `both` people are in both, the share `of_a` of the one and `of_b` of the other.

    `jaccard` is the share of those in either. `finding` says in words what is remarkable, if anything is.
    """

    a: str
    b: str
    both: int
    of_a: float
    of_b: float
    jaccard: float
    finding: str | None


class Overlap(msgspec.Struct, frozen=True):
    """All pairs of audiences; `stored` tells whether members are those of the last evaluation, not of the instant."""

    view: str
    at: int
    stored: bool
    audiences: tuple[Size, ...]
    pairs: tuple[Pair, ...]


def pairs(members: Mapping[str, BitMap]) -> tuple[Pair, ...]:
    """Return every pair of the audiences, in their order."""
    return tuple(_pair(a, members[a], b, members[b]) for a, b in combinations(members, 2))


def _pair(a: str, in_a: BitMap, b: str, in_b: BitMap) -> Pair:
    both = in_a.intersection_cardinality(in_b)
    either = len(in_a) + len(in_b) - both
    return Pair(
        a,
        b,
        both,
        share(both, len(in_a)),
        share(both, len(in_b)),
        share(both, either),
        _finding(a, len(in_a), b, len(in_b), both),
    )


def _finding(a: str, in_a: int, b: str, in_b: int, both: int) -> str | None:
    empty = [name for name, members in ((a, in_a), (b, in_b)) if not members]
    if empty:
        return f"{' and '.join(empty)} {'has' if len(empty) == 1 else 'have'} no members"
    if not both:
        return f"{a} and {b} have no one in common"
    if both == in_a == in_b:
        return f"{a} and {b} are the same people"
    if both == in_a:
        return f"{a} is inside {b}, and is {percent(in_a / in_b)} of it"
    if both == in_b:
        return f"{b} is inside {a}, and is {percent(in_b / in_a)} of it"
    near = [
        f"{percent(both / members)} of {name} is in {other}"
        for name, members, other in ((a, in_a, b), (b, in_b, a))
        if both / members >= NEARLY
    ]
    return ", and ".join(near) or None
