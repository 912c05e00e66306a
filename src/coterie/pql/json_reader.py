"""The JSON form of a query (``pql/json``): reading it to a tree.

Besides what `json_form` writes, it reads what other systems write: ``fnCreate`` for ``lambda``, lambdas with a name for
the item, ``and`` and ``or`` of many parameters, and the literal ``XDMObject`` "profile".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NoReturn, cast, get_args

import msgspec

from coterie.pql import ast
from coterie.pql.ast import NOWHERE, Expr, Tail, Unit
from coterie.pql.environment import RESERVED
from coterie.pql.forms import Direction, Distance, Time
from coterie.pql.functions import is_per_item
from coterie.pql.json_form import LITERAL_TYPES, style_of
from coterie.pql.parser import MAX_DEPTH, joined, parse
from coterie.pql.printer import to_text
from coterie.pql.problems import PqlError, problem
from coterie.pql.words import AGGREGATES, DIRECTIONS, QUANTIFIERS, RELATIVE_WORDS, TIME_WORDS, UNITS

_KINDS = {json: kind for kind, json in LITERAL_TYPES.items()} | {"Long": "integer", "Number": "double"}
_OPS = frozenset(get_args(Distance))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What names mean at a place: `items` are the implicit objects, each with the name it has in the JSON, if any."""

    items: tuple[str | None, ...] = ()
    variables: frozenset[str] = field(default_factory=frozenset)
    depth: int = 0

    def variable(self, *names: str) -> _Scope:
        return replace(self, variables=self.variables | set(names))

    def inside(self, name: str | None) -> _Scope:
        hidden = self.variables - {name} if name else self.variables
        return replace(self, items=(*self.items, name), variables=hidden)

    def deeper(self) -> _Scope:
        return replace(self, depth=self.depth + 1)

    def levels(self, name: str) -> int | None:
        """Return how far out the item is that has that name."""
        return next((level for level, item in enumerate(reversed(self.items)) if item == name), None)


def from_json(data: Mapping[str, Any] | str | bytes) -> Expr:
    """Read a query in JSON form.

    Parameters
    ----------
    data : mapping, str or bytes
        The outermost node, or its JSON text.

    Returns
    -------
    Expr
        The tree, as parsing its canonical text gives it.

    Raises
    ------
    PqlError
        ``pql.json`` when it is no query; the message says at which node.
    """
    if isinstance(data, str | bytes):
        try:
            data = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            _fail("", f"not readable as JSON: {error}")
    expr = _node(data, _Scope(), "$")
    text = to_text(expr)
    if parse(text) != expr:
        _fail("$", "there is no text for this tree", "An aggregate in prefix form must begin with a name.")
    return parse(text)


def _fail(path: str, message: str, hint: str | None = None) -> NoReturn:
    where = f" at {path}" if path else ""
    raise PqlError([problem("pql.json", f"pql/json{where}: {message}.", "", 0, 0, hint=hint)])


def _member(node: Mapping[str, Any], key: str, kind: type | tuple[type, ...], path: str) -> Any:
    value = node.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        _fail(path, f"{key} is missing or of a wrong type")
    return value


def _mapping(node: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        _fail(path, "expected an object")
    return node


def _word(node: Mapping[str, Any], key: str, allowed: frozenset[str], path: str) -> str:
    word = str(_member(node, key, str, path))
    if word not in allowed:
        _fail(path, f"{key} is {word!r}", f"One of {', '.join(sorted(allowed))}.")
    return word


def _node(data: Any, scope: _Scope, path: str) -> Expr:
    node = _mapping(data, path)
    scope = scope.deeper()
    if scope.depth > 2 * MAX_DEPTH:
        raise PqlError([problem("pql.too-deep", f"pql/json: nested more than {MAX_DEPTH} levels deep.", "", 0, 0)])
    match node.get("nodeType"):
        case "literal":
            return _literal(node, scope, path)
        case "parameterReference":
            return ast.Positional(_member(node, "position", int, path))
        case "implicitReference":
            if _member(node, "levels", int, path) != 0:
                _fail(path, "an outer object can only be used for one of its fields")
            return ast.Name("this")
        case "varRef":
            return _variable(str(_member(node, "varName", str, path)), scope, path)
        case "fieldLookup":
            return _lookup(node, scope, path)
        case "lambda" | "fnCreate":
            names = _names(node, path)
            return ast.Lambda(names, _body(node, scope.variable(*names), path))
        case "fnApply":
            return _apply(node, scope, path)
        case "chain":
            return _chain(node, scope, path)
        case other:
            _fail(path, f"unknown nodeType {other!r}")


def _literal(node: Mapping[str, Any], scope: _Scope, path: str) -> Expr:
    type_ = _member(node, "literalType", str, path)
    value = node.get("value")
    if type_ == "List":
        items = _member(node, "value", list, path)
        return ast.ArrayLiteral(tuple(_node(item, scope, f"{path}.value[{n}]") for n, item in enumerate(items)))
    if type_ == "XDMObject":
        if value == "profile":
            return ast.Positional(1)
        entries = [_mapping(entry, path) for entry in _member(node, "value", list, path)]
        return ast.ObjectLiteral(
            tuple(
                (str(_member(entry, "key", str, path)), _node(entry.get("value"), scope, f"{path}.value"))
                for entry in entries
            )
        )
    match _KINDS.get(type_):
        case "string" if isinstance(value, str):
            return ast.Literal(value, "string")
        case "boolean" if isinstance(value, bool):
            return ast.Literal(value, "boolean")
        case "null" if value is None:
            return ast.Literal(None, "null")
        case "integer" if isinstance(value, int) and not isinstance(value, bool):
            number: Expr = ast.Literal(abs(value), "integer")
            return ast.Unary("-", number) if value < 0 else number
        case "double" if isinstance(value, int | float | str) and not isinstance(value, bool):
            return _double(value, path)
        case _:
            _fail(path, f"{value!r} is no literal of type {type_!r}")


def _double(value: float | str, path: str) -> Expr:
    try:
        number = Decimal(value if isinstance(value, str) else repr(value))
    except ArithmeticError:
        _fail(path, f"{value!r} is no number")
    if not number.is_finite():
        _fail(path, f"{value!r} is no finite number")
    digits = f"{abs(number):E}"
    mantissa, _, exponent = digits.partition("E")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    plain = f"{abs(number):f}" if abs(int(exponent)) < 20 else f"{mantissa}E{int(exponent)}"
    text = plain if "." in plain else f"{plain}.0"
    literal = ast.Literal(text, "double")
    return ast.Unary("-", literal) if number.is_signed() and number != 0 else literal


def _variable(name: str, scope: _Scope, path: str) -> Expr:
    level = None if name in scope.variables else scope.levels(name)
    if level is None:
        return ast.Name(name)
    if level > 0:
        _fail(path, f"the outer item {name!r} can only be used for one of its fields")
    return ast.Name("this")


def _lookup(node: Mapping[str, Any], scope: _Scope, path: str) -> Expr:
    name = str(_member(node, "fieldName", str, path))
    object_ = _mapping(node.get("object"), f"{path}.object")
    free = name not in scope.variables and name not in RESERVED
    level = None
    match object_.get("nodeType"):
        case "implicitReference":
            level = cast(int, _member(object_, "levels", int, path))
        case "varRef" if object_.get("varName") not in scope.variables:
            level = scope.levels(str(object_.get("varName")))
        case "parameterReference" if object_.get("position") == 1:
            if (free and not scope.items) or (name == "xEvent" and name not in scope.variables):
                return ast.Name(name)
        case _:
            pass
    if level is not None and level > 0:
        return ast.Up(level, name)
    if level == 0 and free and scope.items:
        return ast.Name(name)
    return ast.Property(_node(object_, scope, f"{path}.object"), name)


def _names(node: Mapping[str, Any], path: str) -> tuple[str, ...]:
    names = node.get("varNames", node.get("params"))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        _fail(path, "varNames is missing or of a wrong type")
    return tuple(names)


def _body(node: Mapping[str, Any], scope: _Scope, path: str) -> Expr:
    return _node(node.get("body"), scope, f"{path}.body")


def _item(data: Any, scope: _Scope, path: str) -> Expr:
    """Read what is evaluated on each item: a lambda with at most one name, or just its body."""
    node = _mapping(data, path)
    if node.get("nodeType") not in ("lambda", "fnCreate"):
        return _node(node, scope.inside(None), path)
    names = _names(node, path)
    if len(names) > 1:
        _fail(path, "one item is given here")
    return _body(node, scope.inside(names[0] if names else None), path)


def _apply(node: Mapping[str, Any], scope: _Scope, path: str) -> Expr:
    name = str(_member(node, "fnName", str, path))
    params = _member(node, "params", list, path)
    if any(isinstance(param, Mapping) and param.get("nodeType") == "varDecl" for param in params):
        return _ranged(name, params, scope, path)
    places = [f"{path}.params[{n}]" for n in range(len(params))]
    style = node.get("style", style_of(name, len(params)))
    if style == "form" and len(params) == 2:
        return _form(name, params, scope, places)
    if style == "method" and params:
        return _method(name, params, scope, places)
    args = [_node(param, scope, place) for param, place in zip(params, places, strict=True)]
    if style == "operator" and name in ("and", "or") and args:
        return joined(cast(Any, name), args, [NOWHERE] * len(args))
    if style == "operator" and len(args) == 2:
        return ast.Binary(cast(ast.BinaryOp, name), args[0], args[1])
    if style == "operator" and len(args) == 1:
        return ast.Unary(cast(Any, name), args[0])
    return ast.Call(name, tuple(args))


def _form(name: str, params: list[Any], scope: _Scope, places: list[str]) -> Expr:
    """Read `occurs` or `let`, whose second parameter is no expression."""
    value = _node(params[0], scope, places[0])
    if name == "occurs":
        return ast.Occurs(value, _tail(params[1], scope, places[1]))
    inner = _mapping(params[1], places[1])
    names = _names(inner, places[1])
    if name != "let" or len(names) != 1:
        _fail(places[1], "let names one variable")
    return ast.Let(names[0], value, _body(inner, scope.variable(*names), places[1]))


def _method(name: str, params: list[Any], scope: _Scope, places: list[str]) -> Expr:
    receiver = _node(params[0], scope, places[0])
    if name == "filter" and len(params) == 2:
        return ast.Filter(receiver, _item(params[1], scope, places[1]))
    args = []
    for position, (param, place) in enumerate(zip(params[1:], places[1:], strict=True)):
        explicit = name == "map" and bool(_mapping(param, place).get("varNames"))
        per_item = is_per_item(name, position) and not explicit
        args.append(_item(param, scope, place) if per_item else _node(param, scope, place))
    return ast.Method(receiver, name, tuple(args))


def _ranged(name: str, params: list[Any], scope: _Scope, path: str) -> Expr:
    """Read a quantifier, or an aggregate in prefix form."""
    declarations = []
    values = []
    inside = scope
    for position, param in enumerate(params):
        place = f"{path}.params[{position}]"
        node = _mapping(param, place)
        if node.get("nodeType") != "varDecl":
            values.append((param, place))
            continue
        variable = str(_member(node, "varName", str, place))
        array = _node(node.get("array"), inside, f"{place}.array")
        inside = inside.variable(variable)
        condition = node.get("condition")
        test = None if condition is None else _node(condition, inside, f"{place}.condition")
        declarations.append(ast.Declaration(variable, array, test))
    if name in QUANTIFIERS and not values:
        return ast.Quantified(cast(Any, name), tuple(declarations))
    if name in AGGREGATES and len(values) <= 1:
        value = _node(values[0][0], inside, values[0][1]) if values else None
        return ast.PrefixAggregate(cast(Any, name), value, tuple(declarations))
    return _fail(path, f"{name!r} takes no variables")


def _tail(data: Any, scope: _Scope, path: str) -> Tail:
    node = _mapping(data, path)

    def time(key: str = "time") -> Time:
        return _time(node.get(key), scope, f"{path}.{key}")

    match node.get("form"):
        case "distance":
            op = cast(Distance, _word(node, "op", _OPS, path))
            unit = cast(Unit, _word(node, "unit", frozenset(UNITS), path))
            direction = cast(Direction, _word(node, "direction", DIRECTIONS, path))
            count = _member(node, "count", int, path)
            return ast.DistanceTail(op, count, UNITS[unit], direction, time())
        case "direction":
            return ast.DirectionTail(cast(Direction, _word(node, "direction", DIRECTIONS, path)), time())
        case "between":
            return ast.BetweenTail(time(), time("time2"))
        case "on":
            return ast.OnTail(time())
        case other:
            _fail(path, f"unknown form {other!r} of a tail")


def _time(data: Any, scope: _Scope, path: str) -> Time:
    if isinstance(data, str) and data in TIME_WORDS:
        return ast.TimeWord(cast(Any, data))
    node = _mapping(data, path)
    if "relative" in node:
        which = _word(node, "relative", RELATIVE_WORDS, path)
        return ast.RelativeUnit(cast(Any, which), UNITS[_word(node, "unit", frozenset(UNITS), path)])
    if len(node) == 1 and next(iter(node)) in TIME_WORDS:
        return ast.TimeWord(cast(Any, next(iter(node))))
    return _node(node, scope, path)


def _chain(node: Mapping[str, Any], scope: _Scope, path: str) -> Expr:
    array = _node(node.get("array"), scope, f"{path}.array")
    timestamp = _path(_item(node.get("timestampField"), scope, f"{path}.timestampField"), path)
    elements = []
    for position, data in enumerate(_member(node, "elements", list, path)):
        place = f"{path}.elements[{position}]"
        element = _mapping(data, place)
        label = str(_member(element, "label", str, place))
        kind = _word(element, "kind", frozenset({"what", "exclude"}), place) if "kind" in element else "what"
        what = _item(element.get("what"), scope, f"{place}.what")
        inside = scope.inside(None)
        when = tuple(_tail(tail, inside, f"{place}.when") for tail in element.get("when") or ())
        count = 1 if element.get("count") is None else _member(element, "count", int, place)
        labelled = scope.variable(label)
        where = None
        if element.get("where") is not None:
            where = _node(element["where"], replace(labelled, items=()), f"{place}.where")
        elements.append(ast.Element(label, cast(Any, kind), what, when, count, where))
        scope = labelled if kind == "what" else scope
    return ast.Chain(array, timestamp, tuple(elements))


def _path(expr: Expr, path: str) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(expr, ast.Property):
        names.insert(0, expr.name)
        expr = expr.object
    if not isinstance(expr, ast.Name) or (expr.name == "this" and not names):
        _fail(path, "timestampField must be a path within the item")
    return tuple(names if expr.name == "this" else [expr.name, *names])
