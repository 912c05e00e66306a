"""The loops of `Graphs`: evidence components that records join, and what of them has to be folded.

Plain Python over arrays that numba can compile, as in `replay`, whose rings and labels the components use as well.
The records of a component are two lists, by the label: those in the fold, in the order in which it took them, and
those that wait. Records of a component that needs no fold wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coterie.identity import arrange, replay
from coterie.identity.arrange import precedes, sort
from coterie.identity.replay import GRAPH, SIZE, among, conflict, forget, gather, join_all, largest, scatter

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FIRST_IN, LAST_IN, FIRST_WAITING, LAST_WAITING, NEWEST, FOLDED, LATE, TOLD, COLUMNS = range(9)
"""Columns of components, by label: both lists (-1 for none), the last record in the fold by the order of the fold,
whether the component is folded, whether a record came too late to be just added, and a mark of `join`."""

_NONE = -1


def join(
    records: Longs,
    time: Longs,
    offsets: Longs,
    identities: Ints,
    follower: Ints,
    nodes: Ints,
    lists: Ints,
    apart_from: Longs,
    apart_to: Ints,
    limit: int,
) -> Ints:
    """Let records join the components of their identities, and wait there; return the labels of those that changed.

    ``follower`` is the next record of the same list. Records come in the order of the fold.
    """
    labels = np.empty(len(records), np.int32)
    parts = np.empty(64, np.int32)
    for place in range(len(records)):
        record = records[place]
        begin, end = offsets[record], offsets[record + 1]
        if end - begin > len(parts):
            parts = np.empty(end - begin, np.int32)
        taken = 0
        for at in range(begin, end):
            label = nodes[identities[at], GRAPH]
            if not among(parts, taken, label):
                parts[taken] = label
                taken += 1
        main = parts[largest(nodes, parts, taken)]
        folded = taken > 1 and conflict(nodes, apart_from, apart_to, parts, taken)
        late = False
        newest = _NONE
        for other in range(taken):
            label = parts[other]
            folded = folded or lists[label, FOLDED] == 1
            late = late or lists[label, LATE] == 1
            last = lists[label, NEWEST]
            if last != _NONE:
                late = late or not before(last, record, time, offsets, identities)
                if newest == _NONE or before(newest, last, time, offsets, identities):
                    newest = last
            if label != main:
                append(lists, follower, main, FIRST_IN, lists[label, FIRST_IN], lists[label, LAST_IN])
                append(lists, follower, main, FIRST_WAITING, lists[label, FIRST_WAITING], lists[label, LAST_WAITING])
                clear(lists, label)
        join_all(nodes, parts, taken)
        if limit > 0 and nodes[main, SIZE] > limit:
            folded = True
        lists[main, NEWEST] = newest
        lists[main, FOLDED] = 1 if folded else 0
        lists[main, LATE] = 1 if late else 0
        follower[record] = _NONE
        append(lists, follower, main, FIRST_WAITING, record, record)
        labels[place] = main
    kept = 0
    for place in range(len(records)):  # of a component one label is left, and it is told once
        label = nodes[labels[place], GRAPH]
        if lists[label, TOLD] != 1:
            lists[label, TOLD] = 1
            labels[kept] = label
            kept += 1
    for place in range(kept):
        lists[labels[place], TOLD] = 0
    return labels[:kept].copy()


def before(x: int, y: int, time: Longs, offsets: Longs, identities: Ints) -> bool:
    """Tell whether a record precedes another one in the order of the fold."""
    return bool(time[x] < time[y] or (time[x] == time[y] and precedes(x, y, offsets, identities)))


def append(lists: Ints, follower: Ints, label: int, first: int, begin: int, end: int) -> None:
    """Append records that follow each other to a list of a component."""
    if begin == _NONE:
        return
    if lists[label, first] == _NONE:
        lists[label, first] = begin
    else:
        follower[lists[label, first + 1]] = begin
    lists[label, first + 1] = end


def restart(labels: Ints, follower: Ints, nodes: Ints, lists: Ints, graphs: Ints, edges: Ints, count: Longs) -> None:
    """Let all records of components wait again, and their identities be alone in the fold."""
    found = np.empty(len(nodes), np.int32)
    for place in range(len(labels)):
        label = labels[place]
        members = gather(nodes, found, label, 0)
        forget(graphs, edges, count, found[:members])
        begin, end = lists[label, FIRST_WAITING], lists[label, LAST_WAITING]
        lists[label, FIRST_WAITING] = lists[label, FIRST_IN]
        lists[label, LAST_WAITING] = lists[label, LAST_IN]
        append(lists, follower, label, FIRST_WAITING, begin, end)
        lists[label, FIRST_IN] = _NONE
        lists[label, LAST_IN] = _NONE
        lists[label, NEWEST] = _NONE
        lists[label, LATE] = 0


def take(labels: Ints, time: Longs, offsets: Longs, identities: Ints, follower: Ints, lists: Ints) -> Longs:
    """Move what waits in components to the fold; return the records, those of a component in its order."""
    waiting = 0
    for place in range(len(labels)):
        record = lists[labels[place], FIRST_WAITING]
        while record != _NONE:
            waiting += 1
            record = follower[record]
    order = np.empty(waiting, np.int64)
    when = np.empty(waiting, np.int64)
    kept = 0
    for place in range(len(labels)):
        label = labels[place]
        begin = kept
        end = begin
        record = lists[label, FIRST_WAITING]
        while record != _NONE:
            order[end] = record
            when[end] = time[record]
            end += 1
            record = follower[record]
        sort(order, when, begin, end, offsets, identities)
        lists[label, FIRST_WAITING] = _NONE
        lists[label, LAST_WAITING] = _NONE
        for at in range(begin, end):
            record = order[at]
            follower[record] = _NONE
            append(lists, follower, label, FIRST_IN, record, record)
            if at == begin or before(order[kept - 1], record, time, offsets, identities):
                order[kept] = record
                kept += 1
                lists[label, NEWEST] = record
    return order[:kept].copy()


def release(
    labels: Ints, gone: Bools, follower: Ints, nodes: Ints, lists: Ints, graphs: Ints, edges: Ints, count: Longs
) -> Longs:
    """Take components apart, and return their records that are not gone; their identities are alone then."""
    found = np.empty(len(nodes), np.int32)
    records = 0
    for place in range(len(labels)):
        for first in (FIRST_IN, FIRST_WAITING):
            record = lists[labels[place], first]
            while record != _NONE:
                records += not gone[record]
                record = follower[record]
    left = np.empty(records, np.int64)
    records = 0
    for place in range(len(labels)):
        label = labels[place]
        for first in (FIRST_IN, FIRST_WAITING):
            record = lists[label, first]
            while record != _NONE:
                if not gone[record]:
                    left[records] = record
                    records += 1
                record = follower[record]
        members = gather(nodes, found, label, 0)
        forget(graphs, edges, count, found[:members])
        scatter(nodes, found, members)
        clear(lists, label)
    return left


def clear(lists: Ints, label: int) -> None:
    """Leave a component without records."""
    for column in range(FOLDED):
        lists[label, column] = _NONE
    for column in range(FOLDED, lists.shape[1]):
        lists[label, column] = 0


class Loops(NamedTuple):
    """The loops, compiled or not."""

    join: Callable[..., Ints]
    restart: Callable[..., None]
    take: Callable[..., Longs]
    release: Callable[..., Longs]
    replay: Callable[..., tuple[Ints, Longs, Ints, Ints]]


PLAIN = Loops(join, restart, take, release, replay.replay)


@cache
def compiled() -> Loops:
    """Return the loops, compiled."""
    from numba import njit
    from numba.extending import register_jitable

    folding = replay.compiled()  # after this, the parts that are shared can be compiled too
    arrange.compiled()
    parts: tuple[Callable[..., Any], ...] = (before, append, clear)
    for part in parts:
        register_jitable(part)
    loops: tuple[Callable[..., Any], ...] = (join, restart, take, release)
    ready: list[Callable[..., Any]] = [njit(cache=True, nogil=True)(loop) for loop in loops]
    return Loops(*[*ready, folding])
