"""How long data are kept: the age at which events expire, and at which pseudonymous profiles go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from coterie.core.errors import Invalid

_DAYS = {"day": 1, "days": 1, "d": 1, "week": 7, "weeks": 7, "w": 7}
_WRITTEN = re.compile(r"(\d{1,6})\s*([a-z]*)")
META = "retention"
"""The key under which the history keeps the instant of the last retention."""
LONGEST = 36_525
"""Days of a hundred years."""


class Pseudonymous(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Profiles known by identities of these namespaces alone go when nothing happened for `after` days."""

    namespaces: tuple[str, ...]
    after: int


class RetentionSettings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How long profiles are kept in a sandbox; events of a dataset go by its own setting."""

    pseudonymous: Pseudonymous | None = None


def days(written: Any, where: str) -> int:
    """Return a number of days of at least one, from its written form; raises ``retention.days``.

    Examples
    --------
    >>> days("90d", "dataset web"), days({"count": 2, "unit": "week"}, "dataset web"), days(14, "dataset web")
    (90, 14, 14)
    """
    match written:
        case bool():
            number = None
        case int():
            number = written
        case str() if (found := _WRITTEN.fullmatch(written.strip().lower())) and (found[2] or "d") in _DAYS:
            number = int(found[1]) * _DAYS[found[2] or "d"]
        case Mapping() if set(written) == {"count", "unit"}:
            count, unit = written["count"], str(written["unit"]).lower()
            whole = isinstance(count, int) and not isinstance(count, bool)
            number = count * _DAYS[unit] if whole and unit in _DAYS else None
        case _:
            number = None
    if number is None or not 1 <= number <= LONGEST:
        raise Invalid(
            "retention.days",
            f"{where}: {written!r} is no number of days from 1 to {LONGEST}.",
            hint="Write it like 90d, 90 or {count: 90, unit: day}.",
        )
    return number
