"""Canonical core trees: one spelling for each meaning, so that equal conditions have equal keys.

A predicate with a projection on one side becomes a filter of the projected array; `exists`, `count() > 0` and an array
in Boolean position become the array itself; parts of a filter that do not read the item move out; operands are sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType, Union
from coterie.pql import predicates, times
from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    Call,
    Chain,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    Property,
    Unary,
    Up,
)
from coterie.pql.logic import all_of, any_of, negate, operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import FALSE, TRUE
from coterie.pql.scopes import (
    ITEM_METHODS,
    RESERVED,
    TEXT_METHODS,
    THIS,
    XEVENT,
    Scopes,
    at_level,
    attach,
    field_of,
    item_field,
    levels_of,
    put,
    rebuild,
    shift,
)
from coterie.pql.sequences import as_chain

ONE = Literal(1, "integer")
_RESERVED = frozenset(map(Name, RESERVED))
CALENDAR_PARTS = frozenset({"getYear", "getMonth", "getDayOfMonth"})


def negated(literal: Literal) -> Literal:
    """Return the numeric literal with the other sign."""
    value = literal.value
    assert value is not None
    text = str(value)
    return replace(literal, value=-value if isinstance(value, int) else text[1:] if text[0] == "-" else f"-{text}")


def is_path(expr: Expr) -> bool:
    """Whether the expression only names a field."""
    return isinstance(expr, Name | Up) or (isinstance(expr, Property) and is_path(expr.object))


def _own(name: str, expr: Expr) -> Expr:
    """Return the property of the innermost object that stood at `expr`, whatever else its name means."""
    return replace(attach(THIS, name), span=expr.span)


class Canon:
    """Brings core trees into canonical form.

    Parameters
    ----------
    union : Union
        The fields there are.
    """

    def __init__(self, union: Union) -> None:
        self.events = union.event

    def field(self, expr: Expr, scopes: Scopes) -> Field | None:
        """Return the field of an expression, if known."""
        return field_of(expr, scopes, self.events)

    def inside(self, array: Expr, scopes: Scopes) -> Scopes:
        """Return the scopes of an item of the array."""
        item = item_field(self.field(array, scopes))
        if item is None:
            raise Invalid(
                "pql.type",
                f"{to_text(array)} is no array whose items are known.",
                hint="Conditions, aggregates and map take the items of an array.",
                where={"start": array.span.start, "end": array.span.end},
            )
        return (*scopes, item)

    # -- Boolean position -------------------------------------------------------------------------------------------

    def truth(self, expr: Expr, scopes: Scopes) -> Expr:
        """Return the canonical form of an expression in Boolean position."""
        result = self._truth(expr, scopes)
        return result if result.span.end else replace(result, span=expr.span)

    def _truth(self, expr: Expr, scopes: Scopes) -> Expr:
        match expr:
            case Literal(value, kind):
                return TRUE if (value if kind == "boolean" else kind != "null") else FALSE
            case Binary("and" | "or" as op):
                join = all_of if op == "and" else any_of
                return join(self.truth(part, scopes) for part in operands_of(op, expr))
            case Unary("not", operand):
                return negate(self.truth(operand, scopes))
            case Call("if", (test, yes, no)):
                when = self.truth(test, scopes)
                if len(to_text(when)) > predicates.LONGEST_TEST:
                    return Call("if", (when, self.truth(yes, scopes), self.truth(no, scopes)))
                return any_of([all_of([when, self.truth(yes, scopes)]), all_of([negate(when), self.truth(no, scopes)])])
            case Call("inSegment"):
                return expr
            case Call("stringCompare", (Literal(str(name)), subject, values, *flag)):
                return predicates.string_compare(self, name, subject, values, tuple(flag), scopes)
            case Binary("in" | "notIn" as op, left, right):
                return predicates.membership(self, op, left, right, scopes)
            case Binary("like" | "matches" as op, left, right):
                return self.lifted(left, scopes, lambda inner, by: Binary(op, inner, shift(right, by))) or Binary(
                    op, self.value(left, scopes), self.value(right, scopes)
                )
            case Binary("=" | "!=" | "<" | "<=" | ">" | ">=" as op, left, right):
                return predicates.compare(self, op, left, right, scopes)
            case Occurs(value, tail):
                return self.lifted(
                    value, scopes, lambda inner, by: Occurs(inner, times.shifted(tail, by))
                ) or times.occurs(self, value, tail, scopes)
            case Chain():
                return times.chain(self, expr, scopes)
            case Method(receiver, name, args):
                return self._method(expr, receiver, name, args, scopes)
            case _:
                return self._by_type(expr, scopes)

    def _by_type(self, expr: Expr, scopes: Scopes) -> Expr:
        if isinstance(expr, Method) and expr.name == "groupBy":
            return self.present(expr, scopes)
        split = self.split(expr, scopes)
        if split is not None:
            base, inner = split
            there = inner if self._is_array(inner, self.inside(base, scopes)) else Method(inner, "isNotNull", ())
            return self.truth(Filter(base, there), scopes)
        found = self.field(expr, scopes)
        if isinstance(expr, Filter) or (found is not None and found.type is FieldType.ARRAY):
            return self._some(expr, scopes)
        if found is not None and found.type is FieldType.BOOLEAN:
            return Binary("=", self.value(expr, scopes), TRUE)
        return self.value(expr, scopes) if self.is_predicate(expr, scopes) else self.present(expr, scopes)

    def _method(self, expr: Expr, receiver: Expr, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Expr:
        match name, args:
            case ("isNotNull", ()):
                return self.present(receiver, scopes)
            case ("isNull", ()):
                return negate(self.present(receiver, scopes))
            case ("exists", ()):
                return self.truth(receiver, scopes)
            case ("exists" | "filter", (condition,)):
                return self.truth(Filter(receiver, condition), scopes)
            case ("forall", (condition,)):
                return negate(self.truth(Filter(receiver, Unary("not", condition)), scopes))
            case ("includes", (item,)):
                return self.truth(Binary("in", item, receiver), scopes)
            case ("intersects", (other,)):
                return predicates.intersects(self, receiver, other, scopes)
            case ("subsetOf" | "supersetOf", (other,)):
                receiver, other = predicates.without_repetition(receiver), predicates.without_repetition(other)
                left, right = (receiver, other) if name == "subsetOf" else (other, receiver)
                if predicates.is_empty(left) or predicates.is_empty(right):
                    return predicates.subset(self, left, right, scopes)
                if not (self.never_null(receiver, scopes) or self.never_null(other, scopes)):
                    return Method(self.value(receiver, scopes), name, (self.value(other, scopes),))
                return predicates.subset(self, left, right, scopes)
            case _ if name in TEXT_METHODS:
                return predicates.text(self, receiver, name, args, scopes)
            case _:
                return self._by_type(expr, scopes)

    def present(self, expr: Expr, scopes: Scopes) -> Expr:
        """Return that the reference exists. What is made from an array exists when the array does."""
        split = self.split(expr, scopes)
        if split is not None:
            return self.present(split[0], scopes)
        match expr:
            case Literal(_, kind):
                return FALSE if kind == "null" else TRUE
            case ArrayLiteral() | Unary("-", Literal()):
                return TRUE
            case Filter(array, _) | Method(
                array, "filter" | "distinct" | "map" | "topN" | "bottomN" | "groupBy" | "keys" | "values"
            ):
                return self.present(array, scopes)
            case Method(_, "count" | "sum"):
                return TRUE
            case _ if expr == XEVENT:
                return TRUE
            case _ if is_path(expr) or not self.is_predicate(expr, scopes):
                return Method(self.value(expr, scopes), "isNotNull", ())
            case _:
                return TRUE

    def is_predicate(self, expr: Expr, scopes: Scopes) -> bool:
        """Whether the expression is true or false and never null."""
        found = self.field(expr, scopes)
        if found is None or found.type is not FieldType.BOOLEAN or isinstance(expr, Name | Up | Property):
            return False
        value_methods = ("get", "head", "min", "max")
        return not (isinstance(expr, Method) and expr.name in value_methods) and not (
            isinstance(expr, Call) and expr.name == "if"
        )

    def never_null(self, array: Expr, scopes: Scopes) -> bool:
        """Whether an array is a projection, which is empty where others are null, or made from one."""
        kept = ("filter", "distinct", "map", "topN", "bottomN", "groupBy", "keys", "values")
        while isinstance(array, Method) and array.name in kept:
            array = array.receiver
        return self.split(array, scopes) is not None

    # -- arrays -----------------------------------------------------------------------------------------------------

    def split(self, expr: Expr, scopes: Scopes) -> tuple[Expr, Expr] | None:
        """Divide a projection into the outermost array and the rest, as its item sees it; None when it is none."""
        match expr:
            case Name(name) | Up(_, name) if name != "this" and expr not in _RESERVED:
                level = expr.levels if isinstance(expr, Up) else 0
                of_array = level < len(scopes) and scopes[-1 - level].type is FieldType.ARRAY
                return (at_level(level, "this"), _own(name, expr)) if of_array else None
            case Property(target, name):
                split = self.split(target, scopes)
                if split is not None:
                    return split[0], attach(split[1], name)
                owner = self.field(target, scopes)
                return (target, _own(name, expr)) if owner is not None and owner.type is FieldType.ARRAY else None
            case Filter(array, condition):
                split = self.split(array, scopes)
                if split is None:
                    return None
                base, item = split
                if self._is_array(item, self.inside(base, scopes)):
                    return base, Filter(item, shift(condition, 1, 1))
                return Filter(base, Binary("and", Method(item, "isNotNull", ()), put(condition, item))), item
            case Method(receiver, name, args) if name in CALENDAR_PARTS or name == "regexGroup":
                split = self.split(receiver, scopes)
                return split and (split[0], Method(split[1], name, tuple(shift(arg, 1) for arg in args)))
            case _:
                return None

    def lifted(
        self, subject: Expr, scopes: Scopes, make: Callable[[Expr, int], Expr], *, whole: bool = False
    ) -> Expr | None:
        """Return that some item of a projection satisfies a predicate; None when the subject is no projection.

        `make` gets the subject as the item sees it, and by how much the other operands must be shifted. Where an item
        has an array, that is the item of the array, or with `whole` the array.
        """
        split = self.split(subject, scopes)
        if split is None:
            return None
        base, item = split
        if not whole and self._is_array(item, self.inside(base, scopes)):
            return self.truth(Filter(base, Filter(item, make(THIS, 2))), scopes)
        return self.truth(Filter(base, make(item, 1)), scopes)

    def _some_group(self, expr: Expr, scopes: Scopes) -> Expr | None:
        """Return that there is a group, which an item with a key is in; None for what gives no groups."""
        match expr:
            case Method(array, "groupBy", (key,)):
                return self.truth(Filter(array, Method(key, "isNotNull", ())), scopes)
            case _:
                return None

    def _some(self, expr: Expr, scopes: Scopes) -> Expr:
        """Return that an array has items."""
        match expr:
            case ArrayLiteral(items):
                return any_of([self.present(item, scopes) for item in items])
            case Method(array, "distinct", ()):
                return self.truth(array, scopes)
            case Method(groups, "values", ()) if (found := self._some_group(groups, scopes)) is not None:
                return found
            case Method(array, "map", (operand,)):
                return self.truth(Filter(array, Method(operand, "isNotNull", ())), scopes)
            case Filter(array, _) if (values := self._of_values(array, expr, scopes)) is not None:
                return self.truth(values[0], scopes)
            case Filter(array, condition):
                inner = self.inside(array, scopes)
                parts = list(operands_of("and", self.truth(condition, inner)))
                while isinstance(array, Filter):
                    parts += operands_of("and", self.truth(array.condition, inner))
                    array = array.array
                outer = [part for part in parts if 0 not in levels_of(part)]
                local = all_of(part for part in parts if part not in outer)
                around = [self.truth(shift(part, -1, 0), scopes) for part in outer]
                if local == FALSE or FALSE in around:
                    return FALSE
                if local == TRUE:
                    return all_of([*around, self._some_group(array, scopes) or self.truth(array, scopes)])
                filtered = Filter(self.value(array, scopes), local, span=expr.span)
                return all_of([*around, as_chain(filtered) if len(scopes) == 1 else filtered])
            case _:
                return self.value(expr, scopes)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, expr: Expr, scopes: Scopes) -> Expr:
        """Return the canonical form of an expression whose value is used."""
        result = self._value(expr, scopes)
        return result if result.span.end else replace(result, span=expr.span)

    def _value(self, expr: Expr, scopes: Scopes) -> Expr:
        if self.is_predicate(expr, scopes):
            truth = self.truth(expr, scopes)
            return Binary(">=", Method(truth, "count", ()), ONE) if self._is_array(truth, scopes) else truth
        match expr:
            case Literal(_, "integer" | "double"):
                return predicates.number(expr)
            case Unary("-", Literal(_, "integer" | "double") as operand):
                return predicates.number(negated(operand))
            case Property():
                split = self.split(expr, scopes)
                if split is None or self._is_array(split[1], self.inside(split[0], scopes)):
                    return rebuild(expr, lambda child, _: self.value(child, scopes))
                present = Filter(split[0], Method(split[1], "isNotNull", ()))
                return self.value(Method(present, "map", (split[1],)), scopes)
            case Filter(array, _) if (values := self._of_values(array, expr, scopes)) is not None:
                return self.value(Method(values[0], "map", (values[1],)), scopes)
            case Filter(array, condition):
                inner = self.inside(array, scopes)
                conditions = [self.truth(condition, inner)]
                while isinstance(array, Filter):
                    conditions.append(self.truth(array.condition, inner))
                    array = array.array
                where = all_of(conditions)
                return self.value(array, scopes) if where == TRUE else Filter(self.value(array, scopes), where)
            case Method(array, "filter", (condition,)):
                return self.value(Filter(array, condition), scopes)
            case Method(Method(array, "groupBy", (key,)), "keys", ()):
                return self.value(Method(Method(array, "map", (key,)), "distinct", ()), scopes)
            case Method(Method(_, "groupBy") as groups, "values", ()):
                return self.value(groups, scopes)
            case Method(Method(array, "distinct", ()), "head", ()):
                return self.value(Method(Filter(array, Method(THIS, "isNotNull", ())), "head", ()), scopes)
            case Method(Method(array, "intersection", (other,)), "head", ()):
                return self.value(Method(Filter(array, Binary("in", THIS, shift(other, 1))), "head", ()), scopes)
            case Method(receiver, "count", ()):
                return self._counted(receiver, scopes)
            case Method(array, "sum" | "average" | "min" | "max" as name, _) if predicates.is_empty(array):
                return Literal(0, "integer") if name == "sum" else Literal(None, "null")
            case Method(receiver, "sum" | "average" | "min" | "max", _):
                return self._aggregated(expr, receiver, scopes)
            case Binary("+" | "*" as op, left, right):
                operands = sorted((self.value(left, scopes), self.value(right, scopes)), key=to_text)
                return Binary(op, *operands)
            case Call("if", (test, yes, no)):
                when, then, other = self.truth(test, scopes), self.value(yes, scopes), self.value(no, scopes)
                return then if when == TRUE else other if when == FALSE else Call("if", (when, then, other))
            case Method(receiver, name, args) if name in ITEM_METHODS and args:
                scopes_of_item = self.inside(receiver, scopes)
                return rebuild(expr, lambda child, deeper: self.value(child, scopes_of_item if deeper else scopes))
            case ArrayLiteral(items) if all(isinstance(item, Literal) for item in items):
                return ArrayLiteral(tuple(predicates.converted(item, None) for item in items))
            case _:
                return rebuild(expr, lambda child, _: self.value(child, scopes))

    def _of_values(self, array: Expr, expr: Expr, scopes: Scopes) -> tuple[Expr, Expr] | None:
        """Divide `expr`, made from the projection `array`, if that gives single values; None otherwise."""
        split = self.split(array, scopes)
        if split is None or self._is_array(split[1], self.inside(split[0], scopes)):
            return None
        return self.split(expr, scopes)

    def _is_array(self, expr: Expr, scopes: Scopes) -> bool:
        found = self.field(expr, scopes)
        return found is not None and found.type is FieldType.ARRAY

    def _counted(self, array: Expr, scopes: Scopes) -> Expr:
        """Return the canonical form of ``array.count()``."""
        match array:
            case Method(grouped, "groupBy", (key,)) | Method(Method(grouped, "groupBy", (key,)), "values", ()):
                return self.value(Method(Method(Method(grouped, "map", (key,)), "distinct", ()), "count", ()), scopes)
            case Method(projected, "distinct", ()):
                split = self.split(projected, scopes)
                if split is not None and not self._is_array(split[1], self.inside(split[0], scopes)):
                    mapped = Method(split[0], "map", (split[1],))
                    return self.value(Method(Method(mapped, "distinct", ()), "count", ()), scopes)
            case _:
                split = self.split(array, scopes)
                if split is not None:
                    base, item = split
                    if self._is_array(item, self.inside(base, scopes)):
                        return self.value(Method(base, "sum", (Method(item, "count", ()),)), scopes)
                    return self.value(Method(Filter(base, Method(item, "isNotNull", ())), "count", ()), scopes)
        return Method(self.value(array, scopes), "count", ())

    def _aggregated(self, expr: Method, array: Expr, scopes: Scopes) -> Expr:
        """Return the canonical form of ``array.sum(e)`` and its like, with the operand always written."""
        name, args = expr.name, expr.args
        if not args and isinstance(array, Method) and array.name == "map":
            return self.value(Method(array.receiver, name, array.args), scopes)
        split = self.split(array, scopes)
        if split is not None:
            base, item = split
            if not self._is_array(item, self.inside(base, scopes)):
                if args:
                    base, item = Filter(base, Method(item, "isNotNull", ())), put(args[0], item)
                return self.value(Method(base, name, (item,)), scopes)
            if name == "average":
                valued = Filter(array, Method(args[0] if args else THIS, "isNotNull", ()))
                mean = Binary("/", Method(array, "sum", args), Method(valued, "count", ()))
                return self.value(mean, scopes)
            inner = Method(item, name, tuple(shift(arg, 1, 1) for arg in args))
            return self.value(Method(base, name, (inner,)), scopes)
        inside = self.inside(array, scopes)
        operand = args[0] if args else THIS
        if name != "average" and self._is_array(operand, inside):
            operand = Method(operand, name, ())
        return Method(self.value(array, scopes), name, (self.value(operand, inside),))
