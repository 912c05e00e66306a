"""How a model does for each group of protected attributes, which it never learns from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.modelling import backtest, measures
from coterie.prediction.odds import Floats

LEAST = 100
"""People that a group needs to be shown: of fewer, figures are chance, and come near to single persons."""
MOST = 20
"""Groups of words at most; rarer values are one group."""
RANGES = 4
UNKNOWN = "not known"
OTHER = "other"


class Group(Struct, frozen=True):
    """People with the same value of a protected attribute.

    Parameters
    ----------
    value : str
        The value, or the range of values.
    people : int
        How many.
    rate, low, high : float
        The share for whom it came true, with its interval (Wilson).
    mean_probability : float
        What had been predicted.
    ece : float
        Mean gap between probability and rate.
    auc : float or None
        How well people of the group are told apart; None where only one outcome came about.
    off : bool
        Whether the mean probability lies outside the interval of the rate: the group is expected to do it more, or
        less, than it does.
    """

    value: str
    people: int
    rate: float
    low: float
    high: float
    mean_probability: float
    ece: float
    auc: float | None
    off: bool


class Fairness(Struct, frozen=True):
    """The groups of a protected attribute, largest first, at the newest back-test.

    `suppressed` groups have fewer than `least` people and are not shown.
    """

    field: str
    cutoff: int
    groups: tuple[Group, ...]
    suppressed: int
    least: int


def by_group(
    field: str,
    cutoff: int,
    values: Sequence[object],
    probability: Floats,
    label: npt.NDArray[np.bool_],
    weight: Floats | None = None,
) -> Fairness:
    """Compare the groups of a protected attribute.

    Parameters
    ----------
    field : str
        The attribute.
    cutoff : int
        The back-test.
    values : sequence
        Its value for each person: text, a truth value, a number, or None. Numbers are put into ranges.
    probability : array
        What had been predicted.
    label : array of bool
        Whether it came true.
    weight : array, optional
        How many people each stands for, where some were drawn.
    """
    weight = np.ones(len(label)) if weight is None else weight
    names, places = np.unique(np.array(_names(values), dtype=object).astype(str), return_inverse=True)
    sizes = np.bincount(places)
    order = sorted(range(len(names)), key=lambda place: (-sizes[place], names[place]))
    shown = [place for place in order if sizes[place] >= LEAST]
    return Fairness(
        field=field,
        cutoff=cutoff,
        groups=tuple(_of(str(names[place]), places == place, probability, label, weight) for place in shown),
        suppressed=len(order) - len(shown),
        least=LEAST,
    )


def _of(
    value: str, rows: npt.NDArray[np.bool_], probability: Floats, label: npt.NDArray[np.bool_], weight: Floats
) -> Group:
    probability, label, weight = probability[rows], label[rows], weight[rows]
    people, total = len(label), float(weight.sum())
    rate, mean = float(weight @ label) / total, float(weight @ probability) / total
    low, high = (float(end) for end in measures.wilson(rate * people, people))
    auc = backtest.known(measures.auc(probability, label, weight))
    return Group(
        value=value,
        people=people,
        rate=round(rate, 6),
        low=round(low, 6),
        high=round(high, 6),
        mean_probability=round(mean, 6),
        ece=round(measures.ece(probability, label, weight), 6),
        auc=None if auc is None else round(auc, 6),
        off=not low <= mean <= high,
    )


def _names(values: Sequence[object]) -> list[str]:
    """Return the group of each value."""
    known = [value for value in values if value is not None]
    numbers = [float(v) for v in known if isinstance(v, int | float | Decimal) and not isinstance(v, bool)]
    if numbers and len(numbers) == len(known) and len(set(numbers)) > 2 * RANGES:
        bounds = np.unique(np.quantile(numbers, np.arange(1, RANGES) / RANGES, method="inverted_cdf"))
        ranges = [f"up to {bounds[0]:g}", *(f"over {a:g} to {b:g}" for a, b in pairwise(bounds))]
        ranges.append(f"over {bounds[-1]:g}")
        return [
            UNKNOWN if value is None else ranges[int(np.searchsorted(bounds, float(str(value)), side="left"))]
            for value in values
        ]
    said = [UNKNOWN if value is None else _word(value) for value in values]
    words, counts = np.unique(np.array(said), return_counts=True)
    common = {str(words[place]) for place in np.argsort(-counts, kind="stable")[:MOST]} | {UNKNOWN}
    return [word if word in common else OTHER for word in said]


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
