"""Arrays in a row: membership, sets, and what the methods of arrays give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from coterie.engine.sql import equality, numbers
from coterie.engine.sql.aggregates import MANY, of_items
from coterie.engine.sql.choices import chosen, first
from coterie.engine.sql.constructs import (
    NULL,
    Sql,
    among,
    both,
    build,
    cast,
    choose,
    either,
    function,
    no,
    or_default,
    pairs,
    part,
    present,
    text,
    variable,
    whole,
)
from coterie.engine.sql.values import (
    DIGITS,
    NUMBERS,
    TIMES,
    Chosen,
    Dictionary,
    Entries,
    Kind,
    Many,
    Record,
    Scalar,
    Value,
    bound,
    exists,
    fresh,
    is_null,
    mismatch,
    settled,
)
from coterie.pql.ast import ArrayLiteral, Binary, Call, Expr, Filter, Literal, Method, Name, Property
from coterie.pql.logic import operands_of

if TYPE_CHECKING:
    from coterie.engine.sql.terms import Scopes, Terms

_FEW = 8
"""Texts that are looked for one by one; DuckDB compares two lists more slowly than it finds eight texts."""
MOST = 18
"""Digits that every integer of 64 bits can have."""

_SQL_TYPES = {Kind.TEXT: "VARCHAR[]", Kind.BINARY: "DOUBLE[]", Kind.TRUTH: "BOOLEAN[]"}


def literal(items: list[Value], expr: Expr) -> Many:
    """Return an array of the given values: those of single values as a list, others by their place."""
    scalars = [item for item in items if isinstance(item, Scalar) and not is_null(item)]
    if len(scalars) == len(items) and len({item.kind for item in scalars}) <= 1:
        return _listed(scalars)
    if all(isinstance(item, Scalar) for item in items):
        return _mixed(scalars, expr)

    def element(cursor: Sql) -> Value:
        value = items[-1]
        for place in range(len(items) - 1, 0, -1):
            value = chosen(build("=", cursor, whole(place)), items[place - 1], value, expr)
        return value

    return Many(build("up_to", whole(len(items))), element, made=True)


def _listed(scalars: list[Scalar]) -> Many:
    kind = scalars[0].kind if scalars else Kind.TEXT
    scale, digits = (max((getattr(item, name) for item in scalars), default=0) for name in ("scale", "whole"))
    parts = [item.sql for item in scalars]
    if kind is Kind.EXACT and (scale + digits > DIGITS or any(item.rough is not None for item in scalars)):
        kind, parts = Kind.BINARY, [numbers.as_double(item) for item in scalars]
    if kind is Kind.EXACT:
        plain = "BIGINT[]" if not scale and digits <= MOST else f"DECIMAL({DIGITS}, {scale})[]"
        sample = Scalar(NULL, kind, scale, digits)
    else:
        plain, sample = _SQL_TYPES.get(kind, "BIGINT[]"), Scalar(NULL, kind)
    sql = cast(exp.Array(expressions=parts), plain)
    return Many(sql, lambda cursor: replace(sample, sql=cursor), plain=True)


def _mixed(scalars: list[Scalar], expr: Expr) -> Many:
    """Return an array of numbers, or of times, of more than one kind; a null is no item."""
    kinds = {item.kind for item in scalars}
    if len(kinds) <= 1:
        return _listed(scalars)
    if kinds <= set(NUMBERS):
        return _listed([Scalar(numbers.as_double(item), Kind.BINARY) for item in scalars])
    if kinds <= set(TIMES):
        return _listed([Scalar(item.sql, Kind.INSTANT) for item in scalars])
    raise mismatch(expr, "items of one type")


def membership(terms: Terms, op: str, item: Expr, array: Expr, scopes: Scopes, expr: Expr) -> Sql:
    """Return that a value is, or is present and is not, among the items of an array."""
    value = terms.value(item, scopes)
    if isinstance(array, ArrayLiteral):
        found = _among(value, [terms.value(part, scopes) for part in array.items], array.items, expr)
        return found if op == "in" else both([exists(value), no(found)])
    many = terms.many(array, scopes)
    found = includes(many, value, expr)
    if op == "in":
        return both([exists(value), found])
    return both([exists(value), present(many.cursors), no(found)])


def includes(many: Many, value: Value, expr: Expr) -> Sql:
    """Return that a value is among the items; null where the array is missing."""
    if many.plain and isinstance(value, Scalar) and value.kind is Kind.TEXT:
        sample = many.element(variable(fresh()))
        if isinstance(sample, Scalar) and sample.kind is Kind.TEXT:
            return build("has_item", many.cursors, value.sql)
    same = many.kept(lambda other: equality.compare("=", value, other, expr))
    return build(">", same.size(), whole(0))


def some_item(many: Many, expr: Expr) -> Sql:
    """Return that an array has an item.

    Going through the items with a function is dear, so a filter is first tested for what its conditions say of a column
    as a whole: the texts they ask for are in it, its greatest number is great enough. One such condition says it all.
    """
    conditions = list(operands_of("and", expr.condition)) if isinstance(expr, Filter) else []
    tests = [test for condition in conditions if (test := _of_column(many, condition)) is not None]
    if isinstance(expr, Filter) and isinstance(expr.array, Name | Property) and len(tests) == len(conditions) == 1:
        return tests[0]
    return both([*tests, build(">", many.size(), whole(0))])


def _of_column(many: Many, condition: Expr) -> Sql | None:
    """Return that some of all items satisfies a condition, from one column; None when that cannot be told."""
    if not (isinstance(condition, Binary) and isinstance(condition.left, Name)):
        return None
    name = condition.left.name
    stored, item = many.stored(name), many.element(variable(fresh()))
    sample = item.get(name) if stored is not None and isinstance(item, Record) else None
    if stored is None or not isinstance(sample, Scalar):
        return None
    match condition.op, condition.right:
        case "=", Literal(str(value), "string") if sample.kind is Kind.TEXT:
            return build("has_item", stored, text(value))
        case "in", ArrayLiteral(items) if sample.kind is Kind.TEXT and 0 < len(items) <= _FEW:
            texts = [item.value for item in items if isinstance(item, Literal) and item.kind == "string"]
            found = either(build("has_item", stored, text(str(value))) for value in texts)
            return found if len(texts) == len(items) else None
        case ((">" | ">=" | "<" | "<=" as op), Literal(kind="integer" | "double") as limit) if (
            sample.kind is Kind.EXACT
        ):
            extreme = build("max_items" if op in (">", ">=") else "min_items", stored)
            return numbers.compare(op, replace(sample, sql=extreme), numbers.literal(limit), condition)
        case _:
            return None


def _among(value: Value, parts: list[Value], written: tuple[Expr, ...], expr: Expr) -> Sql:
    if isinstance(value, Scalar):
        scalars = [part for part in parts if isinstance(part, Scalar)]
        simple = len(scalars) == len(parts) and all(isinstance(part, Literal) for part in written)
        if simple and value.kind is Kind.TEXT and all(part.kind is Kind.TEXT for part in scalars):
            return among(value.sql, [part.sql for part in scalars])
        if (
            value.kind is Kind.EXACT
            and value.scale == 0
            and value.rough is None
            and all(_is_integer(part) for part in written)
        ):
            return among(value.sql, [part.sql for part in scalars])
    return either(equality.compare("=", value, part, expr) for part in parts)


def _is_integer(expr: Expr) -> bool:
    return isinstance(expr, Literal) and isinstance(expr.value, int) and abs(expr.value) < 1 << 63


def set_predicate(name: str, left: Many, right: Many, expr: Expr) -> Sql:
    """Return `intersects`, `subsetOf` or `supersetOf`; null or false when an array is missing."""
    simple = equality.alike(left, right)
    if simple is not None:
        a, b = simple
        match name:
            case "intersects":
                return build("has_any", a, b)
            case "subsetOf":
                return build("has_all", b, a)
            case _:
                return build("has_all", a, b)
    there = [present(left.cursors), present(right.cursors)]
    if name == "intersects":
        return both([*there, build(">", _shared(left, right, expr).size(), whole(0))])
    if name == "supersetOf":
        left, right = right, left
    outside = left.kept(lambda item: both([exists(item), no(includes(right, item, expr))]))
    return both([*there, build("=", outside.size(), whole(0))])


def _shared(left: Many, right: Many, expr: Expr) -> Many:
    return left.kept(lambda item: both([exists(item), includes(right, item, expr)]))


def method(terms: Terms, expr: Method, many: Many, scopes: Scopes) -> Value:
    """Return what a method of an array gives."""
    match expr.name, expr.args:
        case "count", ():
            return Scalar(_count(terms, expr, many, scopes), Kind.EXACT, whole=MANY, total=True)
        case "distinct", ():
            return distinct(many, expr)
        case "groupBy", (key,):
            return groups(many, lambda item: terms.value(key, (*scopes, item)), expr)
        case "map", (Call("mapEntry", (key, value)),):
            return _map(terms, many, key, value, scopes, expr)
        case "map", (operand,):
            return many.mapped(lambda item: terms.value(operand, (*scopes, item)))
        case ("sum" | "average" | "min" | "max") as aggregate, (operand,):
            mapped = many.mapped(lambda item: terms.value(operand, (*scopes, item)))
            return of_items(aggregate, mapped, expr)
        case "head", ():
            return first(many)
        case (("topN" | "bottomN"), (operand, count)):
            return _best(terms, expr, many, operand, terms.scalar(count, scopes, expr), scopes, top=expr.name == "topN")
        case "intersection", (other,):
            shared = distinct(_shared(many, terms.many(other, scopes), expr), expr)
            size = build(">", build("size", shared.cursors), whole(0))
            return replace(shared, cursors=choose(size, shared.cursors, NULL))
        case "get", (key,) if many.key is not None:
            wanted, of_group = terms.value(key, scopes), many.key
            name = fresh()
            same = equality.compare("=", of_group(variable(name)), wanted, expr)
            found = build("element", build("keep", many.cursors, function(name, same)), whole(1))
            group = many.element(found)
            assert isinstance(group, Many)
            return replace(group, cursors=choose(present(found), group.cursors, NULL))
        case "keys", () if many.key is not None:
            of_group = many.key
            return Many(many.cursors, of_group)
        case "values", () if many.key is not None:
            return replace(many, key=None)
        case _:
            raise mismatch(expr, f"an array that has {expr.name}()")


def _count(terms: Terms, expr: Method, many: Many, scopes: Scopes) -> Sql:
    """Return the number of items; of values, of those that are present."""
    match expr.receiver:
        case Method(array, "distinct", ()) if _of_values(terms.many(array, scopes)):
            values = equality.identities(terms.many(array, scopes))
            return or_default(build("size", build("distinct_items", values)), whole(0))
        case _:
            pass
    sample = many.element(variable(fresh()))
    if not many.positions and isinstance(sample, Many | Chosen | Entries | Dictionary):
        return many.kept(exists).size()
    if many.plain or not isinstance(sample, Scalar):
        return many.size()
    return or_default(build("count_present", many.scalars(expr)[0]), whole(0))


def _of_values(many: Many) -> bool:
    return isinstance(many.element(variable(fresh())), Scalar)


def distinct(many: Many, expr: Expr) -> Many:
    """Return the first of each equal item; nulls are no items."""
    sample = many.element(variable(fresh()))
    if many.positions and isinstance(sample, Record):
        return many
    if isinstance(sample, Scalar):
        settled(sample, expr)
        values = build("distinct_in_order", equality.identities(many))
        return Many(values, lambda cursor: replace(sample, sql=cursor, constant=None), plain=True)
    return first_of_each(many, equality.identities(many))


def first_of_each(many: Many, ids: Sql) -> Many:
    """Return the items whose id, in the list aligned with them, no item before them has."""

    def leading(both_lists: Sql) -> Sql:
        listed, place, taken = part(both_lists, "ids"), fresh(), fresh()
        own = build("element", listed, variable(place))
        unlike = both([present(own), build("=", build("position", listed, own), variable(place))])
        places = build("keep", build("up_to", build("size", listed)), function(place, unlike))
        return build("each", places, function(taken, build("element", part(both_lists, "items"), variable(taken))))

    once = bound(pairs(items=many.cursors, ids=ids), leading)
    return replace(many, cursors=choose(present(many.cursors), once, NULL), positions=False)


def groups(many: Many, key: Callable[[Value], Value], expr: Expr) -> Many:
    """Return the groups of the items that have equal keys, in the order of their first items; no key, no group."""
    valued = many.kept(lambda item: exists(key(item)))
    ids = equality.identities(valued.mapped(key))
    leading = first_of_each(valued, ids)

    def group(cursor: Sql) -> Value:
        own = key(valued.element(cursor))
        return valued.kept(lambda item: equality.compare("=", key(item), own, expr))

    return Many(leading.cursors, group, key=lambda cursor: key(valued.element(cursor)), made=True)


def _map(terms: Terms, many: Many, key: Expr, value: Expr, scopes: Scopes, expr: Expr) -> Dictionary:
    """Return the map with an entry for each group, for those that have a key."""

    def key_of(item: Value) -> Scalar:
        return numbers.as_text(terms.scalar(key, (*scopes, item), expr), expr)

    valued = many.kept(lambda item: exists(key_of(item)))
    return Dictionary(valued, key_of, lambda item: terms.value(value, (*scopes, item)))


def _best(terms: Terms, expr: Expr, many: Many, operand: Expr, count: Scalar, scopes: Scopes, *, top: bool) -> Many:
    """Return the items with the greatest or smallest values, ties in stored order, those without a value left out."""
    valued = many.kept(lambda item: exists(terms.value(operand, (*scopes, item))))

    def ranked(listed: Sql) -> Sql:
        place, taken = fresh(), fresh()
        at = variable(place)
        key = terms.scalar(operand, (*scopes, many.element(build("element", listed, at))), expr)
        if key.kind not in (*NUMBERS, *TIMES):
            raise mismatch(expr, "a number or a time to order by")
        order = pairs(k=settled(key, expr), p=build("-", whole(0), at) if top else at)
        order_of_all = build("each", build("up_to", build("size", listed)), function(place, order))
        in_order = build("sorted_down" if top else "sorted_items", order_of_all)
        own = part(variable(taken), "p")
        best = build("first_items", in_order, build("greatest", count.sql, whole(0)))
        return build("each", best, function(taken, build("element", listed, build("-", whole(0), own) if top else own)))

    usable = both([present(valued.cursors), present(count.sql)])
    return replace(many, cursors=choose(usable, bound(valued.cursors, ranked), NULL), positions=False)
