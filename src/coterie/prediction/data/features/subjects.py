"""What is counted: kinds of events and values of their fields, each with a number by which statements know it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from coterie.prediction.data.vocabulary import Vocabulary

PLAIN_WINDOWS = (7, 30, 90, 365)
"""Windows of kinds of events that are not the main ones."""
VALUE_WINDOWS = (30, 90)
"""Windows of values of fields."""
TRENDS = ((7, 30), (14, 60), (30, 90), (90, 180), (180, 365))
"""Windows whose rates are compared."""
PLAIN_TRENDS = ((30, 90),)


@dataclass(frozen=True)
class Subject:
    """What is counted.

    Parameters
    ----------
    key : str
        Its name within features.
    name : str
        What people read.
    often, since : str
        Codes of the factors that counts and the time since the last belong to.
    windows : tuple of int
        Days that are looked at.
    trends : tuple of pairs of int
        Windows whose rates are compared.
    main : bool
        Whether rhythm and tenure are looked at.
    exposure : bool
        Whether others did it to the person.
    value : bool
        Whether it is a value of a field, not a kind of events.
    """

    key: str
    name: str
    often: str
    since: str
    windows: tuple[int, ...]
    trends: tuple[tuple[int, int], ...] = ()
    main: bool = False
    exposure: bool = False
    value: bool = False


@dataclass(frozen=True)
class Subjects:
    """All that is counted of a vocabulary, in the order of their numbers: kinds, values, then the fields as a whole."""

    vocabulary: Vocabulary

    @cached_property
    def counted(self) -> tuple[Subject, ...]:
        """Kinds of events and values of fields."""
        known = self.vocabulary.windows
        found = []
        for kind in self.vocabulary.kinds:
            windows = known if kind.main else tuple(days for days in known if days in PLAIN_WINDOWS)
            pairs = TRENDS if kind.main else PLAIN_TRENDS
            found.append(
                Subject(
                    kind.key,
                    kind.name,
                    f"often:{kind.name}",
                    f"since:{kind.name}",
                    windows,
                    tuple(pair for pair in pairs if set(pair) <= set(windows)),
                    main=kind.main,
                    exposure=kind.role == "exposure",
                )
            )
        windows = tuple(days for days in known if days in VALUE_WINDOWS)
        for category in self.vocabulary.categories:
            for value in category.values:
                code = f"interest:{category.field}={value}"
                key = f"{category.field}={value}"
                found.append(Subject(key, key, code, code, windows, value=True))
        return tuple(found)

    @cached_property
    def bases(self) -> tuple[int, ...]:
        """The number of the first value of each category."""
        found = []
        number = len(self.vocabulary.kinds)
        for category in self.vocabulary.categories:
            found.append(number)
            number += len(category.values)
        return tuple(found)

    @property
    def varied(self) -> int:
        """The number of the first category as a whole, of which different values are counted."""
        return len(self.counted)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The numbers of kinds of events by key."""
        return {kind.key: number for number, kind in enumerate(self.vocabulary.kinds)}
