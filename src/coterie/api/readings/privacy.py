"""Erasures: what was done, and what one would reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.api.reading import Names, get, post
from coterie.core.ids import Identity
from coterie.pipeline.privacy.request import Erased, Preview

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/erasures")
def erasures(ws: Workspace) -> list[Erased]:
    """List the erasures with their completeness reports, which hold no personal data; newest first."""
    return ws.privacy.reports()


@post("/api/erasures:preview")
def erasure_preview(ws: Workspace, persons: Names, expand: bool = True) -> Preview:
    """Tell what an erasure would reach: identities, counts, and every place that holds something."""
    return ws.privacy.preview([Identity.read(person) for person in persons], expand=expand)
