"""Where the CLI writes: the consoles of its two streams."""

from __future__ import annotations

import sys

from rich.console import Console

WIDTH = 120
"""Columns of a table where there is no terminal to ask."""


def console(*, stderr: bool = False) -> Console:
    """Return the console of a stream."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDTH, highlight=False, markup=False)
