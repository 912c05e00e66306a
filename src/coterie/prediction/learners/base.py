"""The base rate: the same probability for everybody, when there is too little to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.prediction.learners.learner import Values
from coterie.prediction.odds import Floats, log_odds

FILE = "base.json"


@dataclass(frozen=True)
class BaseRate:
    """The same log-odds for everybody.

    Parameters
    ----------
    odds : float
        The log-odds.
    """

    odds: float
    algorithm: Literal["base"] = "base"

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""
        return np.full(len(values), self.odds)

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return zeros: no feature adds anything."""
        return np.zeros(values.shape), self.odds

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
        return {FILE: msgspec.json.encode({"odds": self.odds})}


def fit(label: npt.NDArray[np.bool_], weight: Floats) -> BaseRate:
    """Learn the rate of examples; half an example is added on either side, so that it is never 0 or 1."""
    positive = float(weight[label].sum())
    return BaseRate(float(log_odds((positive + 0.5) / (float(weight.sum()) + 1.0))))


def read(files: Mapping[str, bytes]) -> BaseRate:
    """Read what `files` returned."""
    return BaseRate(float(msgspec.json.decode(files[FILE])["odds"]))
