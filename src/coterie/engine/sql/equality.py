"""Equality of values of any kind: items of arrays are equal when they are the same item, arrays item by item."""

from __future__ import annotations

from coterie.engine.sql import numbers
from coterie.engine.sql.constructs import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    both,
    build,
    choose,
    either,
    function,
    no,
    pairs,
    variable,
    whole,
)
from coterie.engine.sql.values import (
    NUMBERS,
    TIMES,
    Chosen,
    Dictionary,
    Entries,
    Kind,
    Made,
    Many,
    Record,
    Scalar,
    Value,
    exists,
    fresh,
    is_null,
    mismatch,
)
from coterie.pql.ast import Expr


def compare(op: str, left: Value, right: Value, expr: Expr) -> Sql:
    """Return the comparison of two values of any kind; null or false where one of them is null."""
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return FALSE if is_null(left) or is_null(right) else numbers.compare(op, left, right, expr)
    if op not in ("=", "!="):
        raise mismatch(expr, "a number or a time")
    if op == "!=":
        return both([exists(left), exists(right), no(same(left, right, expr))])
    return same(left, right, expr)


def same(left: Value, right: Value, expr: Expr) -> Sql:
    """Return that two values exist and are the same."""
    match left, right:
        case Scalar(), Scalar():
            return compare("=", left, right, expr)
        case Chosen(test, yes, otherwise), _:
            return choose(test, same(yes, right, expr), same(otherwise, right, expr))
        case _, Chosen(test, yes, otherwise):
            return choose(test, same(left, yes, expr), same(left, otherwise, expr))
        case Record(), Record():
            return _same_item(left, right)
        case Made(values), Made(others) if values.keys() == others.keys():
            return both(_equal_or_missing(values[name], others[name], expr) for name in values)
        case Many(), Many():
            return _same_items(left, right, expr)
        case _:
            return FALSE


def _same_item(left: Record, right: Record) -> Sql:
    if (left.path, len(left.place())) != (right.path, len(right.place())):
        return FALSE
    if not left.place():
        return both([exists(left), exists(right)])
    return both(build("=", a, b) for a, b in zip(left.place(), right.place(), strict=True))


def _equal_or_missing(left: Value, right: Value, expr: Expr) -> Sql:
    return either([same(left, right, expr), both([no(exists(left)), no(exists(right))])])


def _same_items(left: Many, right: Many, expr: Expr) -> Sql:
    simple = alike(left, right)
    if simple is not None:
        return build("=", *simple)
    place = fresh()
    at = variable(place)
    a, b = left.element(build("element", left.cursors, at)), right.element(build("element", right.cursors, at))
    places = build("up_to", build("size", left.cursors))
    differing = build("keep", places, function(place, no(_equal_or_missing(a, b, expr))))
    sizes = build("=", build("size", left.cursors), build("size", right.cursors))
    return both([sizes, build("=", build("size", differing), whole(0))])


def alike(left: Many, right: Many) -> tuple[Sql, Sql] | None:
    """Return two lists of single values that can be compared as they are, or None."""
    a, b = left.element(variable(fresh())), right.element(variable(fresh()))
    if not (isinstance(a, Scalar) and isinstance(b, Scalar)):
        return None
    if a.kind is not b.kind and not {a.kind, b.kind} <= set(TIMES):
        return None
    if (a.kind in NUMBERS) and (a.scale != b.scale or a.kind is Kind.BINARY):
        return None
    return identities(left), identities(right)


def identities(many: Many) -> Sql:
    """Return the list of what tells the items of an array apart; nulls where items are missing."""
    if many.plain:
        return many.cursors
    name = fresh()
    return build("each", many.cursors, function(name, identity(many.element(variable(name)))))


def identity(value: Value) -> Sql:
    """Return what tells a value from others of its array."""
    match value:
        case Scalar(sql):
            return sql
        case Record() if value.place():
            return pairs(**{f"p{place}": sql for place, sql in enumerate(value.place())})
        case Record() | Entries() | Dictionary():
            return present_or_null(exists(value))
        case Made(values):
            return pairs(**{f"p{place}": identity(part) for place, part in enumerate(values.values())})
        case Chosen(test, yes, otherwise):
            return pairs(yes=choose(test, identity(yes), NULL), no=choose(test, NULL, identity(otherwise)))
        case Many():
            return identities(value)


def present_or_null(truth: Sql) -> Sql:
    """Return true for a truth that holds, else null."""
    return choose(truth, TRUE, NULL)
