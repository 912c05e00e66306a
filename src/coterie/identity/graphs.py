"""All graphs of many records in memory: built at once, and kept when records come and go.

Records are evidence: identities that they connect form a *component*, and components never influence each other. One
that holds nothing in conflict (`conflicted`) is its graph; only the others are folded.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.identity import incremental, replay
from coterie.identity.arrange import Arranged, arrange
from coterie.identity.cluster import components
from coterie.identity.fold import (
    Bools,
    Evictions,
    Folded,
    Ints,
    Links,
    Longs,
    Pairs,
    Records,
    Removals,
    Rules,
    alone,
    conflicted,
    fold,
    in_force,
    neighbours,
    smallest,
    sorted_places,
)

FEW = 2_000
"""Up to so many records that come or go the compiler is left alone."""

_MANY = 100_000
"""From so many identities to fold, the work is shared among the processors."""


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
    if not chosen.any():
        return Built(component, component, chosen, *_nothing())
    shares = _shares(component, chosen)
    with ThreadPoolExecutor(len(shares)) as pool:
        done = list(pool.map(lambda share: _fold_share(share, component, namespace, records, rules, apart), shares))
    graph = component.copy()
    for arranged, folded in done:
        graph[arranged.members] = arranged.members[folded.graph]
    return Built(component, graph, chosen, *_named(done))


def _chains(records: Records) -> tuple[Ints, Ints]:
    """Return links that connect the identities of each record."""
    identities = records.identities
    if len(identities) == 2 * len(records):
        return identities[::2], identities[1::2]
    same = np.ones(max(len(identities) - 1, 0), np.bool_)
    inner = records.offsets[1:-1]
    same[inner[(inner > 0) & (inner < len(identities))] - 1] = False
    return identities[:-1][same], identities[1:][same]


def _shares(component: Ints, chosen: Bools) -> list[Bools]:
    """Return shares of the work for the processors: whole components each, by their smallest identity."""
    roots = component[chosen]
    count = min(os.cpu_count() or 1, 8) if len(roots) >= _MANY else 1
    places = np.arange(1, count) * len(roots) // count
    bounds = [0, *np.partition(roots, places)[places].tolist(), len(component)]
    return [chosen & (component >= begin) & (component < end) for begin, end in pairwise(bounds)]


def _fold_share(
    chosen: Bools, component: Ints, namespace: Ints, records: Records, rules: Rules, apart: Pairs | None
) -> tuple[Arranged, Folded]:
    arranged = arrange(component, chosen, records.time, records.offsets, records.identities)
    members = arranged.members
    given = Records(arranged.time, arranged.offsets, arranged.identities)
    return arranged, fold(len(members), namespace[members], given, rules, apart=_inside(members, apart))


def _inside(members: Ints, apart: Pairs | None) -> Pairs | None:
    """Return the pairs of identities kept apart that lie among some, by their places there."""
    if apart is None or not len(members):
        return None
    order = np.argsort(members)
    ranks = [np.searchsorted(members, end, sorter=order) for end in apart]
    places = [order[np.minimum(rank, len(members) - 1)].astype(np.int32) for rank in ranks]
    both = (members[places[0]] == apart[0]) & (members[places[1]] == apart[1])
    return places[0][both], places[1][both]


def _nothing() -> tuple[Links, Removals, Evictions]:
    none = np.empty(0, np.int32)
    return Links.none(), Removals(none, none, none, none, none.astype(np.int8)), Evictions(none, none)


def _named(done: list[tuple[Arranged, Folded]]) -> tuple[Links, Removals, Evictions]:
    """Return what shares gave, with the numbers of all identities and the places of all records."""
    links, removals, evictions = [], [], []
    for arranged, folded in done:
        members, source = arranged.members, arranged.source
        kept, cut, gone = folded.links, folded.removals, folded.evictions
        links.append((members[kept.a], members[kept.b], kept.first_at, kept.last_at))
        removals.append((members[cut.a], members[cut.b], source[cut.record], cut.namespace, cut.kind))
        evictions.append((members[gone.identity], source[gone.record]))
    return (
        Links(*map(np.concatenate, zip(*links, strict=True))),
        Removals(*map(np.concatenate, zip(*removals, strict=True))),
        Evictions(*map(np.concatenate, zip(*evictions, strict=True))),
    )


class Graphs:
    """Graphs kept while records come and go.

    Work is done for components that change only. A record that comes after everything in its component is just added
    to the fold; a late one lets its component be folded anew.

    Parameters
    ----------
    n : int
        Number of identities, which are numbered in canonical order.
    namespace : array of int32
        The place of the namespace of each identity.
    rules : Rules
        Uniqueness, priorities and the limit.
    apart : pair of arrays of int32, optional
        Identities that may never be in one graph.
    """

    def __init__(self, n: int, namespace: Ints, rules: Rules, apart: Pairs | None = None) -> None:
        self._limit = rules.limit
        self._apart = neighbours(n, apart)
        self._nodes, _ = alone(namespace, rules)
        self._fold = self._nodes.copy()
        self._edges, self._times = np.empty((0, 8), np.int32), np.empty((0, 2), np.int64)
        self._count = np.zeros(replay.COUNTERS, np.int64)
        self._lists = np.full((n, incremental.COLUMNS), -1, np.int32)
        self._lists[:, incremental.FOLDED :] = 0
        self._records = Records(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.int32))
        self._used = 0
        self._follower, self._gone = np.empty(0, np.int32), np.empty(0, np.bool_)

    @property
    def component(self) -> Ints:
        """The smallest identity of the evidence component of each identity."""
        return smallest(self._nodes[:, replay.GRAPH])

    @property
    def graph(self) -> Ints:
        """The smallest identity of the graph of each identity."""
        labels = self._nodes[:, replay.GRAPH]
        folded = self._lists[labels, incremental.FOLDED] == 1
        return np.where(folded, smallest(self._fold[:, replay.GRAPH]), smallest(labels))

    @property
    def links(self) -> Links:
        """The links in force of components that are folded."""
        return in_force(self._edges[: self._count[replay.LINKS]], self._times)

    @property
    def folded(self) -> int:
        """How many records were folded so far, those that were folded again included."""
        return int(self._count[replay.TAKEN])

    def add(self, records: Records) -> Longs:
        """Add records, as `usable` returns them; return their numbers, in the order in which they were given."""
        numbers = self._used + np.arange(len(records))
        self._keep(records)
        loops = self._loops(len(records))
        self._join(loops, numbers[sorted_places(records, once=False)])
        return numbers

    def withdraw(self, numbers: Longs) -> None:
        """Take records back, by their numbers."""
        loops = self._loops(len(numbers))
        self._gone[numbers] = True
        labels = np.unique(self._nodes[self._records.identities[self._records.offsets[numbers]], replay.GRAPH])
        left = loops.release(
            labels, self._gone, self._follower, self._nodes, self._lists, self._fold, self._edges, self._count
        )
        self._join(self._loops(len(left)), left)

    def _loops(self, records: int) -> incremental.Loops:
        return incremental.PLAIN if records <= FEW else incremental.compiled()

    def _keep(self, records: Records) -> None:
        used, needed = self._used, self._used + len(records)
        old = self._records
        entries = int(old.offsets[used])
        more = entries + len(records.identities)
        self._records = Records(_roomy(old.time, needed), _roomy(old.offsets, needed + 1), _roomy(old.identities, more))
        self._follower, self._gone = _roomy(self._follower, needed), _roomy(self._gone, needed)
        self._records.time[used:needed] = records.time
        self._records.offsets[used + 1 : needed + 1] = entries + records.offsets[1:]
        self._records.identities[entries:more] = records.identities
        self._gone[used:needed] = False
        self._used = needed

    def _join(self, loops: incremental.Loops, numbers: Longs) -> None:
        kept = self._records
        evidence = (kept.time, kept.offsets, kept.identities, self._follower)
        labels = loops.join(numbers, *evidence, self._nodes, self._lists, *self._apart, self._limit)
        labels = labels[self._lists[labels, incremental.FOLDED] == 1]
        late = labels[self._lists[labels, incremental.LATE] == 1]
        loops.restart(late, self._follower, self._nodes, self._lists, self._fold, self._edges, self._count)
        given = kept.take(loops.take(labels, *evidence, self._lists))
        self._edges, self._times, _, _ = loops.replay(
            given.time,
            given.offsets,
            given.identities,
            *Links.none().rows,
            self._fold,
            self._edges,
            self._times,
            self._count,
            *self._apart,
            self._limit,
        )


def _roomy(old: npt.NDArray[Any], needed: int) -> npt.NDArray[Any]:
    """Return an array at least so long, with what it holds."""
    if needed <= len(old):
        return old
    new = np.empty(needed + needed // 4, old.dtype)
    new[: len(old)] = old
    return new
