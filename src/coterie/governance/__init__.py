"""What may be kept and done with data: consent, labels, retention, suppression."""
