"""Words for values: paths, what is computed from arrays, and times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import assert_never

from coterie.core.schema import FieldType
from coterie.pql.ast import (
    ArrayLiteral,
    BetweenTail,
    Binary,
    Call,
    DirectionTail,
    DistanceTail,
    Expr,
    Filter,
    Lambda,
    Literal,
    Method,
    Name,
    OnTail,
    Positional,
    Property,
    RelativeUnit,
    Tail,
    TimeWord,
    Unary,
    Up,
)
from coterie.pql.english.clauses import Around, Clause
from coterie.pql.english.nouns import (
    Kind,
    day_of,
    length,
    listed,
    many_of,
    phrase,
    value_of,
    words,
)
from coterie.pql.printer import to_text
from coterie.pql.scopes import XEVENT

_BEING = ("be", "")
_EXTREMES = {"min": ("lowest", "earliest"), "max": ("highest", "latest")}


DISTANCES = {
    "<=": "at most {}",
    "<": "less than {}",
    ">": "more than {}",
    ">=": "at least {}",
    "=": "exactly {}",
    "!=": "not exactly {}",
}


class Values(ABC):
    """Words for values."""

    @abstractmethod
    def read(self, expr: Expr, around: Around, *, yes: bool) -> Clause:
        """Return the clause of an expression in Boolean position, or with `yes` false of its negation."""

    @abstractmethod
    def things(self, array: Expr, around: Around) -> tuple[Kind, str]:
        """Return the words for the items of an array, and for what they satisfy."""

    def noun(self, expr: Expr, around: Around) -> str:
        """Return the words for a value."""
        match expr:
            case Literal():
                return value_of(expr)
            case ArrayLiteral(items):
                return listed([self.noun(item, around) for item in items], "and")
            case Name("now" | "today" as word):
                return word
            case Name("xEvent"):
                return "events"
            case Name("this"):
                return f"the {around.nouns[-1]}"
            case Up(levels, "this"):
                return around.owner(levels).removesuffix(" ").removesuffix("'s")
            case Positional(position):
                return f"step {position}"
            case Name() | Up() | Property():
                return self._path(expr, around)
            case Unary("-", operand):
                return f"-{self.noun(operand, around)}"
            case Binary("+" | "-" | "*" | "/" | "%" as op, left, right):
                sides = [
                    f"({n})" if isinstance(s, Binary) else n for s in (left, right) for n in [self.noun(s, around)]
                ]
                return f"{sides[0]} {({'*': 'times', '/': 'divided by', '%': 'modulo'}).get(op, op)} {sides[1]}"
            case Call("date", args) if (day := day_of(args)) is not None:
                return day
            case Call("currentYear" | "currentMonth" | "currentDayOfMonth" as name):
                return f"the current {words(name.removeprefix('current'))}"
            case Call("if", (test, yes, no)):
                condition = self.read(test, around, yes=True).statement
                return f"{self.noun(yes, around)} (if {condition}, otherwise {self.noun(no, around)})"
            case Method(receiver, name, args):
                return self._derived(expr, receiver, name, args, around)
            case Filter():
                return self.plural(expr, around)
            case _:
                return f"`{to_text(expr)}`"

    def _path(self, expr: Expr, around: Around) -> str:
        names: list[str] = []
        node = expr
        while isinstance(node, Property):
            names.insert(0, node.name)
            node = node.object
        match node:
            case Name("xEvent"):
                return f"{phrase(names, around.field(expr))} of events"
            case Name(name) if name not in ("this", "now", "today"):
                return phrase([name, *names], around.field(expr))
            case Up(levels, name):
                own = [*(() if name == "this" else (name,)), *names]
                return around.owner(levels) + phrase(own, around.field(expr))
            case Method(receiver, "get", (Literal(str(key)),)):
                return f"{self.noun(receiver, around)} “{key}” {phrase(names, None)}"
            case _:
                return f"{phrase(names, around.field(expr))} of {self.noun(node, around)}"

    def plural(self, array: Expr, around: Around) -> str:
        """Return the words for the items of an array."""
        kind, qualifier = self.things(array, around)
        return f"{kind.many} {qualifier}".strip()

    def _derived(self, expr: Expr, receiver: Expr, name: str, args: tuple[Expr, ...], around: Around) -> str:
        def over() -> str:
            return "" if receiver == XEVENT else f" over {self.plural(receiver, around)}"

        def of_item(arg: Expr) -> str:
            return self.noun(arg, around.item(receiver, self.things(receiver, around)[0].one))

        match name, args:
            case "count", ():
                return self._number(receiver, around)
            case "sum", (operand,):
                return f"total of {of_item(operand)}{over()}"
            case "average", (operand,):
                return f"average of {of_item(operand)}{over()}"
            case "min" | "max", (operand,):
                field = around.field(expr)
                timely = field is not None and field.type in (FieldType.DATE, FieldType.DATETIME)
                return f"{_EXTREMES[name][timely]} {of_item(operand)}{over()}"
            case "sum" | "average", ():
                return f"{'total' if name == 'sum' else 'average'} of {self.noun(receiver, around)}"
            case "min" | "max", ():
                return f"{_EXTREMES[name][0]} of {self.noun(receiver, around)}"
            case "head", ():
                kind, qualifier = self.things(receiver, around)
                return f"first {kind.one} {qualifier}".strip()
            case "topN" | "bottomN", (operand, count):
                kind, which = self.things(receiver, around)[0], "highest" if name == "topN" else "lowest"
                single = isinstance(count, Literal) and str(count.value) == "1"
                items = kind.one if single else f"{self.noun(count, around)} {kind.many}"
                return f"{items} with the {which} {of_item(operand)}"
            case "filter", (_,):
                return self.plural(expr, around)
            case "map", (operand,) if not isinstance(operand, Lambda):
                return f"{of_item(operand)} of each of {self.plural(receiver, around)}"
            case "distinct", ():
                return f"different {self.noun(receiver, around)}"
            case "get", (key,):
                return f"{self.noun(receiver, around)} {self.noun(key, around)}"
            case "keys" | "values", ():
                return f"{name} of {self.noun(receiver, around)}"
            case "getYear" | "getMonth" | "getDayOfMonth", ():
                part = {"getYear": "year", "getMonth": "month", "getDayOfMonth": "day of the month"}[name]
                return f"{part} of {self.noun(receiver, around)}"
            case "regexGroup", (Literal(str(pattern)), *group):
                number = self.noun(group[0], around) if group else "1"
                return f"group {number} of `{pattern}` in {self.noun(receiver, around)}"
            case "intersection", (other,):
                return f"what {self.noun(receiver, around)} and {self.noun(other, around)} have in common"
            case _:
                return f"`{to_text(expr)}`"

    def _number(self, receiver: Expr, around: Around) -> str:
        match receiver:
            case Method(Method(array, "map", (operand,)), "distinct", ()) | Method(array, "groupBy", (operand,)):
                inside = around.item(array, self.things(array, around)[0].one)
                return f"number of different {many_of(self.noun(operand, inside))} of {self.plural(array, around)}"
            case Method(array, "distinct", ()):
                return f"number of different {self.noun(array, around)}"
            case Method(owner, "keys" | "values" as what, ()):
                return f"number of {what} of {self.noun(owner, around)}"
            case _:
                return f"number of {self.plural(receiver, around)}"

    def adverb(self, tail: Tail, around: Around) -> str:
        """Return the words for a tail: *in the last 30 days*."""
        match tail:
            case DistanceTail(op, count, unit, direction, time):
                return self._distance(op, length(count, unit), direction, time, around)
            case DirectionTail(direction, time):
                return f"{'on or after' if direction == 'from' else direction} {self.time(time, around)}"
            case BetweenTail(first, last):
                return f"between {self.time(first, around)} and {self.time(last, around)}"
            case OnTail(TimeWord("now")):
                return "now"
            case OnTail(TimeWord() | RelativeUnit() as time):
                return self.time(time, around)
            case OnTail(time):
                return f"{'on' if isinstance(time, Call) else 'at'} {self.time(time, around)}"
            case _:
                assert_never(tail)

    def _distance(
        self, op: str, span: str, direction: str, time: TimeWord | RelativeUnit | Expr, around: Around
    ) -> str:
        now = time == TimeWord("now") or time == Name("now")
        match direction, now:
            case "before", True:
                return f"in the last {span.removeprefix('1 ')}" if op == "<=" else f"{DISTANCES[op].format(span)} ago"
            case "after", True:
                return (
                    f"in the next {span.removeprefix('1 ')}" if op == "<=" else f"{DISTANCES[op].format(span)} from now"
                )
            case "from", _:
                return f"{DISTANCES[op].format(span)} before or after {self.time(time, around)}"
            case _:
                return f"{DISTANCES[op].format(span)} {direction} {self.time(time, around)}"

    def time(self, time: TimeWord | RelativeUnit | Expr, around: Around) -> str:
        """Return the words for the time of a tail."""
        match time:
            case TimeWord(word):
                return word
            case RelativeUnit(which, unit):
                return f"{which} {unit}"
            case _:
                return self.noun(time, around)
