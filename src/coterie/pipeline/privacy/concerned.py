"""Whom a request concerns, in the history: TEMP tables of identities, and the rows that are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from coterie.core.ids import Identity
from coterie.ingest.owners import CONCERNED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NUMBERS = "concerned_number"
"""The TEMP table of the numbers of those identities of `CONCERNED` that the history knows."""


def lend(con: DuckDBPyConnection, identities: Iterable[Identity]) -> None:
    """Make the TEMP tables `CONCERNED` and `NUMBERS` of some identities."""
    listed = sorted(identities)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {CONCERNED} AS "
        "SELECT unnest($1::VARCHAR[]) AS namespace, unnest($2::VARCHAR[]) AS value",
        [[item.namespace for item in listed], [item.value for item in listed]],
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {NUMBERS} AS SELECT i.identity FROM identity i "
        "JOIN namespace n ON n.namespace = i.namespace "
        f"JOIN {CONCERNED} c ON c.namespace = n.code AND c.value = i.value"
    )


def rows(table: str) -> str:
    """Return SQL for the row ids (``r``) of a table of facts that hold one of the identities in `NUMBERS`."""
    return (
        f'SELECT rowid AS r FROM {table} SEMI JOIN {NUMBERS} n ON n.identity = "$identity" UNION '
        f'SELECT r FROM (SELECT rowid AS r, unnest("$identities") AS i FROM {table}) SEMI JOIN {NUMBERS} n '
        "ON n.identity = i"
    )


def shared(table: str) -> str:
    """Return SQL for those of the `rows` that hold another identity too."""
    return (
        f'SELECT DISTINCT r FROM (SELECT rowid AS r, unnest("$identities") AS i FROM {table}) '
        f"SEMI JOIN ({rows(table)}) m USING (r) ANTI JOIN {NUMBERS} n ON n.identity = i"
    )
