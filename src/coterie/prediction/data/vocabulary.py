"""What the features of a model are made of: kinds of events, values of fields, windows. Fixed at training.

It is chosen from what was there before the oldest test (see `learning`), kept with the version of the model, and used
for every later score: a word that appeared after it means nothing to the model.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Role = Literal["goal", "activity", "custom", "type", "standard", "exposure"]
"""Where a kind of events comes from; `activity` is whatever people do of their own."""
Source = Literal["history", "snapshot", "computed"]
"""How a value of an attribute is known at a past instant: by the records taken in before it, only as it is now, or by
computing it from the events before it."""


class EventKind(Struct, frozen=True):
    """A kind of events whose occurrences are counted.

    Parameters
    ----------
    key : str
        Its name within features, such as ``goal`` or ``type.search``.
    name : str
        What people read.
    pql : str
        The condition on one event; empty for all.
    role : str
        Where it comes from.
    """

    key: str
    name: str
    pql: str
    role: Role

    @property
    def main(self) -> bool:
        """Whether the rhythm of it is looked at too, in all windows."""
        return self.role in ("goal", "activity", "custom")


class Category(Struct, frozen=True):
    """A field of events whose most frequent values are counted one by one.

    Parameters
    ----------
    field : str
        Path of the field.
    values : tuple of str
        The values, the most frequent first.
    """

    field: str
    values: tuple[str, ...]


class Amount(Struct, frozen=True):
    """What is summed over the events of a kind.

    Parameters
    ----------
    kind : str
        Key of the kind of events.
    field : str
        Path of the field.
    """

    kind: str
    field: str

    @property
    def key(self) -> str:
        """Its name within features, such as ``goal:value``."""
        return f"{self.kind}:{self.field}"


class Known(Struct, frozen=True):
    """An attribute of people.

    Parameters
    ----------
    field : str
        Path of the field.
    source : str
        How its value at a cut-off is known.
    values : tuple of str
        For text and truth values: the names of 0, 1, …; a value that is none of them counts as missing.
    """

    field: str
    source: Source
    values: tuple[str, ...] = ()


class Vocabulary(Struct, frozen=True):
    """What the features of a model are made of.

    Parameters
    ----------
    kinds : tuple of EventKind
        The kinds of events, those of the goal first.
    categories : tuple of Category
        Fields whose values are counted.
    amounts : tuple of Amount
        What is summed.
    attributes : tuple of Known
        Attributes of people.
    windows : tuple of int
        Days before a cut-off, ascending; none is longer than the history before the earliest.
    dates : tuple of str
        Datasets whose events have a date and no time: they count at the end of their day.
    hours : bool
        Whether events have a time of day to learn from.
    months : bool
        Whether the history covers two years, so that the month tells something.
    arrival : str
        ``recorded`` when events are used from the time they arrived, because some datasets are filled day by day;
        ``assumed`` when all were loaded later, and are taken to have been known when they happened.
    learned : int
        Only what happened before this instant, ms, was looked at.
    first : int
        Instant of the first event, ms.
    """

    kinds: tuple[EventKind, ...]
    categories: tuple[Category, ...]
    amounts: tuple[Amount, ...]
    attributes: tuple[Known, ...]
    windows: tuple[int, ...]
    dates: tuple[str, ...]
    hours: bool
    months: bool
    arrival: Literal["recorded", "assumed"]
    learned: int
    first: int
