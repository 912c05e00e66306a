"""Progress of long work, reported upward without knowing who shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receiver of progress reports."""

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        """Say that `stage` is running, and how far it is when that is known (same unit for both)."""


class Quiet:
    """A receiver that shows nothing."""

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        """Ignore the report."""
