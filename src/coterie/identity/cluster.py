"""Clustering: union-find over integer arrays.

The forest is an array of parents in which a parent is never larger than its child, so every root is the smallest member
of its component. Few links are united by the interpreter; for many the same function is compiled, once a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 200_000
"""Up to so many links the compiler is left alone: loading it takes longer than the work."""

Ints = npt.NDArray[np.int32]


def components(n: int, a: Ints, b: Ints) -> Ints:
    """Return the smallest member of the component of each of the nodes 0 … n - 1.

    Parameters
    ----------
    n : int
        Number of nodes.
    a, b : array of int32
        The ends of the links.

    Examples
    --------
    >>> components(5, np.array([4, 2], np.int32), np.array([2, 1], np.int32)).tolist()
    [0, 1, 1, 3, 1]
    """
    return extend(np.arange(n, dtype=np.int32), a, b)


def extend(forest: Ints, a: Ints, b: Ints) -> Ints:
    """Add links to components found before, in place, and return them.

    Parameters
    ----------
    forest : array of int32
        What `components` or `extend` returned; a new node is its own smallest member.
    a, b : array of int32
        The ends of the new links.
    """
    if len(a) != len(b):
        raise ValueError(f"links have two ends, but there are {len(a)} and {len(b)}")
    if len(a) and not 0 <= min(a.min(), b.min()) <= max(a.max(), b.max()) < len(forest):
        raise ValueError(f"links must be between nodes 0 and {len(forest) - 1}")
    a, b = np.ascontiguousarray(a, np.int32), np.ascontiguousarray(b, np.int32)
    if len(a) > FEW:
        _compiled()(forest, a, b, True)
        return forest
    _unite(forest, a, b, False)
    while not np.array_equal(above := forest[forest], forest):
        forest[:] = above
    return forest


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the distinct values, ascending: for millions much faster than `numpy.unique`, which hashes."""
    found = np.sort(values)
    kept = np.ones(len(found), np.bool_)
    np.not_equal(found[1:], found[:-1], out=kept[1:])
    return np.compress(kept, found)


def ends(groups: Iterable[Sequence[int]]) -> tuple[Ints, Ints]:
    """Return the ends of links that join the nodes of each group."""
    pairs = [(group[0], node) for group in groups for node in group[1:]]
    both = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def encode(a: pa.Array[Any], b: pa.Array[Any]) -> tuple[pa.Array[Any], Ints, Ints]:
    """Number the distinct values of two columns.

    Returns
    -------
    values : pyarrow.Array
        The distinct values; the place of a value is its number.
    a, b : array of int32
        The columns, as numbers.
    """
    import pyarrow as pa

    codes: Any = pa.chunked_array([a, b]).dictionary_encode().combine_chunks()
    indices = codes.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes.dictionary, indices[: len(a)], indices[len(a) :]


@cache
def _compiled() -> Callable[[Ints, Ints, Ints, bool], None]:
    from numba import njit, types

    given = types.Array(types.int32, 1, "C", readonly=True)
    signature = types.void(types.int32[::1], given, given, types.boolean)
    compiled: Callable[[Ints, Ints, Ints, bool], None] = njit(signature, cache=True, nogil=True)(_unite)
    return compiled


def _unite(parent: Ints, a: Ints, b: Ints, flatten: bool) -> None:
    # Rem's algorithm: climb from whichever end has the larger parent, hanging what is passed below the smaller one
    for position in range(len(a)):
        left, right = a[position], b[position]
        above_left, above_right = parent[left], parent[right]
        while above_left != above_right:
            if above_left < above_right:
                left, right = right, left
                above_left, above_right = above_right, above_left
            parent[left] = above_right
            if left == above_left:
                break
            left = above_left
            above_left = parent[left]
    if flatten:
        for node in range(len(parent)):
            parent[node] = parent[parent[node]]  # the parent is smaller, so its own parent is the root already
