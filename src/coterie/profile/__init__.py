"""Fragments, merging, look-up."""
