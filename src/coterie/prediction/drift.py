"""Whether the people scored are like those learnt from, and the data like before."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Level = Literal["steady", "warning", "alarm"]


class Shift(Struct, frozen=True):
    """How far a distribution moved from training to a run.

    `psi` is the population stability index less what chance alone gives with so few people; `feature` is the one of the
    factor that moved most. `weight` is the factor's part in the scores.
    """

    subject: str
    psi: float
    level: Level
    feature: str | None = None
    weight: float | None = None


class Unseen(Struct, frozen=True):
    """Values that training never saw: the share of the people scored who have one."""

    feature: str
    share: float
    level: Level


class Drift(Struct, frozen=True):
    """What moved between training and a run.

    Parameters
    ----------
    level : str
        The worst of what matters: an alarm may train the model anew.
    people : int
        People scored.
    score : Shift
        Of the probabilities.
    factors : tuple of Shift
        Of each human factor, most moved first.
    mean_probability : float
        Of the people scored.
    last_rate : float or None
        What really came about in the newest window that has closed.
    unseen : tuple of Unseen
        Values of categories that training never saw.
    events_per_day, events_per_day_before : float or None
        In the last days, and usually.
    reasons : tuple of str
        Sentences for what is not steady.
    """

    level: Level
    people: int
    score: Shift
    factors: tuple[Shift, ...]
    mean_probability: float
    last_rate: float | None
    unseen: tuple[Unseen, ...]
    events_per_day: float | None
    events_per_day_before: float | None
    reasons: tuple[str, ...]
