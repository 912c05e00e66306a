"""The fold of records in plain Python, written from the published rule without regard to its cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from coterie.identity.fold import CUT_EVICTED, CUT_SPLIT, CUT_UNIQUE, Folded, Rules

Pair = tuple[int, int]


class Outcome(NamedTuple):
    graphs: set[frozenset[int]]
    links: dict[Pair, Pair]
    removals: set[tuple[int, int, int, int, int]]
    evictions: list[Pair]


def reference(
    namespace: Sequence[int], records: Iterable[tuple[int, Sequence[int]]], rules: Rules, apart: Iterable[Pair] = ()
) -> Outcome:
    links: dict[Pair, list[int]] = {}
    removals: set[tuple[int, int, int, int, int]] = set()
    evictions: list[Pair] = []
    unique = sorted((place for place in range(len(rules.unique)) if rules.kept_unique[place]), key=rules.priority.item)
    kept_apart = [set(pair) for pair in apart]

    def graph(node: int) -> set[int]:
        return connected(links, node)

    def violated(nodes: set[int]) -> Pair | None:
        for place in unique:
            if sum(namespace[node] == place for node in nodes) > 1:
                return place, CUT_UNIQUE
        return (-1, CUT_SPLIT) if any(pair <= nodes for pair in kept_apart) else None

    def relink(comp: set[int], new: set[Pair], record: int) -> None:
        def weight(link: Pair) -> int:
            return sum(rules.priority.item(namespace[end]) for end in link)

        old = [link for link in links if link[0] in comp and link not in new]
        order = sorted(new, key=lambda link: (weight(link), link))
        order += sorted(old, key=lambda link: (weight(link), -links[link][1], link))
        kept: list[Pair] = []
        for link in order:
            both = connected(kept, link[0]) | connected(kept, link[1])
            because = violated(both)
            if because is None:
                kept.append(link)
            else:
                removals.add((*link, record, *because))
        for link in set(order) - set(kept):
            del links[link]

    def make_room(ids: Sequence[int], added: set[int], record: int) -> None:
        touched = [graph(node) for node in ids]
        while touched:
            nodes = touched.pop()
            nodes = nodes if all(graph(node) == nodes for node in nodes) else set()
            candidates = [
                (rules.rank.item(namespace[node]), max(links[link][1] for link in links if node in link), node)
                for node in nodes - added
                if len(nodes) > rules.limit
            ]
            if candidates:
                *_, gone = min(candidates)
                evictions.append((gone, record))
                for link in [link for link in links if gone in link]:
                    del links[link]
                    removals.add((*link, record, -1, CUT_EVICTED))
                touched += [graph(node) for node in nodes]

    for record, (time, ids) in enumerate(records):
        added = {node for node in ids if graph(node) == {node}}
        new = set(combinations(sorted(ids), 2))
        for link in new:
            links.setdefault(link, [time, time])[1] = time
        comp = graph(ids[0])
        if violated(comp) is not None:
            relink(comp, new, record)
        if rules.limit:
            make_room(ids, added, record)
    graphs = {frozenset(graph(node)) for node in range(len(namespace))}
    return Outcome(graphs, {link: (first, last) for link, (first, last) in links.items()}, removals, evictions)


def connected(links: Iterable[Pair], node: int) -> set[int]:
    found, ahead = {node}, [node]
    while ahead:
        here = ahead.pop()
        for link in links:
            if here in link:
                other = sum(link) - here
                if other not in found:
                    found.add(other)
                    ahead.append(other)
    return found


def outcome(folded: Folded) -> Outcome:
    graphs: dict[int, set[int]] = {}
    for node, founder in enumerate(folded.graph.tolist()):
        graphs.setdefault(founder, set()).add(node)
    assert all(min(nodes) == founder for founder, nodes in graphs.items())
    links, cut, gone = folded.links, folded.removals, folded.evictions
    ends = list(zip(links.a.tolist(), links.b.tolist(), strict=True))
    assert ends == sorted(ends)
    removals = [x.tolist() for x in (cut.a, cut.b, cut.record, cut.namespace, cut.kind)]
    return Outcome(
        set(map(frozenset, graphs.values())),
        dict(zip(ends, zip(links.first_at.tolist(), links.last_at.tolist(), strict=True), strict=True)),
        set(zip(*removals, strict=True)),
        list(zip(gone.identity.tolist(), gone.record.tolist(), strict=True)),
    )
