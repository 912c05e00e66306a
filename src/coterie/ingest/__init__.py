"""Sources, mapping, validation and quarantine."""
