"""What every learner can do once it has learnt."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from coterie.prediction.odds import Floats

Algorithm = Literal["logistic", "trees", "blend", "bgnbd", "base"]
Values = npt.NDArray[np.float32]
"""Features of people: a row each, in the order of the columns of a `Frame`; NaN where there is nothing to say."""


class Learner(Protocol):
    """A model that has been fitted."""

    @property
    def algorithm(self) -> Algorithm:
        """Which of the learners it is."""

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what each feature of each row adds to its log-odds, and the base they are added to.

        The base and the contributions of a row sum to its log-odds (to 1e-6).
        """

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
