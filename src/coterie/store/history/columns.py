"""Columns of leaves: how a field path becomes a column (docs/adr/0001, docs/adr/0002)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import duckdb

from coterie.core.errors import Conflict
from coterie.core.schema import FieldType, Leaf


def quote(identifier: str) -> str:
    """Return an SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def column_type(leaf: Leaf) -> str:
    """Return the DuckDB type of a leaf's column.

    Examples
    --------
    >>> from coterie.core.schema import Field
    >>> column_type(Leaf("cart.lines.price", Field(FieldType.NUMBER, decimals=2), depth=1))
    'DECIMAL(18,2)[]'
    """
    return _scalar_type(leaf) + "[]" * leaf.depth


def _scalar_type(leaf: Leaf) -> str:
    match leaf.field.type:
        case FieldType.STRING:
            return "VARCHAR"
        case FieldType.INTEGER | FieldType.DATE | FieldType.DATETIME:
            return "BIGINT"
        case FieldType.NUMBER:
            return "DOUBLE" if leaf.field.decimals is None else f"DECIMAL(18,{leaf.field.decimals:d})"
        case FieldType.BOOLEAN:
            return "BOOLEAN"
        case FieldType.OBJECT | FieldType.ARRAY | FieldType.MAP:
            raise AssertionError(f"{leaf.path} holds no value")
        case _:
            assert_never(leaf.field.type)


def columns(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the columns of a table of the history with their types, in order."""
    # a tenth of the time that asking the catalog's tables takes
    return {name: kind for name, kind, *_ in con.execute(f"DESCRIBE {quote(table)}").fetchall()}


def missing(con: duckdb.DuckDBPyConnection, table: str, leaves: Iterable[Leaf]) -> list[Leaf]:
    """Return the leaves that have no column yet; raises ``schema.retype`` where a column has another type."""
    there = {name.casefold(): (name, kind) for name, kind in columns(con, table).items()}
    new: list[Leaf] = []
    for leaf in leaves:
        name, kind = there.setdefault(leaf.path.casefold(), (leaf.path, ""))
        if not kind:
            there[leaf.path.casefold()] = (leaf.path, column_type(leaf))
            new.append(leaf)
        elif name != leaf.path or kind != column_type(leaf):
            raise Conflict(
                "schema.retype",
                f"field {leaf.path} is stored as {name} of type {kind} and cannot become {column_type(leaf)}.",
                hint="A field keeps its name and type once it holds data: add a new field under another name.",
                where={"field": leaf.path, "stored": kind, "asked": column_type(leaf)},
            )
    return new


MANY = 20_000
"""Distinct values of a text among the rows of a load from which on it is kept as it is.

DuckDB keeps the distinct texts of a segment as a dictionary, and decodes all of it to read any row. That is little
where values repeat; where most are distinct, reading some rows costs three times what plain text does
(``bench/merge.py``: e-mail addresses 47 ms against 18 ms, cities 3 ms). Plain text takes three times the space.
A process that wrote plain text itself reads it slower until the file is opened anew: 10,000 values of 1.5 million in
17 ms, then in 5 (DuckDB 2.0).
"""


def of_many_values(con: duckdb.DuckDBPyConnection, leaves: Iterable[Leaf], source: str) -> list[Leaf]:
    """Return the leaves of text of which a relation holds `MANY` distinct values, roughly counted."""
    texts = [leaf for leaf in leaves if leaf.field.type is FieldType.STRING and not leaf.depth]
    rows: int = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    if rows < MANY or not texts:
        return []
    counts = ", ".join(f"approx_count_distinct({quote(leaf.path)})" for leaf in texts)
    found = con.execute(f"SELECT {counts} FROM {source}").fetchall()[0]
    return [leaf for leaf, count in zip(texts, found, strict=True) if count >= MANY]
