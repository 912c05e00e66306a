"""Customer AI: how likely a goal is for every person, and why."""
