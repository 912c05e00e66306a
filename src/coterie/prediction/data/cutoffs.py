"""The instants at which a model is trained, tested and asked: a series of cut-offs before the instant of prediction."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from coterie.core.clock import DAY
from coterie.prediction.definition import Model

LEAST_DAYS = 30
"""Days of history that every cut-off needs before it."""
TRAINED_DAYS = 365
"""How far back training goes, unless that leaves no window to test on."""
STEP_DAYS = (7, 21)
"""The least and the most days between cut-offs."""
WEEK = 7
CUTOFFS = (8, 24)
"""How many cut-offs are aimed at, at least and at most."""
YEAR = 365 * DAY
TESTS = 3
"""How many of the newest cut-offs a model is tested on."""


class Fold(Struct, frozen=True):
    """A test in the past: what was known at the cut-offs of `train` predicts what came after `test`.

    Folds are *purged* (López de Prado, Advances in Financial Machine Learning, 2018, chapter 7): the window of
    every training cut-off had closed by the test.
    """

    test: int
    train: tuple[int, ...]


class Cutoffs(Struct, frozen=True):
    """The cut-offs of a model.

    Parameters
    ----------
    scoring : int
        The instant of the prediction, ms.
    training : tuple of int
        The instants to learn from, the newest first; each with its window closed.
    folds : tuple of Fold
        The tests, the newest first.
    by_time : bool
        Whether there are tests in the past; otherwise people are divided, as there is one window only.
    year_ago : tuple of int
        A year before the instant of the prediction, and before the tests, where the history before that is as long as
        before the others; nothing is learnt from them, but what would have been missed at that time of the year.
    """

    scoring: int
    training: tuple[int, ...]
    folds: tuple[Fold, ...]
    by_time: bool
    year_ago: tuple[int, ...] = ()

    @property
    def earliest(self) -> int:
        """The earliest of all."""
        return min((self.scoring, *self.training))


def days_before(model: Model) -> int:
    """Return how many days of history a cut-off needs before it: the look-back, at least `LEAST_DAYS`."""
    return max(model.population.lookback_days or 0, LEAST_DAYS)


def required_days(model: Model, windows: int = 2) -> int:
    """Return how many days of history a model needs: those before a cut-off, the gap, and closed windows.

    Parameters
    ----------
    model : Model
        The model.
    windows : int
        With 2, one window to learn from and one to test on; with 1, tests are by customer and not by time.
    """
    return days_before(model) + windows * model.goal.lead_days


def plan(model: Model, first: int, last: int, scoring: int) -> Cutoffs:
    """Choose the cut-offs of a model.

    They lie whole days apart, the newest where its window closes by the instant of prediction. Before the earliest is
    left two fifths of the history, or two windows if that is more, so that features can look back far and people have a
    past, unless fewer cut-offs than `CUTOFFS` would remain.

    Parameters
    ----------
    model : Model
        The model.
    first, last : int
        Instants of the first and the last event, ms.
    scoring : int
        The instant of the prediction, ms.

    Returns
    -------
    Cutoffs
        Without training cut-offs when the history is too short; see `required_days`.
    """
    lead = model.goal.lead_days
    silent = max(0, (scoring - last - 1) // DAY)
    newest = lead + silent  # in days before the instant of prediction, as all below
    history = (scoring - first) // DAY
    farthest = min(history - days_before(model), max(TRAINED_DAYS, newest + lead))
    if farthest < newest:
        return Cutoffs(scoring, (), (), by_time=False)
    least, most = STEP_DAYS
    step = min(max(round(lead / 3), least), most)
    if step == WEEK and lead % WEEK:
        step += 1  # or all would be of one weekday, and that of the prediction another
    preferred = max(newest, min(farthest, history - max(history * 2 // 5, 2 * lead)))
    if (preferred - newest) // step + 1 < CUTOFFS[0]:
        step = max(least, min(step, (farthest - newest) // (CUTOFFS[0] - 1)))
        preferred = min(farthest, max(preferred, newest + step * (CUTOFFS[0] - 1)))
    number = min((preferred - newest) // step + 1, CUTOFFS[1])
    training = tuple(scoring - (newest + place * step) * DAY for place in range(number))
    folds = _folds(training, lead * DAY)
    if not folds and farthest >= newest + lead:  # two windows, but no two cut-offs of the series so far apart
        training = (*training, training[0] - lead * DAY)
        folds = _folds(training, lead * DAY)
    needed = max(days_before(model) * DAY, min(training[-1] - first, YEAR))
    past = tuple(
        instant - YEAR for instant in (scoring, *(fold.test for fold in folds)) if instant - YEAR - needed >= first
    )
    return Cutoffs(scoring, training, folds, bool(folds), past if scoring - YEAR in past else ())


def _folds(training: Sequence[int], lead: int) -> tuple[Fold, ...]:
    """Return the tests on the newest cut-offs, each with those whose windows had closed by it."""
    tested = ((test, tuple(cutoff for cutoff in training if cutoff + lead <= test)) for test in training[:TESTS])
    return tuple(Fold(test, train) for test, train in tested if train)
