"""Identity graphs as the fold of records, one at a time in the order of time.

What graphs there are depends on the order of the records: which came last when two values of a unique namespace met,
which links were cut before, who was evicted from a full graph. So graphs are never worked out from a set of links, but
by this fold, which production, simulation, preview and look-ups as of an instant share. It is pure and works on
arrays; identities are numbers *in canonical order* (namespace code, then value), so that numbers break every tie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.identity import replay
from coterie.identity.cluster import distinct
from coterie.identity.namespaces import MAX_IDENTITIES
from coterie.identity.replay import EVICTED, SPLIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FEW = 2_000
"""Up to so many records the compiler is left alone: loading it takes longer than the work."""

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pairs = tuple[Ints, Ints]

_OWN: Final = ("C", "W")
"""One signature is compiled: arrays are contiguous and may be written."""

CUT_UNIQUE, CUT_SPLIT, CUT_EVICTED = 0, 1, 2
"""Why a link went: two values of a unique namespace, a split, or the eviction of one of its ends."""


class Rules(msgspec.Struct, frozen=True, eq=False):
    """The rules of a fold, by the place of a namespace.

    `priority` 1 is the highest; `unique` namespaces have one value in a graph, if `optimized`. `rank` says who is
    evicted first: cookies 0, devices 1, persons 2. `limit` is the most identities of a graph, 0 for no limit.
    """

    priority: Ints
    unique: Bools
    rank: npt.NDArray[np.int8]
    limit: int
    optimized: bool

    @property
    def kept_unique(self) -> Bools:
        """Which namespaces may have one value in a graph only."""
        return self.unique if self.optimized else np.zeros_like(self.unique)


class Records(msgspec.Struct, frozen=True, eq=False):
    """Records: the time of each, and its identities, ascending: those from `offsets` of it to the next."""

    time: Longs
    offsets: Longs
    identities: Ints

    def __len__(self) -> int:
        return len(self.time)

    def take(self, places: npt.NDArray[np.intp]) -> Records:
        """Return the records at some places, in that order."""
        sizes = self.offsets[places + 1] - self.offsets[places]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shift = np.repeat(self.offsets[places] - offsets[:-1], sizes)
        return Records(self.time[places], offsets, self.identities[np.arange(offsets[-1]) + shift])


class Links(msgspec.Struct, frozen=True, eq=False):
    """Links in force, sorted by `a` and `b` (`a` < `b`): all that a fold has to know to be continued.

    `first_at` is when the link came into force; for one that was cut and seen again, that is when it came back.
    """

    a: Ints
    b: Ints
    first_at: Longs
    last_at: Longs

    def __len__(self) -> int:
        return len(self.a)

    @property
    def rows(self) -> tuple[Ints, Longs]:
        """Ends and times, a row for each link."""
        ends = np.stack([self.a, self.b], axis=1, dtype=np.int32, casting="same_kind")
        return ends, np.stack([self.first_at, self.last_at], axis=1, dtype=np.int64)

    def take(self, chosen: Bools) -> Links:
        """Return the links that are chosen."""
        return Links(self.a[chosen], self.b[chosen], self.first_at[chosen], self.last_at[chosen])

    @classmethod
    def none(cls) -> Links:
        """Return the state before the first record."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))


class Removals(msgspec.Struct, frozen=True, eq=False):
    """Links that were cut, in order: by which record, and why.

    `namespace` is the place of the unique namespace, -1 if it was not that; `kind` is `CUT_UNIQUE`, `CUT_SPLIT` or
    `CUT_EVICTED`. A link may be cut, seen again and cut again.
    """

    a: Ints
    b: Ints
    record: Ints
    namespace: Ints
    kind: npt.NDArray[np.int8]


class Evictions(msgspec.Struct, frozen=True, eq=False):
    """Identities that had to leave a full graph, in order, and the record that made it too full."""

    identity: Ints
    record: Ints


class Folded(msgspec.Struct, frozen=True, eq=False):
    """What a fold gives; `graph` is the smallest identity of the graph of each identity, itself when alone."""

    graph: Ints
    links: Links
    removals: Removals
    evictions: Evictions


def records_of(sightings: Iterable[tuple[int, Sequence[int]]]) -> Records:
    """Return sightings, each a time and numbers of identities, as records in the same order."""
    given = list(sightings)
    offsets = np.cumsum([0, *(len(identities) for _, identities in given)], dtype=np.int64)
    flat = [identity for _, identities in given for identity in identities]
    return Records(np.array([time for time, _ in given], np.int64), offsets, np.array(flat, np.int32))


def usable(records: Records, namespace: Ints, rules: Rules, linkable: Bools | None = None) -> Records:
    """Return what of the records links: ascending distinct identities, at least two and at most 20 of them.

    Parameters
    ----------
    records : Records
        Records with their identities in any order.
    namespace : array of int32
        The place of the namespace of each identity.
    rules : Rules
        A record with two values of a unique namespace is left out, also when graphs are not kept unique.
    linkable : array of bool, optional
        Which identities take part in linking; all of them if not given.
    """
    return _taken(records, namespace, rules, linkable)[0]


def prepared(
    records: Records, namespace: Ints, rules: Rules, linkable: Bools | None = None
) -> tuple[Records, npt.NDArray[np.intp]]:
    """Return what of the records links (`usable`) in the order of the fold, and the places of those records."""
    found, places = _taken(records, namespace, rules, linkable)
    order = sorted_places(found)
    return found.take(order), places[order]


def _taken(
    records: Records, namespace: Ints, rules: Rules, linkable: Bools | None
) -> tuple[Records, npt.NDArray[np.intp]]:
    owner = np.repeat(np.arange(len(records), dtype=np.int64), np.diff(records.offsets))
    identities = records.identities
    if linkable is not None:
        kept = linkable[identities]
        owner, identities = owner[kept], identities[kept]
    key = distinct(owner << 32 | identities)
    owner, identities = key >> 32, (key & 0xFFFFFFFF).astype(np.int32)
    sizes = np.bincount(owner, minlength=len(records))
    taken = (sizes >= 2) & (sizes <= MAX_IDENTITIES)
    limited = rules.unique[namespace[identities]]
    kinds, counts = np.unique(owner[limited] << 32 | namespace[identities[limited]], return_counts=True)
    taken[kinds[counts > 1] >> 32] = False
    offsets = np.concatenate([[0], np.cumsum(sizes[taken])]).astype(np.int64)
    return Records(records.time[taken], offsets, identities[taken[owner]]), np.flatnonzero(taken)


def sort_records(records: Records) -> Records:
    """Return records in the order of the fold: by time, then by their identities; equal ones once."""
    return records.take(sorted_places(records))


def sorted_places(records: Records, *, once: bool = True) -> npt.NDArray[np.intp]:
    """Return the places of records in the order of the fold, of equal ones only that of the first unless not `once`."""
    count = len(records)
    order = np.argsort(records.time, kind="stable")
    here = np.arange(count)
    begins = np.ones(count, np.bool_)
    np.not_equal(np.diff(records.time[order]), 0, out=begins[1:])
    group = np.maximum.accumulate(np.where(begins, here, 0)) if count else here
    tied = _tied(group, here)
    pair = 0
    while tied.size:  # two identities at a time, of those that are still equal
        tied_records = order[tied]
        key = _key(records, tied_records, pair)
        new = np.lexsort((tied_records, key, group[tied]))
        order[tied], key, old = tied_records[new], key[new], group[tied]
        begins = np.ones(len(tied), np.bool_)
        begins[1:] = (old[1:] != old[:-1]) | (key[1:] != key[:-1])
        group[tied] = np.maximum.accumulate(np.where(begins, tied, 0))
        tied = _tied(group, tied[key != 0])
        pair += 2
    return np.compress(group == here, order) if once else order


def _tied(group: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return those of some places that share their group with another one of them."""
    groups = group[places]
    same = groups[1:] == groups[:-1]
    tied = np.zeros(len(places), np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    return np.compress(tied, places)


def _key(records: Records, places: npt.NDArray[np.intp], pair: int) -> npt.NDArray[np.uint64]:
    """Return the identities `pair` and `pair` + 1 of records as one number, 0 for none at all."""
    key = np.zeros(len(places), np.uint64)
    for position in (pair, pair + 1):
        at = records.offsets[places] + position
        there = at < records.offsets[places + 1]
        key <<= np.uint64(32)
        key[there] |= (records.identities[at[there]] + 1).astype(np.uint64)
    return key


def fold(
    n: int,
    namespace: Ints,
    records: Records,
    rules: Rules,
    *,
    apart: Pairs | None = None,
    state: Links | None = None,
) -> Folded:
    """Return the graphs that records give, taken one at a time.

    A record sees a link between each two of its identities. If its graphs would hold, as one, two values of a unique
    namespace or two identities that are kept apart, their links are replayed: those of the record first, lighter ones
    before heavier ones (the sum of the two priorities), then newer ones before older ones, and one that brings
    together what may not be together is cut. It stays out until it is seen again. Then, while a graph has more
    identities than the limit, one leaves: lowest rank, oldest last sighting; but none that the record added.

    Parameters
    ----------
    n : int
        Number of identities.
    namespace : array of int32
        The place of the namespace of each identity.
    records : Records
        As `usable` and `sort_records` return them.
    rules : Rules
        Uniqueness, priorities and the limit.
    apart : pair of arrays of int32, optional
        Identities that may never be in one graph.
    state : Links, optional
        Links in force before the first record, given by the same rules from records that sort before it.

    Returns
    -------
    Folded
        Graphs, links in force, removals and evictions.

    Examples
    --------
    >>> rules = Rules(np.array([1, 2], np.int32), np.array([True, False]), np.array([2, 0], np.int8), 50, True)
    >>> namespace = np.array([0, 0, 1], np.int32)
    >>> found = fold(3, namespace, records_of([(1, [0, 2]), (2, [1, 2])]), rules)
    >>> found.graph.tolist(), found.removals.a.tolist(), found.removals.b.tolist()
    ([0, 1, 1], [0], [2])
    """
    before = Links.none() if state is None else state
    nodes, places = alone(namespace, rules)
    count = np.zeros(replay.COUNTERS, np.int64)
    sizes = np.diff(records.offsets)
    room = len(before) + min(int(sizes @ (sizes - 1)) // 2, 2 * n)  # of links; more is made when needed
    run = replay.replay if len(records) + len(before) <= FEW else replay.compiled()
    edges, times, cuts, evictions = run(
        np.require(records.time, np.int64, _OWN),
        np.require(records.offsets, np.int64, _OWN),
        np.require(records.identities, np.int32, _OWN),
        *before.rows,
        nodes,
        np.empty((room, 8), np.int32),
        np.empty((room, 2), np.int64),
        count,
        *neighbours(n, apart),
        rules.limit,
    )
    return Folded(
        smallest(nodes[:, replay.GRAPH]),
        in_force(edges[: count[replay.LINKS]], times),
        _removals(cuts[: count[replay.CUTS]], places),
        Evictions(*evictions[: count[replay.EVICTIONS]].T),
    )


def sliced(
    n: int,
    namespace: Ints,
    records: Records,
    rules: Rules,
    apart: Pairs,
    state: Links,
    instants: Sequence[int],
) -> tuple[Folded, list[Links]]:
    """Return what `fold` returns, and the links in force after the records up to each of some instants, ascending."""
    states, removals, evictions = [], [], []
    begin = 0
    for end in [*np.searchsorted(records.time, np.array(instants, np.int64), "right").tolist(), len(records)]:
        folded = fold(n, namespace, records.take(np.arange(begin, end)), rules, apart=apart, state=state)
        state = folded.links
        states.append(state)
        cut, gone = folded.removals, folded.evictions
        removals.append((cut.a, cut.b, cut.record + begin, cut.namespace, cut.kind))
        evictions.append((gone.identity, gone.record + begin))
        begin = end
    whole = Folded(
        folded.graph,
        folded.links,
        Removals(*map(np.concatenate, zip(*removals, strict=True))),
        Evictions(*map(np.concatenate, zip(*evictions, strict=True))),
    )
    return whole, states[:-1]


def conflicted(component: Ints, namespace: Ints, rules: Rules, apart: Pairs | None = None) -> Bools:
    """Tell of each identity whether its evidence component cannot simply be its graph.

    It cannot when it holds two values of a namespace that is kept unique, more identities than the limit, or two that
    are kept apart.

    Parameters
    ----------
    component : array of int32
        The smallest identity of the component of each.
    namespace : array of int32
        The place of the namespace of each identity.
    rules : Rules
        Uniqueness and the limit.
    apart : pair of arrays of int32, optional
        Identities that may never be in one graph.
    """
    found = np.zeros(len(component), np.bool_)
    if rules.limit > 0:
        found |= np.bincount(component, minlength=len(component)) > rules.limit
    for place in np.flatnonzero(rules.kept_unique):
        holders = component[namespace == place]
        found |= np.bincount(holders, minlength=len(component)) > 1
    if apart is not None:
        left, right = component[apart[0]], component[apart[1]]
        found[left[left == right]] = True
    return found[component]


def slots(rules: Rules) -> tuple[Ints, Ints]:
    """Number the namespaces that are kept unique, best priority first; return numbers by place, and places."""
    unique = np.flatnonzero(rules.kept_unique)
    places: Ints = unique[np.argsort(rules.priority[unique], kind="stable")].astype(np.int32)
    slot = np.full(len(rules.unique), -1, np.int32)
    slot[places] = np.arange(len(places))
    return slot, places


def neighbours(n: int, apart: Pairs | None) -> tuple[Longs, Ints]:
    """Return who is kept apart from each identity: where they begin, and who."""
    if apart is None or not len(apart[0]):
        return np.zeros(1, np.int64), np.empty(0, np.int32)
    left, right = np.concatenate([apart[0], apart[1]]), np.concatenate([apart[1], apart[0]])
    begins = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=n))])
    return begins.astype(np.int64), right[np.argsort(left, kind="stable")].astype(np.int32)


def alone(namespace: Ints, rules: Rules) -> tuple[Ints, Ints]:
    """Return the rows of identities that are all alone, and the places of the namespaces that are kept unique."""
    slot, places = slots(rules)
    each = np.arange(len(namespace), dtype=np.int32)
    nodes = np.full((len(namespace), replay.HELD + len(places)), -1, np.int32)
    for column, values in (
        (replay.SLOT, slot[namespace]),
        (replay.PRIORITY, rules.priority[namespace]),
        (replay.RANK, rules.rank[namespace]),
        (replay.GRAPH, each),
        (replay.RING, each),
        (replay.SIZE, 1),
    ):
        nodes[:, column] = values
    holders = np.flatnonzero(nodes[:, replay.SLOT] >= 0)
    nodes[holders, replay.HELD + nodes[holders, replay.SLOT]] = holders
    return nodes, places


def smallest(graph: Ints) -> Ints:
    """Return the smallest node with the label of each."""
    first = np.empty_like(graph)
    first[graph[::-1]] = np.arange(len(graph) - 1, -1, -1, dtype=np.int32)
    return first[graph]


def in_force(edges: Ints, times: Longs) -> Links:
    """Return the rows of links that are in force."""
    alive = np.flatnonzero(edges[:, replay.ALIVE])
    order = alive[np.argsort(edges[alive, replay.A].astype(np.int64) << 32 | edges[alive, replay.B])]
    return Links(edges[order, replay.A], edges[order, replay.B], times[order, replay.FIRST], times[order, replay.LAST])


def _removals(cuts: Ints, places: Ints) -> Removals:
    a, b, record, why = cuts.T
    namespace = np.full(len(why), -1, np.int32)
    namespace[why >= 0] = places[why[why >= 0]]
    kind = np.select([why == SPLIT, why == EVICTED], [CUT_SPLIT, CUT_EVICTED], CUT_UNIQUE).astype(np.int8)
    return Removals(a, b, record, namespace, kind)
