"""Logistic regression on standardised features (ridge penalty; scikit-learn fits it by Newton's method)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, assert_never

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

BATCH = 10_000
"""Rows of which all columns are made at once."""
SKIPPED = 8
"""Coefficients are first looked for on every eighth row, and from there on all of them: with fewer dear steps."""
LEAST_BEFORE = 1_000
"""Rows from which on a part of the rows comes near what all of them say."""

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


@dataclass(frozen=True)
class Design:
    """Columns that are made together.

    Parameters
    ----------
    columns : tuple of Column
        What is made.
    """

    columns: tuple[Column, ...]

    def of(self, values: Values) -> Floats:
        """Return the columns for rows of features, an array of shape (n, columns) in column order."""
        made = np.empty((len(values), len(self.columns)), order="F")
        for places, feature, centre, scale, told in self._parts:
            raw = values[:, feature]
            if told is None:
                column = np.asarray(raw, np.float64)
                column = np.copysign(np.log1p(np.abs(column)), column)
                column = np.clip((column - centre) / scale, -FURTHEST, FURTHEST)
                made[:, places] = np.where(np.isnan(column), 0.0, column)
            else:
                made[:, places] = (np.where(np.isnan(told), np.isnan(raw), raw == told) - centre) / scale
        return made

    @cached_property
    def _parts(self) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats, Floats, Floats | None]]:
        """Numbers, then truths: where their columns stand, of which features, and the value asked for, NaN for none."""
        found = []
        for number in (True, False):
            chosen = [(i, column) for i, column in enumerate(self.columns) if (column.part == "number") == number]
            if chosen:
                told = [np.nan if column.part == "missing" else float(column.value) for _, column in chosen]
                found.append(
                    (
                        np.array([i for i, _ in chosen]),
                        np.array([column.feature for _, column in chosen]),
                        np.array([column.centre for _, column in chosen]),
                        np.array([column.scale for _, column in chosen]),
                        None if number else np.array(told),
                    )
                )
        return found


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

    @cached_property
    def design(self) -> Design:
        """The columns, made together."""
        return Design(self.columns)

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""
        total = np.empty(len(values))
        for start in range(0, len(values), BATCH):
            made = self.design.of(values[start : start + BATCH]) * self.coefficients
            made = np.column_stack([np.full(len(made), self.intercept), made])
            # one after the other, so that it is the same to the bit for one row and for many
            total[start : start + BATCH] = made.cumsum(axis=1)[:, -1]
        return total

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what each feature, missing or not, adds to the log-odds of each row, and the base."""
        added = np.zeros(values.shape, order="F")
        for start in range(0, len(values), BATCH):
            mine = added[start : start + BATCH]
            made = self.design.of(values[start : start + BATCH])
            for place, (column, coefficient) in enumerate(zip(self.columns, self.coefficients, strict=True)):
                mine[:, column.feature] += coefficient * made[:, place]
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
    first, twins = _alike(columns, values)
    stretch = np.sqrt(np.bincount(twins))
    distinct = Design(tuple(columns[place] for place in first))
    design = np.empty((len(values), len(first)))
    for start in range(0, len(values), BATCH):
        np.multiply(distinct.of(values[start : start + BATCH]), stretch, out=design[start : start + BATCH])
    fitted = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=50, tol=1e-6, warm_start=True)
    some = slice(None, None, SKIPPED)
    if len(label) >= SKIPPED * LEAST_BEFORE and label[some].any() and not label[some].all():
        fitted.set_params(C=penalty * SKIPPED).fit(design[some], label[some], sample_weight=weight[some])
        fitted.set_params(C=penalty)
    fitted.fit(design, label, sample_weight=weight)
    coefficients = np.asarray(fitted.coef_[0], np.float64) / stretch
    return Logistic(columns, coefficients[twins], float(fitted.intercept_[0]))


def _alike(columns: Sequence[Column], values: Values) -> tuple[list[int], npt.NDArray[np.intp]]:
    """Return the places of columns that differ from all before them, and for each column which of those it equals.

    Columns that are equal share a coefficient: as one column, stretched by the square root of their number, they are
    fitted under the same penalty. Mostly they tell that a feature is missing, for features that are missing together.
    """
    first: list[int] = []
    like: dict[tuple[Part, float, float], list[int]] = {}
    twins = np.empty(len(columns), np.intp)
    for place, column in enumerate(columns):
        candidates = like.setdefault((column.part, column.centre, column.scale), [])
        for number in candidates:
            if _equal(columns[first[number]], column, values):
                twins[place] = number
                break
        else:
            twins[place] = len(first)
            candidates.append(len(first))
            first.append(place)
    return first, twins


def _equal(one: Column, other: Column, values: Values) -> bool:
    ours, theirs = values[:, one.feature], values[:, other.feature]
    match one.part:
        case "number":
            return np.array_equal(ours, theirs, equal_nan=True)
        case "missing":
            return np.array_equal(np.isnan(ours), np.isnan(theirs))
        case "value":
            return np.array_equal(ours == one.value, theirs == other.value)
        case _:
            assert_never(one.part)


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
