"""The loops of `fold`: records taken one at a time into graphs of links.

Everything here is plain Python over arrays that numba can compile; `fold` chooses. A graph is known by one of its
nodes, its *label*. The nodes of a graph form a ring; two graphs are joined by exchanging two places in their rings and
relabelling the smaller. The links of a node form a list of *halves*: the link of number e has the halves 2e, at its
end a, and 2e + 1, at its end b. A link that is cut leaves both lists, and its row is used again, so that only links in
force are ever walked.

Nodes and links are rows of few arrays: what belongs together lies together, and calls hand on few arrays, each of which
costs a compiled call its count of references.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

SPLIT, EVICTED, FREE = -1, -2, -3
"""Why two nodes may not be in one graph, or a link went; otherwise the slot of the unique namespace."""

SLOT, PRIORITY, RANK, GRAPH, RING, HEAD, SIZE, ADDED, HELD = range(9)
"""Columns of nodes: which unique namespace (-1 for none), priority and rank of the namespace; the label, the next node
of the ring, the first half (-1 for none); of a label, how many nodes; the record that added the node last; and of a
label, from `HELD` on, the node that holds the value of each unique namespace (-1 for none)."""

A, B, RECORD, ALIVE, AFTER, BEFORE = 0, 1, 2, 3, 4, 6
"""Columns of links: ends, the last record that made it, whether it is in force; neighbours of both halves."""

FIRST, LAST = 0, 1
"""Columns of the times of links."""

LINKS, BORN, CUTS, EVICTIONS, SPARE, TAKEN, COUNTERS = range(7)
"""Places of the counters: rows of links in use, links made, cut, evictions; the first row to use again, as its number
plus one; records taken in all."""

_NONE = -1


def replay(
    time: Longs,
    offsets: Longs,
    identities: Ints,
    state: Ints,
    state_times: Longs,
    nodes: Ints,
    edges: Ints,
    times: Longs,
    count: Longs,
    apart_from: Longs,
    apart_to: Ints,
    limit: int,
) -> tuple[Ints, Longs, Ints, Ints]:
    """Take links, then records into graphs; return links, their times, cuts and evictions.

    The links given in ``edges`` and ``times`` are those of ``nodes``, which is changed; ``count`` goes with them.
    ``apart_from`` tells where the nodes to be kept from a node begin in ``apart_to``. A cut has both ends, record and
    reason, an eviction node and record.
    """
    count[CUTS] = 0
    count[EVICTIONS] = 0
    found = np.empty(len(nodes), np.int32)
    edges, times = _longer(edges, len(state)), _longer_times(times, len(state))
    order = np.empty(len(edges), np.int32)
    cuts, evictions = np.empty((256, 4), np.int32), np.empty((256, 2), np.int32)
    longest = 1
    for record in range(len(time)):
        longest = max(longest, offsets[record + 1] - offsets[record])
    parts = np.empty(longest, np.int32)
    for place in range(len(state)):
        a, b = state[place, 0], state[place, 1]
        edge = _touch(nodes, edges, times, count, a, b, state_times[place, LAST], _NONE)
        times[edge, FIRST] = state_times[place, FIRST]
        _join(nodes, nodes[a, GRAPH], nodes[b, GRAPH])
    held = count[LINKS]
    count[BORN] = 0
    first = count[TAKEN]
    count[TAKEN] += len(time)
    for record in range(len(time)):
        begin, end = offsets[record], offsets[record + 1]
        pairs = (end - begin) * (end - begin - 1) // 2
        if count[LINKS] + pairs > len(edges):
            edges, times = _longer(edges, count[LINKS] + pairs), _longer_times(times, count[LINKS] + pairs)
            order = np.empty(len(edges), np.int32)
        if held + count[BORN] + pairs > len(cuts):  # no more is cut than was there or made, and each eviction cuts one
            cuts = _longer(cuts, held + count[BORN] + pairs)
            evictions = _longer(evictions, held + count[BORN] + pairs)
        stamp = first + record
        taken = 0
        for place in range(begin, end):
            node = identities[place]
            label = nodes[node, GRAPH]
            if nodes[label, SIZE] == 1:
                nodes[node, ADDED] = stamp
            if not among(parts, taken, label):
                parts[taken] = label
                taken += 1
            for other in range(place + 1, end):
                _touch(nodes, edges, times, count, node, identities[other], time[record], stamp)
        if taken > 1:
            if conflict(nodes, apart_from, apart_to, parts, taken):
                members = 0
                for place in range(taken):
                    members = gather(nodes, found, parts[place], members)
                links = links_of(nodes, edges, found, order, members)
                _sort(nodes, edges, times, order, links, stamp)
                scatter(nodes, found, members)
                _relink(nodes, edges, cuts, count, apart_from, apart_to, order, links, record)
            else:
                join_all(nodes, parts, taken)
        if limit > 0:
            for place in range(begin, end):
                label = nodes[identities[place], GRAPH]
                if nodes[label, SIZE] > limit:
                    _make_room(nodes, edges, times, cuts, evictions, count, found, order, label, record, stamp, limit)
    return edges, times, cuts, evictions


def forget(nodes: Ints, edges: Ints, count: Longs, members: Ints) -> None:
    """Take the links of nodes away, so that each is alone."""
    for place in range(len(members)):
        while nodes[members[place], HEAD] != _NONE:
            _drop(nodes, edges, count, nodes[members[place], HEAD] >> 1)
    scatter(nodes, members, len(members))


def _touch(nodes: Ints, edges: Ints, times: Longs, count: Longs, a: int, b: int, time: int, stamp: int) -> int:
    """See a link; one that is not in force comes into force."""
    edge = _find(nodes, edges, a, b)
    if edge == _NONE:
        if count[SPARE] > 0:
            edge = count[SPARE] - 1
            count[SPARE] = edges[edge, AFTER]
        else:
            edge = count[LINKS]
            count[LINKS] += 1
        count[BORN] += 1
        edges[edge, A] = a
        edges[edge, B] = b
        edges[edge, ALIVE] = 1
        times[edge, FIRST] = time
        times[edge, LAST] = time
        _hang(nodes, edges, a, 2 * edge)
        _hang(nodes, edges, b, 2 * edge + 1)
    elif times[edge, LAST] < time:
        times[edge, LAST] = time
    edges[edge, RECORD] = stamp
    return edge


def _find(nodes: Ints, edges: Ints, a: int, b: int) -> int:
    """Return the link in force of two nodes, -1 for none; at the cost of the one that has fewer links."""
    of_a, of_b = int(nodes[a, HEAD]), int(nodes[b, HEAD])
    while of_a != _NONE and of_b != _NONE:
        if edges[of_a >> 1, 1 - (of_a & 1)] == b:
            return of_a >> 1
        if edges[of_b >> 1, 1 - (of_b & 1)] == a:
            return of_b >> 1
        of_a = int(edges[of_a >> 1, AFTER + (of_a & 1)])
        of_b = int(edges[of_b >> 1, AFTER + (of_b & 1)])
    return _NONE


def _hang(nodes: Ints, edges: Ints, node: int, half: int) -> None:
    follower = nodes[node, HEAD]
    edges[half >> 1, BEFORE + (half & 1)] = _NONE
    edges[half >> 1, AFTER + (half & 1)] = follower
    if follower != _NONE:
        edges[follower >> 1, BEFORE + (follower & 1)] = half
    nodes[node, HEAD] = half


def _cut(nodes: Ints, edges: Ints, cuts: Ints, count: Longs, edge: int, why: int, record: int) -> None:
    cut = count[CUTS]
    cuts[cut, 0] = edges[edge, A]
    cuts[cut, 1] = edges[edge, B]
    cuts[cut, 2] = record
    cuts[cut, 3] = why
    count[CUTS] += 1
    _drop(nodes, edges, count, edge)


def _drop(nodes: Ints, edges: Ints, count: Longs, edge: int) -> None:
    for side in range(2):
        before, after = edges[edge, BEFORE + side], edges[edge, AFTER + side]
        if after != _NONE:
            edges[after >> 1, BEFORE + (after & 1)] = before
        if before != _NONE:
            edges[before >> 1, AFTER + (before & 1)] = after
        else:
            nodes[edges[edge, side], HEAD] = after
    edges[edge, ALIVE] = 0
    edges[edge, AFTER] = count[SPARE]
    count[SPARE] = edge + 1


def _join(nodes: Ints, left: int, right: int) -> None:
    """Make two graphs one."""
    if left == right:
        return
    if nodes[left, SIZE] < nodes[right, SIZE]:
        left, right = right, left
    node = right
    while True:
        nodes[node, GRAPH] = left
        node = nodes[node, RING]
        if node == right:
            break
    follower = nodes[left, RING]
    nodes[left, RING] = nodes[right, RING]
    nodes[right, RING] = follower
    nodes[left, SIZE] += nodes[right, SIZE]
    for held in range(HELD, nodes.shape[1]):
        if nodes[right, held] != _NONE:
            nodes[left, held] = nodes[right, held]


def largest(nodes: Ints, parts: Ints, taken: int) -> int:
    """Return the place of the largest of some graphs."""
    main = 0
    for place in range(1, taken):
        if nodes[parts[place], SIZE] > nodes[parts[main], SIZE]:
            main = place
    return main


def join_all(nodes: Ints, parts: Ints, taken: int) -> None:
    """Make some graphs one; it has the label of the largest."""
    main = largest(nodes, parts, taken)
    for place in range(taken):
        if place != main:
            _join(nodes, parts[main], parts[place])


def conflict(nodes: Ints, apart_from: Longs, apart_to: Ints, parts: Ints, taken: int) -> bool:
    """Tell whether graphs would hold, as one, what may not be together."""
    for held in range(HELD, nodes.shape[1]):
        holders = 0
        for place in range(taken):
            if nodes[parts[place], held] != _NONE:
                holders += 1
        if holders > 1:
            return True
    if len(apart_to) == 0:
        return False
    main = largest(nodes, parts, taken)
    for place in range(taken):
        node = parts[place]
        while place != main:  # who is kept from somebody in the largest is seen from the other end
            for at in range(apart_from[node], apart_from[node + 1]):
                if among(parts, taken, nodes[apart_to[at], GRAPH]):
                    return True
            node = nodes[node, RING]
            if node == parts[place]:
                break
    return False


def among(parts: Ints, taken: int, label: int) -> bool:
    """Tell whether a label is among the first of some."""
    for place in range(taken):  # noqa: SIM110 - generators are not compiled
        if parts[place] == label:
            return True
    return False


def _barrier(nodes: Ints, apart_from: Longs, apart_to: Ints, left: int, right: int) -> int:
    """Return what keeps two graphs from being one, `FREE` for nothing."""
    for held in range(HELD, nodes.shape[1]):
        if nodes[left, held] != _NONE and nodes[right, held] != _NONE:
            return held - HELD
    if len(apart_to) == 0:
        return FREE
    if nodes[left, SIZE] > nodes[right, SIZE]:
        left, right = right, left
    node = left
    while True:
        for at in range(apart_from[node], apart_from[node + 1]):
            if nodes[apart_to[at], GRAPH] == right:
                return SPLIT
        node = nodes[node, RING]
        if node == left:
            return FREE


def _relink(
    nodes: Ints,
    edges: Ints,
    cuts: Ints,
    count: Longs,
    apart_from: Longs,
    apart_to: Ints,
    order: Ints,
    links: int,
    record: int,
) -> None:
    """Join what links join, in their order, and cut those that bring together what may not be together."""
    for place in range(links):
        edge = order[place]
        left, right = nodes[edges[edge, A], GRAPH], nodes[edges[edge, B], GRAPH]
        if left == right:
            continue
        why = _barrier(nodes, apart_from, apart_to, left, right)
        if why == FREE:
            _join(nodes, left, right)
        else:
            _cut(nodes, edges, cuts, count, edge, why, record)


def gather(nodes: Ints, found: Ints, label: int, members: int) -> int:
    """Add the nodes of a graph to those found; return how many there are."""
    node = label
    while True:
        found[members] = node
        members += 1
        node = nodes[node, RING]
        if node == label:
            return members


def links_of(nodes: Ints, edges: Ints, found: Ints, order: Ints, members: int) -> int:
    """Put the links in force of the nodes found into `order`; return how many there are."""
    links = 0
    for place in range(members):
        half = nodes[found[place], HEAD]
        while half != _NONE:
            if half & 1 == 0:
                order[links] = half >> 1
                links += 1
            half = edges[half >> 1, AFTER + (half & 1)]
    return links


def scatter(nodes: Ints, found: Ints, members: int) -> None:
    """Make each of the nodes found a graph of its own."""
    for place in range(members):
        node = found[place]
        nodes[node, GRAPH] = node
        nodes[node, RING] = node
        nodes[node, SIZE] = 1
        for held in range(HELD, nodes.shape[1]):
            nodes[node, held] = _NONE
        if nodes[node, SLOT] != _NONE:
            nodes[node, HELD + nodes[node, SLOT]] = node


def _sort(nodes: Ints, edges: Ints, times: Longs, order: Ints, links: int, stamp: int) -> None:
    """Sort the links to replay; few of them as a rule, and no two alike."""
    gap = 1
    while gap < links // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(gap, links):
            edge = order[place]
            back = place
            while back >= gap and _precedes(nodes, edges, times, edge, order[back - gap], stamp):
                order[back] = order[back - gap]
                back -= gap
            order[back] = edge
        gap //= 3


def _precedes(nodes: Ints, edges: Ints, times: Longs, x: int, y: int, stamp: int) -> bool:
    """Tell which of two links is replayed first: made by the record, weight, newest, canonical order."""
    fresh = edges[x, RECORD] == stamp
    if fresh != (edges[y, RECORD] == stamp):
        return bool(fresh)
    weight = int(nodes[edges[x, A], PRIORITY]) + int(nodes[edges[x, B], PRIORITY])
    other = int(nodes[edges[y, A], PRIORITY]) + int(nodes[edges[y, B], PRIORITY])
    if weight != other:
        return weight < other
    if times[x, LAST] != times[y, LAST]:
        return bool(times[x, LAST] > times[y, LAST])
    if edges[x, A] != edges[y, A]:
        return bool(edges[x, A] < edges[y, A])
    return bool(edges[x, B] < edges[y, B])


def _make_room(
    nodes: Ints,
    edges: Ints,
    times: Longs,
    cuts: Ints,
    evictions: Ints,
    count: Longs,
    found: Ints,
    order: Ints,
    label: int,
    record: int,
    stamp: int,
    limit: int,
) -> None:
    """Evict from a graph, and from what it falls into, until none is too large or nobody can go."""
    waiting = [label]
    while len(waiting) > 0:
        label = waiting.pop()
        gone = _first_to_go(nodes, edges, times, label, stamp)
        if gone == _NONE:
            continue
        evictions[count[EVICTIONS], 0] = gone
        evictions[count[EVICTIONS], 1] = record
        count[EVICTIONS] += 1
        members = gather(nodes, found, label, 0)
        half = nodes[gone, HEAD]
        leaf = edges[half >> 1, AFTER + (half & 1)] == _NONE
        while nodes[gone, HEAD] != _NONE:
            _cut(nodes, edges, cuts, count, nodes[gone, HEAD] >> 1, EVICTED, record)
        if leaf and gone != label:  # the others still hold together
            _leave(nodes, found, members, gone)
            if nodes[label, SIZE] > limit:
                waiting.append(label)
            continue
        links = links_of(nodes, edges, found, order, members)
        scatter(nodes, found, members)
        for place in range(links):
            edge = order[place]
            _join(nodes, nodes[edges[edge, A], GRAPH], nodes[edges[edge, B], GRAPH])
        for place in range(members):
            node = found[place]
            if nodes[node, GRAPH] == node and nodes[node, SIZE] > limit:
                waiting.append(node)


def _leave(nodes: Ints, found: Ints, members: int, gone: int) -> None:
    """Take a node out of its graph, whose nodes were found in the order of their ring, from its label on."""
    label = found[0]
    for place in range(1, members):
        if found[place] == gone:
            nodes[found[place - 1], RING] = nodes[gone, RING]
    nodes[label, SIZE] -= 1
    if nodes[gone, SLOT] != _NONE:
        nodes[label, HELD + nodes[gone, SLOT]] = _NONE
    found[0] = gone
    scatter(nodes, found, 1)


def _first_to_go(nodes: Ints, edges: Ints, times: Longs, label: int, stamp: int) -> int:
    """Return who is evicted first from a graph: lowest rank, oldest last sighting, canonical order; -1 for nobody."""
    gone = _NONE
    oldest = 0
    node = label
    while True:
        if nodes[node, ADDED] != stamp and (gone == _NONE or nodes[node, RANK] <= nodes[gone, RANK]):
            half = nodes[node, HEAD]
            seen = times[half >> 1, LAST]
            while half != _NONE:
                seen = max(seen, times[half >> 1, LAST])
                half = edges[half >> 1, AFTER + (half & 1)]
            if (
                gone == _NONE
                or nodes[node, RANK] < nodes[gone, RANK]
                or seen < oldest
                or (seen == oldest and node < gone)
            ):
                gone = node
                oldest = seen
        node = nodes[node, RING]
        if node == label:
            return int(gone)


def _longer(old: Ints, needed: int) -> Ints:
    if needed <= len(old):
        return old
    new = np.empty((max(2 * len(old), needed), old.shape[1]), np.int32)
    new[: len(old)] = old
    return new


def _longer_times(old: Longs, needed: int) -> Longs:
    if needed <= len(old):
        return old
    new = np.empty((max(2 * len(old), needed), 2), np.int64)
    new[: len(old)] = old
    return new


_PARTS: tuple[Callable[..., Any], ...] = (
    _find, _hang, _touch, _drop, _cut, _join, largest, join_all, among, conflict, _barrier, _relink, gather,
    links_of, scatter, forget, _precedes, _sort, _first_to_go, _leave, _make_room, _longer, _longer_times,
)  # fmt: skip


@cache
def compiled() -> Callable[..., tuple[Ints, Longs, Ints, Ints]]:
    """Return `replay`, compiled."""
    from numba import njit
    from numba.extending import register_jitable

    for part in _PARTS:
        register_jitable(part)
    ready: Callable[..., tuple[Ints, Longs, Ints, Ints]] = njit(cache=True, nogil=True)(replay)
    return ready
