"""How much a contribution weighs in a model, and what became of people by the values of its factors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.frame import Examples, Frame
from coterie.prediction.odds import Floats
from coterie.prediction.why.explanation import Importance
from coterie.prediction.why.groups import Groups
from coterie.prediction.why.quantities import Unit
from coterie.prediction.why.ranges import Range, ranges_of
from coterie.prediction.why.wording import unit_of

MEASURED = 100_000
"""Rows at most that weights are measured on."""


class Explained(Protocol):
    """A trained model that says what each feature contributes."""

    def contributions(self, frame: Frame) -> tuple[Floats, float]:
        """Return contributions to the log-odds, a row for each person and a column for each feature, and the base."""


class FactorSummary(Struct, frozen=True, omit_defaults=True):
    """A factor in the model as a whole.

    Parameters
    ----------
    code : str
        Of the factor.
    weight : float
        Mean amount of its contribution.
    contribution : float
        Mean contribution, with its sign.
    feature : str
        Name of its feature that contributes most: its driver.
    exposure : bool
        Whether it tells what others did to the person.
    ranges : tuple of Range
        Values of the driver, and what became of people who had them.
    """

    code: str
    weight: float
    contribution: float
    feature: str
    exposure: bool = False
    ranges: tuple[Range, ...] = ()


class FactorScale(Struct, frozen=True):
    """What a version of a model keeps of its factors, measured on the cut-offs that it was tested on.

    Parameters
    ----------
    low, high : float
        A reason that contributes less than `low` weighs low, one that contributes at least `high` weighs high: terciles
        of the contributions of all factors that would be given as reasons. (Over all factors, the many that hardly
        matter would make every given reason a weighty one; a factor by itself would be weighty for a third of people
        even if it never mattered.)
    factors : tuple of FactorSummary
        The weightiest first.
    """

    low: float
    high: float
    factors: tuple[FactorSummary, ...]

    def importance(self, contribution: float) -> Importance:
        """Return how much a contribution weighs."""
        amount = abs(contribution)
        return "low" if amount < self.low else "medium" if amount < self.high else "high"


def measure(trained: Explained, tested: Examples, top: int = 5) -> FactorScale:
    """Return the scale of a model's factors.

    Parameters
    ----------
    trained : Explained
        The model.
    tested : Examples
        Rows of the cut-offs that it was tested on.
    top : int
        Reasons given for and against.
    """
    frame = tested.frame
    groups = Groups.made(frame.features)
    rows = spread(len(frame), MEASURED)
    contributions, _ = trained.contributions(frame.take(rows))
    totals = groups.total(contributions)
    weights = np.abs(totals).mean(axis=0) if len(rows) else np.zeros(len(groups))
    means = totals.mean(axis=0) if len(rows) else np.zeros(len(groups))
    of_columns = np.abs(contributions).mean(axis=0) if len(rows) else np.zeros(len(frame.features))
    low, high = _terciles(groups, totals, top)
    summaries = []
    for group in np.argsort(-weights, kind="stable"):
        columns = groups.columns[group]
        driver = int(columns[of_columns[columns].argmax()])
        summaries.append(
            FactorSummary(
                code=groups.codes[group],
                weight=float(weights[group]),
                contribution=float(means[group]),
                feature=frame.features[driver].name,
                exposure=bool(groups.exposure[group]),
                ranges=ranges_of(
                    frame.features[driver],
                    frame.values[:, driver],
                    tested.label,
                    tested.weight,
                    whole=unit_of(frame.features[driver]) in (Unit.DAYS, Unit.MONTH),
                ),
            )
        )
    return FactorScale(low, high, tuple(summaries))


def spread(rows: int, most: int) -> npt.NDArray[np.intp]:
    """Return the numbers of at most so many rows, evenly spread over all."""
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).astype(np.intp)


def _terciles(groups: Groups, totals: Floats, top: int) -> tuple[float, float]:
    """Return the terciles of what would be given as reasons."""
    factor, contribution = groups.reasons(totals, top)
    given = np.abs(contribution[factor >= 0])
    if not len(given):
        return 0.0, 0.0
    low, high = np.quantile(given, [1 / 3, 2 / 3])
    return float(low), float(high)
