"""Attributes and features that know the outcome: they are written because of it, and not known beforehand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.frame import Examples, Family
from coterie.prediction.modelling import measures
from coterie.prediction.odds import Floats
from coterie.prediction.problems import TELLING_AUC, Problem, leakage_suspected, snapshot_unconfirmed

MOST_ROWS = 50_000
"""People that an attribute or feature is tested on; more would tell no more."""
_PARTS = 5
_SMOOTH = 10.0


class Suspect(Struct, frozen=True):
    """How much an attribute tells of the goal by itself.

    Parameters
    ----------
    field : str
        Path of the attribute.
    source : str
        ``history`` and ``computed`` when values are those of the cut-off, ``snapshot`` when only the latest is known.
    auc : float or None
        How well it alone tells the two outcomes apart at the newest cut-off whose window has closed; None where only
        one came about.
    late : float
        Share of the people with a value for whom it was written after that cut-off.
    known : float
        Share of the people who have a value.
    confirmed : bool
        Whether a person said that it may be used.
    """

    field: str
    source: str
    auc: float | None
    late: float
    known: float
    confirmed: bool


def alone(values: npt.NDArray[np.floating], label: npt.NDArray[np.bool_], *, categories: bool = False) -> float:
    """Return how well a column alone tells two outcomes apart, in whichever direction: an AUC from 0.5 on.

    Of numbers it is the better of their order, a missing one being below all, and of the rate of their twentieth;
    of categories it is the rate of the category. Rates are taken from other people than those they are given to
    (Micci-Barreca 2001, cross-fitted), so that a category of one person tells nothing of that person.

    Parameters
    ----------
    values : array
        Numbers, or numbers of categories; NaN where there is none.
    label : array of bool
        What came about.
    categories : bool
        Whether the numbers are names of categories.
    """
    missing = np.isnan(values)
    if categories:
        return max(0.5, measures.auc(_rates(np.where(missing, -1, values).astype(np.int64), label), label))
    known = values[~missing]
    order = np.where(missing, (known.min() if len(known) else 0.0) - 1.0, values).astype(np.float64)
    edges = np.unique(np.quantile(known, np.arange(1, 20) / 20, method="inverted_cdf")) if len(known) else np.zeros(0)
    places = np.where(missing, -1, np.searchsorted(edges, values, side="left"))
    in_order = measures.auc(order, label)
    return max(in_order, 1 - in_order, measures.auc(_rates(places, label), label))


def _rates(places: npt.NDArray[np.int64], label: npt.NDArray[np.bool_]) -> Floats:
    """Return for each row the rate of its place among the rows of the other parts."""
    numbers = np.unique(places, return_inverse=True)[1]
    count = int(numbers.max()) + 1 if len(numbers) else 0
    part = np.arange(len(places)) % _PARTS
    rows = np.bincount(numbers * _PARTS + part, minlength=count * _PARTS).reshape(count, _PARTS)
    hits = np.bincount(numbers * _PARTS + part, label, count * _PARTS).reshape(count, _PARTS)
    others = rows.sum(axis=1, keepdims=True) - rows
    rates = (hits.sum(axis=1, keepdims=True) - hits + _SMOOTH * label.mean()) / (others + _SMOOTH)
    found: Floats = rates[numbers, part]
    return found


def telling(examples: Examples, cutoff: int) -> tuple[Problem, ...]:
    """Return what features that alone nearly know the outcome at a cut-off give to say, the most telling first.

    They count events before the cut-off, so they may tell much honestly. Attributes are left out: `problems_of` has
    told of them before the training.
    """
    rows = np.flatnonzero(examples.frame.cutoffs == cutoff)
    rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))]
    values, label = examples.frame.values[rows], examples.label[rows]
    if label.all() or not label.any():
        return ()
    found = [
        (feature.name, alone(values[:, column], label, categories=bool(feature.values)))
        for column, feature in enumerate(examples.frame.features)
        if feature.family is not Family.ATTRIBUTES
    ]
    found = sorted((each for each in found if each[1] > TELLING_AUC), key=lambda each: -each[1])
    return tuple(leakage_suspected(name, auc, None, refused=False) for name, auc in found)


def problems_of(suspects: Iterable[Suspect]) -> tuple[Problem, ...]:
    """Return what is to be said of attributes.

    One whose values are those of the cut-off may tell much honestly: it is only pointed out. One of which only the
    latest value is known is refused when it knows the outcome, or when nobody has confirmed it.
    """
    found = []
    for each in suspects:
        telling_much = each.auc is not None and each.auc > TELLING_AUC
        if each.auc is not None and telling_much:
            late = each.late if each.source == "snapshot" else None
            found.append(leakage_suspected(each.field, each.auc, late, refused=each.source == "snapshot"))
        elif each.source == "snapshot" and each.late > 0 and not each.confirmed:
            found.append(snapshot_unconfirmed(each.field, each.auc, each.late))
    return tuple(found)
