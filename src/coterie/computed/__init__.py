"""Computed attributes: named expressions over a profile and its events, whose values are attributes like any other."""
