"""Checking of functions and methods by the table of functions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from datetime import date

from coterie.pql import ast
from coterie.pql.ast import Expr, Node
from coterie.pql.environment import Environment, nearest
from coterie.pql.functions import FUNCTIONS, METHODS, TEXT_TESTS, Function, Param, Receiver, result_of
from coterie.pql.operators import Operators, comparable
from coterie.pql.types import (
    BOOLEAN,
    INTEGER,
    NUMBERS,
    OPEN,
    STRING,
    TIMES,
    UNKNOWN,
    Array,
    Groups,
    Map,
    Scalar,
    Type,
    described,
    each,
    unify,
)

_RECEIVERS: dict[Receiver, str] = {
    "any": "a value",
    "array": "an array",
    "countable": "an array",
    "map": "a map",
    "text": "text",
    "time": "a date or a timestamp",
}


class Calls(Operators):
    """The part of the checker that knows functions."""

    audiences: Collection[str] | None
    draft: bool
    entries: set[int]
    """Calls of `mapEntry` that stand where they may."""

    @abstractmethod
    def lambda_in(self, node: ast.Lambda, params: tuple[Type, ...], env: Environment) -> Type:
        """Check a lambda whose parameters have the given types, and return the type of its body."""

    def call(self, node: ast.Call, env: Environment) -> Type:
        """Check `name(args)`."""
        function = FUNCTIONS.get(node.name)
        if function is None:
            self._unknown_function(node, node.name, node.args, env, node.span.start)
            return UNKNOWN
        types = self._arguments(function, node, node.args, UNKNOWN, env)
        if types is None:
            return UNKNOWN
        match function.name:
            case "if" if unify(types[1], types[2]) is None:
                message = (
                    f"if: one branch is {described(types[1])}, the other {described(types[2])}; they have one type."
                )
                self.report.add("pql.type", node, message)
            case "date":
                self._date(node)
            case "inSegment":
                self._audience(node.args[0])
            case "stringCompare":
                self._text_test(node.args[0])
            case "mapEntry" if id(node) not in self.entries:
                message = "mapEntry makes an entry of a map only as the result of map over groups."
                self.report.add("pql.type", node, message, hint="Write a.groupBy(k).map((K, G) => mapEntry(K, …)).")
        return result_of(function, UNKNOWN, types)

    def method(self, node: ast.Method, env: Environment) -> Type:
        """Check `receiver.name(args)`."""
        receiver = self.visit(node.receiver, env)
        function = METHODS.get(node.name)
        if function is None:
            self._unknown_function(node, node.name, node.args, env, node.receiver.span.end)
            return UNKNOWN
        assert function.receiver is not None
        if not _accepts(function.receiver, receiver):
            self._wrong_receiver(function, node, receiver)
            receiver = UNKNOWN
        types = self._arguments(function, node, node.args, receiver, env)
        if types is None:
            return UNKNOWN
        if function.name in ("matches", "regexGroup"):
            self._groups(node)
        if function.section == "aggregation" and not self._aggregates_itself(function, node, receiver):
            return UNKNOWN
        if function.name in ("intersects", "intersection", "subsetOf", "supersetOf"):
            self._same_items(function, node, receiver, types[0])
        result = result_of(function, receiver, types)
        elementwise = function.receiver in ("text", "time") and isinstance(receiver, Array) and result != BOOLEAN
        return Array(result, projected=True) if elementwise else result

    def _unknown_function(self, node: Node, name: str, args: tuple[Expr, ...], env: Environment, after: int) -> None:
        for arg in args:
            if not isinstance(arg, ast.Lambda):
                self.visit(arg, env.inside(UNKNOWN, node) if isinstance(node, ast.Method) else env)
        others = FUNCTIONS if isinstance(node, ast.Method) else METHODS
        own = METHODS if isinstance(node, ast.Method) else FUNCTIONS
        kind = "method" if isinstance(node, ast.Method) else "function"
        hint = f"Write it as {others[name].form}." if name in others else None
        suggestion = None if hint else nearest(name, own)
        message = f"there is no {kind} {name}."
        where = self.report.name_of(name, node.span, after)
        self.report.add("pql.unknown-function", where, message, hint=hint, suggestion=suggestion)

    def _wrong_receiver(self, function: Function, node: ast.Method, receiver: Type) -> None:
        assert function.receiver is not None
        hint = None
        if function.receiver == "text" and isinstance(receiver, Array):
            hint = f"Write a.exists(this.{function.name}(…)) for some item, or includes."
        elif function.section == "aggregation":
            hint = "Aggregates work on arrays, such as xEvent or orders."
        elif isinstance(receiver, Map) and function.receiver in ("array", "countable"):
            hint = "Write keys() or values() first."
        self.mismatch(node, node.receiver, receiver, f"{_RECEIVERS[function.receiver]} for {function.name}", hint)

    def _arguments(
        self, function: Function, node: Node, args: tuple[Expr, ...], receiver: Type, env: Environment
    ) -> list[Type] | None:
        """Check the arguments; return their types, or None when their number is wrong."""
        types = []
        for position, arg in enumerate(args):
            param = function.param(position, len(args))
            if param is None:
                self.visit(arg, env.inside(UNKNOWN, node))
            else:
                types.append(self._argument(function, node, param, args, position, receiver, env))
        most = function.most
        if len(args) < function.fewest or (most is not None and len(args) > most):
            wanted = str(function.fewest)
            if most is None:
                wanted = f"at least {wanted}"
            elif most != function.fewest:
                wanted = f"{wanted} or {most}"
            noun = "argument" if wanted == "1" else "arguments"
            message = f"{function.name} takes {wanted} {noun}, not {len(args)}."
            self.report.add("pql.arity", node, message, hint=f"It is written {function.form}.")
            return None
        return types

    def _argument(
        self,
        function: Function,
        node: Node,
        param: Param,
        args: tuple[Expr, ...],
        position: int,
        receiver: Type,
        env: Environment,
    ) -> Type:
        arg = args[position]
        if param.takes == "mapping":
            return self._mapping(node, arg, receiver, env)
        if param.per_item:
            item = receiver.item if isinstance(receiver, Array) else UNKNOWN
            env = env.inside(item, node)
        if param.takes in ("condition", "test"):
            self.condition(arg, env)
            return BOOLEAN
        type_ = self.visit(arg, env)
        last_of_many = param.many and 0 < position == len(args) - 1
        if last_of_many and function.params[-1].takes == "boolean" and type_ == BOOLEAN:
            return type_
        expected = _expected(param, arg, type_, receiver)
        if expected is not None:
            spelled = f"{function.name}: {self.report.spelled(arg)}"
            message = f"{spelled} is {described(type_)}, where {expected} is expected."
            self.report.add("pql.type", arg, message, hint=_hint(param, type_))
            return UNKNOWN
        return type_

    def _mapping(self, node: Node, arg: Expr, receiver: Type, env: Environment) -> Type:
        body = arg.body if isinstance(arg, ast.Lambda) else arg
        if isinstance(body, ast.Call) and (isinstance(receiver, Groups) or receiver == UNKNOWN):
            self.entries.add(id(body))
        if isinstance(receiver, Groups):
            given: tuple[Type, ...] = (receiver.key, Array(receiver.item))
            inside: Type = Array(receiver.item)
        else:
            inside = receiver.item if isinstance(receiver, Array) else UNKNOWN
            given = (inside,)
        if not isinstance(arg, ast.Lambda):
            return self.visit(arg, env.inside(inside, node))
        if receiver != UNKNOWN and len(arg.params) != len(given):
            wanted = "two inputs, the key and the group" if len(given) == 2 else "one input, the item"
            message = f"map: the lambda takes {len(arg.params)} inputs; here it takes {wanted}."
            self.report.add("pql.arity", arg, message)
        return self.lambda_in(arg, given if len(arg.params) == len(given) else (UNKNOWN,) * len(arg.params), env)

    def _aggregates_itself(self, function: Function, node: ast.Method, receiver: Type) -> bool:
        """Check that the items themselves can be aggregated if none of their fields is named."""
        if node.args or not function.params or not isinstance(receiver, Array):
            return True
        times = function.params[0].takes == "order"
        if receiver.item in NUMBERS | OPEN | (TIMES if times else frozenset()):
            return True
        wanted = "numbers or times" if times else "numbers"
        message = (
            f"{function.name}: the items of {self.report.spelled(node.receiver)} are {receiver.item}, not {wanted}."
        )
        self.report.add("pql.type", node, message, hint=f"Name the field: {function.name}(field).")
        return False

    def _same_items(self, function: Function, node: ast.Method, receiver: Type, other: Type) -> None:
        if not isinstance(receiver, Array) or not isinstance(other, Array):
            return
        literal = node.args[0]
        parts = literal.items if isinstance(literal, ast.ArrayLiteral) else (None,)
        for part in parts:
            type_ = other.item if part is None else self.item_type(part)
            if not comparable(receiver.item, type_, None, part):
                message = (
                    f"{function.name}: the items of {self.report.spelled(node.receiver)} are {receiver.item}; "
                    f"{self.report.spelled(part or literal)} is {described(type_)} and cannot be compared with them."
                )
                self.report.add("pql.type", part or literal, message)

    # -- values of literal arguments --------------------------------------------------------------------------------

    def _groups(self, node: ast.Method) -> None:
        found = self.expression(node.args[0], node.name)
        if node.name != "regexGroup" or found is None:
            return
        number = 1 if len(node.args) < 2 else constant(node.args[1])
        if number is not None and not 0 <= number <= found:
            count = "no group" if found == 0 else f"{found} group{'s' if found > 1 else ''}"
            message = f"regexGroup: there is no group {number}; {self.report.spelled(node.args[0])} has {count}."
            self.report.add("pql.value", node.args[-1], message, hint="Group 0 is the whole match.")

    def _date(self, node: ast.Call) -> None:
        parts = [constant(arg) for arg in node.args]
        year, month, day = parts
        if year is None or month is None or day is None:
            if month is not None and not 1 <= month <= 12:
                self.report.add("pql.value", node, f"{self.report.spelled(node)}: there is no month {month}.")
            elif day is not None and not 1 <= day <= 31:
                self.report.add("pql.value", node, f"{self.report.spelled(node)}: there is no day {day}.")
            return
        try:
            date(year, month, day)
        except (ValueError, OverflowError):
            self.report.add("pql.value", node, f"{self.report.spelled(node)}: there is no such day.")

    def _audience(self, node: Expr) -> None:
        if self.audiences is None or not isinstance(node, ast.Literal) or node.kind != "string":
            return
        name = str(node.value)
        if name not in self.audiences:
            self.report.add(
                "pql.unknown-audience",
                node,
                f"there is no audience {self.report.spelled(node)}.",
                suggestion=nearest(name, self.audiences),
                severity="warning" if self.draft else "error",
            )

    def _text_test(self, node: Expr) -> None:
        if isinstance(node, ast.Literal) and node.kind == "string" and node.value not in TEXT_TESTS:
            message = f"stringCompare: {self.report.spelled(node)} is not the name of a test."
            near = nearest(str(node.value), TEXT_TESTS)
            hint = None if near else f"Tests are {', '.join(TEXT_TESTS)}."
            self.report.add("pql.value", node, message, hint=hint, suggestion=near)


def constant(node: Expr) -> int | None:
    """Return the value of an integer that is written out, with its sign; else None."""
    if isinstance(node, ast.Unary) and node.op == "-":
        value = constant(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Literal) and node.kind == "integer":
        return int(str(node.value))
    return None


def _accepts(receiver: Receiver, type_: Type) -> bool:
    """Whether a method with that receiver can be called on a value of the type."""
    if receiver == "any" or type_ in OPEN:
        return True
    match receiver:
        case "array":
            return isinstance(type_, Array)
        case "countable":
            return isinstance(type_, Array | Groups)
        case "map":
            return isinstance(type_, Map | Groups)
        case "text":
            return each(type_) in OPEN | {STRING}
        case "time":
            return each(type_) in OPEN | TIMES


def _expected(param: Param, arg: Expr, type_: Type, receiver: Type) -> str | None:
    """Return what should have been given for a parameter, or None when `type_` will do."""
    fits, expected = True, "a value"
    match param.takes:
        case "boolean":
            fits, expected = type_ == BOOLEAN, "true or false"
        case "integer":
            fits, expected = type_ == INTEGER, "an Integer"
        case "name":
            fits, expected = isinstance(arg, ast.Literal) and type_ == STRING, "a text literal"
        case "text":
            fits, expected = each(type_) == STRING, "text"
        case "texts":
            one = type_.item if isinstance(type_, Array) else type_
            fits, expected = one in OPEN | {STRING}, "text"
        case "array":
            fits, expected = isinstance(type_, Array), "an array"
            if fits and receiver == UNKNOWN and isinstance(type_, Array):
                fits, expected = type_.item in OPEN | {STRING} or param.name != "values", "an array of texts"
        case "value":
            against: Type = STRING
            if isinstance(receiver, Array):
                against = receiver.item
            elif isinstance(receiver, Groups):
                against = receiver.key
            elif not isinstance(receiver, Map):
                against = UNKNOWN
            fits, expected = comparable(against, type_, None, arg) and not isinstance(type_, Array), f"{against}"
        case "key":
            fits, expected = isinstance(type_, Scalar), "a single value of each item"
        case "number":
            fits, expected = type_ in NUMBERS, "a number of each item"
        case "order":
            fits, expected = type_ in NUMBERS | TIMES, "a number or a time of each item"
    return None if fits or (type_ in OPEN and param.takes != "name") else expected


def _hint(param: Param, type_: Type) -> str | None:
    if param.per_item and isinstance(type_, Array):
        return "The item has several; aggregate the inner array: outer.inner.sum(field)."
    return None
