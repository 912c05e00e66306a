"""Core expressions as SQL over a row: truths, which may be null where they are false, and values.

The scopes are the values that names mean, outermost first: the profile, the event or the item of an array around.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from coterie.core.errors import Invalid
from coterie.core.schema import Union
from coterie.engine.sql import arrays, numbers, texts
from coterie.engine.sql.constructs import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    both,
    build,
    choose,
    defined,
    either,
    no,
    whole,
)
from coterie.engine.sql.occurrence import occurs
from coterie.engine.sql.values import NUMBERS, TIMES, Entries, Kind, Many, Record, Scalar, Value, exists
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
    Positional,
    Property,
    RelativeUnit,
    TimeWord,
    Unary,
    Up,
)
from coterie.pql.calendar import Interval, civil, day, interval
from coterie.pql.chains import quantified
from coterie.pql.conditions import COMPARISONS, Function, events_of
from coterie.pql.logic import operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported
from coterie.pql.scopes import PREDICATES, TEXT_METHODS, XEVENT, times_of

Scopes = tuple[Value, ...]

_PARTS = {"getYear": "year", "getMonth": "month", "getDayOfMonth": "day_of_month"}
_CURRENT = {"currentYear": 0, "currentMonth": 1, "currentDayOfMonth": 2}


class Events(Protocol):
    """Gives aggregates of the events of the person whose row is compiled."""

    def aggregate(self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr) -> Scalar:
        """Return the aggregate of the events that satisfy `where`; `expr` is the whole, for errors."""


class Terms:
    """Compiles core expressions.

    Parameters
    ----------
    union : Union
        The fields there are.
    at : int
        The evaluation instant, ms.
    events : Events, optional
        Gives aggregates of events; without it they are refused.
    """

    def __init__(self, union: Union, at: int, events: Events | None = None) -> None:
        self.union = union
        self.at = at
        self.events = events

    # -- truths -----------------------------------------------------------------------------------------------------

    def truth(self, expr: Expr, scopes: Scopes) -> Sql:
        """Return a truth of the row; null means false."""
        match expr:
            case Literal(value, "boolean"):
                return TRUE if value else FALSE
            case Binary("and" | "or" as op):
                parts = (self.truth(part, scopes) for part in operands_of(op, expr))
                return both(parts) if op == "and" else either(parts)
            case Unary("not", operand):
                return no(self.truth(operand, scopes))
            case Binary(op, left, right) if op in COMPARISONS:
                a, b = self.value(left, scopes), self.value(right, scopes)
                if isinstance(a, Many) and isinstance(b, Many) and op in ("=", "!="):
                    return arrays.compare(op, a, b, expr)
                return numbers.compare(op, a, b, expr)
            case Binary("in" | "notIn" as op, item, array):
                return arrays.membership(self, op, item, array, scopes, expr)
            case Binary("like", subject, pattern):
                return texts.like(self.value(subject, scopes), self.value(pattern, scopes), expr)
            case Binary("matches", subject, pattern):
                return texts.matches(self.value(subject, scopes), self.value(pattern, scopes), expr)
            case Occurs(value, tail):
                found = self.scalar(value, scopes, expr)
                return occurs(found, tail, [self._time(time, scopes, expr) for time in times_of(tail)], expr)
            case Method(receiver, "isNotNull", ()):
                return exists(self.value(receiver, scopes))
            case Method(receiver, name, args) if name in TEXT_METHODS:
                exact = not (len(args) > 1 and isinstance(args[-1], Literal) and args[-1].kind == "boolean")
                values = [self.value(arg, scopes) for arg in (args if exact else args[:-1])]
                return texts.predicate(name, self.value(receiver, scopes), values, expr, exact=exact)
            case Method(receiver, "intersects" | "subsetOf" | "supersetOf" as name, (other,)):
                return arrays.set_predicate(name, self.many(receiver, scopes), self.many(other, scopes), expr)
            case Chain():
                return self.truth(quantified(expr), scopes)
            case _:
                return self._by_type(expr, scopes)

    def _by_type(self, expr: Expr, scopes: Scopes) -> Sql:
        found = events_of(expr)
        if found is not None:
            count = self._events(expr, scopes).aggregate("count", found[0], None, expr)
            return numbers.compare(">=", count, numbers.literal(Literal(1, "integer")), expr)
        value = self.value(expr, scopes)
        if isinstance(value, Many):
            return both([*arrays.narrowing(value, expr), build(">", value.size(), whole(0))])
        if isinstance(value, Scalar) and value.kind is Kind.TRUTH:
            return value.sql
        raise unsupported(expr, f"the condition {to_text(expr)}")

    def _events(self, expr: Expr, scopes: Scopes) -> Events:
        if self.events is None or len(scopes) > 1:
            raise unsupported(expr, f"events related to other events or items, {to_text(expr)}")
        return self.events

    def _time(self, time: TimeWord | RelativeUnit | Expr, scopes: Scopes, expr: Expr) -> Scalar:
        if isinstance(time, TimeWord | RelativeUnit):
            found = interval(time, self.at)
            return Scalar(whole(found.start), Kind.INSTANT, constant=found)
        return self.scalar(time, scopes, expr)

    # -- values -----------------------------------------------------------------------------------------------------

    def scalar(self, expr: Expr, scopes: Scopes, within: Expr) -> Scalar:
        """Return a single value; refuses `within` when it is none."""
        value = self.value(expr, scopes)
        if not isinstance(value, Scalar):
            raise unsupported(within, f"an object or array as a value in {to_text(within)}")
        return value

    def many(self, expr: Expr, scopes: Scopes) -> Many:
        """Return an array; refuses anything else."""
        value = self.value(expr, scopes)
        if not isinstance(value, Many):
            raise unsupported(expr, f"{to_text(expr)} as an array")
        return value

    def value(self, expr: Expr, scopes: Scopes) -> Value:
        """Return the value of an expression in the row."""
        match expr:
            case Literal():
                return numbers.literal(expr)
            case Name("now"):
                return numbers.instant(self.at)
            case Name("today"):
                found = interval(TimeWord("today"), self.at)
                return Scalar(whole(found.start), Kind.DAY, constant=found)
            case Name(name) | Up(_, name) if expr != XEVENT:
                scope = scopes[-1 - (expr.levels if isinstance(expr, Up) else 0)]
                return scope if name == "this" else self._property(scope, name, expr)
            case Property(target, name):
                return self._property(self.value(target, scopes), name, expr)
            case Filter(array, condition):
                return self.many(array, scopes).kept(lambda item: self.truth(condition, (*scopes, item)))
            case Unary("-", operand):
                return numbers.negative(self.value(operand, scopes), expr)
            case Binary("+" | "-" | "*" | "/" | "%" as op, left, right):
                return numbers.arithmetic(op, self.value(left, scopes), self.value(right, scopes), expr)
            case ArrayLiteral(items):
                return arrays.literal([self.value(item, scopes) for item in items], expr)
            case Call(name, args):
                return self._call(expr, name, args, scopes)
            case Method(receiver, name, args) if name not in PREDICATES:
                return self._method(expr, receiver, name, args, scopes)
            case Binary() | Unary() | Occurs() | Method():
                return Scalar(defined(self.truth(expr, scopes)), Kind.TRUTH)
            case Positional():
                raise unsupported(expr, "a relation to an earlier element of a sequence")
            case _:
                raise unsupported(expr, f"the value {to_text(expr)}")

    def _property(self, owner: Value, name: str, expr: Expr) -> Value:
        if isinstance(owner, Many):
            return owner.projected(lambda item: self._property(item, name, expr))
        found = owner.get(name) if isinstance(owner, Record) else None
        if found is None:
            raise Invalid(
                "pql.unknown-field",
                f"unknown field {name!r} in {to_text(expr)}.",
                where={"start": expr.span.start, "end": expr.span.end},
            )
        return found

    def _call(self, expr: Call, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
        if name == "if":
            return self._choice(expr, scopes)
        if name in _CURRENT:
            return numbers.literal(Literal(civil(self.at)[_CURRENT[name]], "integer"))
        if name == "date" and all(isinstance(arg, Literal) and isinstance(arg.value, int) for arg in args):
            found = day(*(int(arg.value or 0) for arg in args if isinstance(arg, Literal)))
            return Scalar(NULL if found is None else whole(found.start), Kind.DAY, constant=found)
        if name == "date":
            parts = [self.scalar(arg, scopes, expr) for arg in args]
            if all(part.kind is Kind.EXACT and part.scale == 0 for part in parts):
                return Scalar(build("date", *(part.sql for part in parts)), Kind.DAY)
        raise unsupported(expr, f"{to_text(expr)} at this place")

    def _choice(self, expr: Call, scopes: Scopes) -> Scalar:
        test, yes, otherwise = expr.args
        when = self.truth(test, scopes)
        first, second = self.scalar(yes, scopes, expr), self.scalar(otherwise, scopes, expr)
        if first.kind is Kind.EXACT is second.kind:
            scale, digits = max(first.scale, second.scale), max(first.whole, second.whole)
            if scale + digits > numbers.DIGITS:
                raise numbers.too_wide(expr)
            sql = choose(when, first.sql, second.sql)
            return Scalar(sql, Kind.EXACT, scale, digits)
        if first.kind in NUMBERS and second.kind in NUMBERS:
            return Scalar(choose(when, numbers.as_double(first), numbers.as_double(second)), Kind.BINARY)
        if first.kind is not second.kind:
            raise unsupported(expr, f"a choice between values of two types, {to_text(expr)}")
        return replace(first, sql=choose(when, first.sql, second.sql), constant=None)

    def _method(self, expr: Method, receiver: Expr, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
        if name in _PARTS and not args:
            return self._calendar_part(name, self.scalar(receiver, scopes, expr), expr)
        if name == "regexGroup":
            group = args[1] if len(args) > 1 else Literal(1, "integer")
            if not (isinstance(group, Literal) and isinstance(group.value, int)):
                raise unsupported(expr, f"a group that is not a literal in {to_text(expr)}")
            return texts.group(self.value(receiver, scopes), self.value(args[0], scopes), group.value, expr)
        if name in ("get", "keys", "values"):
            return self._of_map(expr, receiver, name, args, scopes)
        found = self._of_events(expr)
        if found is not None:
            function, where, operand = found
            return self._events(expr, scopes).aggregate(function, where, operand, expr)
        return arrays.method(self, expr, self.many(receiver, scopes), name, args, scopes)

    def _calendar_part(self, name: str, value: Scalar, expr: Expr) -> Scalar:
        if value.kind not in TIMES:
            raise unsupported(expr, f"a part of a date in {to_text(expr)}", "Ask it of a date or a timestamp.")
        if isinstance(value.constant, Interval):
            part = civil(value.constant.start)[list(_PARTS).index(name)]
            return numbers.literal(Literal(part, "integer"))
        return Scalar(build(_PARTS[name], value.sql), Kind.EXACT, whole=6)

    def _of_map(self, expr: Expr, receiver: Expr, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
        entries = self.value(receiver, scopes)
        if not isinstance(entries, Entries):
            raise unsupported(expr, f"{to_text(expr)}, which is asked of no map")
        if name == "get":
            key = self.scalar(args[0], scopes, expr)
            return entries.entry(build("position", entries.keys, key.sql))
        if name == "keys":
            return Many(entries.keys, lambda cursor: Scalar(cursor, Kind.TEXT), plain=True)
        return Many(build("up_to", build("size", entries.keys)), entries.entry, positions=True)

    @staticmethod
    def _of_events(expr: Method) -> tuple[Function, Expr | None, Expr | None] | None:
        """Return function, filter and operand when the expression aggregates events."""
        match expr:
            case Method(Method(Method(array, "map", (operand,)), "distinct", ()), "count", ()):
                function: Function = "distinct"
                found = events_of(array)
                return None if found is None else (function, found[0], operand)
            case Method(array, "count", ()):
                found = events_of(array)
                return None if found is None else ("count", found[0], None)
            case Method(array, "sum" | "average" | "min" | "max" as name, (operand,)):
                found = events_of(array)
                return None if found is None else (name, found[0], operand)
            case _:
                return None
