"""Random schemas and random people: every type, odd names, and values on the edges that rules speak of.

Everything is made from a `random.Random`, which is a seeded one (`bench/agreement.py`) or one that Hypothesis steers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any

from coterie.core.schema import Field, FieldType, Schema, SchemaClass, Union, union_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOWS = (
    "2026-06-15T12:00:00Z",
    "2026-03-31T12:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-01-01T00:00:00Z",
    "2024-03-31T23:59:59.999Z",
    "2025-12-31T09:30:00.001Z",
)
AUDIENCES = ("gold", "seg-b", "s\u00e9g")
STATUSES = ("realized", "exited")
"""What a ledger says of memberships."""
CODES = ("Email", "ECID", "CRM")
NAMESPACES = ("AAMSegments", "ups")
TEXTS = (
    *("a", "b", "A", "ab", "abc", "Lyon", "lyon", "LYON", "", " ", " a", "paid", "open", "12", "12.0", "012", "0.3"),
    *("3", "-1", "1e1", "true", "false", "2026-06-15", "%", "_", "a%b", "a_b", "\\", '"', "'", "';--", "\n", "a.b"),
    *(
        "\u017f",
        "s",
        "S",
        "ς",
        "\u03c3",
        "Σ",
        "İ",
        "i",
        "I",
        "\u0131",
        "é",
        "e\u0301",
        "É",
        "ß",
        "ẞ",
        "ǅ",
        "ǆ",
        "😀",
        "\u0130x",
        "ΑΣ",
    ),
)
KEYS = ("a", "b", "weekly", "c-d", "K", "k", "ς")
NAMES = (
    *("tier", "points", "total", "status", "city", "items", "price", "qty", "score", "born", "since", "flag", "tags"),
    *("count", "from", "last", "sum", "min", "exists", "where", "in", "and", "timestamp"),
    *("xdm:foo", "a-b", "é", "_repo", "null", "true", "select", "chain", "if", "day", "over", "between", "X", "let"),
    *("it's", "a;b", "tomorrow", "date", "inSegment", "WHAT", "before", "on", "head", "value", "key"),
    *("now", "today", "this"),
)
SMALL = (0, 1, 2, 3, 5, 10, 12, 31, -1, -2, 100)
UNITS = (1, 1000, 60_000, 3_600_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000, 365 * 86_400_000)

Profile = dict[str, Any]


@dataclass(frozen=True)
class World:
    """People, the fields they have, and the instant at which rules are asked of them."""

    union: Union
    profiles: tuple[Profile, ...]
    now: str

    @property
    def at(self) -> int:
        """The instant in milliseconds."""
        return milliseconds(datetime.fromisoformat(self.now))

    @cached_property
    def values(self) -> Mapping[int, tuple[Any, ...]]:
        """The values that occur, by `id` of their field, and the keys of maps by that of the map."""
        found: dict[int, dict[tuple[str, Any], Any]] = {}
        for profile in self.profiles:
            for name, field in self.union.profile.properties.items():
                _collect(field, profile.get(name), found)
            for event in profile["events"]:
                _collect(self.union.event, event, found)
        return {key: tuple(values.values()) for key, values in found.items()}


def _collect(field: Field, value: Any, found: dict[int, dict[tuple[str, Any], Any]]) -> None:
    if value is None:
        return
    match field.type:
        case FieldType.OBJECT:
            for name, below in field.properties.items():
                _collect(below, value.get(name), found)
        case FieldType.ARRAY:
            for item in value:
                _collect(_items(field), item, found)
        case FieldType.MAP:
            for key, item in value.items():
                found.setdefault(id(field), {})["key", key] = key
                _collect(_items(field), item, found)
        case _:
            found.setdefault(id(field), {})[type(value).__name__, value] = value


def _items(field: Field) -> Field:
    assert field.items is not None
    return field.items


def milliseconds(instant: datetime) -> int:
    """Return an instant as milliseconds since the epoch."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def iso(at: int) -> str:
    """Return milliseconds since the epoch as ISO 8601 text."""
    return (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def world(random: Random, people: int = 20) -> World:
    """Return a random world."""
    union = _union(random)
    now = random.choice(NOWS)
    at = milliseconds(datetime.fromisoformat(now))
    return World(union, tuple(_Person(random, union, at).profile(number) for number in range(people)), now)


# -- schemas --------------------------------------------------------------------------------------------------------


def _union(random: Random) -> Union:
    profile = {"id": Field(FieldType.STRING), **_fields(random, 2)}
    event = _fields(random, 2, frozenset({"timestamp", "_id", "eventtype", "producedby"}))
    return union_of(
        [
            Schema("profiles", SchemaClass.PROFILE, profile, identity_map=True),
            Schema("events", SchemaClass.EVENT, event),
        ]
    )


def _fields(random: Random, depth: int, taken: frozenset[str] = frozenset({"id", "events"})) -> dict[str, Field]:
    """Return fields in which each type is found at the top, and all of them again, at random, below."""
    names = [name for name in random.sample(NAMES, 15) if name.casefold() not in taken]
    kinds = [*FieldType] if depth == 2 else random.sample([*FieldType], 4)
    kinds += [FieldType.STRING, FieldType.NUMBER]
    return {name: _field(random, kind, depth, name) for name, kind in zip(names, kinds, strict=False)}


def _field(random: Random, kind: FieldType, depth: int, name: str) -> Field:
    match kind:
        case FieldType.OBJECT if depth == 0:
            return Field(FieldType.STRING)
        case FieldType.OBJECT:
            return Field(kind, properties=_fields(random, depth - 1, frozenset({name.casefold()})))
        case FieldType.ARRAY | FieldType.MAP:
            inner = random.choice(
                [FieldType.OBJECT, FieldType.OBJECT, FieldType.STRING, FieldType.INTEGER, FieldType.NUMBER]
            )
            if random.random() < 0.2:
                inner = random.choice([FieldType.DATE, FieldType.DATETIME, FieldType.BOOLEAN])
            return Field(kind, items=_field(random, inner, depth, name))
        case FieldType.NUMBER:
            return Field(kind, decimals=random.choice([None, 0, 1, 2, 2, 6, 9]))
        case _:
            return Field(kind)


# -- people ---------------------------------------------------------------------------------------------------------


class _Person:
    def __init__(self, random: Random, union: Union, at: int) -> None:
        self._random, self._union, self._at = random, union, at

    def profile(self, number: int) -> Profile:
        random = self._random
        properties = self._union.profile.properties
        made: Profile = {"id": f"p{number}"}
        for name, field in properties.items():
            if name not in ("id", "identityMap", "segmentMembership"):
                self._put(made, name, field)
        if random.random() < 0.5:
            codes = random.sample(CODES, random.randint(1, 2))
            made["identityMap"] = {code: self._identities() for code in codes}
        if random.random() < 0.6:
            made["segmentMembership"] = {
                namespace: {name: self._membership() for name in sorted(random.sample(AUDIENCES, random.randint(1, 2)))}
                for namespace in random.choice([NAMESPACES[:1], NAMESPACES[1:], NAMESPACES])
            }
        count = random.choice([0, 1, 2, 3, 4, 6])
        made["events"] = [self._event(f"e{number}.{place}") for place in range(count)]
        return made

    def _identities(self) -> list[dict[str, Any]]:
        ids = self._random.sample(["x", "y", "A@b.c", "12"], self._random.randint(1, 2))
        return [{"id": value} for value in sorted(ids)]

    def _membership(self) -> dict[str, Any]:
        entry = {
            "status": self._random.choice(STATUSES),
            "lastQualificationTime": iso(self._at - self._random.choice(UNITS)),
        }
        until = self._random.choice([None, None, -86_400_000, -1, 0, 1, 86_400_000])
        return entry if until is None else entry | {"validUntil": iso(self._at + until)}

    def _event(self, identifier: str) -> dict[str, Any]:
        random = self._random
        made: dict[str, Any] = {"_id": identifier, "timestamp": self._instant()}
        if random.random() < 0.9:
            made["eventType"] = random.choice(["view", "buy", "cart", "View"])
        for name, field in self._union.event.properties.items():
            if name not in ("_id", "timestamp", "eventType", "producedBy"):
                self._put(made, name, field)
        return made

    def _put(self, owner: dict[str, Any], name: str, field: Field) -> None:
        """Give `owner` a value for a field; or null, or nothing."""
        luck = self._random.random()
        if luck < 0.12:
            return
        value = None if luck < 0.18 else self._value(field)
        if value is not None or field.scalar:
            owner[name] = value

    def _value(self, field: Field) -> Any:
        random = self._random
        match field.type:
            case FieldType.OBJECT:
                made: dict[str, Any] = {}
                for name, below in field.properties.items():
                    self._put(made, name, below)
                return made if _holds_something(made) else None
            case FieldType.ARRAY:
                items = [self._value(_items(field)) for _ in range(random.choice([0, 1, 2, 2, 3, 4]))]
                items = [item for item in items if item is not None]
                if items and random.random() < 0.4:
                    items.append(random.choice(items))
                return items
            case FieldType.MAP:
                keys = random.sample(KEYS, random.choice([1, 1, 2, 3]))
                found = {key: self._value(_items(field)) for key in keys}
                return {key: value for key, value in found.items() if value is not None} or None
            case FieldType.STRING:
                return random.choice(TEXTS)
            case FieldType.BOOLEAN:
                return random.random() < 0.5
            case FieldType.INTEGER:
                return random.choice(SMALL)
            case FieldType.NUMBER:
                return self._number(field.decimals)
            case FieldType.DATE:
                return iso(self._milliseconds())[:10]
            case FieldType.DATETIME:
                return self._instant()

    def _number(self, decimals: int | None) -> Decimal | float:
        random = self._random
        if decimals is None:
            return random.choice(
                [0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 12.0, -1.5, 1e-7, 1e15, 0.1 + 0.2, 2.5, 100.25]
            )
        scale = Decimal(1).scaleb(-decimals)
        digits = random.choice(
            [0, 1, 2, 3, 5, 10, -1, -15, 12 * 10**decimals, 3 * 10**decimals, 25 * 10**decimals // 10]
        )
        return (digits * scale).quantize(scale)

    def _milliseconds(self) -> int:
        random = self._random
        match random.randrange(6):
            case 0:
                return self._at + random.choice([0, 0, -1, 1, -86_400_000])
            case 1:
                return self._at - random.choice(UNITS) * random.choice([1, 2, 3, 7, 30]) + random.choice([0, 0, -1, 1])
            case 2:
                midnight = self._at // 86_400_000 * 86_400_000
                return midnight + random.choice([-86_400_000, 0, 86_400_000, -7 * 86_400_000]) + random.choice([0, -1])
            case 3:
                days = (
                    "2024-02-29",
                    "2026-02-28",
                    "2025-12-31",
                    "2026-01-01",
                    "1990-05-17",
                    "1969-12-31",
                    "2030-06-15",
                )
                return milliseconds(datetime.fromisoformat(f"{random.choice(days)}T00:00:00+00:00"))
            case 4:
                return self._at + random.choice(UNITS)
            case _:
                return self._at - random.choice(UNITS)

    def _instant(self) -> str | int:
        at = self._milliseconds()
        match self._random.randrange(4):
            case 0 if at > 200_000_000_000:
                return at
            case 1:
                other = (EPOCH + timedelta(milliseconds=at)).astimezone(
                    timezone(timedelta(hours=self._random.choice([-5, 2, 9])))
                )
                return other.isoformat(timespec="milliseconds")
            case _:
                return iso(at)


def _holds_something(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_something, value.values()))
    return value is not None
