"""Statements that are planned once: what they read is handed to them, so that DuckDB keeps their plans.

A statement over tables is planned whenever it runs, prepared or not: its plan depends on what the tables hold. To plan
a long one takes longer than to run it over a few rows. One that reads its parameters alone is planned when it is
prepared, and never again. Rows are handed over in a variable of the connection (`handed`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PREFIX = "coterie_planned_"
MOST = 64
"""Plans that a connection keeps; one more, and it begins anew."""
_KEPT: WeakKeyDictionary[DuckDBPyConnection, dict[str, str]] = WeakKeyDictionary()


def planned(con: DuckDBPyConnection, statement: str) -> str:
    """Return the name under which a statement is prepared; it must read nothing but its parameters."""
    kept = _KEPT.setdefault(con, {})
    if statement not in kept:
        for name in kept.values() if len(kept) >= MOST else ():
            con.execute(f"DEALLOCATE {name}")
        if len(kept) >= MOST:
            kept.clear()
        name = f"{_PREFIX}{len(kept)}"
        con.execute(f"PREPARE {name} AS {statement}")
        kept[statement] = name
    return kept[statement]


@contextmanager
def handed(con: DuckDBPyConnection, variable: str, statement: str) -> Iterator[str]:
    """Let a variable hold the rows of an answer while the block runs; give the SQL that reads it, a list of structs."""
    con.execute(f"SET VARIABLE {variable} = (SELECT list(handed) FROM ({statement}) handed)")
    try:
        yield f"getvariable('{variable}')"
    finally:
        con.execute(f"RESET VARIABLE {variable}")
