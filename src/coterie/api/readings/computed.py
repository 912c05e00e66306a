"""Computed attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coterie.api.reading import Name, Query, get, post
from coterie.computed.definition import ComputedAttribute
from coterie.computed.preview import Preview as ComputedPreview

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/computed")
def computed_attributes(ws: Workspace) -> list[ComputedAttribute]:
    """List the computed attributes."""
    return ws.computed.list()


@post("/api/computed:preview")
def preview_computed(
    ws: Workspace,
    pql: Query | None = None,
    form: dict[str, Any] | None = None,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
) -> ComputedPreview:
    """Tell how the values of an expression, or of a form, are spread over people."""
    return ws.computed.preview(pql, form=form, view=view, zone=zone, at=at)


@get("/api/computed/{name}")
def computed_attribute(ws: Workspace, name: Name) -> ComputedAttribute:
    """Show a computed attribute."""
    return ws.computed.get(name)


@get("/api/computed/{name}/readers")
def computed_readers(ws: Workspace, name: Name) -> list[str]:
    """List the computed attributes and audiences that read a computed attribute."""
    return ws.computed.readers(name)
