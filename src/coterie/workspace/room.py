"""What the rooms of a workspace share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.core.clock import DAY, parse_instant
from coterie.core.errors import Invalid
from coterie.pipeline.definitions import Definitions
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from coterie.workspace import Workspace


_FIRST, _AFTER = parse_instant("0001-01-01"), parse_instant("9999-12-31") + DAY
"""The instants that can be written."""


class Room:
    """Part of a workspace that holds one kind of things."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def _sandbox(self) -> Sandbox:
        return self._workspace.sandbox

    @property
    def _definitions(self) -> Definitions:
        return self._workspace.definitions

    @property
    def _con(self) -> DuckDBPyConnection:
        return self._workspace.sandbox.history.con


def instant(at: str | int | None) -> int | None:
    """Return an instant, given as ISO 8601 text or in milliseconds, in milliseconds; raises ``time.unreadable``."""
    if isinstance(at, int) and not _FIRST <= at < _AFTER:
        raise Invalid(
            "time.unreadable",
            f"{at} ms is no instant of the years 1 to 9999.",
            hint="Give milliseconds since 1970, or write it like 2026-06-15T12:00:00Z.",
        )
    return parse_instant(at) if isinstance(at, str) else at
