"""The SQL engine: conditions compiled to SQLGlot trees, run on DuckDB."""
