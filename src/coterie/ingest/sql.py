"""Values as SQL literals, built by the SQL library so that no text of a person becomes SQL."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

IT, EACH = '"$it"', '"$each"'
"""Parameters of SQL lambdas. A field may have any name without $, and `name.part` would mean the field."""


def literal(value: str | int | float | bool | None) -> str:
    """Return a value as an SQL literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return str(exp.convert(value).sql("duckdb"))


def literals(values: Iterable[str | int | float | bool]) -> str:
    """Return values as a comma-separated list of literals."""
    return ", ".join(literal(value) for value in values)
