"""Where things lie: a sandbox with its lock, the log (the truth), the catalog (definitions) and the history (facts)."""
