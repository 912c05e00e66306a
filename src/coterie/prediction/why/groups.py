"""Human factors: features that say the same thing in different ways, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Feature
from coterie.prediction.odds import Floats

NEGLIGIBLE = 0.05
"""A factor that contributes less than this part of what a person's weightiest one does is no reason worth reading."""


@dataclass(frozen=True)
class Groups:
    """The factors that features belong to.

    Counts of one event in 7, 30 and 90 days rise and fall together, and a learner shares their effect among them as
    it happens; their sum tells what the event has to do with the prediction. Contributions of Shapley values add up
    (Lundberg and Lee 2017), so those of a group do.

    Parameters
    ----------
    features : tuple of Feature
        The columns.
    codes : tuple of str
        Codes of the factors, in the order in which the columns name them.
    of : array of int16, shape (features,)
        The factor of each column.
    exposure : array of bool, shape (factors,)
        Whether it tells what others did to the person, which is never a reason.
    """

    features: tuple[Feature, ...]
    codes: tuple[str, ...]
    of: npt.NDArray[np.int16]
    exposure: npt.NDArray[np.bool_]

    @classmethod
    def made(cls, features: Sequence[Feature]) -> Groups:
        """Return the factors of columns."""
        place: dict[str, int] = {}
        of = np.array([place.setdefault(feature.factor, len(place)) for feature in features], dtype=np.int16)
        exposure = np.zeros(len(place), dtype=bool)
        for feature in features:
            exposure[place[feature.factor]] |= feature.exposure
        return cls(tuple(features), tuple(place), of, exposure)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def columns(self) -> tuple[npt.NDArray[np.intp], ...]:
        """The columns of each factor."""
        return tuple(np.flatnonzero(self.of == group) for group in range(len(self)))

    def total(self, contributions: Floats) -> Floats:
        """Return contributions of factors from those of columns, a row for each person."""
        if not len(self):
            return np.zeros((len(contributions), 0))
        order = np.argsort(self.of, kind="stable")
        starts = np.searchsorted(self.of[order], np.arange(len(self)))
        sums: Floats = np.add.reduceat(contributions[:, order], starts, axis=1)
        return sums

    def telling(self, contributions: Floats, totals: Floats) -> npt.NDArray[np.int16]:
        """Return for each person and factor the column that tells most.

        It is the one that contributes most in the direction of the factor as a whole: a window that was only a
        counterweight would show a value that contradicts the reason.
        """
        chosen = np.empty(totals.shape, dtype=np.int16)
        for group, columns in enumerate(self.columns):
            if len(columns) == 1:
                chosen[:, group] = columns[0]
            else:
                along = contributions[:, columns] * np.where(totals[:, group] < 0, -1.0, 1.0)[:, None]
                chosen[:, group] = columns[along.argmax(axis=1)]
        return chosen

    def reasons(self, totals: Floats, top: int) -> tuple[npt.NDArray[np.int16], Floats]:
        """Return the factors given as reasons, and what they contribute: `top` columns for and then `top` against.

        The weightiest come first; -1 stands where there is none. What others did to the person is never a reason.
        """
        able = np.where(self.exposure, 0.0, totals)
        least = NEGLIGIBLE * np.abs(able).max(axis=1, initial=0.0)
        factor = np.full((len(totals), 2 * top), -1, dtype=np.int16)
        contribution = np.zeros((len(totals), 2 * top))
        width = min(top, len(self))
        for side, sign in enumerate((1.0, -1.0)):
            places, amounts = _largest(sign * able, width)
            given = (amounts > 0) & (amounts >= least[:, None])
            at = slice(side * top, side * top + width)
            factor[:, at] = np.where(given, places, -1)
            contribution[:, at] = np.where(given, sign * amounts, 0.0)
        return factor, contribution


def _largest(values: Floats, k: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the places of the k largest of each row, the largest first, and these values."""
    if k < values.shape[1]:
        places = np.argpartition(-values, k - 1, axis=1)[:, :k]
    else:
        places = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    found = np.take_along_axis(values, places, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(found, order, axis=1)
