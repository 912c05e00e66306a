"""Engines evaluate conditions to bitmaps of persons."""
