"""The mean of several learners' log-odds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coterie.prediction.learners.learner import Learner, Values
from coterie.prediction.odds import Floats


@dataclass(frozen=True)
class Blend:
    """The mean of the log-odds of its parts; what a feature contributes is the mean of what it contributes in each.

    Parameters
    ----------
    parts : tuple of Learner
        Learners of different algorithms.
    """

    parts: tuple[Learner, ...]
    algorithm: Literal["blend"] = "blend"

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""
        total = self.parts[0].log_odds(values)
        for part in self.parts[1:]:
            total = total + part.log_odds(values)
        return total / len(self.parts)

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what each feature adds to the log-odds of each row, and the base."""
        total, base = self.parts[0].contributions(values)
        for part in self.parts[1:]:
            added, more = part.contributions(values)
            total = total + added
            base += more
        return total / len(self.parts), base / len(self.parts)

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of its parts, by file name."""
        return {name: data for part in self.parts for name, data in part.files().items()}
