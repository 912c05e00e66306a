"""The SQL engine: conditions compiled to SQLGlot trees, run on DuckDB."""

from coterie.engine.sql.engine import SqlEngine

__all__ = ["SqlEngine"]
