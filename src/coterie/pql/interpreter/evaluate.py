"""The rules of the language: what each kind of node gives (5-9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import assert_never

from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import COMPUTED, PREDICTED, VALID_UNTIL, Field
from coterie.pql import ast
from coterie.pql.ast import Expr
from coterie.pql.computed import parsed
from coterie.pql.environment import RESERVED
from coterie.pql.interpreter import arrays, calls, predicates
from coterie.pql.interpreter.arrays import aggregate
from coterie.pql.interpreter.chains import Search
from coterie.pql.interpreter.derived import Derived
from coterie.pql.interpreter.environment import Scope
from coterie.pql.interpreter.numbers import arithmetic
from coterie.pql.interpreter.parts import conjuncts, named, variable_of
from coterie.pql.interpreter.reading import moment
from coterie.pql.interpreter.times import Clock, Word
from coterie.pql.interpreter.values import Array, Groups, Object, Time, Value, each, is_null, is_true, projection
from coterie.pql.scopes import times_of

BUDGET = 3_000_000
"""Items that one evaluation may look at."""
_PREDICATES: dict[str, predicates.Test] = {"like": predicates.like, "matches": predicates.matches}


class Ranged:
    """A declaration, with what it asks of its item alone and what relates the item to those declared before it."""

    def __init__(self, declaration: ast.Declaration, free: bool, alone: list[Expr], related: list[Expr]) -> None:
        self.declaration, self.free, self.alone, self.related = declaration, free, alone, related
        self.known: list[Value] | None = None
        """The items that satisfy what is asked of them alone, if they are the same for all tuples."""

    @classmethod
    def of(cls, declaration: ast.Declaration, earlier: Sequence[str]) -> Ranged:
        """Divide a declaration; `earlier` are the variables before it."""
        parts = conjuncts(declaration.condition)
        related = [part for part in parts if named([part], earlier)]
        alone = [part for part in parts if not named([part], earlier)]
        return cls(declaration, not named([declaration.array], earlier), alone, related)


class Evaluation:
    """One evaluation of one query for one profile, at the instant of its clock.

    Parameters
    ----------
    profile : Object
        The profile, which holds its events as `xEvent`.
    clock : Clock
        Tells the time.
    computed : mapping of str to str
        The expressions of the computed attributes that the profile has.
    """

    def __init__(self, profile: Object, clock: Clock, computed: Mapping[str, str] | None = None) -> None:
        self.profile, self.clock = profile, clock
        self._budget = BUDGET
        self._computed = computed or {}
        self._derived = Derived(self._attribute, self._computed)

    def truth(self, expr: Expr, scope: Scope) -> bool:
        """Return an expression in Boolean position (5.3). What has decided ends `and` and `or` (6)."""
        match expr:
            case ast.Binary(op="and"):
                return self.truth(expr.left, scope) and self.truth(expr.right, scope)
            case ast.Binary(op="or"):
                return self.truth(expr.left, scope) or self.truth(expr.right, scope)
            case ast.Unary("not", operand):
                return not self.truth(operand, scope)
            case _:
                return is_true(self.value(expr, scope))

    def value(self, expr: Expr, scope: Scope) -> Value:
        """Return the value of an expression."""
        match expr:
            case ast.Name(name):
                return self._name(name, scope)
            case ast.Property(target, name):
                return self._property(self.value(target, scope), name)
            case ast.Literal(written, kind):
                return _literal(written, kind)
            case ast.Binary():
                return self._binary(expr, scope)
            case ast.Method():
                return calls.method(self, expr, scope)
            case ast.Filter(array, condition):
                return self.filtered(self.value(array, scope), condition, scope)
            case ast.Occurs(value, tail):
                of_label = scope.moments.get(variable_of(value) or "")
                found = self.value(value, scope) if of_label is None else of_label
                return any(self.occurs(one, tail, scope) for one in each(found))
            case ast.Unary("not"):
                return self.truth(expr, scope)
            case ast.Unary(_, operand):
                return arithmetic("-", 0, self.value(operand, scope))
            case ast.Up(levels, name):
                return self._up(levels, name, scope)
            case ast.Positional(position):
                return scope.variables.get(f"${position}", self.profile)
            case ast.Call():
                return calls.call(self, expr, scope)
            case ast.ArrayLiteral(items):
                return Array([self.value(item, scope) for item in items])
            case ast.ObjectLiteral(entries):
                return Object.of({key: self.value(value, scope) for key, value in entries})
            case ast.Let(name, value, body):
                return self.value(body, scope.bound(name, self.value(value, scope)))
            case ast.Lambda(params, body):  # around the whole query: its parameter is the profile (7.4)
                return self.value(body, scope.bound(params[0], self.profile))
            case ast.Quantified(kind, declarations):
                return self._quantified(kind, declarations, scope)
            case ast.PrefixAggregate():
                return self._prefix(expr, scope)
            case ast.Chain():
                return Search(self, expr, scope).found()
            case _:
                assert_never(expr)

    def spend(self, items: int) -> None:
        """Pay for looking at so many items; refuses a rule that looks at too many."""
        self._budget -= items
        if self._budget < 0:
            raise Unsupported(
                "pql.too-costly",
                f"the rule looks at more than {BUDGET:,} items of one profile.",
                hint="Relate fewer variables to one another, or filter their arrays first.",
            )

    # -- names (7) --------------------------------------------------------------------------------------------------

    def _name(self, name: str, scope: Scope) -> Value:
        """Look a bare name up: a variable, a reserved name, a property of the innermost object (7.2)."""
        if name in scope.variables:
            return scope.variables[name]
        if name not in RESERVED:
            return self._property(scope.objects[-1], name)
        match name:
            case "xEvent":
                return self.profile.get(name)
            case "this":
                return scope.objects[-1]
            case "now":
                return self.clock.now()
            case _:
                return self.clock.today()

    def _up(self, levels: int, name: str, scope: Scope) -> Value:
        """Climb from the innermost object (7.3)."""
        if levels >= len(scope.objects):
            raise Invalid("pql.scope", f"^ climbs {levels} scopes, but there are {len(scope.objects) - 1} around.")
        found = scope.objects[-1 - levels]
        return found if name == "this" else self._property(found, name)

    def _property(self, owner: Value, name: str) -> Value:
        """Return a property; computed attributes are worked out when they are read, and scores only as they count."""
        if owner is self.profile:
            if name == COMPUTED and self._computed:
                return self._derived
            if name == PREDICTED:
                return self._lasting()
        return projection(owner, name)

    def _lasting(self) -> Value:
        """Return the scores of the profile without those that have expired; see `pql.validity`."""
        found = self.profile.get(PREDICTED)
        if not isinstance(found, Object) or not found.raw or found.field is None:
            return found
        gone = [key for key, field in found.field.properties.items() if self._expired(found.get(key), field)]
        if not gone:
            return found
        kept = {key: raw for key, raw in found.raw.items() if key not in gone}
        return Object(kept or None, found.field, found.zone)

    def _expired(self, scores: Value, field: Field) -> bool:
        if not isinstance(scores, Object) or scores.raw is None or VALID_UNTIL not in field.properties:
            return False
        return not predicates.compared(">", scores.get(VALID_UNTIL), self.clock.now(), self.clock)

    def _attribute(self, pql: str) -> Value:
        """Return the value of a computed attribute."""
        return self.value(parsed(pql), Scope((self.profile,)))

    # -- operators (12.2, 12.3, 12.7, 12.8) -------------------------------------------------------------------------

    def _binary(self, expr: ast.Binary, scope: Scope) -> Value:
        op = expr.op
        if op in ("and", "or"):
            return self.truth(expr, scope)
        left, right = self.value(expr.left, scope), self.value(expr.right, scope)
        match op:
            case "in" | "notIn":
                return predicates.member(op, left, right, self.clock)
            case "like" | "matches":
                return predicates.some(_PREDICATES[op], left, right)
            case "=" | "!=" | "<" | "<=" | ">" | ">=":
                return predicates.some(lambda one, other: predicates.compared(op, one, other, self.clock), left, right)
            case _:
                return arithmetic(op, left, right)

    # -- ranges over items (7.5, 9, 12.4, 12.10) --------------------------------------------------------------------

    def items(self, array: Value) -> Sequence[Value]:
        """Return the items of an array; none of what is missing (5.4)."""
        if not isinstance(array, Array):
            return ()
        self.spend(len(array.items))
        return array.items

    def present(self, array: Value) -> Iterator[Value]:
        """Yield the items that quantifiers range over: a null is no item, as for `count` (12.3)."""
        return (item for item in self.items(array) if not is_null(item))

    def on_item(self, expr: Expr, scope: Scope) -> Callable[[Value], Value]:
        """Return an expression as a function of the item that it is read in (7.1); of a lambda, its parameter (19)."""
        if isinstance(expr, ast.Lambda):
            (name,), body = expr.params, expr.body
            return lambda item: self.value(body, scope.bound(name, item))
        return lambda item: self.value(expr, scope.inside(item))

    def filtered(self, array: Value, condition: Expr, scope: Scope) -> Value:
        """Return the items, in a core tree the groups, that satisfy a condition; null of a missing array (5.4)."""
        if isinstance(array, Groups):
            array = arrays.values(array)
        if not isinstance(array, Array):
            return None
        if isinstance(condition, ast.Lambda):
            of = self.on_item(condition, scope)
            return array.of([item for item in self.items(array) if is_true(of(item))])
        return array.of([item for item in self.items(array) if self.truth(condition, scope.inside(item))])

    def _tuples(self, declarations: Sequence[ast.Declaration], scope: Scope) -> Iterator[Scope]:
        """Yield the scope of each tuple that satisfies the conditions, from left to right (9).

        What a later declaration asks of its item alone is asked once.
        """
        names = [declaration.variable for declaration in declarations]
        ranged = [Ranged.of(declaration, names[:place]) for place, declaration in enumerate(declarations)]
        return self._bound(ranged, scope, scope)

    def _bound(self, ranged: Sequence[Ranged], scope: Scope, around: Scope) -> Iterator[Scope]:
        if not ranged:
            yield scope
            return
        first, rest = ranged[0], ranged[1:]
        name, related = first.declaration.variable, first.related
        for item in self._ranging(first, scope, around):
            inner = scope.bound(name, item)
            if all(self.truth(part, inner) for part in related):
                yield from self._bound(rest, inner, around)

    def _ranging(self, ranged: Ranged, scope: Scope, around: Scope) -> Sequence[Value]:
        """Return the items of a declaration that satisfy what is asked of them alone."""
        if ranged.known is not None:
            self.spend(len(ranged.known))
            return ranged.known
        name = ranged.declaration.variable
        found = [
            item
            for item in self.present(self.value(ranged.declaration.array, scope))
            if all(self.truth(part, around.bound(name, item)) for part in ranged.alone)
        ]
        if ranged.free:
            ranged.known = found
        return found

    def _quantified(self, kind: str, declarations: Sequence[ast.Declaration], scope: Scope) -> Value:
        match kind:
            case "exists":
                return any(True for _ in self._tuples(declarations, scope))
            case "forall":
                *before, last = declarations
                return all(
                    last.condition is None or self.truth(last.condition, inner.bound(last.variable, item))
                    for inner in self._tuples(before, scope)
                    for item in self.present(self.value(last.array, inner))
                )
            case _:
                return self._selected(declarations, scope)

    def _selected(self, declarations: Sequence[ast.Declaration], scope: Scope) -> Array:
        """Return the tuples of a select: of one variable its items, of several objects with their names (9)."""
        names = [declaration.variable for declaration in declarations]
        found = [inner.variables for inner in self._tuples(declarations, scope)]
        if len(names) > 1:
            tuples: list[Value] = [Object.of({name: inner[name] for name in names}) for inner in found]
            return Array(tuples, blank=lambda: Object.of({}))
        array = self.value(declarations[0].array, scope)
        items = [inner[names[0]] for inner in found]
        return Array(items, blank=array.blank) if isinstance(array, Array) else Array(items)

    def _prefix(self, expr: ast.PrefixAggregate, scope: Scope) -> Value:
        """Return ``sum e over V from A where C``; without e, the last variable is summed (12.4)."""
        value = expr.value or ast.Name(expr.declarations[-1].variable)
        values = (self.value(value, inner) for inner in self._tuples(expr.declarations, scope))
        return aggregate(expr.function, values, self.clock)

    # -- time (10) --------------------------------------------------------------------------------------------------

    def occurs(self, value: Value, tail: ast.Tail, scope: Scope) -> bool:
        """Return whether one value satisfies a tail; of a time that is a projection, some value will do (19)."""
        at = self._time(value)
        if at is None:
            return False
        choices = [self.times(time, scope) for time in times_of(tail)]
        return any(self.clock.occurs(at, tail, times) for times in product(*choices))

    def times(self, time: ast.TimeWord | ast.RelativeUnit | Expr, scope: Scope) -> list[Word | Time]:
        """Return the time of a tail, or each one of a projection."""
        if isinstance(time, ast.TimeWord | ast.RelativeUnit):
            return [time]
        of_label = scope.moments.get(variable_of(time) or "")
        if of_label is not None:
            return [of_label]
        found = (self._time(one) for one in each(self.value(time, scope)))
        return [one for one in found if one is not None]

    def _time(self, value: Value) -> Time | None:
        """Return a value as a time; an event stands for its timestamp (10.1)."""
        if isinstance(value, Object):
            value = value.get("timestamp")
        if isinstance(value, str):
            read = moment(value, self.clock.zone)
            return None if read is None else Time(read.start, read.end, read.local)
        return value if isinstance(value, Time) else None


@lru_cache(maxsize=4_096)
def _literal(written: str | int | bool | None, kind: str) -> Value:
    """Return a literal; a double keeps the value it is written with (19)."""
    return Decimal(str(written)) if kind == "double" else written
