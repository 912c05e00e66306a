"""Which columns of a frame tell the history of the goal's events: how many, how lately, since when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from coterie.prediction.definition import Goal
from coterie.prediction.frame import Family, Feature, Frame
from coterie.prediction.modelling.backtest import NaiveRule


class Repeats(Struct, frozen=True):
    """Where the history of a repeated event is found in a frame, and what of it is predicted.

    Parameters
    ----------
    count : int
        The column of how many there were, the first included.
    recency : int
        The column of days since the last.
    tenure : int
        The column of days since the first.
    days : int
        Length of the window that is predicted.
    occurs : bool
        Whether one more in the window is predicted, or none.
    """

    count: int
    recency: int
    tenure: int
    days: int
    occurs: bool = True


def repeats(features: Sequence[Feature], goal: Goal) -> Repeats | None:
    """Return where the history of the goal's event is found, when the goal is one more of a single kind of events."""
    if not goal.repeats:
        return None
    count = _column(features, ("goal",), "days_all")  # of several on the same day one was the occasion
    if count is None:
        count = _column(features, ("goal",), "n_all")
    recency, tenure = (_column(features, ("goal",), what) for what in ("recency", "tenure"))
    if count is None or recency is None or tenure is None:
        return None
    return Repeats(count, recency, tenure, goal.window_days, goal.polarity == "will_occur")


def naive(frame: Frame, goal: Goal) -> tuple[NaiveRule, ...]:
    """Return the rules that need no model: who did it, or anything, most lately, and most often."""
    sign = 1.0 if goal.polarity == "will_occur" else -1.0
    words = ("Most recent first", "Most frequent first") if sign > 0 else ("Least recent first", "Least frequent first")
    rules = []
    for name, what, direction, missing in zip(words, ("recency", "n_all"), (-1.0, 1.0), (np.inf, 0.0), strict=True):
        column = _column(frame.features, ("goal", "activity"), what)
        if column is not None:
            values = frame.values[:, column].astype(np.float64)
            order = sign * direction * np.where(np.isnan(values), missing, values)
            rules.append(NaiveRule(name, frame.features[column].name, order))
    return tuple(rules)


def tenure(features: Sequence[Feature]) -> int | None:
    """Return the column of days since the first thing a person did."""
    column = _column(features, ("activity",), "tenure")
    if column is not None:
        return column
    return next((i for i, feature in enumerate(features) if feature.family is Family.TENURE), None)


def _column(features: Sequence[Feature], kinds: Sequence[str], what: str) -> int | None:
    names = {feature.name: i for i, feature in enumerate(features)}
    return next((names[f"{kind}:{what}"] for kind in kinds if f"{kind}:{what}" in names), None)
