"""Rules in English: words for values, clauses about them, and their joining."""
