"""The JSON form of a query (``pql/json``): writing it from a tree.

Node kinds are Adobe's: ``fnApply``, ``fieldLookup``, ``parameterReference``, ``varRef``, ``lambda``, ``literal``,
``chain``, ``varDecl``; and one of our own, ``implicitReference``, the implicit object `levels` scopes further out.
What is evaluated on each item is a ``lambda`` without names. `json_reader` reads the form back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, assert_never
from typing import Literal as Choice

from coterie.pql import ast
from coterie.pql.ast import Expr, Tail
from coterie.pql.functions import FUNCTIONS, is_per_item
from coterie.pql.words import ADDITIVE, COMPARISONS, MULTIPLICATIVE

LITERAL_TYPES: Mapping[str, str] = {
    "string": "String",
    "integer": "Integer",
    "double": "Double",
    "boolean": "Boolean",
    "null": "Null",
}
OPERATORS = frozenset({*COMPARISONS, *ADDITIVE, *MULTIPLICATIVE, "in", "notIn", "like"})
"""Operators of two operands, besides `and` and `or`; `matches` is read as the method, which means the same."""

Json = dict[str, Any]
Style = Choice["form", "function", "method", "operator"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a place: whether an item is the implicit object, and which variables there are."""

    item: bool = False
    variables: frozenset[str] = field(default_factory=frozenset)

    def with_variables(self, *names: str) -> Scope:
        """Return the scope with more variables."""
        return replace(self, variables=self.variables | set(names))

    def inside(self) -> Scope:
        """Return the scope inside an item."""
        return replace(self, item=True)

    def outside(self) -> Scope:
        """Return the scope in which the profile is the implicit object."""
        return replace(self, item=False)


def style_of(name: str, count: int) -> Style:
    """Return how an application of `name` to `count` parameters is written, unless the node says otherwise."""
    if name in ("let", "occurs") and count == 2:
        return "form"
    if name in ("and", "or"):
        return "operator" if count >= 2 else "method"
    if (name in OPERATORS and count == 2) or (name in ("-", "not") and count == 1):
        return "operator"
    return "function" if name in FUNCTIONS or count == 0 else "method"


def to_json(expr: Expr) -> Json:
    """Write a tree in JSON form.

    Parameters
    ----------
    expr : Expr
        The tree.

    Returns
    -------
    dict
        Plain data; `from_json` reads it back to an equivalent query.
    """
    return _node(expr, Scope())


def _node(expr: Expr, scope: Scope) -> Json:
    match expr:
        case ast.Literal(value, kind):
            return {"nodeType": "literal", "literalType": LITERAL_TYPES[kind], "value": _value(value, kind)}
        case ast.ArrayLiteral(items):
            return {"nodeType": "literal", "literalType": "List", "value": [_node(item, scope) for item in items]}
        case ast.ObjectLiteral(entries):
            members = [{"key": key, "value": _node(item, scope)} for key, item in entries]
            return {"nodeType": "literal", "literalType": "XDMObject", "value": members}
        case ast.Name(name):
            return _name(name, scope)
        case ast.Positional(position):
            return {"nodeType": "parameterReference", "position": position}
        case ast.Up(levels, name):
            return _lookup(name, {"nodeType": "implicitReference", "levels": levels})
        case ast.Property(object_, name):
            return _lookup(name, _node(object_, scope))
        case ast.Call(name, args):
            return _apply(name, [_node(arg, scope) for arg in args], "function")
        case ast.Method(receiver, name, args):
            params = [_argument(name, position, arg, scope) for position, arg in enumerate(args)]
            return _apply(name, [_node(receiver, scope), *params], "method")
        case ast.Filter(array, condition):
            return _apply("filter", [_node(array, scope), _item(condition, scope)], "method")
        case ast.Unary(op, operand):
            return _apply(op, [_node(operand, scope)], "operator")
        case ast.Binary(op, left, right):
            style: Style = "method" if op == "matches" else "operator"
            return _apply(op, [_node(left, scope), _node(right, scope)], style)
        case ast.Lambda(params, body):
            return _lambda(params, _node(body, scope.with_variables(*params)))
        case ast.Let(name, value, body):
            inner = _lambda((name,), _node(body, scope.with_variables(name)))
            return {"nodeType": "fnApply", "fnName": "let", "params": [_node(value, scope), inner]}
        case ast.Quantified(kind, declarations):
            return {"nodeType": "fnApply", "fnName": kind, "params": _declarations(declarations, scope)[0]}
        case ast.PrefixAggregate(function, value, declarations):
            params, inside = _declarations(declarations, scope)
            before = [] if value is None else [_node(value, inside)]
            return {"nodeType": "fnApply", "fnName": function, "params": [*before, *params]}
        case ast.Occurs(value, tail):
            return {"nodeType": "fnApply", "fnName": "occurs", "params": [_node(value, scope), _tail(tail, scope)]}
        case ast.Chain():
            return _chain(expr, scope)
        case _:
            assert_never(expr)


def _value(value: str | int | bool | None, kind: str) -> str | int | float | bool | None:
    """Return the value of a literal; a double becomes a number if that number has exactly the written digits."""
    if kind != "double":
        return value
    number = float(str(value))
    return number if Decimal(repr(number)) == Decimal(str(value)) else str(value)


def _name(name: str, scope: Scope) -> Json:
    if name in scope.variables or name in ("now", "today"):
        return {"nodeType": "varRef", "varName": name}
    if name == "this":
        return {"nodeType": "implicitReference", "levels": 0}
    if scope.item and name != "xEvent":
        return _lookup(name, {"nodeType": "implicitReference", "levels": 0})
    return _lookup(name, {"nodeType": "parameterReference", "position": 1})


def _lookup(name: str, object_: Json) -> Json:
    return {"nodeType": "fieldLookup", "fieldName": name, "object": object_}


def _apply(name: str, params: list[Json], style: Style) -> Json:
    node: Json = {"nodeType": "fnApply", "fnName": name, "params": params}
    return node if style_of(name, len(params)) == style else node | {"style": style}


def _lambda(names: tuple[str, ...], body: Json) -> Json:
    return {"nodeType": "lambda", "varNames": list(names), "body": body}


def _item(expr: Expr, scope: Scope) -> Json:
    return _lambda((), _node(expr, scope.inside()))


def _argument(method: str, position: int, arg: Expr, scope: Scope) -> Json:
    per_item = is_per_item(method, position) and not isinstance(arg, ast.Lambda)
    return _item(arg, scope) if per_item else _node(arg, scope)


def _declarations(declarations: tuple[ast.Declaration, ...], scope: Scope) -> tuple[list[Json], Scope]:
    """Return the declarations, and the scope in which their variables are known."""
    written = []
    for declaration in declarations:
        node = {
            "nodeType": "varDecl",
            "varName": declaration.variable,
            "array": _node(declaration.array, scope),
        }
        scope = scope.with_variables(declaration.variable)
        if declaration.condition is not None:
            node["condition"] = _node(declaration.condition, scope)
        written.append(node)
    return written, scope


def _tail(tail: Tail, scope: Scope) -> Json:
    match tail:
        case ast.DistanceTail(op, count, unit, direction, time):
            distance = {"form": "distance", "op": op, "count": count, "unit": unit, "direction": direction}
            return distance | {"time": _time(time, scope)}
        case ast.DirectionTail(direction, time):
            return {"form": "direction", "direction": direction, "time": _time(time, scope)}
        case ast.BetweenTail(first, last):
            return {"form": "between", "time": _time(first, scope), "time2": _time(last, scope)}
        case ast.OnTail(time):
            return {"form": "on", "time": _time(time, scope)}
        case _:
            assert_never(tail)


def _time(time: ast.TimeWord | ast.RelativeUnit | Expr, scope: Scope) -> Json | str:
    match time:
        case ast.TimeWord(word):
            return word
        case ast.RelativeUnit(which, unit):
            return {"relative": which, "unit": unit}
        case _:
            return _node(time, scope)


def _chain(chain: ast.Chain, scope: Scope) -> Json:
    field_: Json = {"nodeType": "implicitReference", "levels": 0}
    for name in chain.timestamp:
        field_ = _lookup(name, field_)
    node = {"nodeType": "chain", "array": _node(chain.array, scope), "timestampField": _lambda((), field_)}
    elements = []
    for element in chain.elements:
        written: Json = {"label": element.label, "kind": element.kind, "what": _item(element.what, scope)}
        if element.when:
            written["when"] = [_tail(tail, scope.inside()) for tail in element.when]
        if element.count != 1:
            written["count"] = element.count
        labelled = scope.with_variables(element.label)
        if element.where is not None:
            written["where"] = _node(element.where, labelled.outside())
        elements.append(written)
        scope = labelled if element.kind == "what" else scope
    return node | {"elements": elements}
