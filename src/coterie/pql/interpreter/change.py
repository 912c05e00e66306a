"""When the truth of a query changes although no data do (segmentation: expiry timers)."""

from __future__ import annotations

from collections.abc import Callable

from coterie.core.clock import DAY
from coterie.pql.interpreter.times import Clock

MOST = 400
"""Instants that are looked at."""
FARTHEST = 100 * 366 * DAY
"""How far ahead is looked."""


def next_change(truth: Callable[[Clock], bool], at: int, zone: str) -> int | None:
    """Return the first instant after `at` at which a truth differs from that at `at`; None if it never does.

    An evaluation tells until when all its answers about time hold, so the truth cannot change before; there it is asked
    again.
    """
    clock = Clock(at, zone, watching=True)
    before = truth(clock)
    for _ in range(MOST):
        if clock.until is None:
            return None
        clock = Clock(clock.until, zone, watching=True)
        if truth(clock) != before or clock.at > at + FARTHEST:
            break
    return clock.at
