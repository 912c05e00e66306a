"""Choosing rows to learn from when there are more than a learner needs, with the weights that undo the choice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Outcomes

MOST_ROWS = 1_000_000
"""The most rows to learn from."""
MOST_POSITIVES = 200_000
"""Rows of the rarer outcome that are all kept."""


def uniform(people: npt.NDArray[np.int32], seed: int) -> npt.NDArray[np.float64]:
    """Return a number from 0 to 1 for each person, the same in every run (SplitMix64: Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = people.astype(np.uint64) + np.uint64(seed & 0xFFFFFFFF) * np.uint64(0x9E3779B97F4A7C15)
        x += np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def sampled(found: Outcomes, seed: int, most: int = MOST_ROWS) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Choose rows: all of them up to a number, then those of some people, more of the rarer outcome.

    Returns
    -------
    tuple of arrays
        The rows that are kept, and how many rows each stands for.
    """
    if len(found) <= most:
        return np.arange(len(found)), np.ones(len(found))
    rare = found.hit if 2 * int(found.hit.sum()) <= len(found) else ~found.hit
    few = int(rare.sum())
    kept_rare = min(1.0, min(MOST_POSITIVES, most / 2) / max(few, 1))
    kept_rest = min(1.0, (most - few * kept_rare) / max(len(found) - few, 1))
    share = np.where(rare, kept_rare, kept_rest)
    chosen = np.flatnonzero(uniform(found.people, seed) < share)
    return chosen, 1 / share[chosen]
