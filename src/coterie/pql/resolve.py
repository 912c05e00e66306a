"""From what was written to a core tree: variables, `let`, `$1` and quantifiers become filters and scoped names.

`exists X from A where C` becomes ``A.exists(C')`` with ``X.f`` as the item's ``f`` and the names of the surrounding
object one scope further out; a second declaration becomes a filter inside the first. What has no such form is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from coterie.core.errors import Invalid, Unsupported
from coterie.pql.ast import (
    BetweenTail,
    Binary,
    Call,
    Chain,
    Declaration,
    Element,
    Expr,
    Filter,
    Lambda,
    Let,
    Literal,
    Method,
    Name,
    Node,
    ObjectLiteral,
    Occurs,
    Positional,
    PrefixAggregate,
    Property,
    Quantified,
    RelativeUnit,
    Span,
    Tail,
    TimeWord,
    Unary,
    Up,
)
from coterie.pql.chains import Part, gaps_of, nested, path, tails_of
from coterie.pql.scopes import (
    ITEM_METHODS,
    RESERVED,
    THIS,
    XEVENT,
    at_level,
    attach,
    levels_of,
    rebuild,
    shift,
    times_of,
    with_times,
)
from coterie.pql.tree import walk

TRUE = Literal(True, "boolean")
FALSE = Literal(False, "boolean")
GROWTH = 20_000


def unsupported(node: Node, what: str, hint: str | None = None) -> Unsupported:
    """Return the error that refuses a construct by name."""
    return Unsupported(
        "engine.unsupported",
        f"{what} cannot be evaluated yet.",
        hint=hint or "Write the rule without it, or divide it into several audiences.",
        where={"start": node.span.start, "end": node.span.end},
    )


class Budget:
    """How much a rule may still grow by putting the values of variables in their places."""

    def __init__(self) -> None:
        self.nodes = GROWTH

    def spend(self, value: Expr) -> Expr:
        """Return `value`, having paid for its nodes; refuses it when they are too many."""
        for _ in walk(value):
            self.nodes -= 1
            if self.nodes < 0:
                raise unsupported(value, "a rule whose variables make it so long")
        return value


@dataclass(frozen=True)
class Place:
    """What names mean at a place.

    `depth` counts the scopes of the core tree around it (0: the profile), `implicit` are those that bare names and
    ``^`` reach, and a variable is bound to a depth (an item) or to an expression with the depth it was written at.
    `moments` are the paths of the times of those items that are elements of chains.
    """

    depth: int = 0
    implicit: tuple[int, ...] = (0,)
    variables: Mapping[str, int | tuple[Expr, int]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    moments: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def item(self) -> Place:
        """Return the place inside a filter: bare names mean the item."""
        return replace(self, depth=self.depth + 1, implicit=(*self.implicit, self.depth + 1))

    def declared(self, name: str) -> Place:
        """Return the place inside a declaration: the item has a name, bare names keep their meaning."""
        return replace(self, depth=self.depth + 1, variables={**self.variables, name: self.depth + 1})

    def bound(self, name: str, value: Expr) -> Place:
        """Return the place inside a `let`."""
        return replace(self, variables={**self.variables, name: (value, self.depth)})

    def labelled(self, label: str, depth: int, timestamp: tuple[str, ...]) -> Place:
        """Return the place where an item at an absolute depth has a label."""
        return replace(
            self,
            variables={**self.variables, label: depth},
            moments={**self.moments, depth: timestamp},
        )

    def reference(self, depth: int, name: str) -> Expr:
        """Return the core name of a property of the object at an absolute depth."""
        return at_level(self.depth - depth, name)


def resolve(expr: Expr, place: Place | None = None, *, truth: bool = True) -> Expr:
    """Return the core tree of an expression.

    Parameters
    ----------
    expr : Expr
        What the parser gave.
    place : Place, optional
        Default: the profile.
    truth : bool
        Whether the expression stands in Boolean position.

    Returns
    -------
    Expr
        The core tree; where the text was is kept on its nodes.

    Raises
    ------
    Unsupported
        ``engine.unsupported`` for what has no core form: several inputs, and rules that are too long.
    """
    place = place or Place()
    resolved = _resolve(expr, place, truth)
    return resolved if resolved.span.end else replace(resolved, span=expr.span)


def _value(expr: Expr, place: Place) -> Expr:
    return resolve(expr, place, truth=False)


def _resolve(expr: Expr, place: Place, truth: bool) -> Expr:
    match expr:
        case Name(name):
            return _name(name, place)
        case Positional(position):
            if position != 1:
                raise unsupported(expr, f"the input ${position}", "An audience has one input, the profile: $1.")
            return place.reference(0, "this")
        case Up(levels, name):
            if levels >= len(place.implicit):
                raise Invalid(
                    "pql.scope",
                    f"^ climbs {levels} scopes, but there are {len(place.implicit) - 1} around.",
                    where={"start": expr.span.start, "end": expr.span.end},
                )
            depth = place.implicit[-1 - levels]
            return Name(name) if name == "xEvent" and depth == 0 else place.reference(depth, name)
        case Property(target, name):
            owner = _value(target, place)
            return Name(name) if name == "xEvent" and owner == place.reference(0, "this") else attach(owner, name)
        case Filter(array, condition):
            return Filter(_value(array, place), resolve(condition, place.item()))
        case Binary("and" | "or"):
            return rebuild(expr, lambda child, _: resolve(child, place))
        case Unary("not"):
            return rebuild(expr, lambda child, _: resolve(child, place))
        case Call("if", (test, yes, no)):
            return Call("if", (resolve(test, place), resolve(yes, place, truth=truth), resolve(no, place, truth=truth)))
        case Method(receiver, name, args):
            if name == "map" and isinstance(args[0], Lambda) and len(args[0].params) == 2:
                return _grouped(_value(receiver, place), args[0], place, expr)
            if name in ITEM_METHODS and args:
                return Method(
                    _value(receiver, place),
                    name,
                    (_item_argument(args[0], name, place), *(_value(a, place) for a in args[1:])),
                )
            return rebuild(expr, lambda child, _: _value(child, place))
        case Lambda(params, body):
            if place.depth or len(params) != 1:
                raise unsupported(expr, "a function of this form")
            return resolve(body, replace(place, variables={params[0]: 0}), truth=truth)
        case Let(name, value, body):
            return resolve(body, place.bound(name, _value(value, place)), truth=truth)
        case Quantified(kind, declarations):
            return _quantified(kind, declarations, place, truth)
        case PrefixAggregate():
            return _prefix(expr, place)
        case Occurs(value, tail):
            moment = _time(value, place)
            assert not isinstance(moment, TimeWord | RelativeUnit)
            return Occurs(moment, _tail(tail, place))
        case Chain():
            return _chain(expr, place)
        case _:
            return rebuild(expr, lambda child, _: _value(child, place))


def _name(name: str, place: Place) -> Expr:
    match place.variables.get(name):
        case int(depth):
            return place.reference(depth, "this")
        case (value, depth):
            return shift(place.budget.spend(value), place.depth - depth)
        case _:
            return Name(name) if name in RESERVED else place.reference(place.implicit[-1], name)


def _item_argument(arg: Expr, method: str, place: Place) -> Expr:
    truth = method in ("filter", "exists", "forall")
    if not isinstance(arg, Lambda):
        return resolve(arg, place.item(), truth=truth)
    if len(arg.params) != 1:
        raise unsupported(arg, f"a function of {len(arg.params)} parameters in {method}")
    return resolve(arg.body, place.declared(arg.params[0]), truth=truth)


def _grouped(groups: Expr, function: Lambda, place: Place, expr: Expr) -> Expr:
    """Resolve a function of key and group: the group is the item, its key what the first of its items has for one."""
    match groups:
        case Call("if", (test, yes, no)):
            return Call("if", (test, _grouped(yes, function, place, expr), _grouped(no, function, place, expr)))
        case _:
            key = _key_of(groups)
            if key is None:
                hint = "Write a.groupBy(k).map((K, G) => …) where the items are grouped."
                raise unsupported(expr, "a function of key and group, asked of groups made elsewhere,", hint)
            name, group = function.params
            first = Method(Method(Name("this"), "map", (shift(key, 1, 1),)), "head", ())
            inside = place.declared(group)
            return Method(groups, "map", (resolve(function.body, inside.bound(name, first), truth=False),))


def _key_of(groups: Expr) -> Expr | None:
    """Return by what items are grouped, as an item sees it that lies in the place of the groups; None if not known."""
    match groups:
        case Method(_, "groupBy", (key,)):
            return key
        case Method(array, "head", ()):
            while isinstance(array, Filter | Method) and not (isinstance(array, Method) and array.name == "map"):
                array = array.array if isinstance(array, Filter) else array.receiver
            inner = _key_of(array.args[0]) if isinstance(array, Method) else None
            return None if inner is None or 1 in levels_of(inner) else shift(inner, -1, 1)
        case _:
            return None


def _tuples(declarations: tuple[Declaration, ...], place: Place, outer: Mapping[str, int]) -> Expr:
    """Return the array of tuples, objects with the names of the variables, in the order of their enumeration."""
    first, *rest = declarations
    array, inner = _declared(first, place)
    variables = {**outer, first.variable: inner.depth}
    if rest:
        below = ObjectLiteral((("tuples", _tuples(tuple(rest), inner, variables)),))
        return Property(Method(array, "map", (below,)), "tuples")
    items = tuple((name, inner.reference(depth, "this")) for name, depth in variables.items())
    return Method(array, "map", (ObjectLiteral(items),))


def _values(declarations: tuple[Declaration, ...], value: Expr | None, place: Place) -> Expr:
    """Return the array of the values of an expression, or of the last variable, over all tuples."""
    first, *rest = declarations
    array, inner = _declared(first, place)
    if rest:
        below = ObjectLiteral((("values", _values(tuple(rest), value, inner)),))
        return Property(Method(array, "map", (below,)), "values")
    return array if value is None else Method(array, "map", (_value(value, inner),))


def _declared(declaration: Declaration, place: Place) -> tuple[Expr, Place]:
    """Return the items that a declaration ranges over, and the place where its variable is known."""
    array, inner = _value(declaration.array, place), place.declared(declaration.variable)
    if declaration.condition is not None:
        array = Filter(array, resolve(declaration.condition, inner))
    return array, inner


def _quantified(kind: str, declarations: tuple[Declaration, ...], place: Place, truth: bool) -> Expr:
    if kind == "select" and not truth:
        return _declared(declarations[0], place)[0] if len(declarations) == 1 else _tuples(declarations, place, {})
    if kind == "forall":
        return Unary("not", _some(declarations, place, last_fails=True))
    return _some(declarations, place)


def _some(declarations: tuple[Declaration, ...], place: Place, *, last_fails: bool = False) -> Expr:
    """Return that a tuple exists for which the conditions hold, with `last_fails` all but the last, which does not."""
    first, *rest = declarations
    inner = place.declared(first.variable)
    condition = TRUE if first.condition is None else resolve(first.condition, inner)
    if rest:
        condition = Binary("and", condition, _some(tuple(rest), inner, last_fails=last_fails))
    elif last_fails:
        condition = Unary("not", condition)
    span = Span(first.span.start, declarations[-1].span.end)
    return Method(_value(first.array, place), "exists", (condition,), span=span)


def _prefix(expr: PrefixAggregate, place: Place) -> Expr:
    first, *rest = expr.declarations
    if rest and expr.function == "average":
        return Method(_values(expr.declarations, expr.value, place), "average", ())
    array, inner = _declared(first, place)
    if rest:
        return Method(array, expr.function, (_prefix(replace(expr, declarations=tuple(rest)), inner),))
    if expr.value is None:
        return Method(array, expr.function, ())
    return Method(array, expr.function, (_value(expr.value, inner),))


def _tail(tail: Tail, place: Place) -> Tail:
    return with_times(tail, tuple(_time(time, place) for time in times_of(tail)))


def _time(time: TimeWord | RelativeUnit | Expr, place: Place) -> TimeWord | RelativeUnit | Expr:
    """Return a time; a label stands for the time by which its chain is ordered."""
    if isinstance(time, Name) and place.variables.get(time.name) in place.moments:
        depth = place.variables[time.name]
        assert isinstance(depth, int)
        return path(place.reference(depth, "this"), place.moments[depth])
    return time if isinstance(time, TimeWord | RelativeUnit) else _value(time, place)


def _chain(chain: Chain, place: Place) -> Expr:
    """Resolve a chain.

    One element alone is a filter. A chain of events whose tails speak of the element before, in units of fixed length,
    and whose labels are read nowhere else, stays a chain: the labels of its included elements become ``$1``, ``$2``, …,
    which no other core name is. Any other chain becomes filters inside one another (see `chains.nested`).
    """
    array = _value(chain.array, place)
    elements = chain.elements
    if len(elements) == 1 and elements[0].kind == "what":
        condition = _element(elements[0], chain, place)
        if chain.timestamp != ("timestamp",) or _source(array) != XEVENT:
            timed = Method(_moment_of(chain), "isNotNull", ())
            condition = Binary("and", condition, timed)
        count = Method(Filter(array, condition), "count", ())
        return Binary(">=", count, Literal(elements[0].count, "integer"))
    if place.depth == 0 and chain.timestamp == ("timestamp",) and _source(array) == XEVENT:
        core = _ordered(chain, array, place)
        if core is not None:
            return core
    parts: list[Part] = []
    for element in elements:
        excluded = element.kind == "exclude"
        parts.append(Part(_element(element, chain, place), element.count, excluded))
        if not excluded:
            inner = place.depth + 1
            place = replace(place, depth=inner).labelled(element.label, inner, chain.timestamp)
    return nested(array, chain.timestamp, parts, place.budget.spend)


def _source(array: Expr) -> Expr:
    while isinstance(array, Filter):
        array = array.array
    return array


def _moment_of(chain: Chain) -> Expr:
    return path(THIS, chain.timestamp)


def _element(element: Element, chain: Chain, place: Place) -> Expr:
    """Return what holds of an item of an element: its WHAT, WHEN and WHERE."""
    inner = place.item()
    condition = resolve(element.what, inner)
    for tail in element.when:
        condition = Binary("and", condition, Occurs(_moment_of(chain), _tail(tail, inner)))
    if element.where is None:
        return condition
    inner = replace(inner, implicit=(0,)).labelled(element.label, inner.depth, chain.timestamp)
    return Binary("and", condition, resolve(element.where, inner))


def _ordered(chain: Chain, array: Expr, place: Place) -> Expr | None:
    """Return the chain with the gaps of its elements apart, or None when its elements are related otherwise."""
    labels: list[str] = []
    elements: list[Element] = []
    for element in chain.elements:
        about, own = [], []
        for tail in element.when:
            if labels and not isinstance(tail, BetweenTail) and _is_label(tail.time, labels[-1]):
                about.append(tail)
            else:
                own.append(tail)
        gaps = gaps_of(about)
        read = [element.what, *own, *([] if element.where is None else [element.where])]
        if gaps is None or len(gaps) > 1 or any(_mentions(node, labels) for node in read):
            return None
        if gaps:
            when = tails_of(gaps[0], Positional(len(labels)))
            what = _element(replace(element, when=tuple(own)), chain, place)
            elements.append(replace(element, what=what, when=when, where=None))
        elif element.kind == "what":
            return FALSE
        if element.kind == "what":
            labels.append(element.label)
    return Chain(array, chain.timestamp, tuple(elements), core=True)


def _is_label(time: TimeWord | RelativeUnit | Expr, label: str) -> bool:
    return time in (Name(label), Property(Name(label), "timestamp"))


def _mentions(node: Node, labels: list[str]) -> bool:
    return any(isinstance(inner, Name) and inner.name in labels for inner in walk(node))
