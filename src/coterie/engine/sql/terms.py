"""Core expressions as SQL over a row: truths, which may be null where they are false, and values.

The scopes are the values that names mean, outermost first: the profile, the event or the item of an array around.
"""

from __future__ import annotations

from typing import Protocol

from coterie.core.schema import Union
from coterie.engine.sql import arrays, clocks, equality, numbers, texts
from coterie.engine.sql.choices import chosen, entry, named
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
from coterie.engine.sql.values import (
    TIMES,
    Dictionary,
    Entries,
    Kind,
    Made,
    Many,
    Scalar,
    Value,
    exists,
    is_null,
    mismatch,
)
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
    ObjectLiteral,
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
from coterie.pql.local import UTC
from coterie.pql.logic import all_of, operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported
from coterie.pql.scopes import (
    PREDICATES,
    TEXT_METHODS,
    THIS,
    XEVENT,
    attach,
    levels_of,
    reads_person,
    times_of,
)

Scopes = tuple[Value, ...]

DEEPEST = 10
"""Arrays gone through inside one another: with each, DuckDB takes twice as long to plan; ten take a second."""

_PARTS = {"getYear": "year", "getMonth": "month", "getDayOfMonth": "day_of_month"}
_CURRENT = {"currentYear": 0, "currentMonth": 1, "currentDayOfMonth": 2}


class Person(Protocol):
    """What lies outside the row that is compiled: the events and the memberships of its person."""

    def aggregate(self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr) -> Scalar | None:
        """Return the aggregate of the events that satisfy `where`; `expr` is the whole, for errors.

        None where only a list of the events gives it: what is aggregated may have too many digits.
        """

    def end(self, where: Expr | None, path: Expr, *, last: bool) -> Scalar | None:
        """Return a single value of the first, or last, of the events that satisfy a condition; None for any other."""

    def events(self, where: Expr | None) -> Many:
        """Return the events that satisfy a condition which reads nothing but the event, in order of time."""

    def member(self, audience: str) -> Sql:
        """Return that the person is in an audience."""


class Terms:
    """Compiles core expressions.

    Parameters
    ----------
    union : Union
        The fields there are.
    at : int
        The evaluation instant, ms.
    zone : str
        IANA name of the time zone of the calendar.
    person : Person, optional
        Gives events and memberships; without it, conditions read the row alone.
    """

    def __init__(self, union: Union, at: int, zone: str = UTC, person: Person | None = None) -> None:
        self.union = union
        self.at = at
        self.zone = zone
        self.person = person

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
                return equality.compare(op, self.value(left, scopes), self.value(right, scopes), expr)
            case Binary("in" | "notIn" as op, item, array):
                return arrays.membership(self, op, item, array, scopes, expr)
            case Binary("like", subject, pattern):
                return texts.like(self.value(subject, scopes), self.value(pattern, scopes), expr)
            case Binary("matches", subject, pattern):
                return texts.matches(self.value(subject, scopes), self.value(pattern, scopes), expr)
            case Occurs(value, tail):
                found = self.scalar(value, scopes, expr)
                return occurs(found, tail, [self._time(time, scopes, expr) for time in times_of(tail)], self.zone, expr)
            case Method(receiver, "isNotNull", ()):
                return exists(self.value(receiver, scopes))
            case Method(receiver, name, args) if name in TEXT_METHODS:
                return self._text_predicate(name, receiver, args, scopes, expr)
            case Method(receiver, "intersects" | "subsetOf" | "supersetOf" as name, (other,)):
                return arrays.set_predicate(name, self.many(receiver, scopes), self.many(other, scopes), expr)
            case Call("inSegment", (Literal(str(audience)),)):
                return self._outside(expr).member(audience)
            case Call("if", (test, yes, otherwise)):
                when = self.truth(test, scopes)
                return choose(when, defined(self.truth(yes, scopes)), defined(self.truth(otherwise, scopes)))
            case Chain():
                return self.truth(quantified(expr), scopes)
            case _:
                return self._by_type(expr, scopes)

    def _by_type(self, expr: Expr, scopes: Scopes) -> Sql:
        found = events_of(expr)
        if found is not None and self._joins(found[0], scopes):
            count = self._outside(expr).aggregate("count", found[0], None, expr)
            assert count is not None
            return numbers.compare(">=", count, numbers.literal(Literal(1, "integer")), expr)
        value = self.value(expr, scopes)
        if isinstance(value, Many):
            return arrays.some_item(value, expr)
        if isinstance(value, Scalar) and value.kind is Kind.TRUTH:
            return value.sql
        return exists(value)

    def _outside(self, expr: Expr) -> Person:
        if self.person is None:
            raise unsupported(expr, f"{to_text(expr)} at this place")
        return self.person

    @staticmethod
    def _joins(part: Expr | None, scopes: Scopes) -> bool:
        """Whether a condition on events, or what is aggregated of them, needs nothing that a join does not give."""
        if part is None:
            return True
        levels = levels_of(part)
        return not reads_person(part) and levels <= ({0} if len(scopes) > 1 else {0, 1})

    def _text_predicate(self, name: str, receiver: Expr, args: tuple[Expr, ...], scopes: Scopes, expr: Expr) -> Sql:
        flag = args[-1] if len(args) > 1 else None
        exact = not (isinstance(flag, Literal) and flag.kind == "boolean")
        values = [self.value(arg, scopes) for arg in (args if exact else args[:-1])]
        return texts.predicate(name, self.value(receiver, scopes), values, expr, exact=exact)

    def _time(self, time: TimeWord | RelativeUnit | Expr, scopes: Scopes, expr: Expr) -> Scalar:
        if isinstance(time, TimeWord | RelativeUnit):
            found = interval(time, self.at, self.zone)
            return Scalar(whole(found.start), Kind.INSTANT, constant=found)
        return self.scalar(time, scopes, expr)

    # -- values -----------------------------------------------------------------------------------------------------

    def scalar(self, expr: Expr, scopes: Scopes, within: Expr) -> Scalar:
        """Return a single value; refuses `within` when it is none."""
        value = self.value(expr, scopes)
        if not isinstance(value, Scalar):
            raise mismatch(within, "a single value")
        return value

    def many(self, expr: Expr, scopes: Scopes) -> Many:
        """Return an array; refuses anything else."""
        value = self.value(expr, scopes)
        if not isinstance(value, Many):
            if is_null(value):
                return Many(NULL, lambda cursor: Scalar(cursor, Kind.TEXT), plain=True)
            raise mismatch(expr, "an array")
        return value

    def value(self, expr: Expr, scopes: Scopes) -> Value:
        """Return the value of an expression in the row."""
        if len(scopes) > DEEPEST + 1:
            hint = (
                f"Relate at most {DEEPEST} items: divide the rule, or let each step of a chain be about the one before."
            )
            raise unsupported(expr, f"a condition on items more than {DEEPEST} levels inside one another", hint)
        match expr:
            case Literal():
                return numbers.literal(expr, self.zone)
            case Name("now"):
                return numbers.instant(self.at)
            case Name("today"):
                found = interval(TimeWord("today"), self.at, self.zone)
                return Scalar(whole(found.start), Kind.DAY, constant=found)
            case Name("xEvent"):
                return self._outside(expr).events(None)
            case Filter(array, condition) if array == XEVENT:
                return self._events(condition, scopes, expr)
            case Name(name) | Up(_, name):
                scope = scopes[-1 - (expr.levels if isinstance(expr, Up) else 0)]
                return scope if name == "this" else self._property(scope, name, expr)
            case Property(target, name):
                end = self._of_end(expr)
                return self._property(self.value(target, scopes), name, expr) if end is None else end
            case Filter(array, condition):
                return self.many(array, scopes).kept(lambda item: self.truth(condition, (*scopes, item)))
            case Unary("-", operand):
                return numbers.negative(self.value(operand, scopes), expr)
            case Binary("+" | "-" | "*" | "/" | "%" as op, left, right):
                return numbers.arithmetic(op, self.value(left, scopes), self.value(right, scopes), expr)
            case ObjectLiteral(entries):
                return Made({name: self.value(value, scopes) for name, value in entries})
            case ArrayLiteral(items):
                return arrays.literal([self.value(item, scopes) for item in items], expr)
            case Call("inSegment" | "stringCompare"):
                return Scalar(defined(self.truth(expr, scopes)), Kind.TRUTH)
            case Call(name, args):
                return self._call(expr, name, args, scopes)
            case Method(receiver, name, args) if name not in PREDICATES:
                return self._method(expr, receiver, name, args, scopes)
            case Binary() | Unary() | Occurs() | Method():
                return Scalar(defined(self.truth(expr, scopes)), Kind.TRUTH)
            case Chain():
                return Scalar(defined(self.truth(expr, scopes)), Kind.TRUTH)
            case Positional():
                raise unsupported(expr, "a relation to an earlier element of a sequence")
            case _:
                raise mismatch(expr, "a value")

    def _events(self, condition: Expr, scopes: Scopes, expr: Expr) -> Many:
        """Return the events that satisfy a condition; what it says of the event alone leaves out the others at once."""
        parts = list(operands_of("and", condition))
        own = [part for part in parts if levels_of(part) <= {0} and not reads_person(part)]
        found = self._outside(expr).events(all_of(own) if own else None)
        rest = [part for part in parts if part not in own]
        if not rest:
            return found
        return found.kept(lambda event: both(self.truth(part, (*scopes, event)) for part in rest))

    def _of_end(self, expr: Property) -> Scalar | None:
        """Return a field of the first or last event that satisfies a condition on the event alone, without a list."""
        path: Expr = THIS
        target: Expr = expr
        names = []
        while isinstance(target, Property):
            names.append(target.name)
            target = target.object
        if self.person is None or not (isinstance(target, Method) and (target.name, target.args) == ("head", ())):
            return None
        match target.receiver:
            case Method(array, "topN" | "bottomN" as ranked, (Name("timestamp"), Literal(1, "integer"))):
                last = ranked == "topN"
            case array:
                last = False
        found = events_of(array)
        if found is None or (found[0] is not None and (levels_of(found[0]) > {0} or reads_person(found[0]))):
            return None
        for name in reversed(names):
            path = attach(path, name)
        return self.person.end(found[0], path, last=last)

    def _property(self, owner: Value, name: str, expr: Expr) -> Value:
        return named(owner, name, expr)

    def _call(self, expr: Call, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
        if name == "if":
            test, yes, otherwise = args
            when = self.truth(test, scopes)
            return chosen(when, self.value(yes, scopes), self.value(otherwise, scopes), expr)
        if name in _CURRENT:
            return numbers.literal(Literal(civil(self.at, self.zone)[_CURRENT[name]], "integer"))
        if name == "date" and all(isinstance(arg, Literal) and isinstance(arg.value, int) for arg in args):
            year, month, of_month = (int(arg.value or 0) for arg in args if isinstance(arg, Literal))
            found = day(year, month, of_month, self.zone)
            return Scalar(NULL if found is None else whole(found.start), Kind.DAY, constant=found)
        if name == "date":
            parts = [self.scalar(arg, scopes, expr) for arg in args]
            start = build("date", *(part.sql for part in parts))
            return Scalar(clocks.from_local(start, self.zone), Kind.DAY)
        raise mismatch(expr, "a function that gives a value")

    def _method(self, expr: Method, receiver: Expr, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
        if name in _PARTS and not args:
            return self._calendar_part(name, self.scalar(receiver, scopes, expr), expr)
        if name == "regexGroup":
            group = self.value(args[1], scopes) if len(args) > 1 else numbers.literal(Literal(1, "integer"))
            return texts.group(self.value(receiver, scopes), self.value(args[0], scopes), group, expr)
        found = self._of_events(expr)
        if found is not None:
            function, where, operand = found
            if self._joins(where, scopes) and self._joins(operand, scopes):
                joined = self._outside(expr).aggregate(function, where, operand, expr)
                if joined is not None:
                    return joined
        owner = self.value(receiver, scopes)
        if isinstance(owner, Entries | Dictionary):
            return self._of_map(expr, owner, name, args, scopes)
        many = owner if isinstance(owner, Many) else self.many(receiver, scopes)
        return arrays.method(self, expr, many, scopes)

    def _calendar_part(self, name: str, value: Scalar, expr: Expr) -> Scalar:
        if value.kind not in TIMES:
            raise mismatch(expr, "a date or a timestamp")
        if isinstance(value.constant, Interval):
            part = civil(value.constant.start, self.zone)[list(_PARTS).index(name)]
            return numbers.literal(Literal(part, "integer"))
        return Scalar(clocks.part(_PARTS[name], value.sql, self.zone), Kind.EXACT, whole=6)

    def _of_map(
        self, expr: Expr, owner: Entries | Dictionary, name: str, args: tuple[Expr, ...], scopes: Scopes
    ) -> Value:
        match name:
            case "get":
                return entry(owner, numbers.as_text(self.scalar(args[0], scopes, expr), expr).sql)
            case "keys":
                return owner.listed()
            case "values":
                return owner.values()
            case _:
                raise mismatch(expr, "an array")

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
