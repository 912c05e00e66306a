"""Reading times of plain data and of text (4, 10.1)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from coterie.core.clock import DAY, parse_instant
from coterie.core.errors import Invalid
from coterie.core.schema import FieldType
from coterie.pql.calendar import Interval, local_day

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def scalar(raw: Any, type_: FieldType, zone: str) -> Interval | None:
    """Return the time that a Date or a Timestamp field holds: text, or milliseconds.

    A Date is the day of the calendar in that zone; text without an offset is in UTC (4).
    """
    if raw is None:
        return None
    at = raw if isinstance(raw, int) else parse_instant(raw)
    return Interval(at) if type_ is FieldType.DATETIME else local_day(at // DAY, zone)


def moment(text: str, zone: str) -> Interval | None:
    """Return the time that a text names, a date being its day; None when it names none."""
    try:
        at = parse_instant(text)
    except (Invalid, OverflowError):
        return None
    return local_day(at // DAY, zone) if _DAY.fullmatch(text) else Interval(at)


def number(text: str) -> Decimal | None:
    """Return the number that a text reads as, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None
