"""Rows to learn from and rows to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.frame import Examples
from coterie.prediction.modelling.backtest import Tested

FOLD_ROWS = 100_000
"""Rows at most that a back-test is learnt from, and tested on: enough to choose by. The model itself takes all."""
PARTS = 3
"""Parts people are divided into when there is one window only."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """A back-test.

    Parameters
    ----------
    cutoff : int
        Its instant, ms.
    train, test : array of int
        Rows to learn from and rows to test on, rising.
    closed : frozenset of int
        Cut-offs whose windows had closed by it.
    """

    cutoff: int
    train: Rows
    test: Rows
    closed: frozenset[int]


def split(examples: Examples, cutoffs: Cutoffs, seed: int) -> tuple[Split, ...]:
    """Return the back-tests of examples: by time, or by person when no window had closed before another began.

    Back-tests that have nobody to learn from or to test on are left out.
    """
    frame = examples.frame
    random = np.random.default_rng(seed)
    # A person is always in the same part, and among the first to be taken or never.
    place = random.permutation(int(frame.people.max()) + 1 if len(frame) else 0)[frame.people]
    made: list[Split] = []
    if cutoffs.by_time:
        for fold in cutoffs.folds:
            train = np.flatnonzero(np.isin(frame.cutoffs, fold.train))
            test = np.flatnonzero(frame.cutoffs == fold.test)
            made.append(Split(fold.test, _few(train, place), _few(test, place), frozenset(fold.train)))
    made = [one for one in made if len(one.train) and len(one.test)]
    if not made and len(frame):
        newest = int(frame.cutoffs.max())
        for part in range(PARTS):
            held = place % PARTS == part
            test = np.flatnonzero(held & (frame.cutoffs == newest))
            made.append(Split(newest, _few(np.flatnonzero(~held), place), _few(test, place), frozenset()))
    return tuple(one for one in made if len(one.train) and len(one.test))


def _few(rows: Rows, place: npt.NDArray[np.integer]) -> Rows:
    """Return the rows of the first persons, as many as may be taken."""
    if len(rows) <= FOLD_ROWS:
        return rows
    return np.sort(rows[np.argsort(place[rows], kind="stable")[:FOLD_ROWS]])


def tested(examples: Examples, splits: Sequence[Split]) -> Tested:
    """Return the people that back-tests are tested on, one back-test after the other."""
    rows = np.concatenate([one.test for one in splits]) if splits else np.zeros(0, np.intp)
    return Tested(
        rows=rows,
        fold=np.repeat(np.arange(len(splits)), [len(one.test) for one in splits]),
        people=examples.frame.people[rows],
        label=examples.label[rows],
        weight=examples.weight[rows],
        cutoffs=tuple(one.cutoff for one in splits),
        trained_on=tuple(len(one.train) for one in splits),
    )


def older(splits: Sequence[Split]) -> list[list[int]]:
    """Return for each back-test the numbers of those whose windows had closed by it."""
    return [[i for i, other in enumerate(splits) if other.cutoff in one.closed] for one in splits]
