"""Whether the people scored are like those learnt from, and the data like before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.core.shares import percent
from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.modelling.distributions import Bins, bins_of, psi, shares_of
from coterie.prediction.why.wording import factor_label, feature_label

WARNING, ALARM = 0.1, 0.25
"""From these indices on people are told, and the model is to be trained anew."""
SIGNIFICANCE = 0.001
"""How often chance alone may raise an alarm in a run of people who did not change."""
EXTRAPOLATED = 2.0
"""How much more a feature may move than it would by going on as it did during training: that is a rough guess."""
LEAST_WEIGHT = 0.02
"""The part in the scores from which on a factor's alarm is one of the model."""
MOST_ROWS = 100_000
"""Rows that distributions are taken from; more would tell no more."""

Level = Literal["steady", "warning", "alarm"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Shift(Struct, frozen=True):
    """How far a distribution moved from training to a run.

    Parameters
    ----------
    subject : str
        Code of the factor, or ``score``.
    label : str
        In words.
    psi : float
        The index, less what chance alone gives with so few people.
    usual : float
        What the index would be, had the distribution only gone on moving as it did while the model learnt, such as the
        age of customers of a young shop.
    level : str
        By how much the index is above twice that.
    feature : str or None
        The feature of the factor that moved most.
    weight : float or None
        The factor's part in the scores.
    """

    subject: str
    label: str
    psi: float
    usual: float
    level: Level
    feature: str | None = None
    weight: float | None = None


class Unseen(Struct, frozen=True):
    """Values of a feature that training never saw: the share of the people scored who have one."""

    feature: str
    label: str
    share: float
    level: Level


class Pace(Struct, frozen=True):
    """Events per day: in the last week, in a usual one, and in the least and the most busy one before."""

    now: float
    usual: float
    least: float
    most: float


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
    pace : Pace or None
        Events per day now and before.
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
    pace: Pace | None
    reasons: tuple[str, ...]


class Reference(Struct, frozen=True):
    """The distributions at training, kept with the version.

    Parameters
    ----------
    people : int
        Different people.
    score : Bins
        Of probabilities at times that were not learnt from.
    features : tuple of Bins
        Of features.
    middle, apart : float
        Mean cut-off, ms, and how far the earlier and the later half are apart.
    last_rate : float or None
        What came about at the newest cut-off.
    weights : dict
        Part of each factor in the scores, by its code; empty when not known.
    """

    people: int
    score: Bins
    features: tuple[Bins, ...]
    middle: float
    apart: float
    last_rate: float | None
    weights: dict[str, float] = {}


def refer(
    examples: Examples,
    probability: npt.NDArray[np.floating],
    tested: npt.NDArray[np.intp],
    *,
    last_rate: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> Reference:
    """Return the distributions that later runs are compared with.

    Parameters
    ----------
    examples : Examples
        What was learnt from.
    probability : array
        Probabilities of people at times that were not learnt from: those of the back-tests. Those that a model gives to
        its own examples are further apart than any that it gives later.
    tested : array
        Which examples these are of.
    last_rate : float, optional
        What came about at the newest cut-off.
    weights : mapping, optional
        Part of each factor in the scores.
    """
    frame, weight = examples.frame, examples.weight
    rows = _some(len(frame))
    cutoffs = frame.cutoffs[rows]
    known = np.unique(cutoffs)
    return Reference(
        people=len(np.unique(frame.people)),
        score=bins_of("score", "score", probability, frame.cutoffs[tested], weight[tested]),
        features=tuple(
            bins_of(
                feature.name,
                feature.factor,
                frame.values[rows, column],
                cutoffs,
                weight[rows],
                categories=len(feature.values),
                grows=feature.family is Family.TENURE,
            )
            for column, feature in enumerate(frame.features)
        ),
        middle=float(cutoffs.mean()),
        apart=float(known[-1] - known[0]) / 2 if len(known) else 0.0,
        last_rate=last_rate,
        weights=dict(weights or {}),
    )


def compare(
    reference: Reference,
    frame: Frame,
    probability: npt.NDArray[np.floating],
    *,
    pace: Pace | None = None,
    last_rate: float | None = None,
) -> Drift:
    """Return what moved between training and a run.

    Parameters
    ----------
    reference : Reference
        The distributions at training.
    frame : Frame
        Features of the people scored, with the columns that the model learnt from.
    probability : array
        Their probabilities.
    pace : Pace, optional
        Events per day.
    last_rate : float, optional
        What really came about in the newest window that has closed since; default the one at training.
    """
    people = len(frame)
    rows = _some(people)
    sample, cutoffs = frame.values[rows], frame.cutoffs[rows]
    ahead = float(frame.cutoffs[0]) - reference.middle if people else 0.0
    going_on = (ahead / reference.apart) ** 2 if reference.apart else 0.0
    place = {feature.name: column for column, feature in enumerate(frame.features)}
    chance = _Chance(reference.people, people, 1 + len(reference.features))
    score = chance.shift(
        reference.score, "probability", shares_of(reference.score, probability, frame.cutoffs), going_on
    )
    shifts = []
    for bins in reference.features:
        if bins.name in place:
            column = place[bins.name]
            shares = shares_of(bins, sample[:, column], cutoffs)
            shifts.append(chance.shift(bins, factor_label(frame.features[column]), shares, going_on))
    factors = _by_factor(shifts, reference)
    unseen = tuple(_unseen(reference, frame.features, sample, cutoffs))
    rate = reference.last_rate if last_rate is None else last_rate
    mean = float(np.mean(probability)) if people else 0.0
    reasons = (*_moved(score, factors), *_surprises(unseen), *_off(mean, rate, people), *_paced(pace))
    return Drift(
        level=LEVELS[max((LEVELS.index(level) for level, _ in reasons), default=0)],
        people=people,
        score=score,
        factors=factors,
        mean_probability=round(mean, 6),
        last_rate=rate,
        unseen=unseen,
        pace=pace,
        reasons=tuple(text for _, text in reasons),
    )


class _Chance:
    """What chance alone gives.

    With shares of n and m people in b bins the index is 1/n + 1/m times a chi-square of b - 1 degrees of freedom:
    Yurdakul and Naranjo 2020, "Statistical properties of the population stability index". Rows of one person are not
    independent, so people are counted. Of many features one is far by chance: the level is divided among them
    (Bonferroni).
    """

    def __init__(self, learnt: int, scored: int, tests: int) -> None:
        self._scored = scored
        self._per_degree = (1 / learnt + 1 / scored) if learnt and scored else float("inf")
        self._level = SIGNIFICANCE / tests

    def shift(self, bins: Bins, label: str, shares: npt.NDArray[np.float64], going_on: float) -> Shift:
        from scipy.special import chdtri

        filled = int(((np.array(bins.shares) > 0) | (shares > 0)).sum())
        degrees = max(filled - 1, 1)
        index = psi(np.array(bins.shares), shares, self._scored)
        far = index > self._per_degree * float(chdtri(degrees, self._level))
        beyond = max(0.0, index - degrees * self._per_degree) if np.isfinite(self._per_degree) else 0.0
        usual = bins.moved * going_on
        return Shift(
            bins.factor,
            label,
            round(beyond, 6),
            round(usual, 6),
            _level(beyond - EXTRAPOLATED * usual) if far else "steady",
            bins.name,
        )


def _level(index: float) -> Level:
    return "alarm" if index > ALARM else "warning" if index > WARNING else "steady"


def _some(rows: int) -> npt.NDArray[np.intp]:
    step = max(1, -(-rows // MOST_ROWS))
    return np.arange(0, rows, step)


def _by_factor(shifts: Sequence[Shift], reference: Reference) -> tuple[Shift, ...]:
    """Return the shift of each factor: that of its feature which moved most."""
    most: dict[str, Shift] = {}
    for shift in shifts:
        best = most.get(shift.subject)
        if best is None or _order(shift) > _order(best):
            most[shift.subject] = shift
    weighed = (
        Shift(
            each.subject,
            each.label,
            each.psi,
            each.usual,
            each.level,
            each.feature,
            reference.weights.get(each.subject),
        )
        for each in most.values()
    )
    return tuple(sorted(weighed, key=lambda each: (*(-part for part in _order(each)), each.subject)))


def _order(shift: Shift) -> tuple[float, float]:
    return LEVELS.index(shift.level), shift.psi - shift.usual


def _unseen(
    reference: Reference, features: Sequence[Feature], sample: npt.NDArray[np.float32], cutoffs: npt.NDArray[np.int64]
) -> list[Unseen]:
    """Return the features of categories with values that were not there at training, most of them first."""
    kept = {bins.name: bins for bins in reference.features if bins.values}
    found = []
    for column, feature in enumerate(features):
        bins = kept.get(feature.name)
        if bins is None:
            continue
        shares = shares_of(bins, sample[:, column], cutoffs)
        new = float(shares[: bins.values + 1][np.array(bins.shares[: bins.values + 1]) == 0].sum())
        if new:
            level: Level = "alarm" if new > 0.2 else "warning" if new > 0.05 else "steady"
            found.append(Unseen(feature.name, feature_label(feature), round(new, 6), level))
    return sorted(found, key=lambda each: (-each.share, each.feature))


def _moved(score: Shift, factors: Sequence[Shift]) -> list[tuple[Level, str]]:
    found: list[tuple[Level, str]] = []
    if score.level != "steady":
        found.append((score.level, f"probabilities are spread otherwise than in the back-tests (PSI {score.psi:.2f})."))
    for shift in factors:
        if shift.level == "steady":
            continue
        light = shift.weight is not None and shift.weight < LEAST_WEIGHT
        level: Level = "warning" if light else shift.level
        beside = " It counts little in the scores." if light else ""
        found.append((level, f'"{shift.label}" is spread otherwise than at training (PSI {shift.psi:.2f}).{beside}'))
    return found


def _surprises(unseen: Sequence[Unseen]) -> list[tuple[Level, str]]:
    return [
        (each.level, f'{percent(each.share)} of the people have a value of "{each.label}" that training never saw.')
        for each in unseen
        if each.level != "steady"
    ]


def _off(mean: float, rate: float | None, people: int) -> list[tuple[Level, str]]:
    """Return a warning when the mean probability is far from the last actual rate: by a quarter, and not by chance."""
    if rate is None or not people:
        return []
    apart, chance = abs(mean - rate), 3 * float(np.sqrt(max(rate * (1 - rate), 1e-9) / people))
    if apart <= max(0.25 * min(rate, 1 - rate), chance):
        return []
    return [
        ("warning", f"the mean probability is {percent(mean)}, and in the newest closed window it was {percent(rate)}.")
    ]


def _paced(pace: Pace | None) -> list[tuple[Level, str]]:
    """Return what is to be said of a week with under half or over twice the usual events, as no week before had."""
    if pace is None or not pace.usual:
        return []
    ratio = pace.now / pace.usual
    if not (ratio < 0.5 and pace.now < pace.least) and not (ratio > 2 and pace.now > pace.most):
        return []
    level: Level = "alarm" if ratio < 0.1 else "warning"
    return [
        (level, f"there were {pace.now:,.0f} events per day in the last week; usually there are {pace.usual:,.0f}.")
    ]
