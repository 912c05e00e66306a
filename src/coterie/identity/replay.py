"""The loops of `fold`: records taken one at a time into graphs of links.

Everything here is plain Python over arrays that numba can compile; `fold` chooses. A graph is known by one of its
nodes, its *label*. The nodes of a graph form a ring; two graphs are joined by exchanging two places in their rings and
relabelling the smaller. The links of a node form a list of *halves*: the link of number e has the halves 2e, at its
end a, and 2e + 1, at its end b. A link that was cut keeps its number and leaves both lists, so that only links in
force are ever walked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

SPLIT, EVICTED, FREE = -1, -2, -3
"""Why two nodes may not be in one graph, or a link went; otherwise the slot of the unique namespace."""
_LINKS, _BORN, _CUT, _EVICTIONS = 0, 1, 2, 3  # places of the counters
_NONE = -1


class Terms(NamedTuple):
    """What the rules say of each node, and of all."""

    slot: Ints  # which unique namespace, -1 for none
    priority: Ints
    rank: npt.NDArray[np.int8]
    apart_from: Longs  # where the nodes to be kept from node v begin in apart_to
    apart_to: Ints
    limit: int


class Nodes(NamedTuple):
    """Which graph each node is in."""

    graph: Ints  # label
    ring: Ints  # the next node of the graph
    head: Ints  # the first half of the node, -1 for none
    size: Ints  # by label
    held: Ints  # by label and slot: the node that holds the value of a unique namespace, -1 for none
    added: Longs  # the record that added the node to a graph last, -1 for none
    found: Ints  # room to gather nodes in


class Edges(NamedTuple):
    """Every link that ever was, and a table to find it by its ends."""

    a: Ints
    b: Ints
    first: Longs
    last: Longs
    record: Longs  # the last record that made it
    alive: npt.NDArray[np.bool_]
    after: Ints  # by half: the next half of the same node
    before: Ints
    table: Ints
    order: Ints  # room to sort links in


class Log(NamedTuple):
    """What was cut and who was evicted."""

    edge: Ints
    record: Longs
    why: Ints
    node: Ints
    evictor: Longs


def replay(
    time: Longs,
    offsets: Longs,
    identities: Ints,
    a: Ints,
    b: Ints,
    first: Longs,
    last: Longs,
    terms: Terms,
    nodes: Nodes,
) -> tuple[Edges, Log, Longs]:
    """Take records into the graphs of the links given; return links, log, and their counts."""
    count = np.zeros(4, np.int64)
    edges = _roomier(_edges(0, 1), 0, len(a) + 256)
    log = _log(len(a) + 256)
    longest = 1
    for record in range(len(time)):
        longest = max(longest, offsets[record + 1] - offsets[record])
    parts = np.empty(longest, np.int32)
    for place in range(len(a)):
        edge = _touch(nodes, edges, count, a[place], b[place], last[place], _NONE)
        edges.first[edge] = first[place]
        _join(nodes, nodes.graph[a[place]], nodes.graph[b[place]])
    for record in range(len(time)):
        begin, end = offsets[record], offsets[record + 1]
        pairs = (end - begin) * (end - begin - 1) // 2
        if count[_LINKS] + pairs > len(edges.a):
            edges = _roomier(edges, count[_LINKS], count[_LINKS] + pairs)
        if count[_BORN] + pairs > len(log.edge):  # no more links are cut than were made
            log = _longer(log, count, count[_BORN] + pairs)
        taken = 0
        for place in range(begin, end):
            node = identities[place]
            label = nodes.graph[node]
            if nodes.size[label] == 1:
                nodes.added[node] = record
            if not _among(parts, taken, label):
                parts[taken] = label
                taken += 1
            for other in range(place + 1, end):
                _touch(nodes, edges, count, node, identities[other], time[record], record)
        if taken > 1:
            if _conflict(nodes, terms, parts, taken):
                _relink(nodes, edges, terms, log, count, parts, taken, record)
            else:
                _join_all(nodes, parts, taken)
        if terms.limit > 0:
            for place in range(begin, end):
                _make_room(nodes, edges, terms, log, count, nodes.graph[identities[place]], record)
    return edges, log, count


def _touch(nodes: Nodes, edges: Edges, count: Longs, a: int, b: int, time: int, record: int) -> int:
    """See a link; one that is new, or was cut, comes into force."""
    mask = len(edges.table) - 1
    spot = _spot(a, b, mask)
    edge = edges.table[spot]
    while edge != _NONE and (edges.a[edge] != a or edges.b[edge] != b):
        spot = (spot + 1) & mask
        edge = edges.table[spot]
    if edge == _NONE:
        edge = count[_LINKS]
        count[_LINKS] += 1
        edges.table[spot] = edge
        edges.a[edge] = a
        edges.b[edge] = b
        edges.alive[edge] = False
    if not edges.alive[edge]:
        count[_BORN] += 1
        edges.alive[edge] = True
        edges.first[edge] = time
        edges.last[edge] = time
        _hang(nodes, edges, a, 2 * edge)
        _hang(nodes, edges, b, 2 * edge + 1)
    elif edges.last[edge] < time:
        edges.last[edge] = time
    edges.record[edge] = record
    return int(edge)


def _spot(a: int, b: int, mask: int) -> int:
    # both products and their sum stay below 2**63
    return ((int(a) * 40503 + int(b) * 2654435761) >> 12) & mask


def _hang(nodes: Nodes, edges: Edges, node: int, half: int) -> None:
    follower = nodes.head[node]
    edges.before[half] = _NONE
    edges.after[half] = follower
    if follower != _NONE:
        edges.before[follower] = half
    nodes.head[node] = half


def _cut(nodes: Nodes, edges: Edges, log: Log, count: Longs, edge: int, why: int, record: int) -> None:
    for side in range(2):
        half = 2 * edge + side
        before, after = edges.before[half], edges.after[half]
        if after != _NONE:
            edges.before[after] = before
        if before != _NONE:
            edges.after[before] = after
        elif side == 0:
            nodes.head[edges.a[edge]] = after
        else:
            nodes.head[edges.b[edge]] = after
    edges.alive[edge] = False
    log.edge[count[_CUT]] = edge
    log.record[count[_CUT]] = record
    log.why[count[_CUT]] = why
    count[_CUT] += 1


def _join(nodes: Nodes, left: int, right: int) -> None:
    """Make two graphs one."""
    if left == right:
        return
    if nodes.size[left] < nodes.size[right]:
        left, right = right, left
    node = right
    while True:
        nodes.graph[node] = left
        node = nodes.ring[node]
        if node == right:
            break
    nodes.ring[left], nodes.ring[right] = nodes.ring[right], nodes.ring[left]
    nodes.size[left] += nodes.size[right]
    for slot in range(nodes.held.shape[1]):
        if nodes.held[right, slot] != _NONE:
            nodes.held[left, slot] = nodes.held[right, slot]


def _join_all(nodes: Nodes, parts: Ints, taken: int) -> None:
    largest = 0
    for place in range(taken):
        if nodes.size[parts[place]] > nodes.size[parts[largest]]:
            largest = place
    for place in range(taken):
        if place != largest:
            _join(nodes, parts[largest], parts[place])


def _conflict(nodes: Nodes, terms: Terms, parts: Ints, taken: int) -> bool:
    """Tell whether graphs would hold, as one, what may not be together."""
    for slot in range(nodes.held.shape[1]):
        holders = 0
        for place in range(taken):
            holders += nodes.held[parts[place], slot] != _NONE
        if holders > 1:
            return True
    if len(terms.apart_to) == 0:
        return False
    largest = 0
    for place in range(taken):
        if nodes.size[parts[place]] > nodes.size[parts[largest]]:
            largest = place
    for place in range(taken):
        label = parts[place]
        node = label
        while place != largest:  # who is kept from somebody in the largest is seen from the other end
            for at in range(terms.apart_from[node], terms.apart_from[node + 1]):
                if _among(parts, taken, nodes.graph[terms.apart_to[at]]):
                    return True
            node = nodes.ring[node]
            if node == label:
                break
    return False


def _among(parts: Ints, taken: int, label: int) -> bool:
    for place in range(taken):  # noqa: SIM110 - generators are not compiled
        if parts[place] == label:
            return True
    return False


def _barrier(nodes: Nodes, terms: Terms, left: int, right: int) -> int:
    """Return what keeps two graphs from being one, `FREE` for nothing."""
    for slot in range(nodes.held.shape[1]):
        if nodes.held[left, slot] != _NONE and nodes.held[right, slot] != _NONE:
            return slot
    if len(terms.apart_to) == 0:
        return FREE
    if nodes.size[left] > nodes.size[right]:
        left, right = right, left
    node = left
    while True:
        for at in range(terms.apart_from[node], terms.apart_from[node + 1]):
            if nodes.graph[terms.apart_to[at]] == right:
                return SPLIT
        node = nodes.ring[node]
        if node == left:
            return FREE


def _relink(
    nodes: Nodes, edges: Edges, terms: Terms, log: Log, count: Longs, parts: Ints, taken: int, record: int
) -> None:
    """Replay the links of some graphs, those of the record first; cut what brings together what may not be."""
    members = 0
    for place in range(taken):
        members = _gather(nodes, parts[place], members)
    links = _links_of(nodes, edges, members)
    _sort(edges, terms, links, record)
    _scatter(nodes, terms, members)
    for place in range(links):
        edge = edges.order[place]
        left, right = nodes.graph[edges.a[edge]], nodes.graph[edges.b[edge]]
        if left == right:
            continue
        why = _barrier(nodes, terms, left, right)
        if why == FREE:
            _join(nodes, left, right)
        else:
            _cut(nodes, edges, log, count, edge, why, record)


def _gather(nodes: Nodes, label: int, members: int) -> int:
    """Add the nodes of a graph to those found."""
    node = label
    while True:
        nodes.found[members] = node
        members += 1
        node = nodes.ring[node]
        if node == label:
            return members


def _links_of(nodes: Nodes, edges: Edges, members: int) -> int:
    """Put the links in force of the nodes found into the order of the work; return how many there are."""
    links = 0
    for place in range(members):
        half = nodes.head[nodes.found[place]]
        while half != _NONE:
            if half & 1 == 0:
                edges.order[links] = half >> 1
                links += 1
            half = edges.after[half]
    return links


def _scatter(nodes: Nodes, terms: Terms, members: int) -> None:
    """Make each of the nodes found a graph of its own."""
    for place in range(members):
        node = nodes.found[place]
        nodes.graph[node] = node
        nodes.ring[node] = node
        nodes.size[node] = 1
        for slot in range(nodes.held.shape[1]):
            nodes.held[node, slot] = _NONE
        if terms.slot[node] != _NONE:
            nodes.held[node, terms.slot[node]] = node


def _sort(edges: Edges, terms: Terms, links: int, record: int) -> None:
    """Sort the links to replay; few of them as a rule, and no two alike."""
    order = edges.order
    gap = 1
    while gap < links // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(gap, links):
            edge = order[place]
            back = place
            while back >= gap and _precedes(edges, terms, edge, order[back - gap], record):
                order[back] = order[back - gap]
                back -= gap
            order[back] = edge
        gap //= 3


def _precedes(edges: Edges, terms: Terms, x: int, y: int, record: int) -> bool:
    """Tell which of two links is replayed first: made by the record, weight, newest, canonical order."""
    fresh = edges.record[x] == record
    if fresh != (edges.record[y] == record):
        return bool(fresh)
    heavy = int(terms.priority[edges.a[x]]) + int(terms.priority[edges.b[x]])
    other = int(terms.priority[edges.a[y]]) + int(terms.priority[edges.b[y]])
    if heavy != other:
        return heavy < other
    if edges.last[x] != edges.last[y]:
        return bool(edges.last[x] > edges.last[y])
    if edges.a[x] != edges.a[y]:
        return bool(edges.a[x] < edges.a[y])
    return bool(edges.b[x] < edges.b[y])


def _make_room(nodes: Nodes, edges: Edges, terms: Terms, log: Log, count: Longs, label: int, record: int) -> None:
    """Evict from a graph, and from what it falls into, until none is too large or nobody can go."""
    if nodes.size[label] <= terms.limit:
        return
    waiting = [label]
    while len(waiting) > 0:
        label = waiting.pop()
        if nodes.size[label] <= terms.limit:
            continue
        gone = _first_to_go(nodes, edges, terms, label, record)
        if gone == _NONE:
            continue
        members = _gather(nodes, label, 0)
        while nodes.head[gone] != _NONE:
            _cut(nodes, edges, log, count, nodes.head[gone] >> 1, EVICTED, record)
        log.node[count[_EVICTIONS]] = gone
        log.evictor[count[_EVICTIONS]] = record
        count[_EVICTIONS] += 1
        links = _links_of(nodes, edges, members)
        _scatter(nodes, terms, members)
        for place in range(links):
            edge = edges.order[place]
            _join(nodes, nodes.graph[edges.a[edge]], nodes.graph[edges.b[edge]])
        for place in range(members):
            node = nodes.found[place]
            if nodes.graph[node] == node:
                waiting.append(node)


def _first_to_go(nodes: Nodes, edges: Edges, terms: Terms, label: int, record: int) -> int:
    """Return who is evicted first from a graph: lowest rank, oldest last sighting, canonical order; -1 for nobody."""
    gone = _NONE
    oldest = 0
    node = label
    while True:
        if nodes.added[node] != record:
            half = nodes.head[node]
            seen = edges.last[half >> 1]
            while half != _NONE:
                seen = max(seen, edges.last[half >> 1])
                half = edges.after[half]
            if (
                gone == _NONE
                or terms.rank[node] < terms.rank[gone]
                or (terms.rank[node] == terms.rank[gone] and (seen < oldest or (seen == oldest and node < gone)))
            ):
                gone = node
                oldest = seen
        node = nodes.ring[node]
        if node == label:
            return int(gone)


def _edges(links: int, slots: int) -> Edges:
    return Edges(
        np.empty(links, np.int32),
        np.empty(links, np.int32),
        np.empty(links, np.int64),
        np.empty(links, np.int64),
        np.empty(links, np.int64),
        np.empty(links, np.bool_),
        np.empty(2 * links, np.int32),
        np.empty(2 * links, np.int32),
        np.full(slots, _NONE, np.int32),
        np.empty(links, np.int32),
    )


def _roomier(old: Edges, links: int, needed: int) -> Edges:
    """Return the links with room for as many as are needed, and for growth."""
    capacity = max(2 * len(old.a), needed)
    slots = 1
    while slots < 2 * capacity:
        slots *= 2
    new = _edges(capacity, slots)
    new.a[:links] = old.a[:links]
    new.b[:links] = old.b[:links]
    new.first[:links] = old.first[:links]
    new.last[:links] = old.last[:links]
    new.record[:links] = old.record[:links]
    new.alive[:links] = old.alive[:links]
    new.after[: 2 * links] = old.after[: 2 * links]
    new.before[: 2 * links] = old.before[: 2 * links]
    for edge in range(links):
        spot = _spot(new.a[edge], new.b[edge], slots - 1)
        while new.table[spot] != _NONE:
            spot = (spot + 1) & (slots - 1)
        new.table[spot] = edge
    return new


def _log(size: int) -> Log:
    return Log(
        np.empty(size, np.int32),
        np.empty(size, np.int64),
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty(size, np.int64),
    )


def _longer(old: Log, count: Longs, needed: int) -> Log:
    new = _log(max(2 * len(old.edge), needed))
    cut, evictions = count[_CUT], count[_EVICTIONS]
    new.edge[:cut] = old.edge[:cut]
    new.record[:cut] = old.record[:cut]
    new.why[:cut] = old.why[:cut]
    new.node[:evictions] = old.node[:evictions]
    new.evictor[:evictions] = old.evictor[:evictions]
    return new


_PARTS: tuple[Callable[..., Any], ...] = (
    _spot, _hang, _touch, _cut, _among, _join, _join_all, _conflict, _barrier, _gather, _links_of, _scatter, _precedes,
    _sort, _relink, _first_to_go, _make_room, _edges, _roomier, _log, _longer,
)  # fmt: skip


@cache
def compiled() -> Callable[..., tuple[Edges, Log, Longs]]:
    """Return `replay`, compiled."""
    from numba import njit
    from numba.extending import register_jitable

    for part in _PARTS:
        register_jitable(part)
    ready: Callable[..., tuple[Edges, Log, Longs]] = njit(cache=True, nogil=True)(replay)
    return ready
