"""Loads, and the rows that were put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.api.reading import Limit, Name, get
from coterie.ingest.quarantine import QuarantinedRow
from coterie.store.catalog import Batch

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/batches")
def batches(ws: Workspace, dataset: Name | None = None) -> list[Batch]:
    """List the batches, of one dataset or of all."""
    return ws.ingest.batches(dataset)


@get("/api/batches/{batch}")
def batch(ws: Workspace, batch: Name) -> Batch:
    """Show a batch."""
    return ws.ingest.batch(batch)


@get("/api/batches/{batch}/quarantine")
def quarantine(ws: Workspace, batch: Name, limit: Limit = 100) -> list[QuarantinedRow]:
    """List the rows of a batch that were put aside, with the reason of each."""
    return ws.ingest.quarantine(batch, limit)
