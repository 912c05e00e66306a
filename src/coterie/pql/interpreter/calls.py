"""Functions and methods (12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coterie.core.schema import FieldType
from coterie.pql import ast, calendar
from coterie.pql.ast import Expr
from coterie.pql.interpreter import arrays, predicates, texts
from coterie.pql.interpreter.environment import Scope
from coterie.pql.interpreter.numbers import is_number
from coterie.pql.interpreter.reading import scalar
from coterie.pql.interpreter.values import (
    Array,
    Entry,
    Groups,
    Time,
    Value,
    absent,
    is_null,
    is_true,
    projected,
)
from coterie.pql.scopes import NEGATIVE

if TYPE_CHECKING:
    from coterie.pql.interpreter.evaluate import Evaluation

_PARTS: dict[str, tuple[int, ast.Unit]] = {"Year": (0, "year"), "Month": (1, "month"), "DayOfMonth": (2, "day")}


def call(run: Evaluation, expr: ast.Call, scope: Scope) -> Value:
    """Return ``name(args)``."""
    match expr.name, expr.args:
        case "if", (test, yes, no):
            return _choice(run, test, yes, no, scope)
        case "date", (year, month, day):
            return _date(run, [run.value(part, scope) for part in (year, month, day)])
        case "inSegment", (audience,):
            return _in_segment(run, run.value(audience, scope))
        case "stringCompare", (test, subject, values, *flag):
            name = run.value(test, scope)
            arguments = [run.value(arg, scope) for arg in (values, *flag)]
            return isinstance(name, str) and predicates.text_test(
                name, run.value(subject, scope), arguments, listed=True
            )
        case "mapEntry", (name, value):
            return Entry(run.value(name, scope), run.value(value, scope))
        case _:
            return _part(run, run.clock.now(), expr.name.removeprefix("current"))


def _choice(run: Evaluation, test: Expr, yes: Expr, no: Expr, scope: Scope) -> Value:
    """Return one of two values; a null has the kind of the other one (12.1)."""
    first, second = (yes, no) if run.truth(test, scope) else (no, yes)
    chosen = run.value(first, scope)
    return absent(run.value(second, scope)) if chosen is None else chosen


def _date(run: Evaluation, parts: list[Value]) -> Value:
    """Return a day; null when there is none (19)."""
    numbers = [int(part) for part in parts if is_number(part) and part == int(part)]
    found = calendar.day(numbers[0], numbers[1], numbers[2], run.clock.zone) if len(numbers) == 3 else None
    return None if found is None else Time(found.start, found.end, found.local)


def _part(run: Evaluation, time: Value, name: str) -> Value:
    """Return the year, month or day of the month of a time (10.4)."""
    if not isinstance(time, Time):
        return None
    place, unit = _PARTS[name]
    if time.moving is not None:
        run.clock.unit_ends(unit)
    return calendar.civil(time.start, run.clock.zone)[place]


def _in_segment(run: Evaluation, audience: Value) -> bool:
    """Return whether the stored membership holds: realized, or existing, and not past `validUntil` (13, 19)."""
    stored = (run.profile.raw or {}).get("segmentMembership") or {}
    entry = (stored.get("ups") or {}).get(audience) or {}
    if entry.get("status") not in ("realized", "existing"):
        return False
    until = scalar(entry.get("validUntil"), FieldType.DATETIME, run.clock.zone)
    if until is None:
        return True
    run.clock.edge(until.start)
    return run.clock.at < until.start


# -- methods --------------------------------------------------------------------------------------------------------


def method(run: Evaluation, expr: ast.Method, scope: Scope) -> Value:
    """Return ``receiver.name(args)``."""
    value, name, args = run.value(expr.receiver, scope), expr.name, expr.args
    match name, args:
        case "isNull", ():
            return is_null(value)
        case "isNotNull", ():
            return not is_null(value)
        case "count", ():
            return arrays.count(value)
        case "exists", ():
            return is_true(value)
        case "get", (key,):
            return arrays.get(value, run.value(key, scope))
        case "keys", ():
            return arrays.keys(value)
        case "values", ():
            return arrays.values(value)
        case "map", (arg,):
            return _map(run, value, arg, scope)
        case "getYear" | "getMonth" | "getDayOfMonth", ():
            return _elementwise(value, lambda one: _part(run, one, name.removeprefix("get")))
        case "regexGroup", (pattern, *rest):
            arguments = [run.value(arg, scope) for arg in (pattern, *rest)]
            return _elementwise(value, lambda one: _group(one, *arguments))
        case "matches", (pattern,):
            return predicates.some(predicates.matches, value, run.value(pattern, scope))
        case _ if name in texts.TESTS or name in NEGATIVE:
            return predicates.text_test(name, value, [run.value(arg, scope) for arg in args])
        case _:
            return _of_array(run, value, name, args, scope)


def _of_array(run: Evaluation, value: Value, name: str, args: tuple[Expr, ...], scope: Scope) -> Value:
    """Return a method of an array, or in a core tree of an array of groups; what is missing counts as 5.4 says."""
    clock = run.clock
    if isinstance(value, Groups):
        value = arrays.values(value)
    match name, args:
        case "exists", (condition,):
            return any(is_true(result) for result in map(run.on_item(condition, scope), run.present(value)))
        case "forall", (condition,):
            return all(is_true(result) for result in map(run.on_item(condition, scope), run.present(value)))
        case "sum" | "average" | "min" | "max", ():
            return arrays.aggregate(name, run.items(value), clock)
        case "sum" | "average" | "min" | "max", (operand,):
            return arrays.aggregate(name, map(run.on_item(operand, scope), run.items(value)), clock)
        case "filter", (condition,):
            return run.filtered(value, condition, scope)
        case _ if not isinstance(value, Array):
            return (name in ("subsetOf", "supersetOf", "intersects", "includes") and False) or None
        case "head", ():
            return arrays.head(value)
        case "distinct", ():
            return arrays.distinct(value, clock)
        case "groupBy", (key,):
            run.spend(len(value.items))
            return arrays.grouped(value, run.on_item(key, scope), clock)
        case "topN" | "bottomN", (operand, most):
            run.spend(len(value.items))
            return arrays.ranked(value, run.on_item(operand, scope), run.value(most, scope), clock, top=name == "topN")
        case "includes", (item,):
            wanted = run.value(item, scope)
            return any(predicates.compared("=", one, wanted, clock) for one in value.items)
        case "intersects" | "intersection" | "subsetOf" | "supersetOf", (other,):
            return _sets(run, name, value, run.value(other, scope))
        case _:
            raise AssertionError(f"there is no method {name} of an array")


def _sets(run: Evaluation, name: str, left: Array, right: Value) -> Value:
    """Return a relation of two arrays; with a missing one, false or null. A projection is never missing (5.4, 19)."""
    if not isinstance(right, Array) or left.unknown or right.unknown:
        return None if name == "intersection" else False
    run.spend(len(left.items) * max(len(right.items), 1))
    match name:
        case "intersection":
            return arrays.intersection(left, right, run.clock)
        case "intersects":
            return any(predicates.among(item, right.items, run.clock) for item in left.items)
        case "subsetOf":
            return arrays.subset(left, right, run.clock)
        case _:
            return arrays.subset(right, left, run.clock)


def _map(run: Evaluation, value: Value, expr: Expr, scope: Scope) -> Value:
    """Return e of each item; of groups, of each key and group, the group being the implicit object (12.3)."""
    match value:
        case Array():
            of = run.on_item(expr, scope)
            return arrays.mapped(value, [of(item) for item in run.items(value)], lambda: of(value.blank()))
        case Groups(groups, array):

            def of_group(key: Value, group: Value) -> Value:
                if isinstance(expr, ast.Lambda):
                    of_key, of_items = expr.params
                    return run.value(expr.body, scope.bound(of_key, key).bound(of_items, group))
                return run.value(expr, scope.inside(group))

            run.spend(len(groups))
            results = [of_group(key, group) for key, group in groups]
            return arrays.mapped(array, results, lambda: of_group(None, absent(array)))
        case _:
            return None


def _elementwise(value: Value, of: Callable[[Value], Value]) -> Value:
    """Return a value method of a value, or of each value of a projection (19)."""
    return projected(value, of) if isinstance(value, Array) else of(value)


def _group(text: Value, pattern: Value, number: Value = 1) -> Value:
    if not (isinstance(text, str) and isinstance(pattern, str) and isinstance(number, int)):
        return None
    return texts.group(text, pattern, number)
