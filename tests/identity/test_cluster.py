"""Union-find against SciPy, interpreted and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coterie.identity import cluster

LINKS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=80))
)


def smallest_members(n: int, links: list[tuple[int, int]]) -> list[int]:
    a, b = np.array(links, dtype=np.int32).reshape(-1, 2).T
    _, labels = connected_components(coo_array((np.ones(len(links), np.int8), (a, b)), shape=(n, n)), directed=False)
    first = {label: node for node, label in reversed(list(enumerate(labels.tolist())))}
    return [first[label] for label in labels.tolist()]


@pytest.fixture(params=["interpreted", "compiled"])
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "FEW", 1_000_000 if request.param == "interpreted" else -1)


@pytest.mark.usefixtures("way")
@given(LINKS, st.integers(0, 80))
def test_components_are_those_of_scipy(world: tuple[int, list[tuple[int, int]]], cut: int) -> None:
    n, links = world
    a, b = np.array(links, dtype=np.int32).reshape(-1, 2).T
    expected = smallest_members(n, links)
    assert cluster.components(n, a, b).tolist() == expected
    in_parts = cluster.extend(cluster.components(n, a[:cut], b[:cut]), a[cut:], b[cut:])
    assert in_parts.tolist() == expected


@pytest.mark.usefixtures("way")
def test_long_chains_in_the_worst_order() -> None:
    n = 20_000
    down = np.arange(n - 1, 0, -1, dtype=np.int32)
    assert not cluster.components(n, down, down - 1).any()
    assert not cluster.components(n, down[::-1], down[::-1] - 1).any()


@pytest.mark.usefixtures("way")
def test_links_of_many_nodes_with_arrays_that_may_not_be_written() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 50_000, (2, 60_000), dtype=np.int32)
    a.flags.writeable = b.flags.writeable = False
    found = cluster.components(50_000, a, b)
    assert found.tolist() == smallest_members(50_000, list(zip(a.tolist(), b.tolist(), strict=True)))


@pytest.mark.parametrize(("a", "b"), [([0], [0, 1]), ([3], [0]), ([-1], [0])])
def test_links_must_be_between_nodes(a: list[int], b: list[int]) -> None:
    with pytest.raises(ValueError, match="links"):
        cluster.components(3, np.array(a, np.int32), np.array(b, np.int32))


@given(st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=20))
def test_texts_are_numbered_without_loss(pairs: list[tuple[str, str]]) -> None:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    values, a, b = cluster.encode(pa.array(left, pa.string()), pa.array(right, pa.string()))
    words = values.to_pylist()
    assert [words[n] for n in a] == left
    assert [words[n] for n in b] == right
    assert sorted(words) == sorted({*left, *right})
