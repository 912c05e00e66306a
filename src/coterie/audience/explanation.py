"""Why a person is in an audience, or is not: the answer, as plain data."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class UsedEvent(msgspec.Struct, frozen=True):
    """An event that decided something, with the fields that were read."""

    id: str
    at: int
    type: str | None
    fields: dict[str, Any] = {}


class UsedValue(msgspec.Struct, frozen=True):
    """A value that was read: its name in English, the expression that names it, and the dataset it comes from.

    `computed` is the expression of a computed attribute.
    """

    name: str
    text: str
    value: Any
    source: str | None = None
    computed: str | None = None


class Stage(msgspec.Struct, frozen=True):
    """A step of a sequence, and the events that are it; none when it was not reached."""

    sentence: str
    reached: bool
    events: tuple[UsedEvent, ...] = ()


class Narrowing(msgspec.Struct, frozen=True):
    """How many events satisfy a condition of a filter and all conditions before it."""

    sentence: str
    left: int


class Stored(msgspec.Struct, frozen=True):
    """The membership of an audience that the last evaluation left.

    `since` is when the person last entered it, `until` when it lapses, if it does.
    """

    audience: str
    status: Literal["realized", "existing", "exited", "never"]
    since: str | None = None
    until: str | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What decided a condition.

    `found` is an aggregate's value, against `asked`; `events` are the newest of the `total` events that it is made of,
    and `narrowed` tells, when there are too few, how many each condition on them leaves. `stages` are the steps of a
    sequence.
    """

    values: tuple[UsedValue, ...] = ()
    found: Any = None
    asked: str | None = None
    events: tuple[UsedEvent, ...] = ()
    total: int | None = None
    narrowed: tuple[Narrowing, ...] = ()
    stages: tuple[Stage, ...] = ()
    stored: Stored | None = None


class Part(msgspec.Struct, frozen=True):
    """A part of a rule as it is written: `and`, `or` and `not` of other parts, or a condition with its evidence.

    `needs` says what would change its verdict, if that is one of the things that would change the verdict of the whole.
    """

    kind: Literal["and", "or", "not", "condition"]
    holds: bool
    text: str
    sentence: str
    parts: tuple[Part, ...] = ()
    evidence: Evidence | None = None
    needs: str | None = None


class Turn(msgspec.Struct, frozen=True):
    """The instant at which the verdict changes although no data do, and what makes it change."""

    at: int
    holds: bool
    why: tuple[str, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """Why a person is withheld from an audience, whatever its rule says: in words, with the values that say so.

    `since` is the date of the choice, where one is known.
    """

    cause: Literal["opt-out", "consent"]
    words: str
    values: tuple[UsedValue, ...]
    since: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """The verdict of a rule for a person at an instant, with its reasons.

    Who satisfies the rule is a member unless `withheld`.
    `needs` are the nearest steps that together would turn the verdict; `turn` says when time alone does. `stored` is
    the membership that the last evaluation of a saved audience left, which may be older than this answer.
    """

    person: str
    audience: str | None
    pql: str
    sentence: str
    view: str
    zone: str
    at: int
    holds: bool
    root: Part
    needs: tuple[str, ...] = ()
    turn: Turn | None = None
    stored: Stored | None = None
    notes: tuple[str, ...] = ()
    withheld: tuple[Held, ...] = ()
