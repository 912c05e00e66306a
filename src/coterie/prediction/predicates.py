"""Tests of events as conditions of PQL, and back; and what is wrong with a test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never
from typing import Literal as Choice

from coterie.core.clock import parse_instant
from coterie.core.errors import CoterieError, Invalid, suggestion
from coterie.core.schema import Field, FieldType, Union, leaves, lookup
from coterie.pql.ast import ArrayLiteral, Binary, Expr, Literal, Method, Name, Property, Unary
from coterie.pql.logic import operands_of
from coterie.pql.normal import event_form
from coterie.pql.printer import path as path_of
from coterie.pql.printer import quoted
from coterie.prediction.definition import GoalEvent, Kind, Model, Operator, Test

COMPARING: dict[Operator, str] = {"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
LISTED: dict[Operator, str] = {"in": "in", "not_in": "notIn"}
TEXTUAL: dict[Operator, str] = {"starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains"}
NULLITY: dict[Operator, str] = {"exists": "isNotNull", "not_exists": "isNull"}

Match = Choice["all", "any"]

_NUMBERS = (FieldType.INTEGER, FieldType.NUMBER)
_TIMES = (FieldType.DATE, FieldType.DATETIME)
_NAMES = (FieldType.STRING, FieldType.BOOLEAN)
_OWN = frozenset({"_id", "producedBy"})
"""Fields that tell which event it is, and from where."""
_LARGEST = 2**63


def predicate(kind: Kind | GoalEvent) -> str:
    """Return the condition on one event, in PQL, that makes it one of a kind."""
    parts = [_text(test) for test in kind.where]
    if kind.match == "all":
        return " and ".join(parts)
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def condition(kinds: Sequence[Kind]) -> str:
    """Return the condition, in PQL, on an event that is of one of some kinds; it is false for none."""
    return " or ".join(f"({predicate(kind)})" for kind in kinds) or "false"


def own(model: Model) -> str:
    """Return the condition on an event that a person did: neither shown to them nor passed over."""
    return f"not ({condition((*model.exposures, *model.exclusions))})"


def asked(model: Model, union: Union, kinds: Mapping[str, str], *, by_whom: bool = True) -> dict[str, Expr | None]:
    """Return conditions on one event: whether it is `passed` over, whether it is a person's `own`, and others.

    Parameters
    ----------
    model : Model
        The model.
    union : Union
        The fields there are.
    kinds : mapping of str to str
        The others, in PQL, by name.
    by_whom : bool
        Whether `own` is among them.
    """
    texts = {"passed": condition(model.exclusions), **({"own": own(model)} if by_whom else {}), **kinds}
    return {name: event_form(text, union) for name, text in texts.items()}


def _text(test: Test) -> str:
    path, op = path_of(test.field.split(".")), test.op
    match op:
        case "eq" | "neq" | "gt" | "gte" | "lt" | "lte":
            return f"{path} {COMPARING[op]} {literal(test.value)}"
        case "in" | "not_in":
            return f"{path} {LISTED[op]} [{', '.join(map(literal, test.value))}]"
        case "starts_with" | "ends_with" | "contains":
            return f"{path}.{TEXTUAL[op]}({literal(test.value)})"
        case "matches":
            return f"{path}.matches({literal(test.value)})"
        case "exists" | "not_exists":
            return f"{path}.{NULLITY[op]}()"
        case "between":
            low, high = test.value
            return f"({path} >= {literal(low)} and {path} <= {literal(high)})"
        case _:
            assert_never(op)


def literal(value: Any) -> str:
    """Return a value as PQL writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
            return text if "." in text else f"{text}.0"
        case _:
            return quoted(str(value))


# -- back -----------------------------------------------------------------------------------------------------------


def tests_of(expr: Expr) -> tuple[tuple[Test, ...], Match] | None:
    """Return the tests that a condition on one event states, and how they are joined; None for any other condition."""
    match expr:
        case Binary("or"):
            found = [_test(part) for part in operands_of("or", expr)]
            return _complete(found, "any")
        case Binary("and"):
            return all_tests(list(operands_of("and", expr)))
        case _:
            return _complete([_test(expr)], "all")


def all_tests(parts: Sequence[Expr]) -> tuple[tuple[Test, ...], Match] | None:
    """Return the tests that conditions on one event state, which must all hold; None when one of them states none."""
    if len(parts) == 1:
        return tests_of(parts[0])
    return _complete(list(_between(parts)), "all")


def _complete(found: Sequence[Test | None], match: Match) -> tuple[tuple[Test, ...], Match] | None:
    tests = tuple(test for test in found if test is not None)
    return (tests, match) if tests and len(tests) == len(found) else None


def _between(parts: Sequence[Expr]) -> Iterator[Test | None]:
    """Yield the tests of parts that must all hold; bounds from below and above of one field, side by side, are one."""
    tests = [_test(part) for part in parts]
    place = 0
    while place < len(tests):
        pair = tests[place : place + 2]
        low, high = pair if len(pair) == 2 else (pair[0], None)
        if low is not None and high is not None and (low.field, low.op, high.op) == (high.field, "gte", "lte"):
            yield Test(low.field, "between", (low.value, high.value))
            place += 2
        else:
            yield low
            place += 1


def _test(expr: Expr) -> Test | None:
    match expr:
        case Binary("and"):
            found = list(_between(list(operands_of("and", expr))))
            return found[0] if len(found) == 1 else None
        case Binary("in" | "notIn" as op, left, ArrayLiteral(items)):
            values = [value_of(item) for item in items]
            named: Operator = "in" if op == "in" else "not_in"
            return None if None in values else _of(left, named, tuple(values))
        case Binary("matches", left, right):
            return _of(left, "matches", value_of(right))
        case Binary(op, left, right):
            comparing = [name for name, sign in COMPARING.items() if sign == op]
            return _of(left, comparing[0], value_of(right)) if comparing else None
        case Method(receiver, name, (argument,)):
            textual: list[Operator] = [op for op, method in TEXTUAL.items() if method == name]
            if name == "matches":
                textual = ["matches"]
            return _of(receiver, textual[0], value_of(argument)) if textual else None
        case Method(receiver, name, ()):
            found_ops = [op for op, method in NULLITY.items() if method == name]
            path = _path(receiver)
            return Test(path, found_ops[0]) if found_ops and path is not None else None
        case _:
            return None


def _of(left: Expr, op: Operator, value: Any) -> Test | None:
    path = _path(left)
    return None if path is None or value is None else Test(path, op, value)


def _path(expr: Expr) -> str | None:
    match expr:
        case Name(name):
            return name
        case Property(owner, name):
            above = _path(owner)
            return None if above is None else f"{above}.{name}"
        case _:
            return None


def value_of(expr: Expr) -> Any:
    """Return the value of a literal; None for anything else."""
    match expr:
        case Literal(value, "double"):
            return float(str(value))
        case Literal(value):
            return value
        case Unary("-", operand):
            value = value_of(operand)
            return -value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case _:
            return None


# -- faults ---------------------------------------------------------------------------------------------------------


def faults(kind: Kind | GoalEvent, union: Union) -> list[Invalid]:
    """Return what is wrong with the tests of a kind of events, and with what it measures."""
    found = [] if kind.name.strip() else [_wrong(kind, "it has no name.", "Give it one: reasons call it by it.")]
    if not kind.where:
        found.append(_wrong(kind, "it has no tests.", "State at least one, such as a field that exists."))
    for test in kind.where:
        field, missing = _field(kind, test.field, union)
        if missing is not None:
            found.append(missing)
        elif field is not None:
            found += _misfits(kind, test, field)
    if isinstance(kind, GoalEvent) and kind.measure is not None:
        found += _measure_faults(kind, kind.measure.sum, union)
    elif isinstance(kind, GoalEvent) and kind.value is not None:
        hint = 'Say what is summed, such as {"sum": "value"}, or give `at_least` a number of events.'
        found.append(_wrong(kind, f"{kind.value:g} is compared with nothing.", hint))
    return found


def event_paths(union: Union) -> list[str]:
    """Return the paths of the values that events have."""
    return [leaf.path for leaf in leaves(union.event)]


def countable_paths(union: Union) -> list[str]:
    """Return the paths of the values of events that can be counted one by one: texts and truth values, or lists."""
    return [
        leaf.path
        for leaf in leaves(union.event)
        if leaf.field.type in _NAMES and leaf.depth <= 1 and leaf.path not in _OWN
    ]


def _field(kind: Kind | GoalEvent, path: str, union: Union) -> tuple[Field | None, Invalid | None]:
    field = lookup(union.event, path) if path else None
    while field is not None and field.items is not None:
        field = field.items
    if field is None:
        hint = suggestion(path, event_paths(union)) or "`coterie schema union` lists the fields of an event."
        return None, Invalid(
            "model.unknown-field",
            f"the kind of events {kind.name!r} tests {path!r}, which events do not have.",
            hint=hint,
            where={"kind": kind.name, "field": path},
        )
    return field, None


def _misfits(kind: Kind | GoalEvent, test: Test, field: Field) -> Iterator[Invalid]:
    fitting = fitting_operators(field)
    if test.op not in fitting:
        yield _wrong(
            kind,
            f"{test.op} cannot be asked of {test.field}, which is {described(field)}.",
            f"It can be asked with {', '.join(fitting)}.",
            test.field,
        )
        return
    if test.op in NULLITY:
        if test.value is not None:
            yield _wrong(kind, f"{test.op} of {test.field} takes no value.", "Leave the value out.", test.field)
        return
    if test.op in LISTED:
        listed = test.value if isinstance(test.value, list | tuple) else None
        if not listed:
            yield _wrong(kind, f"{test.op} of {test.field} takes a list of values.", 'Such as ["a", "b"].', test.field)
            return
        values = list(listed)
    elif test.op == "between":
        if not isinstance(test.value, list | tuple) or len(test.value) != 2:
            yield _wrong(kind, f"between of {test.field} takes two values.", "Give the least and the most.", test.field)
            return
        values = list(test.value)
    else:
        values = [test.value]
    for value in values:
        if not _fits(value, field):
            yield _wrong(
                kind,
                f"{value!r} cannot be compared with {test.field}, which is {described(field)}.",
                "Give a value of that type.",
                test.field,
            )


def fitting_operators(field: Field) -> list[Operator]:
    """Return what can be asked of a field."""
    found: list[Operator] = [*NULLITY]
    if field.type in (FieldType.OBJECT, FieldType.MAP, FieldType.ARRAY):
        return found
    found += ["eq", "neq", *LISTED]
    if field.type in (*_NUMBERS, *_TIMES):
        found += ["gt", "gte", "lt", "lte", "between"]
    if field.type is FieldType.STRING:
        found += [*TEXTUAL, "matches"]
    return found


def described(field: Field) -> str:
    """Return the type of a field in words."""
    words = {
        FieldType.STRING: "a text",
        FieldType.INTEGER: "a whole number",
        FieldType.NUMBER: "a number",
        FieldType.BOOLEAN: "true or false",
        FieldType.DATE: "a date",
        FieldType.DATETIME: "an instant",
    }
    return words.get(field.type, f"an {field.type}" if field.type[0] in "aeiou" else f"a {field.type}")


def _fits(value: Any, field: Field) -> bool:
    match field.type:
        case FieldType.STRING:
            return isinstance(value, str)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.INTEGER | FieldType.NUMBER:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and math.isfinite(value) and (isinstance(value, float) or abs(value) < _LARGEST)
        case FieldType.DATE | FieldType.DATETIME:
            try:
                parse_instant(value)
            except (CoterieError, TypeError):
                return False
            return True
        case _:
            return False


def _measure_faults(kind: GoalEvent, path: str, union: Union) -> Iterator[Invalid]:
    field, missing = _field(kind, path, union)
    if missing is not None:
        yield missing
    elif field is not None and field.type not in _NUMBERS:
        yield _wrong(kind, f"the sum of {path} cannot be taken, which is {described(field)}.", "Sum a number.", path)
    if kind.value is None or not math.isfinite(kind.value):
        against = "nothing" if kind.value is None else f"{kind.value}"
        yield _wrong(kind, f"the sum of {path} is compared with {against}.", "Give a value, such as 500.", path)
    if kind.at_least != 1:
        yield _wrong(
            kind,
            "it asks for a number of events and for a sum at once.",
            "State two events of the goal, joined by all_of.",
            path,
        )


def _wrong(kind: Kind | GoalEvent, what: str, hint: str, field: str | None = None) -> Invalid:
    where = {"kind": kind.name} | ({} if field is None else {"field": field})
    return Invalid("model.test", f"the kind of events {kind.name!r}: {what}", hint=hint, where=where)
