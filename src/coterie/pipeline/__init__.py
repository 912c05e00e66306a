"""Who calls whom: load, revert, evaluate, rebuild."""
