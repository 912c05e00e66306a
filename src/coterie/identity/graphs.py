"""All graphs of many records in memory: built at once, and kept when records come and go.

Records are evidence: identities that they connect form a *component*, and components never influence each other. One
that holds nothing in conflict (`conflicted`) is its graph; only the others are folded.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import msgspec
import numpy as np

from coterie.identity.arrange import Arranged, arrange
from coterie.identity.cluster import components
from coterie.identity.fold import (
    Bools,
    Evictions,
    Folded,
    Ints,
    Links,
    Pairs,
    Records,
    Removals,
    Rules,
    conflicted,
    fold,
)

_MANY = 100_000
"""From so many records to fold, the work is shared among the processors."""


class Built(msgspec.Struct, frozen=True, eq=False):
    """What records give.

    `component` is the smallest identity of the evidence component of each identity, `graph` that of its graph;
    `folded` tells whose component was folded. Links, removals and evictions are those of folded components only,
    component by component; the records they speak of are places in what was given.
    """

    component: Ints
    graph: Ints
    folded: Bools
    links: Links
    removals: Removals
    evictions: Evictions


def build(n: int, namespace: Ints, records: Records, rules: Rules, apart: Pairs | None = None) -> Built:
    """Return the graphs of records.

    Parameters
    ----------
    n : int
        Number of identities, which are numbered in canonical order.
    namespace : array of int32
        The place of the namespace of each identity.
    records : Records
        As `usable` returns them, in any order.
    rules : Rules
        Uniqueness, priorities and the limit.
    apart : pair of arrays of int32, optional
        Identities that may never be in one graph.
    """
    component = components(n, *_chains(records))
    chosen = conflicted(component, namespace, rules, apart)
    arranged = arrange(component, chosen, records.time, records.offsets, records.identities)
    parts = _parts(arranged)
    if len(parts) == 1:
        done = [_fold_part(parts[0], arranged, namespace, rules, apart)]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(lambda part: _fold_part(part, arranged, namespace, rules, apart), parts))
    graph = component.copy()
    for (begin, end, *_), folded in zip(parts, done, strict=True):
        members = arranged.members[begin:end]
        graph[members] = members[folded.graph]
    return Built(component, graph, chosen, *_named(parts, done, arranged))


def _chains(records: Records) -> tuple[Ints, Ints]:
    """Return links that connect the identities of each record."""
    identities = records.identities
    if len(identities) == 2 * len(records):
        return identities[::2], identities[1::2]
    same = np.ones(max(len(identities) - 1, 0), np.bool_)
    inner = records.offsets[1:-1]
    same[inner[(inner > 0) & (inner < len(identities))] - 1] = False
    return identities[:-1][same], identities[1:][same]


def _parts(arranged: Arranged) -> list[tuple[int, int, int, int]]:
    """Return shares of the work, whole components each: from and to which identity, from and to which record."""
    count = len(arranged.time)
    shares = min(os.cpu_count() or 1, 8) if count >= _MANY else 1
    goals = np.arange(1, shares) * count // shares
    cuts = np.unique(np.searchsorted(arranged.ends[:, 1], goals)) if shares > 1 else np.empty(0, np.int64)
    ends = [(0, 0), *(tuple(arranged.ends[cut].tolist()) for cut in cuts), (len(arranged.members), count)]
    return [(begin[0], end[0], begin[1], end[1]) for begin, end in pairwise(ends)]


def _fold_part(
    part: tuple[int, int, int, int], arranged: Arranged, namespace: Ints, rules: Rules, apart: Pairs | None
) -> Folded:
    begin, end, first, last = part
    offsets = arranged.offsets[first : last + 1]
    identities = arranged.identities[offsets[0] : offsets[-1]] - np.int32(begin)
    members = arranged.members[begin:end]
    records = Records(arranged.time[first:last], offsets - offsets[0], identities)
    return fold(end - begin, namespace[members], records, rules, apart=_inside(members, apart))


def _inside(members: Ints, apart: Pairs | None) -> Pairs | None:
    """Return the pairs of identities kept apart that lie among some, by their places there."""
    if apart is None or not len(members):
        return None
    order = np.argsort(members)
    ranks = [np.searchsorted(members, end, sorter=order) for end in apart]
    places = [order[np.minimum(rank, len(members) - 1)].astype(np.int32) for rank in ranks]
    both = (members[places[0]] == apart[0]) & (members[places[1]] == apart[1])
    return places[0][both], places[1][both]


def _named(
    parts: list[tuple[int, int, int, int]], done: list[Folded], arranged: Arranged
) -> tuple[Links, Removals, Evictions]:
    """Return what shares gave, with the numbers of all identities and the places of all records."""
    links, removals, evictions = [], [], []
    for (begin, end, first, last), folded in zip(parts, done, strict=True):
        members, source = arranged.members[begin:end], arranged.source[first:last]
        kept, cut, gone = folded.links, folded.removals, folded.evictions
        links.append((members[kept.a], members[kept.b], kept.first_at, kept.last_at))
        removals.append((members[cut.a], members[cut.b], source[cut.record], cut.namespace, cut.kind))
        evictions.append((members[gone.identity], source[gone.record]))
    return (
        Links(*map(np.concatenate, zip(*links, strict=True))),
        Removals(*map(np.concatenate, zip(*removals, strict=True))),
        Evictions(*map(np.concatenate, zip(*evictions, strict=True))),
    )
