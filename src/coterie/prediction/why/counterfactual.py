"""What would move people to another bucket, as the model sees it.

Two kinds of moves can be worked out exactly. *Waiting*: the features of the same people some days later, if nothing
more happened; everything that depends on time moves with it, as the statements that made the features make these.
*Attributes*: another value of a field of the profile, which one feature holds. Both are scored by the model itself.
They say what the model would answer, not what would happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from coterie.core.clock import DAY
from coterie.core.progress import Progress, Quiet
from coterie.prediction.data.population import Rows
from coterie.prediction.definition import Model
from coterie.prediction.frame import Family, Feature, Frame
from coterie.prediction.why.explanation import BUCKETS, Counterfactual
from coterie.prediction.why.factors import Factors
from coterie.prediction.why.wording import factor_label, value_label

LONGEST = 90
"""Days of waiting that are looked at."""

SOME = (7, 14, 21, 30, 45, 60, 90)
"""Days looked at for many people; where the bucket changes between two of them, the day is found by halving."""

EVERYBODY = 50_000
"""So many people are looked at in a run; of more, only one person at a time is, on demand."""

ROWS = 100_000
"""Rows worked on at a time."""

TOP = 3
"""Reasons on each side that a change is looked for."""

TIMED = frozenset({"recency", "recency_of_tenure", "tenure", "rate", "overdue", "weekdays"})
"""Measures without a window that change with time alone."""

Buckets = npt.NDArray[np.int8]
BucketOf = Callable[[Frame], Buckets]
"""Scores a frame and returns the bucket of each row, as a place in `BUCKETS`."""


class Later(Protocol):
    """What tells the features of people at later instants, if nothing happened from another one on."""

    @property
    def model(self) -> Model:
        """The model, whose population people leave after some time without activity."""

    def later(self, rows: Rows, until: int) -> Frame:
        """Return the features of people at instants, in the same order."""


@dataclass(frozen=True)
class Waiting:
    """When the buckets of people change if nothing more happens, in the order of the people asked about.

    Parameters
    ----------
    day : array of int16, shape (n,)
        The day on which the bucket is another one, while it is the same on the day before; -1 for none.
    bucket : array of int8, shape (n,)
        The bucket on that day.
    """

    day: npt.NDArray[np.int16]
    bucket: Buckets


def waiting(
    store: Later,
    bucket_of: BucketOf,
    people: npt.NDArray[np.int32],
    bucket: Buckets,
    at: int,
    days: Sequence[int],
    progress: Progress | None = None,
) -> Waiting:
    """Return when the buckets of people change if nothing more happens, as long as they stay in the population.

    Parameters
    ----------
    store : Later
        The features.
    bucket_of : callable
        The model.
    people : array of int32, shape (n,)
        Persons, ascending.
    bucket : array of int8, shape (n,)
        Their buckets now.
    at : int
        The instant of the scores, ms.
    days : sequence of int
        The days of waiting to look at, ascending. Between the first of them on which the bucket has changed and the
        one before, the day is found by halving.
    progress : Progress, optional
        Told of how far it is.
    """
    progress = progress or Quiet()
    found = np.full(len(people), -1, dtype=np.int16)
    other = bucket.copy()
    looked = np.array(days, dtype=np.int16)
    part = max(1, ROWS // max(len(looked), 1))
    for start in range(0, len(people), part):
        mine = slice(start, min(start + part, len(people)))
        progress.report("what waiting would change", start, len(people))
        ask = _Asked(store, bucket_of, at)
        then = ask(np.tile(people[mine], len(looked)), np.repeat(looked, mine.stop - start)).reshape(len(looked), -1)
        changed = (then >= 0) & (then != bucket[mine])
        first, some = changed.argmax(axis=0), np.flatnonzero(changed.any(axis=0))
        high = looked[first[some]]
        low = np.where(first[some] > 0, looked[first[some] - 1], 0).astype(np.int16)
        new = then[first[some], some]
        while (open_ := np.flatnonzero(high - low > 1)).size:
            middle = (low[open_] + high[open_]) // 2
            there = ask(people[mine][some[open_]], middle)
            moved = (there >= 0) & (there != bucket[mine][some[open_]])
            high[open_] = np.where(moved, middle, high[open_])
            low[open_] = np.where(moved, low[open_], middle)
            new[open_] = np.where(moved, there, new[open_])
        found[start + some], other[start + some] = high, new
    progress.report("what waiting would change", len(people), len(people))
    return Waiting(found, other)


@dataclass(frozen=True)
class _Asked:
    """The buckets of people after days of waiting; -1 once they have left the population."""

    store: Later
    bucket_of: BucketOf
    at: int

    def __call__(self, people: npt.NDArray[np.int32], days: npt.NDArray[np.int16]) -> Buckets:
        frame = self.store.later(Rows(people, self.at + days.astype(np.int64) * DAY), self.at)
        bucket = self.bucket_of(frame)
        return np.where(eligible(frame, self.store.model), bucket, -1).astype(np.int8)


def eligible(frame: Frame, model: Model) -> npt.NDArray[np.bool_]:
    """Return who is still in the population of a model: the others would have no score, and no bucket to be in."""
    lookback = model.population.lookback_days
    if lookback is None:
        return np.ones(len(frame), dtype=bool)
    since = [
        place
        for place, feature in enumerate(frame.features)
        if feature.family is Family.RECENCY and not feature.exposure
    ]
    # whatever people do is a kind of its own, unless another kind is the same events
    latest: npt.NDArray[np.float32] = np.fmin.reduce(frame.values[:, since], axis=1, initial=np.float32(np.inf))
    return latest <= lookback


def of_everybody(
    store: Later, bucket_of: BucketOf, factors: Factors, at: int, progress: Progress | None = None
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return for the weightiest reasons of everybody explained what waiting would change, in words.

    Each person whom waiting moves gets one sentence, at the reason that it is about; of very many people none.

    Returns
    -------
    pair of array and list of str
        For each person and reason (an array of the shape of `factors.factor`) the place of its sentence in the list,
        -1 for none; as `reasons.reasons` takes it.
    """
    places = np.full(factors.factor.shape, -1, dtype=np.int32)
    if len(factors) > EVERYBODY or not len(factors):
        return places, []
    order = np.argsort(factors.people)
    found = waiting(store, bucket_of, factors.people[order], factors.bucket[order], at, SOME, progress)
    changed = order[found.day >= 0]
    told = np.column_stack([factors.bucket[order], found.bucket, found.day])[found.day >= 0]
    keys, which = np.unique(told, axis=0, return_inverse=True)
    after = factors.bucket.copy()
    after[order] = found.bucket
    about = _about(factors, after)[changed]
    places[changed[about >= 0], about[about >= 0]] = which.reshape(-1)[about >= 0]
    return places, [waiting_words(*key) for key in keys.tolist()]


def _about(factors: Factors, after: Buckets) -> npt.NDArray[np.intp]:
    """Return the reason of each person that a change by waiting is about, as a place; -1 for none.

    It is one that time moves, among the first of each side: best one that tells how long ago something was, else one
    of the side that waiting wears down, else the weightiest.
    """
    features = factors.groups.features
    moved = np.array([moves_with_time(feature) for feature in features])
    timed = np.array([feature.family is Family.RECENCY for feature in features])
    shown = np.zeros(factors.factor.shape, dtype=bool)
    shown[:, :TOP] = shown[:, factors.top : factors.top + TOP] = True
    column = np.maximum(factors.feature, 0)
    possible = shown & (factors.factor >= 0) & moved[column]
    raises = np.arange(factors.factor.shape[1]) < factors.top
    worn = raises == (after < factors.bucket)[:, None]
    amount = np.abs(factors.contribution)
    weight = 4.0 * timed[column] + 2.0 * worn + amount / (1 + amount)
    best = np.where(possible, weight, -1).argmax(axis=1)
    return np.where(possible.any(axis=1), best, -1)


def of_person(
    store: Later,
    bucket_of: BucketOf,
    person: Frame,
    factors: Factors,
) -> tuple[Counterfactual, ...]:
    """Return what would move one person to another bucket, day by day and attribute by attribute.

    Parameters
    ----------
    store : Later
        The features.
    bucket_of : callable
        The model.
    person : Frame
        One row.
    factors : Factors
        Of that row, with the values that other people have.
    """
    at, bucket = int(person.cutoffs[0]), factors.bucket
    days = tuple(range(1, LONGEST + 1))
    found = waiting(store, bucket_of, person.people, bucket, at, days)
    made: list[Counterfactual] = []
    if found.day[0] >= 0:
        day = int(found.day[0])
        then = store.later(Rows(person.people, person.cutoffs + day * DAY), at)
        made.append(_waited(factors, then, found.bucket, day))
    made += attributes(bucket_of, person, factors)
    return tuple(made)


def attributes(bucket_of: BucketOf, person: Frame, factors: Factors) -> list[Counterfactual]:
    """Return the values of attributes among the weightiest reasons that would move one person to another bucket.

    The nearest value that does is told of a number, the first of a word.
    """
    made = []
    bucket = int(factors.bucket[0])
    sides = (factors.feature[0, start : start + factors.top][:TOP] for start in (0, factors.top))
    for column in np.concatenate([*sides]).tolist():
        feature = person.features[column]
        if column < 0 or feature.family is not Family.ATTRIBUTES:
            continue
        tried = np.array(factors.peers.tried.get(feature.name, ()), dtype=np.float32)
        now = person.values[0, column]
        tried = tried[tried != now]
        if not feature.values and not np.isnan(now):
            tried = tried[np.argsort(np.abs(tried - now), kind="stable")]
        values = np.repeat(person.values, len(tried), axis=0)
        values[:, column] = tried
        moved = Frame(
            person.features,
            np.repeat(person.people, len(tried)),
            np.repeat(person.cutoffs, len(tried)),
            np.asfortranarray(values),
        )
        then = bucket_of(moved)
        changed = np.flatnonzero(then != bucket)
        if len(changed):
            value, after = float(tried[changed[0]]), int(then[changed[0]])
            said = f"if {factor_label(feature)} were: {value_label(feature, value)}"
            made.append(
                Counterfactual(
                    move="attribute",
                    bucket=BUCKETS[after],
                    text=f"{_change(bucket, after)} {said}",
                    value=value,
                    code=feature.factor,
                )
            )
    return made


def moves_with_time(feature: Feature) -> bool:
    """Return whether a feature changes when nothing more happens: it looks at a window, or tells how long ago."""
    return feature.window_days is not None or feature.name.rpartition(":")[2] in TIMED


def waiting_words(before: int, then: int, day: int) -> str:
    """Return the sentence of a bucket that waiting changes.

    Examples
    --------
    >>> waiting_words(2, 1, 24)
    'would leave high after 24 more days without activity'
    """
    return f"{_change(before, then)} after {day} more {'day' if day == 1 else 'days'} without activity"


def _change(before: int, then: int) -> str:
    if BUCKETS[before] == "high":
        return "would leave high"
    if BUCKETS[then] == "high":
        return "would reach high"
    return f"would {'rise' if then > before else 'fall'} to {BUCKETS[then]}"


def _waited(factors: Factors, then: Frame, after: Buckets, day: int) -> Counterfactual:
    """Return what waiting changes for one person, told at the reason that it is about, if there is one."""
    text, bucket = waiting_words(int(factors.bucket[0]), int(after[0]), day), BUCKETS[int(after[0])]
    place = int(_about(factors, after)[0])
    if place < 0:
        return Counterfactual(move="waiting", bucket=bucket, text=text, days=day)
    column = int(factors.feature[0, place])
    feature, value = then.features[column], float(then.values[0, column])
    return Counterfactual(
        move="waiting",
        bucket=bucket,
        text=f"{text} ({factor_label(feature)}: {value_label(feature, value)})",
        days=day,
        value=None if np.isnan(value) or feature.values else value,
        code=feature.factor,
    )
