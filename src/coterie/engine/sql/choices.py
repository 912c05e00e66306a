"""A choice between two values of any kind by a truth of the row: ``if``."""

from __future__ import annotations

from dataclasses import replace

from coterie.engine.sql import numbers
from coterie.engine.sql.constructs import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    build,
    choose,
    function,
    pairs,
    part,
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
    Made,
    Many,
    Record,
    Scalar,
    Value,
    fresh,
    is_null,
    mismatch,
    settled,
)
from coterie.pql.ast import Expr


def chosen(test: Sql, yes: Value, otherwise: Value, expr: Expr) -> Value:
    """Return one of two values; a null test is false.

    Parameters
    ----------
    test : Sql
        A truth of the row.
    yes, otherwise : Value
        What the value is where the test holds, and where not.
    expr : Expr
        The choice, for the error that refuses it.
    """
    match yes, otherwise:
        case Scalar(), Scalar():
            return _scalar(test, yes, otherwise, expr)
        case (Scalar(), _) if is_null(yes):
            return _unless(test, otherwise, missing_if=True)
        case (_, Scalar()) if is_null(otherwise):
            return _unless(test, yes, missing_if=False)
        case Many(), Many():
            return _array(test, yes, otherwise, expr)
        case Entries() | Dictionary(), Entries() | Dictionary():
            first, second = entries(yes), entries(otherwise)
            both = _array(test, first.entries, second.entries, expr)
            return Dictionary(both, lambda entry: _key(entry, expr), lambda entry: named(entry, "value", expr))
        case Record() | Made() | Chosen(), Record() | Made() | Chosen():
            return Chosen(test, yes, otherwise)
        case _:
            raise mismatch(expr, "two values of one type")


def named(owner: Value, name: str, expr: Expr) -> Value:
    """Return a property of an object, or of each item of an array; of nothing it is nothing."""
    match owner:
        case Many():
            return owner.projected(lambda item: named(item, name, expr))
        case Chosen(test, yes, otherwise):
            return chosen(test, named(yes, name, expr), named(otherwise, name, expr), expr)
        case Record() | Made():
            found = owner.get(name)
            if found is not None:
                return found
        case Scalar() if is_null(owner):
            return owner
        case _:
            pass
    raise mismatch(expr, f"an object with the field {name}")


def where(test: Sql, value: Value) -> Value:
    """Return a value that is missing where a truth does not hold."""
    if isinstance(value, Scalar):
        rough = None if value.rough is None else choose(test, value.rough, NULL)
        return replace(value, sql=choose(test, value.sql, NULL), constant=None, named=None, rough=rough)
    return _unless(test, value, missing_if=False)


def first(many: Many) -> Value:
    """Return the first item of an array."""
    item = many.element(build("element", many.cursors, whole(1)))
    return where(build(">", build("size", many.cursors), whole(0)), item) if many.made else item


def entry(owner: Entries | Dictionary, key: Sql) -> Value:
    """Return the value that a map has for a key."""
    if isinstance(owner, Entries):
        return owner.get(key)
    found = owner.entries.kept(lambda each: build("=", owner.key(each).sql, key))
    return first(found.mapped(owner.value))


def entries(value: Entries | Dictionary) -> Dictionary:
    """Return a map as entries that are objects of a key and a value."""
    if isinstance(value, Dictionary):
        listed = value.entries.mapped(lambda entry: Made({"key": value.key(entry), "value": value.value(entry)}))
    else:
        keys = value.keys

        def element(cursor: Sql) -> Value:
            return Made({"key": Scalar(build("element", keys, cursor), Kind.TEXT), "value": value.entry(cursor)})

        listed = Many(value.values().cursors, element, made=True)
    return Dictionary(listed, _plain_key, lambda entry: _plain(entry, "value"))


def _plain(entry: Value, name: str) -> Value:
    assert isinstance(entry, Made)
    return entry.values[name]


def _plain_key(entry: Value) -> Scalar:
    key = _plain(entry, "key")
    assert isinstance(key, Scalar)
    return key


def _key(entry: Value, expr: Expr) -> Scalar:
    key = named(entry, "key", expr)
    assert isinstance(key, Scalar)
    return key


def _scalar(test: Sql, yes: Scalar, otherwise: Scalar, expr: Expr) -> Scalar:
    if is_null(yes) or is_null(otherwise):
        like = otherwise if is_null(yes) else yes
        rough = None if like.rough is None else choose(test, yes.rough or NULL, otherwise.rough or NULL)
        return replace(like, sql=choose(test, yes.sql, otherwise.sql), constant=None, rough=rough)
    if yes.kind is Kind.EXACT is otherwise.kind:
        scale, digits = max(yes.scale, otherwise.scale), max(yes.whole, otherwise.whole)
        rough = None
        if yes.rough is not None or otherwise.rough is not None:
            rough = choose(test, numbers.as_double(yes), numbers.as_double(otherwise))
        if scale + digits <= DIGITS:
            return Scalar(choose(test, yes.sql, otherwise.sql), Kind.EXACT, scale, digits, rough=rough)
    if yes.kind in NUMBERS and otherwise.kind in NUMBERS:
        return Scalar(choose(test, numbers.as_double(yes), numbers.as_double(otherwise)), Kind.BINARY)
    if yes.kind in TIMES and otherwise.kind in TIMES and yes.kind is not otherwise.kind:
        return Scalar(choose(test, yes.sql, otherwise.sql), Kind.INSTANT)
    if yes.kind is not otherwise.kind:
        raise mismatch(expr, "two values of one type")
    return replace(yes, sql=choose(test, yes.sql, otherwise.sql), constant=None)


def _unless(test: Sql, value: Value, *, missing_if: bool) -> Value:
    """Return a value that is missing where the test holds, or where it does not."""

    def kept(sql: Sql) -> Sql:
        return choose(test, NULL, sql) if missing_if else choose(test, sql, NULL)

    match value:
        case Many():
            return replace(value, cursors=kept(value.cursors), plain=value.plain)
        case Entries() | Dictionary():
            found = entries(value)
            return replace(found, entries=replace(found.entries, cursors=kept(found.entries.cursors)))
        case _:
            nothing = Scalar(NULL, Kind.EXACT)
            return Chosen(test, nothing, value) if missing_if else Chosen(test, value, nothing)


def _array(test: Sql, yes: Many, otherwise: Many, expr: Expr) -> Many:
    """Return one of two arrays: its cursors say of which of them they are."""
    first, second = fresh(), fresh()
    a, b = yes.element(variable(first)), otherwise.element(variable(second))
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        for sample in (a, b):
            settled(sample, expr)
        one = _scalar(TRUE, a, b, expr)
        binary = one.kind is Kind.BINARY
        lists = (
            build("each", yes.cursors, function(first, numbers.as_double(a) if binary else a.sql)),
            build("each", otherwise.cursors, function(second, numbers.as_double(b) if binary else b.sql)),
        )
        return Many(choose(test, *lists), lambda cursor: replace(one, sql=cursor, constant=None), plain=True)
    tagged = (
        build("each", yes.cursors, function(first, pairs(s=TRUE, a=variable(first), b=NULL))),
        build("each", otherwise.cursors, function(second, pairs(s=FALSE, a=NULL, b=variable(second)))),
    )

    def element(cursor: Sql) -> Value:
        return chosen(part(cursor, "s"), yes.element(part(cursor, "a")), otherwise.element(part(cursor, "b")), expr)

    key = None
    if yes.key is not None and otherwise.key is not None:
        of_yes, of_other = yes.key, otherwise.key

        def key(cursor: Sql) -> Value:
            return chosen(part(cursor, "s"), of_yes(part(cursor, "a")), of_other(part(cursor, "b")), expr)

    return Many(choose(test, *tagged), element, key=key, made=True)
