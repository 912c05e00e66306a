"""Questions to one person's record: does it hold, what is the value, when does that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import Any

from coterie.audience.explanation import UsedEvent
from coterie.core.clock import parse_instant, to_datetime
from coterie.core.clock import zone as zone_called
from coterie.core.schema import Union
from coterie.pql import interpreter
from coterie.pql.analysis import paths_of
from coterie.pql.ast import Expr
from coterie.pql.english.nouns import spoken

SHOWN = 10
"""How many events, or items of a list, are shown."""
_SAID = frozenset({"", "_id", "timestamp", "eventType"})

_LAST = parse_instant("9999-12-31")

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Asking:
    """A person's record at an instant, of which rules and their parts are asked.

    Parameters
    ----------
    record : mapping
        The record, as `coterie.profile.record` gives it.
    union : Union
        The fields there are.
    at : int
        The instant, ms.
    zone : str
        IANA name of the time zone of the rule.
    sources : mapping of str to str
        The dataset that an attribute comes from, by its path.
    """

    record: Mapping[str, Any]
    union: Union
    at: int
    zone: str = "UTC"
    sources: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _person(self) -> Any:
        return interpreter.read_profile(self.record, self.union, self.zone)

    @property
    def events(self) -> Sequence[Event]:
        """All events of the record."""
        return self.record.get("events") or ()

    def holds(self, expr: Expr, at: int | None = None) -> bool:
        """Return whether an expression holds, at another instant if one is given."""
        return interpreter.holds(expr, self._person, self.at if at is None else at, self.union, zone=self.zone)

    def holds_of(self, expr: Expr, events: Sequence[Event]) -> bool:
        """Return whether an expression would hold if these were all events."""
        record = {**self.record, "events": list(events)}
        return interpreter.holds(expr, record, self.at, self.union, zone=self.zone)

    def value(self, expr: Expr, at: int | None = None) -> Any:
        """Return the value of an expression as plain data."""
        return interpreter.value(expr, self._person, self.at if at is None else at, self.union, zone=self.zone)

    def turn(self, expr: Expr) -> int | None:
        """Return the instant at which time alone changes the truth of an expression, or None."""
        at = interpreter.next_change(expr, self._person, self.at, self.union, zone=self.zone)
        return at if at is not None and at < _LAST and self.holds(expr, at) != self.holds(expr) else None

    def used(self, events: Sequence[Event], core: Expr) -> tuple[UsedEvent, ...]:
        """Return events with the fields of theirs that an expression reads."""
        paths = sorted({path for root, path in paths_of(core) if root == "xEvent" and path not in _SAID})
        return tuple(
            UsedEvent(
                str(event.get("_id", "")),
                moment_of(event),
                event.get("eventType"),
                {path: value for path in paths if (value := at_path(event, path)) is not None},
            )
            for event in events
        )

    def newest(self, events: Sequence[Event], core: Expr) -> tuple[UsedEvent, ...]:
        """Return the newest of some events, the newest first."""
        return self.used(sorted(events, key=moment_of, reverse=True)[:SHOWN], core)

    def when(self, at: int) -> str:
        """Return an instant in words, in the time zone of the rule."""
        moment = to_datetime(at).astimezone(UTC if self.zone == "UTC" else zone_called(self.zone))
        time = "" if (moment.hour, moment.minute, moment.second) == (0, 0, 0) else f" {moment:%H:%M}"
        return f"{spoken(moment.date())}{time}"


def moment_of(event: Event) -> int:
    """Return the time of an event."""
    at = event["timestamp"]
    return parse_instant(at) if isinstance(at, str) else int(at)


def at_path(value: Any, path: str) -> Any:
    """Return what lies at a path of plain data; of arrays and maps that of every item, without those that lack it."""
    if not path or value is None:
        return value
    if isinstance(value, list):
        found = [item for one in value if (item := at_path(one, path)) is not None]
        return found[:SHOWN] or None
    name, _, rest = path.partition(".")
    if name in value:
        return at_path(value[name], rest)
    return at_path(list(value.values()), path) if value and all(isinstance(v, dict) for v in value.values()) else None
