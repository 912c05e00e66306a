"""What is kept how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.api.reading import get
from coterie.pipeline.effects.retention import Retained
from coterie.pipeline.retention import RetentionView

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/retention")
def retention(ws: Workspace) -> RetentionView:
    """Show what is kept how long, and which audiences look further back."""
    return ws.retention.show()


@get("/api/retention:preview")
def retention_preview(ws: Workspace) -> Retained:
    """Tell what would be taken away now because it is kept no longer."""
    return ws.retention.preview()
