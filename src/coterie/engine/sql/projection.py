"""Values of expressions for many persons at once: one statement, a row for each person."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from coterie.engine.sql import numbers
from coterie.engine.sql.clocks import local
from coterie.engine.sql.constructs import Sql, build, cast, function, variable
from coterie.engine.sql.profiles import Profiles
from coterie.engine.sql.statements import Statements
from coterie.engine.sql.values import DIGITS, Kind, Many, Scalar, Value, fresh, mismatch
from coterie.pql.ast import Expr

_INTEGERS = 18
"""Digits of numbers that surely are 64-bit integers."""


def projection(statements: Statements, exprs: Mapping[str, Expr]) -> exp.Select:
    """Return the query for a column `person` and one for each expression.

    Parameters
    ----------
    statements : Statements
        What writes the statements of a view at an instant, in the time zone that is meant.
    exprs : mapping of str to Expr
        Canonical core trees by the name of their column.
    """
    profiles = Profiles(statements)
    terms, scopes = profiles.terms(), (profiles.record(),)
    columns = {name: _shown(terms.value(expr, scopes), expr, statements.zone) for name, expr in exprs.items()}
    query = profiles.query()
    for name, sql in columns.items():
        query = query.select(exp.alias_(sql, name, quoted=True), copy=False)
    return query


def _shown(value: Value, expr: Expr, zone: str) -> Sql:
    """Return a value as it is kept in a column."""
    match value:
        case Scalar():
            return _single(value, zone)
        case Many():
            values, sample = value.scalars(expr)
            item = fresh()
            shown = _single(Scalar(variable(item), sample.kind, sample.scale, sample.whole), zone)
            return build("each", values, function(item, shown))
        case _:
            raise mismatch(expr, "a single value, or an array of them,")


def _single(value: Scalar, zone: str) -> Sql:
    if value.rough is not None:
        return numbers.as_double(value)
    match value.kind:
        case Kind.DAY:
            return local(value.sql, zone)
        case Kind.EXACT if value.scale == 0 and value.whole <= _INTEGERS:
            return cast(value.sql, "BIGINT")
        case Kind.EXACT:
            return cast(value.sql, f"DECIMAL({DIGITS}, {value.scale})")
        case Kind.TEXT | Kind.BINARY | Kind.TRUTH | Kind.INSTANT:
            return value.sql
