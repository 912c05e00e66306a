"""Graphs of 5 M identities from 6 M records of two: plain ones against SciPy, with linking rules, and kept up to date.

The world is one of people: each has a login, which is unique, and a few addresses, devices and browsers. Most records
show a login with something else, many of them again; 3 % of what is no login is shared by two people. Ten logins have
thousands of browsers (hubs), and five chains of browsers are thousands long. Numbers, order and times are shuffled.
All results are checked before any time is reported; a time is the least of five, for others may use the machine.
``python bench/identity.py [--identities N] [--links N]``; the last line is JSON:

* ``over_scipy``: time of `build` without rules over that of ``scipy.sparse.csgraph.connected_components``
* ``rules_over_plain``: time of `build` with rules and limit over that without
* ``incremental_over_full``: time of checking and adding 10,000 records (most new, some late) over the full build:
  checking all records (`usable`), then `build` with rules
* ``withdraw_over_full``: time of withdrawing 1,000 records over the full build
* ``equal``: whether graphs and links that were kept are those that are built, and the fold of samples is the same when
  it is not compiled
* ``from_strings_s``: from two columns of text (Arrow) to components
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import machine
from coterie.identity import cluster, fold, graphs
from coterie.identity.fold import Links, Records, Rules

RUNS = 5
SPAN = 10**12
RULES = Rules(
    np.array([1, 2, 3, 4], np.int32), np.array([True, False, False, False]), np.array([2, 2, 1, 0], np.int8), 50, True
)
PLAIN = msgspec.structs.replace(RULES, limit=0, optimized=False)
Ints = cluster.Ints


class World(msgspec.Struct, frozen=True, eq=False):
    """Namespaces of identities, records of two, and whom what belongs to."""

    namespace: Ints
    records: Records
    owner: Ints
    own: Ints


def world(identities: int, links: int, seed: int = 1) -> World:
    """Return a world of people."""
    rng = np.random.default_rng(seed)
    people = int(identities * 0.3)
    namespace = np.zeros(identities, np.int32)
    namespace[people:] = np.sort(rng.integers(1, 4, identities - people))
    rest = people + rng.permutation(identities - people).astype(np.int32)
    of_hubs, of_chains, own = np.split(rest, [identities // 100, identities // 50])
    owner = rng.integers(0, people, len(own)).astype(np.int32)
    chains = np.array_split(of_chains, 5)
    shared = own[: int(0.03 * len(own))]
    a = [owner, rng.integers(0, people, len(shared)).astype(np.int32), np.arange(len(of_hubs), dtype=np.int32) % 10]
    b = [own, shared, of_hubs]
    a += [chain[:-1] for chain in chains]
    b += [chain[1:] for chain in chains]
    again = rng.integers(0, len(own), links - sum(map(len, a)))
    pairs = np.stack([np.concatenate([*a, owner[again]]), np.concatenate([*b, own[again]])], axis=1)
    return World(namespace, of_pairs(pairs[rng.permutation(links)], rng.integers(0, SPAN, links)), owner, own)


def of_pairs(pairs: Ints, times: Any) -> Records:
    """Return records of two identities each."""
    return Records(times, np.arange(0, 2 * len(pairs) + 1, 2), np.sort(pairs, axis=1).astype(np.int32).ravel())


def later(given: World, count: int, seed: int = 2) -> Records:
    """Return records that come after the world, one in a hundred of them late and three with what is shared."""
    rng = np.random.default_rng(seed)
    again = rng.integers(0, len(given.own), count)
    other = np.where(rng.random(count) < 0.03, rng.integers(0, len(given.own), count), again)
    late = rng.random(count) < 0.01
    times = np.where(late, rng.integers(0, SPAN, count), SPAN + rng.integers(0, SPAN, count))
    return of_pairs(np.stack([given.owner[again], given.own[other]], axis=1), times)


def timed(*runs: Callable[[], Any], times: int = RUNS) -> list[tuple[float, Any]]:
    """Run some things in turn, several times; return the least time of each and what it gave."""
    taken: list[list[float]] = [[] for _ in runs]
    results: list[Any] = [None for _ in runs]
    for _ in range(times):
        for place, run in enumerate(runs):
            began = time.perf_counter()
            results[place] = run()
            taken[place].append(time.perf_counter() - began)
    return list(zip(map(min, taken), results, strict=True))


def smallest(labels: Ints) -> Ints:
    """Return for each node the smallest node with its label."""
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return first[label].astype(np.int32)


def same_links(ours: Links, theirs: Links) -> bool:
    """Tell whether links are the same, in any order."""
    columns = [[links.a, links.b, links.first_at, links.last_at] for links in (ours, theirs)]
    left, right = ([column[np.lexsort(given[1::-1])] for column in given] for given in columns)
    return all(np.array_equal(x, y) for x, y in zip(left, right, strict=True))


def united(records: Records, more: Records) -> Records:
    """Return all of some records and more."""
    return Records(
        np.concatenate([records.time, more.time]),
        np.concatenate([records.offsets, records.offsets[-1] + more.offsets[1:]]),
        np.concatenate([records.identities, more.identities]),
    )


def sample_is_equal(given: World, built: graphs.Built, count: int) -> bool:
    """Fold some components alone, in the interpreter, and compare."""
    rng = np.random.default_rng(3)
    roots = np.unique(built.component[built.folded])
    chosen = np.isin(built.component, rng.choice(roots, min(count, len(roots)), replace=False))
    members = np.flatnonzero(chosen)
    places = np.flatnonzero(chosen[given.records.identities[::2]])
    some = given.records.take(places)
    some = msgspec.structs.replace(some, identities=np.searchsorted(members, some.identities).astype(np.int32))
    few, fold.FEW = fold.FEW, len(some) + 1
    alone = fold.fold(len(members), given.namespace[members], fold.sort_records(some), RULES)
    fold.FEW = few
    return np.array_equal(members[alone.graph], built.graph[members])


def from_strings(n: int, records: Records) -> float:
    """Return the time from two columns of text to components, after checking them."""
    names = pc.binary_join_element_wise(pa.scalar("customer"), pa.array(np.arange(n)).cast(pa.string()), pa.scalar(":"))
    left, right = names.take(pa.array(records.identities[::2])), names.take(pa.array(records.identities[1::2]))

    def run() -> tuple[pa.Array[Any], Ints]:
        values, x, y = cluster.encode(left, right)
        return values, cluster.components(len(values), x, y)

    ((taken, (values, components)),) = timed(run, times=3)
    numbers = pc.cast(pc.utf8_slice_codeunits(values, len("customer:")), pa.int32()).to_numpy()
    expected = cluster.components(n, records.identities[::2], records.identities[1::2])
    if not np.array_equal(components, smallest(expected[numbers])):
        raise SystemExit("components from strings differ from those of numbers")
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=5_000_000)
    parser.add_argument("--links", type=int, default=6_000_000)
    parser.add_argument("--new", type=int, default=10_000)
    given = parser.parse_args()
    n = given.identities
    people = world(n, given.links)
    namespace, records = people.namespace, people.records
    a, b = records.identities[::2].copy(), records.identities[1::2].copy()
    matrix = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    for rules in (PLAIN, RULES):
        graphs.build(n, namespace, records, rules)  # the compiler has done its work after this

    (scipy_s, (count, labels)), (plain_s, plain), (rules_s, ruled), (full_s, _) = timed(
        lambda: connected_components(matrix, directed=False),
        lambda: graphs.build(n, namespace, records, PLAIN),
        lambda: graphs.build(n, namespace, records, RULES),
        lambda: graphs.build(n, namespace, fold.usable(records, namespace, RULES), RULES),
    )
    equal = np.array_equal(plain.graph, smallest(labels)) and sample_is_equal(people, ruled, 200)

    kept = graphs.Graphs(n, namespace, RULES)
    kept.add(records)
    equal &= np.array_equal(kept.graph, ruled.graph) and same_links(kept.links, ruled.links)
    added, adding = [], []
    for seed in range(2, 2 + RUNS):
        new = later(people, given.new, seed)
        began = time.perf_counter()
        added.append(kept.add(fold.usable(new, namespace, RULES)))
        adding.append(time.perf_counter() - began)
        records = united(records, new)
    after = graphs.build(n, namespace, records, RULES)
    equal &= np.array_equal(kept.graph, after.graph) and same_links(kept.links, after.links)
    withdrawing = []
    everything = np.concatenate(added)
    step = max(given.new // 10, 1)
    for begin in range(0, RUNS * step, step):
        began = time.perf_counter()
        kept.withdraw(everything[begin : begin + step])
        withdrawing.append(time.perf_counter() - began)
    kept.withdraw(everything[RUNS * step :])
    equal &= np.array_equal(kept.graph, ruled.graph) and same_links(kept.links, ruled.links)
    if not equal:
        raise SystemExit("results differ")
    print(
        json.dumps(
            {
                "over_scipy": round(plain_s / scipy_s, 3),
                "rules_over_plain": round(rules_s / plain_s, 2),
                "incremental_over_full": round(min(adding) / full_s, 4),
                "withdraw_over_full": round(min(withdrawing) / full_s, 4),
                "equal": bool(equal),
                "scipy_s": round(scipy_s, 3),
                "plain_s": round(plain_s, 3),
                "rules_s": round(rules_s, 3),
                "full_s": round(full_s, 3),
                "incremental_s": round(min(adding), 4),
                "withdraw_s": round(min(withdrawing), 4),
                "from_strings_s": round(from_strings(n, people.records), 2),
                "identities": n,
                "links": given.links,
                "components": int(count),
                "folded_identities": int(ruled.folded.sum()),
                "removed_links": len(ruled.removals.a),
                "evicted": len(ruled.evictions.identity),
                "machine": machine.described(),
            }
        )
    )


if __name__ == "__main__":
    main()
