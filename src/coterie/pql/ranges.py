"""Checking of what ranges over the items of an array: filters, quantifiers, prefix aggregates, chains."""

from __future__ import annotations

from dataclasses import replace

from coterie.pql import ast
from coterie.pql.ast import Expr, Node
from coterie.pql.calls import Calls
from coterie.pql.environment import Environment, nearest
from coterie.pql.types import (
    BOOLEAN,
    DOUBLE,
    NUMBERS,
    OPEN,
    TIMES,
    UNKNOWN,
    Array,
    Groups,
    Map,
    Object,
    Type,
    described,
    properties_of,
    property_of,
)


class Ranges(Calls):
    """The part of the checker that knows ranges."""

    def filter(self, node: ast.Filter, env: Environment) -> Type:
        """Check `array[condition]`."""
        array = self.visit(node.array, env)
        item = self._items(node.array, array, "of a filter")
        literal = node.condition.operand if isinstance(node.condition, ast.Unary) else node.condition
        if isinstance(literal, ast.Literal) and literal.kind in ("integer", "double"):
            message = f"{self.report.spelled(node)}: a number in brackets is no index."
            self.report.add("pql.type", node.condition, message, hint="Use head() for the first item.")
        else:
            self.condition(node.condition, env.inside(item, node))
        return Array(item)

    def _items(self, node: Expr, type_: Type, what: str) -> Type:
        """Return the type of the items of a range; report one that is no array."""
        if isinstance(type_, Array):
            return type_.item
        if type_ not in OPEN:
            hint = "Write values() or keys() of a map." if isinstance(type_, Map | Groups) else None
            self.mismatch(node, node, type_, f"the array {what}", hint)
        return UNKNOWN

    def _declarations(
        self, declarations: tuple[ast.Declaration, ...], env: Environment, word: str
    ) -> tuple[Environment, dict[str, Type]]:
        items: dict[str, Type] = {}
        for declaration in declarations:
            range_ = self.visit(declaration.array, env)
            items[declaration.variable] = self._items(declaration.array, range_, f"{word} ranges over")
            env = env.binding(declaration.variable, items[declaration.variable], declaration)
            if declaration.condition is not None:
                self.condition(declaration.condition, env)
        return env, items

    def quantified(self, node: ast.Quantified, env: Environment) -> Type:
        """Check `select | exists | forall`."""
        _, items = self._declarations(node.declarations, env, node.kind)
        if node.kind != "select":
            return BOOLEAN
        return Array(next(iter(items.values())) if len(node.declarations) == 1 else Object(items))

    def aggregate(self, node: ast.PrefixAggregate, env: Environment) -> Type:
        """Check an aggregate in prefix form."""
        inside, items = self._declarations(node.declarations, env, node.function)
        value = next(reversed(items.values())) if node.value is None else self.visit(node.value, inside)
        subject: Node = node.declarations[-1] if node.value is None else node.value
        times = TIMES if node.function in ("min", "max") else frozenset()
        if value not in NUMBERS | OPEN | times:
            what = "a number or a time" if times else "a number"
            message = (
                f"{node.function}: {self.report.spelled(subject)} is {described(value)}, where {what} is expected."
            )
            self.report.add("pql.type", subject, message)
            return UNKNOWN
        return DOUBLE if node.function == "average" else value

    def chain(self, node: ast.Chain, env: Environment) -> Type:
        """Check a chain of events."""
        item = self._items(node.array, self.visit(node.array, env), "of a chain")
        self._timestamp(node, item)
        seen: set[str] = set()
        for element in node.elements:
            if element.label in seen:
                self.report.add("pql.value", element, f"the label {element.label} is used twice in the chain.")
            seen.add(element.label)
            env = self._element(element, item, env)
        if all(element.kind == "exclude" for element in node.elements):
            labels = ", ".join(element.label for element in node.elements)
            message = f"chain: every element ({labels}) is an EXCLUDE; one must be a WHAT."
            self.report.add("pql.value", node, message, hint="Write not(xEvent.exists(…)) for what never happened.")
        return BOOLEAN

    def _timestamp(self, node: ast.Chain, item: Type) -> None:
        type_: Type = item
        for position, name in enumerate(node.timestamp):
            below = property_of(type_, name)
            if below is None:
                path = ".".join(node.timestamp[: position + 1])
                where = self.report.name_of(name, node.span, node.array.span.end)
                message = f"there is no field {path} in {self.report.spelled(node.array)}."
                self.report.add("pql.unknown-field", where, message, suggestion=nearest(name, properties_of(type_)))
                return
            type_ = below
        if type_ not in TIMES | OPEN:
            path = ".".join(node.timestamp)
            where = self.report.name_of(node.timestamp[0], node.span, node.array.span.end)
            self.report.add("pql.type", where, f"chain: {path} is {described(type_)}, where a timestamp is expected.")

    def _element(self, element: ast.Element, item: Type, env: Environment) -> Environment:
        """Check one element; return the environment of the elements after it."""
        inside = env.inside(item, element)
        self.condition(element.what, inside)
        for tail in element.when:
            self.tail(tail, inside)
        if element.count < 1:
            message = f"COUNT({element.count}) of {element.label}: an element stands for at least one event."
            self.report.add("pql.value", element, message)
        event = replace(item, event=True) if isinstance(item, Object) else item
        labelled = env.binding(element.label, event, element)
        if element.where is not None:
            self.condition(element.where, labelled.outside())
        return labelled if element.kind == "what" else env
