"""What every floor may use: errors, instants, ids, schemas. No I/O."""
