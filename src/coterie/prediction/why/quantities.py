"""Quantities as people write them: counts, days, amounts, times as much."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import assert_never

import numpy as np
import numpy.typing as npt

from coterie.core.shares import percent


class Unit(StrEnum):
    """What a number counts."""

    COUNT = "count"
    DAYS = "days"
    AMOUNT = "amount"
    TIMES = "times"
    SHARE = "share"
    HOUR = "hour"
    MONTH = "month"


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


_LEAST = 0.05
"""Times from which a tenth is told."""


def rounded(unit: Unit, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return numbers as far as they are shown: few different ones, so that each is put in words once."""
    wide = np.asarray(values, np.float64)
    match unit:
        case Unit.COUNT | Unit.DAYS | Unit.MONTH:
            return np.round(wide)
        case Unit.SHARE:
            return np.round(wide, 2)
        case Unit.HOUR:
            return np.round(wide * 2) / 2
        case Unit.AMOUNT | Unit.TIMES:
            amount = np.abs(wide)
            digits = 2 if unit is Unit.TIMES else 3
            size = np.power(10.0, np.floor(np.log10(np.maximum(amount, 0.01))) - digits + 1)
            return np.where(np.isfinite(wide), np.round(np.round(wide / size) * size, 4), wide)
    assert_never(unit)


def number(value: float) -> str:
    """Return a number with as many digits as people care for.

    Examples
    --------
    >>> number(3.0), number(2.5), number(0.1234), number(59.9), number(1234.5), number(-7.25)
    ('3', '2.5', '0.12', '59.9', '1,234', '-7.25')
    """
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def quantity(unit: Unit, value: float) -> str:
    """Return a number with its unit.

    Examples
    --------
    >>> quantity(Unit.DAYS, 23.2), quantity(Unit.DAYS, 1.0), quantity(Unit.DAYS, 0.2)
    ('23 days', '1 day', 'less than a day')
    >>> quantity(Unit.COUNT, 12.0), quantity(Unit.TIMES, 1.84), quantity(Unit.SHARE, 0.452), quantity(Unit.HOUR, 14.5)
    ('12', '1.8 times', '45 %', '14:30')
    >>> quantity(Unit.TIMES, 0.02), spread(Unit.TIMES, 0.02, 1.6), between(Unit.TIMES, None, 0.02)
    ('under 0.1 times', '0 to 1.6 times', 'under 0.1 times')
    """
    match unit:
        case Unit.COUNT:
            return f"{value:,.0f}"
        case Unit.DAYS:
            whole = round(value)
            return "less than a day" if whole == 0 else f"{whole:,} {'day' if whole == 1 else 'days'}"
        case Unit.AMOUNT:
            return number(value)
        case Unit.TIMES:
            if 0 < value < _LEAST:
                return "under 0.1 times"
            return f"{value:.0f} times" if abs(value) >= 10 or value == 0 else f"{value:.1f} times"
        case Unit.SHARE:
            return percent(round(value, 2))
        case Unit.HOUR:
            minutes = round(value * 60) % (24 * 60)
            return f"{minutes // 60}:{minutes % 60:02}"
        case Unit.MONTH:
            return MONTHS[round(value - 1) % 12]
    assert_never(unit)


def between(unit: Unit, low: float | None, high: float | None) -> str:
    """Return a range in words: from `low`, up to but not including `high`.

    Examples
    --------
    >>> between(Unit.COUNT, None, 1), between(Unit.COUNT, 1, 2), between(Unit.COUNT, 3, 6), between(Unit.COUNT, 6, None)
    ('0', '1', '3 to 5', '6 or more')
    >>> between(Unit.DAYS, 8, 15), between(Unit.DAYS, None, 8), between(Unit.SHARE, 0.25, None)
    ('8 to 15 days', 'under 8 days', '25 % or more')
    >>> between(Unit.DAYS, 8, None), between(Unit.TIMES, 2, None), between(Unit.HOUR, None, 9)
    ('8 or more days', '2.0 or more times', 'before 9:00')
    """
    if unit is Unit.COUNT:
        return _of_counts(low, high)
    if unit is Unit.MONTH:
        return spread(unit, 1 if low is None else math.ceil(low), 12 if high is None else math.ceil(high) - 1)
    if low is None and high is None:
        return "any"
    if low is None:
        assert high is not None
        last = quantity(unit, high)
        return last if last.startswith("under") else f"{'before' if unit is Unit.HOUR else 'under'} {last}"
    if high is None:
        if unit is Unit.HOUR:
            return f"{quantity(unit, low)} or later"
        amount, gap, ending = _bound(unit, low).partition(" ")
        return f"{amount} or more{gap}{ending}" if unit in (Unit.DAYS, Unit.TIMES) else f"{amount}{gap}{ending} or more"
    return spread(unit, low, high)


def spread(unit: Unit, low: float, high: float) -> str:
    """Return two quantities, both included: "8 to 40 days"; one when they look the same."""
    first, last = _bound(unit, low), quantity(unit, high)
    if first == last:
        return first
    # the unit is said once, at the end
    words, ending = first.split(" ", 1) if " " in first and first[0].isdigit() else (first, "")
    same = ending and (last.endswith(f" {ending}") or (unit is Unit.DAYS and last.endswith("days")))
    return f"{words if same else first} to {last}"


def _bound(unit: Unit, low: float) -> str:
    """Return where a range begins."""
    return quantity(unit, 0.0 if unit is Unit.TIMES and 0 < low < _LEAST else low)


def _of_counts(low: float | None, high: float | None) -> str:
    first = None if low is None else math.ceil(low)
    last = None if high is None else math.ceil(high) - 1
    if first is None and last is None:
        return "any"
    if first is None:
        return "0" if last == 0 else f"{last:,} or fewer"
    if last is None:
        return f"{first:,} or more"
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
