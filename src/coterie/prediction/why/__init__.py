"""Why: factors of each person and of everybody, in words, and what would change them."""
