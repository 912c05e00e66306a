"""Where things lie: log, catalog, history."""
