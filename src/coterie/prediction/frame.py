"""Features of people at cut-offs, as learners take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from msgspec import Struct


class Family(StrEnum):
    """What features are about."""

    RECENCY = "recency"
    FREQUENCY = "frequency"
    MONETARY = "monetary"
    TENURE = "tenure"
    RHYTHM = "rhythm"
    TREND = "trend"
    CATEGORIES = "categories"
    HABIT = "habit"
    ATTRIBUTES = "attributes"


class Feature(Struct, frozen=True, omit_defaults=True):
    """What a column of a `Frame` says.

    Parameters
    ----------
    name : str
        Stable name, such as ``goal:n_30d``; factors and drift refer to it.
    family : Family
        What it is about.
    subject : str
        Of what: the name of a kind of events, ``field=value`` of a category, the path of an attribute.
    factor : str
        Code of the human factor that it belongs to, such as ``often:Purchase``; one for a family and subject.
    window_days : int, optional
        The window before the cut-off that it looks at.
    values : tuple of str
        Names of the values 0, 1, … of a categorical feature; empty for a number.
    exposure : bool
        Whether it tells what others did to the person.
    """

    name: str
    family: Family
    subject: str
    factor: str
    window_days: int | None = None
    values: tuple[str, ...] = ()
    exposure: bool = False


@dataclass(frozen=True)
class Frame:
    """Features of people at cut-offs, a row for each person and cut-off, ordered by cut-off and person.

    Parameters
    ----------
    features : tuple of Feature
        The columns.
    people : array of int32, shape (n,)
        Persons.
    cutoffs : array of int64, shape (n,)
        Instants, ms: only what happened before them is in the row.
    values : array of float32, shape (n, features)
        In column order; NaN where there is nothing to say.
    """

    features: tuple[Feature, ...]
    people: npt.NDArray[np.int32]
    cutoffs: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.people)

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return the values of a feature; raises `KeyError` for one that there is none of."""
        for place, feature in enumerate(self.features):
            if feature.name == name:
                return self.values[:, place]
        raise KeyError(name)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Frame:
        """Return some of the rows."""
        return Frame(self.features, self.people[rows], self.cutoffs[rows], np.asfortranarray(self.values[rows]))


@dataclass(frozen=True)
class Outcomes:
    """What came of the people at each cut-off, without features; in the order of a `Frame`.

    Parameters
    ----------
    people, cutoffs
        As of `Frame`.
    hit, label, day
        As of `Examples`.
    """

    people: npt.NDArray[np.int32]
    cutoffs: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]
    label: npt.NDArray[np.bool_]
    day: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True)
class Examples:
    """A frame with what came of it.

    Parameters
    ----------
    frame : Frame
        What was known at each cut-off.
    hit : array of bool, shape (n,)
        Whether the events of the goal occurred in the window after it.
    label : array of bool, shape (n,)
        What is predicted: `hit`, or its opposite for goals that will not occur.
    day : array of int32, shape (n,)
        On which day of the window, from 0, the goal's events had all occurred; -1 for never.
    weight : array of float64, shape (n,)
        How many rows each stands for, where rows were sampled; 1 where not.
    """

    frame: Frame
    hit: npt.NDArray[np.bool_]
    label: npt.NDArray[np.bool_]
    day: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Examples:
        """Return some of the rows."""
        return Examples(self.frame.take(rows), self.hit[rows], self.label[rows], self.day[rows], self.weight[rows])


def joined(frames: Sequence[Frame]) -> Frame:
    """Return frames of the same features one below the other."""
    first = frames[0]
    return Frame(
        first.features,
        np.concatenate([frame.people for frame in frames]),
        np.concatenate([frame.cutoffs for frame in frames]),
        np.asfortranarray(np.concatenate([frame.values for frame in frames])),
    )
