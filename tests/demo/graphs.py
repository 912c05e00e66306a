"""Identity graphs of the raw records, by the published rule in plain Python: no Coterie code here.

Records are taken one at a time in the order of time. When a graph would hold two identities of a unique namespace, its
links are laid anew: those of the record first, then by the sum of the priorities, then the newest; one that would bring
two of them together again is cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from .oracle import Oracle, components

Link = tuple[str, str]
Record = tuple[int, tuple[str, ...]]


class Graphs(NamedTuple):
    graphs: set[frozenset[str]]
    links: set[Link]
    seen: set[Link]


def records(oracle: Oracle) -> list[Record]:
    """Return the records that link identities, in the order of time."""
    rows = oracle.con.execute(
        """
        select distinct ts, list_sort(['WebID:' || browser, 'HouseholdID:' || household]) as ids
        from web where household is not null
        union select ts, list_sort(['WebID:' || browser, 'HouseholdID:' || household, 'Email:' || email]) from account
        order by ts, ids
        """
    ).fetchall()
    return [(at, tuple(ids)) for at, ids in rows]


def fold(found: Sequence[Record], order: Sequence[str], unique: Iterable[str]) -> Graphs:
    """Return the graphs of two or more identities, the links in force, and all that were ever seen."""
    whose = components((ids[0], other) for _, ids in found for other in ids[1:])
    parts: dict[str, list[Record]] = defaultdict(list)
    for record in found:
        parts[whose[record[1][0]]].append(record)
    whole = Graphs(set(), set(), set())
    for mine in parts.values():
        last = _fold(mine, order, set(unique))
        groups: dict[str, set[str]] = defaultdict(set)
        for identity, founder in components(last).items():
            groups[founder].add(identity)
        whole.graphs.update(map(frozenset, groups.values()))
        whole.links.update(last)
        whole.seen.update(pair for _, ids in mine for pair in combinations(ids, 2))
    return whole


def _fold(found: Sequence[Record], order: Sequence[str], unique: set[str]) -> dict[Link, int]:
    def code(identity: str) -> str:
        return identity.partition(":")[0]

    def clash(nodes: Iterable[str]) -> bool:
        codes = [code(node) for node in nodes if code(node) in unique]
        return len(codes) > len(set(codes))

    last: dict[Link, int] = {}
    for at, ids in found:
        new = set(combinations(ids, 2))
        last |= dict.fromkeys(new, at)
        graph = _around(last, ids[0])
        if not clash(graph):
            continue
        mine = [link for link in last if link[0] in graph]
        mine.sort(key=lambda link: (link not in new, sum(order.index(code(end)) for end in link), -last[link], link))
        kept: list[Link] = []
        for link in mine:
            if clash(_around(kept, link[0]) | _around(kept, link[1])):
                del last[link]
            else:
                kept.append(link)
    return last


def _around(links: Iterable[Link], start: str) -> set[str]:
    every = list(links)
    reached, todo = {start}, [start]
    while todo:
        node = todo.pop()
        fresh = {end for link in every if node in link for end in link} - reached
        reached |= fresh
        todo.extend(fresh)
    return reached


class Change(NamedTuple):
    """How often graphs merge, split and exchange identities from one state to another, and how many stay."""

    merges: int
    splits: int
    exchanges: int
    staying: int


def change(before: set[frozenset[str]], after: set[frozenset[str]]) -> Change:
    """Compare two states; an identity that is in no graph is a graph of its own."""
    every = {identity for graph in before | after for identity in graph}
    sides = [{identity: min(graph) for graph in graphs for identity in graph} for graphs in (before, after)]
    was, becomes = ({identity: side.get(identity, identity) for identity in every} for side in sides)
    groups: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for identity, root in components((f"a{was[x]}", f"b{becomes[x]}") for x in every).items():
        groups[root][identity[0] == "b"].add(identity)
    moved = [(len(left), len(right)) for left, right in groups.values() if (len(left), len(right)) != (1, 1)]
    return Change(
        sum(right == 1 for _, right in moved),
        sum(left == 1 for left, _ in moved),
        sum(left > 1 and right > 1 for left, right in moved),
        len(before & after),
    )
