"""Trees of SQL that mean the same in every dialect, which sqlglot writes: literals, logic, columns, functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from sqlglot import exp

Sql = exp.Expr
Builder = Callable[..., Sql]

TRUE: Sql = exp.true()
FALSE: Sql = exp.false()
NULL: Sql = exp.null()

_ATOMS = (exp.Column, exp.Literal, exp.Paren, exp.Func, exp.Boolean, exp.Null, exp.Identifier, exp.Case)


def calls(name: str) -> Builder:
    """Return what builds a call of the SQL function `name`."""

    def build(*args: Sql) -> Sql:
        return exp.Anonymous(this=name, expressions=list(args))

    return build


def wrapped(sql: Sql) -> Sql:
    """Return the expression in parentheses, unless it needs none."""
    atomic = isinstance(sql, _ATOMS) and not isinstance(sql, exp.Binary)
    return sql if atomic else exp.Paren(this=sql)


def column(table: str, name: str) -> Sql:
    """Return a quoted column."""
    return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True))


def table(name: str, alias: str) -> Sql:
    """Return a quoted table with an alias."""
    return exp.alias_(exp.Table(this=exp.to_identifier(name, quoted=True)), alias, quoted=True, table=True)


def subquery(query: exp.Query, alias: str) -> exp.Subquery:
    """Return a query to be selected from under a quoted alias."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def text(value: str) -> Sql:
    """Return a text literal."""
    return exp.Literal.string(value)


def whole(value: int) -> Sql:
    """Return an integer literal."""
    return wrapped(exp.Neg(this=exp.Literal.number(-value))) if value < 0 else exp.Literal.number(value)


def decimal(value: Decimal, scale: int) -> Sql:
    """Return an exact literal with `scale` digits after the point; it must not have more."""
    if scale == 0:
        return whole(int(value))
    digits = len(value.as_tuple().digits) + max(0, scale)
    return exp.cast(text(format(value, "f")), f"DECIMAL({18 if digits <= 18 else 38}, {scale})")


def binary(value: Decimal) -> Sql:
    """Return the double nearest to a number."""
    return exp.cast(text(repr(float(value))), "DOUBLE")


def cast(sql: Sql, type_: str) -> Sql:
    """Return the expression as another SQL type."""
    return exp.cast(sql, type_)


def read(sql: Sql, type_: str) -> Sql:
    """Return text as another SQL type, null where it cannot be read as one."""
    return exp.TryCast(this=sql, to=exp.DataType.build(type_, dialect="duckdb"), safe=True)


def both(parts: Iterable[Sql]) -> Sql:
    """Return that all hold; null counts as false where the result is used."""
    return _joined(exp.And, parts, TRUE, FALSE)


def either(parts: Iterable[Sql]) -> Sql:
    """Return that some hold; null counts as false where the result is used."""
    return _joined(exp.Or, parts, FALSE, TRUE)


def _joined(kind: type[exp.Connector], parts: Iterable[Sql], neutral: Sql, deciding: Sql) -> Sql:
    kept = [part for part in parts if part != neutral]
    if deciding in kept:
        return deciding
    return _balanced(kind, kept) if kept else neutral


def _balanced(kind: type[exp.Connector], parts: list[Sql]) -> Sql:
    if len(parts) == 1:
        return parts[0]
    half = (len(parts) + 1) // 2
    sides = (_balanced(kind, parts[:half]), _balanced(kind, parts[half:]))
    left, right = (side if type(side) is kind else wrapped(side) for side in sides)
    return kind(this=left, expression=right)


def defined(truth: Sql) -> Sql:
    """Return a truth that is false where it was null."""
    return truth if isinstance(truth, exp.Boolean | exp.Is | exp.Not) else or_default(truth, FALSE)


def no(truth: Sql) -> Sql:
    """Return the two-valued negation: null was false, so it becomes true."""
    if isinstance(truth, exp.Boolean):
        return FALSE if truth == TRUE else TRUE
    return exp.Not(this=wrapped(defined(truth)))


def present(sql: Sql) -> Sql:
    """Return that a value is not null."""
    return exp.Not(this=exp.Paren(this=exp.Is(this=wrapped(sql), expression=NULL)))


def or_default(sql: Sql, default: Sql) -> Sql:
    """Return the value, or a default for null."""
    return exp.Coalesce(this=sql, expressions=[default])


def or_null(sql: Sql, unwanted: Sql) -> Sql:
    """Return the value, or null where it equals `unwanted`."""
    return exp.Nullif(this=sql, expression=unwanted)


def choose(test: Sql, yes: Sql, otherwise: Sql) -> Sql:
    """Return one of two values; a null test is false."""
    return exp.Case(ifs=[exp.If(this=test, true=yes)], default=otherwise)


def among(sql: Sql, values: list[Sql]) -> Sql:
    """Return that the value is one of the literals."""
    return exp.In(this=wrapped(sql), expressions=values)


def function(variable: str, body: Sql) -> Sql:
    """Return the anonymous function of one variable."""
    return exp.Lambda(this=body, expressions=[exp.to_identifier(variable)])


def pairs(**parts: Sql) -> Sql:
    """Return a struct."""
    named = (exp.PropertyEQ(this=exp.to_identifier(name), expression=sql) for name, sql in parts.items())
    return exp.Struct(expressions=list(named))


def part(struct: Sql, name: str) -> Sql:
    """Return a part of a struct."""
    return exp.Dot(this=struct, expression=exp.to_identifier(name))


def variable(name: str) -> Sql:
    """Return the variable of an anonymous function."""
    return exp.column(name)
