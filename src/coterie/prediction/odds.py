"""Log-odds and probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST = 1e-9
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""


def log_odds(probability: npt.ArrayLike) -> Floats:
    """Return ``ln(p / (1 - p))``."""
    p = np.clip(np.asarray(probability, np.float64), LEAST, 1 - LEAST)
    return np.log(p) - np.log1p(-p)


def probability(odds: npt.ArrayLike) -> Floats:
    """Return the probability of log-odds, without overflow at either end."""
    x = np.asarray(odds, np.float64)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def log_loss(odds: Floats, label: npt.NDArray[np.bool_]) -> Floats:
    """Return the loss of each prediction: minus the logarithm of the probability given to what happened."""
    return np.logaddexp(0.0, np.where(label, -odds, odds))
