"""What the rooms of a workspace share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.core.clock import parse_instant
from coterie.pipeline.definitions import Definitions
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from coterie.workspace import Workspace


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
    """Return an instant, given as ISO 8601 text or in milliseconds, in milliseconds."""
    return parse_instant(at) if isinstance(at, str) else at
