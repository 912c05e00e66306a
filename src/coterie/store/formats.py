"""Format versions: every store carries one; what this program does not know is refused by name."""

from __future__ import annotations

from pathlib import Path

from coterie.core.errors import Unsupported


def refuse(store: str, place: Path | str, found: object, expected: object) -> Unsupported:
    """Return the error for a store whose format this program does not know.

    Parameters
    ----------
    store : str
        Which store: `workspace`, `log`, `catalog` or `history`.
    place : Path or str
        Where it lies.
    found, expected : object
        The format there, and the newest one that this program reads.
    """
    return Unsupported(
        "store.format",
        f"the {store} at {place} has format {found}; this version of Coterie reads formats up to {expected}.",
        hint="It was written by a newer version, or by another program: open it with the version that wrote it.",
        where={"store": store, "path": str(place), "found": str(found), "expected": str(expected)},
    )
