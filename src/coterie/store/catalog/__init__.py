"""The catalog: definitions with all their versions, and batches; a projection of the log, in SQLite or PostgreSQL."""

from coterie.store.catalog.catalog import Batch, BatchStatus, Catalog, Definition

__all__ = ["Batch", "BatchStatus", "Catalog", "Definition"]
