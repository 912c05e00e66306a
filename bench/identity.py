"""Clustering of 5 M identities and 6 M links, against SciPy on the same arrays.

The world is one of people: each has a few identities, tied together by the records that hold two of them; some links
are seen again, and some devices are shared. Numbers and order are shuffled. That both give the same components is
checked before any time is reported. ``python bench/identity.py [--identities N] [--links N]``; the last line is JSON:

* ``over_scipy``: time of `components` over that of ``scipy.sparse.csgraph.connected_components``, medians
* ``from_strings_s``: from two columns of text (Arrow) to components, median
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import machine
from coterie.identity import cluster

RUNS = 5
Ints = cluster.Ints


def people(identities: int, links: int, seed: int = 1) -> tuple[Ints, Ints]:
    """Return the ends of the links of a world of people."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(1 + rng.poisson(2.2, identities), 12)
    first = np.concatenate([[0], np.cumsum(sizes)])
    founder = np.repeat(first[:-1], sizes)[:identities]
    members = np.flatnonzero(founder != np.arange(identities))[:links]
    again = rng.integers(0, identities, links - len(members))
    shared = rng.random(len(again)) < 0.03
    a = np.concatenate([founder[members], founder[again]])
    b = np.concatenate([members, np.where(shared, rng.integers(0, identities, len(again)), again)])
    number, order = rng.permutation(identities).astype(np.int32), rng.permutation(links)
    return number[a][order], number[b][order]


def timed(*runs: Callable[[], Any]) -> list[tuple[float, Any]]:
    """Run some things in turn, several times; return the median time of each and what it gave."""
    times: list[list[float]] = [[] for _ in runs]
    results: list[Any] = [None for _ in runs]
    for _ in range(RUNS):
        for place, run in enumerate(runs):
            began = time.perf_counter()
            results[place] = run()
            times[place].append(time.perf_counter() - began)
    return list(zip(map(statistics.median, times), results, strict=True))


def smallest(labels: Ints) -> Ints:
    """Return for each node the smallest node with its label."""
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return first[label].astype(np.int32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=5_000_000)
    parser.add_argument("--links", type=int, default=6_000_000)
    given = parser.parse_args()
    n = given.identities
    a, b = people(n, given.links)
    cluster.components(n, a, b)  # the compiler has done its work after this

    matrix = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    (scipy_s, (count, labels)), (ours_s, components) = timed(
        lambda: connected_components(matrix, directed=False), lambda: cluster.components(n, a, b)
    )
    if not np.array_equal(components, smallest(labels)):
        raise SystemExit("components differ from those of SciPy")

    names = pc.binary_join_element_wise(pa.scalar("customer"), pa.array(np.arange(n)).cast(pa.string()), pa.scalar(":"))
    left, right = names.take(pa.array(a)), names.take(pa.array(b))

    def from_strings() -> tuple[pa.Array[Any], Ints]:
        values, x, y = cluster.encode(left, right)
        return values, cluster.components(len(values), x, y)

    ((strings_s, (values, components)),) = timed(from_strings)
    place = np.full(n, -1, np.int32)
    numbers = pc.cast(pc.utf8_slice_codeunits(values, len("customer:")), pa.int32())
    place[numbers.to_numpy()] = np.arange(len(values))
    linked = np.flatnonzero(place >= 0)
    mine = np.empty(len(values), np.int32)
    mine[place[linked]] = labels[linked]
    if not np.array_equal(components, smallest(mine)):
        raise SystemExit("components from strings differ from those of SciPy")
    print(
        json.dumps(
            {
                "over_scipy": round(ours_s / scipy_s, 3),
                "from_strings_s": round(strings_s, 2),
                "components_s": round(ours_s, 3),
                "scipy_s": round(scipy_s, 3),
                "identities": n,
                "links": len(a),
                "components": int(count),
                "machine": machine.described(),
            }
        )
    )


if __name__ == "__main__":
    main()
