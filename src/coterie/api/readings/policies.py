"""Merge policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.api.reading import Name, get
from coterie.pipeline.policies import Policy

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/policies")
def policies(ws: Workspace) -> list[Policy]:
    """List the merge policies."""
    return ws.policies.list()


@get("/api/policies/{name}")
def policy(ws: Workspace, name: Name) -> Policy:
    """Show a merge policy."""
    return ws.policies.get(name)
