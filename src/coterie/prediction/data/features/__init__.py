"""Families of features: what they are called, and how they are worked out of marked events."""
