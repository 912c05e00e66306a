"""The loops of `graphs` around the fold: records and identities of some components, brought together.

Plain Python over arrays that numba can compile, as in `replay`. What a component needs lies together afterwards, which
makes the fold several times faster than taking the records of all of them in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEW = 20_000
"""Up to so many records and identities the compiler is left alone: loading it takes longer than the work."""


class Arranged(NamedTuple):
    """The identities of some components, and their records with those numbered anew.

    Components follow each other by their smallest identity, identities in a component by number, records of a
    component in the order of the fold, equal ones once. `members` has the identity of each new number; `ends`, for
    each component, how many identities and records there are up to its end; `source` the place that a record had.
    """

    members: Ints
    ends: Longs
    source: Longs
    time: Longs
    offsets: Longs
    identities: Ints


def arrange(component: Ints, chosen: Bools, time: Longs, offsets: Longs, identities: Ints) -> Arranged:
    """Bring together what belongs to chosen components.

    Parameters
    ----------
    component : array of int32
        The smallest identity of the component of each.
    chosen : array of bool
        Whether the component of an identity is to be arranged.
    time, offsets, identities : array
        Records in any order.
    """
    count, fill = (_count, _fill) if len(time) + len(component) <= FEW else compiled()
    nodes, components, records, entries = count(component, chosen, offsets, identities)
    # numpy's arrays have large pages, which those that a compiled loop makes have not
    arranged = Arranged(
        np.empty(nodes, np.int32),
        np.zeros((components, 2), np.int64),
        np.empty(records, np.int64),
        np.empty(records, np.int64),
        np.zeros(records + 1, np.int64),
        np.empty(entries, np.int32),
    )
    kept = fill(
        component,
        chosen,
        time,
        offsets,
        identities,
        *arranged,
        np.empty(len(component), np.int32),
        np.zeros(len(component), np.int32),
        np.empty(nodes, np.int32),
        np.empty(records, np.int64),
        np.empty(records, np.int64),
        np.empty(records + 1, np.int64),
        np.empty(entries, np.int32),
    )
    end = arranged.offsets[kept]
    return arranged._replace(
        source=arranged.source[:kept],
        time=arranged.time[:kept],
        offsets=arranged.offsets[: kept + 1],
        identities=arranged.identities[:end],
    )


def _count(component: Ints, chosen: Bools, offsets: Longs, identities: Ints) -> tuple[int, int, int, int]:
    nodes, components, records, entries = 0, 0, 0, 0
    for node in range(len(component)):
        if chosen[node]:
            nodes += 1
            if component[node] == node:
                components += 1
    for record in range(len(offsets) - 1):
        if chosen[identities[offsets[record]]]:
            records += 1
            entries += offsets[record + 1] - offsets[record]
    return nodes, components, records, entries


def _fill(
    component: Ints,
    chosen: Bools,
    time: Longs,
    offsets: Longs,
    identities: Ints,
    members: Ints,
    ends: Longs,
    source: Longs,
    new_time: Longs,
    new_offsets: Longs,
    new_identities: Ints,
    number: Ints,
    begin: Ints,
    group: Ints,
    order: Longs,
    records: Longs,
    entry_of: Longs,
    entries: Ints,
) -> int:
    """Fill what is arranged, and return how many records there are; from ``number`` on, arrays are room to work in."""
    _number(component, chosen, members, ends, number, begin, group)
    here = 0
    for record in range(len(time)):  # found first and looked at then: the reads of scattered memory overlap
        if chosen[identities[offsets[record]]]:
            source[here] = record
            here += 1
    entry = 0
    for here in range(len(source)):
        for at in range(offsets[source[here]], offsets[source[here] + 1]):
            new_identities[entry] = number[identities[at]]
            entry += 1
        new_offsets[here + 1] = entry
    held = np.zeros(len(ends), np.int64)
    for here in range(len(source)):
        place = group[new_identities[new_offsets[here]]]
        ends[place, 1] += 1
        held[place] += new_offsets[here + 1] - new_offsets[here]
    running = 0
    entry = 0
    for place in range(len(ends)):
        count, some = ends[place, 1], held[place]
        ends[place, 1] = running
        held[place] = entry
        running += count
        entry += some
    entry_of[len(source)] = entry
    for here in range(len(source)):  # written where they belong, so that what follows reads what lies together
        place = group[new_identities[new_offsets[here]]]
        at = ends[place, 1]
        ends[place, 1] += 1
        order[at] = at
        new_time[at] = time[source[here]]
        records[at] = source[here]
        entry_of[at] = held[place]
        for old in range(new_offsets[here], new_offsets[here + 1]):
            entries[held[place]] = new_identities[old]
            held[place] += 1
    kept = 0
    back = 0
    entry = 0
    for place in range(len(ends)):
        end = ends[place, 1]
        sort(order, new_time, back, end, entry_of, entries)
        last = -1
        for at in range(back, end):
            here = order[at]
            if last == -1 or new_time[kept - 1] < new_time[at] or precedes(last, here, entry_of, entries):
                for old in range(entry_of[here], entry_of[here + 1]):
                    new_identities[entry] = entries[old]
                    entry += 1
                source[kept] = records[here]
                new_time[kept] = new_time[at]
                kept += 1
                new_offsets[kept] = entry
                last = here
        back = end
        ends[place, 1] = kept
    return kept


def _number(component: Ints, chosen: Bools, members: Ints, ends: Longs, number: Ints, begin: Ints, group: Ints) -> None:
    """Number the chosen nodes, component by component; fill their members, and the first column of ``ends``."""
    for node in range(len(component)):
        if chosen[node]:
            begin[component[node]] += 1
    running = 0
    done = 0
    for node in range(len(component)):
        if chosen[node]:
            root = component[node]
            if root == node:
                end = running + begin[node]
                begin[node] = running
                for at in range(running, end):
                    group[at] = done
                running = end
                ends[done, 0] = end
                done += 1
            number[node] = begin[root]
            members[begin[root]] = node
            begin[root] += 1


def sort(order: Longs, when: Longs, begin: int, end: int, offsets: Longs, identities: Ints) -> None:
    """Sort the records of some places in the order of the fold, together with their times."""
    gap = 1
    while gap < (end - begin) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(begin + gap, end):
            here = order[place]
            time = when[place]
            back = place
            while back >= begin + gap and (
                time < when[back - gap]
                or (time == when[back - gap] and precedes(here, order[back - gap], offsets, identities))
            ):
                order[back] = order[back - gap]
                when[back] = when[back - gap]
                back -= gap
            order[back] = here
            when[back] = time
        gap //= 3


def precedes(x: int, y: int, offsets: Longs, identities: Ints) -> bool:
    """Tell whether the identities of a record come before those of another one."""
    at, other = offsets[x], offsets[y]
    while at < offsets[x + 1] and other < offsets[y + 1]:
        if identities[at] != identities[other]:
            return bool(identities[at] < identities[other])
        at += 1
        other += 1
    return bool(other < offsets[y + 1])


@cache
def compiled() -> tuple[Callable[..., tuple[int, int, int, int]], Callable[..., int]]:
    """Return `_count` and `_fill`, compiled."""
    from numba import njit
    from numba.extending import register_jitable

    for part in (precedes, sort, _number):
        register_jitable(part)
    compiler = njit(cache=True, nogil=True)
    return compiler(_count), compiler(_fill)
