"""Logistic regression on standardised features (ridge penalty; scikit-learn fits it by Newton's method)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from coterie.prediction.frame import Feature
from coterie.prediction.learners.learner import Values
from coterie.prediction.odds import Floats

FILE = "logistic.json"
PENALTY = 0.01
"""Scikit-learn's C: the weight of an example against the penalty. The examples of one person at cut-offs a few days
apart say almost the same, so that each counts as a hundredth."""
MOST_ROWS = 300_000
"""More examples than these tell a few hundred coefficients nothing new."""
LEAST_SCALE = 0.05
"""A rare value is not stretched beyond this: one person with it would decide its coefficient."""
FURTHEST = 8.0
"""Standard deviations beyond which a value counts as this far."""

Part = Literal["number", "missing", "value"]


@dataclass(frozen=True)
class Column:
    """A column of what is fitted, made of a feature.

    Parameters
    ----------
    feature : int
        Which.
    part : str
        Its number (as ``sign(x) ln(1 + |x|)``), whether it is missing, or whether it has one of its values.
    centre, scale : float
        Subtracted, and divided by.
    value : int
        The code, of a part `value`.
    """

    feature: int
    part: Part
    centre: float
    scale: float
    value: int = 0

    def of(self, values: Values) -> Floats:
        """Return the column for rows of features."""
        raw = values[:, self.feature]
        if self.part == "number":
            column = np.asarray(raw, np.float64)
            column = np.copysign(np.log1p(np.abs(column)), column)
            column = np.clip((column - self.centre) / self.scale, -FURTHEST, FURTHEST)
            return np.where(np.isnan(column), 0.0, column)
        told = np.isnan(raw) if self.part == "missing" else raw == self.value
        return (told - self.centre) / self.scale


@dataclass(frozen=True)
class Logistic:
    """A weighted sum of standardised features.

    Parameters
    ----------
    columns : tuple of Column
        What is summed.
    coefficients : array of float, shape (columns,)
        Their weights.
    intercept : float
        The log-odds where every column is at its centre.
    """

    columns: tuple[Column, ...]
    coefficients: Floats
    intercept: float
    algorithm: Literal["logistic"] = "logistic"

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""
        total = np.full(len(values), self.intercept)
        for column, coefficient in zip(self.columns, self.coefficients, strict=True):
            total += coefficient * column.of(values)
        return total

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what each feature, missing or not, adds to the log-odds of each row, and the base."""
        added = np.zeros(values.shape)
        for column, coefficient in zip(self.columns, self.coefficients, strict=True):
            added[:, column.feature] += coefficient * column.of(values)
        return added, self.intercept

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
        kept = {
            "intercept": self.intercept,
            "columns": [
                {
                    "feature": column.feature,
                    "part": column.part,
                    "value": column.value,
                    "centre": column.centre,
                    "scale": column.scale,
                    "coefficient": float(coefficient),
                }
                for column, coefficient in zip(self.columns, self.coefficients, strict=True)
            ],
        }
        return {FILE: msgspec.json.encode(kept)}


def read(files: Mapping[str, bytes]) -> Logistic:
    """Read what `files` returned."""
    kept: dict[str, Any] = msgspec.json.decode(files[FILE])
    columns = kept["columns"]
    return Logistic(
        tuple(Column(c["feature"], c["part"], c["centre"], c["scale"], c["value"]) for c in columns),
        np.array([c["coefficient"] for c in columns], np.float64),
        float(kept["intercept"]),
    )


def fit(
    features: Sequence[Feature],
    values: Values,
    label: npt.NDArray[np.bool_],
    weight: Floats,
    *,
    seed: int,
    penalty: float = PENALTY,
) -> Logistic:
    """Fit examples of both classes.

    Parameters
    ----------
    features : sequence of Feature
        The columns of `values`.
    values : array of float32, shape (n, features)
        What was known.
    label : array of bool, shape (n,)
        What came of it.
    weight : array of float, shape (n,)
        How many people each row stands for.
    seed : int
        Of the choice of rows when there are more than enough.
    penalty : float
        Scikit-learn's C.
    """
    if len(label) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(label), MOST_ROWS, replace=False))
        values, label, weight = values[rows], label[rows], weight[rows]
    weight = weight / weight.mean()
    columns = tuple(
        column for i, feature in enumerate(features) for column in columns_of(i, feature, values[:, i], weight)
    )
    if not columns or label.all() or not label.any():
        positive = float(np.average(label, weights=weight))
        odds = np.log((positive * len(label) + 0.5) / ((1 - positive) * len(label) + 0.5))
        return Logistic((), np.zeros(0), float(odds))
    design = np.empty((len(values), len(columns)))
    for i, column in enumerate(columns):
        design[:, i] = column.of(values)
    fitted = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=50, tol=1e-6)
    fitted.fit(design, label, sample_weight=weight)
    return Logistic(columns, np.array(fitted.coef_[0], np.float64), float(fitted.intercept_[0]))


def columns_of(index: int, feature: Feature, raw: npt.NDArray[np.float32], weight: Floats) -> list[Column]:
    """Return the columns made of a feature: those that differ between examples."""
    missing = np.isnan(raw)
    made: list[Column] = []
    if feature.values:
        made += [_told(index, raw == value, weight, "value", value) for value in range(len(feature.values))]
    elif not missing.all():
        column = np.asarray(raw[~missing], np.float64)
        column = np.copysign(np.log1p(np.abs(column)), column)
        centre = float(np.average(column, weights=weight[~missing]))
        spread = float(np.sqrt(np.average((column - centre) ** 2, weights=weight[~missing])))
        if spread > 1e-9:
            made.append(Column(index, "number", centre, spread))
    made.append(_told(index, missing, weight, "missing"))
    return [column for column in made if column.part == "number" or 0 < column.centre < 1]


def _told(index: int, told: npt.NDArray[np.bool_], weight: Floats, part: Part, value: int = 0) -> Column:
    share = float(np.average(told, weights=weight))
    return Column(index, part, share, max(float(np.sqrt(share * (1 - share))), LEAST_SCALE), value)
