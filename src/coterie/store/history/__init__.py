"""The history: facts and what is derived from them, in one DuckDB file that one process owns."""

from coterie.store.history.columns import column_type, quote
from coterie.store.history.history import History

__all__ = ["History", "column_type", "quote"]
