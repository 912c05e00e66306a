"""Customer AI at work: models saved and checked, runs from the first stage to scores on profiles, what came of them."""
