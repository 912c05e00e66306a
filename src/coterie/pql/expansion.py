"""Computed attributes in rules: their names stand for their expressions.

``computedAttributes.spend`` is the value that the expression of `spend` has for the profile, wherever it is named. In a
core tree the expression takes its place, so that a rule means what it would mean written out, condition for condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from coterie.core.schema import COMPUTED
from coterie.pql.ast import Expr, Name, Positional, Property, Span, Up
from coterie.pql.computed import cycle, named_in, parsed
from coterie.pql.resolve import Budget, resolve, unsupported
from coterie.pql.scopes import rebuild, shift


def reads(expr: Expr) -> frozenset[str]:
    """Return the computed attributes that an expression reads directly."""
    return frozenset(named_in(resolve(expr, truth=False)))


def closure(names: Iterable[str], definitions: Mapping[str, str]) -> list[str]:
    """Return computed attributes and all that they read, directly or through others, sorted, without unknown ones."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name in definitions and name not in found:
            found.add(name)
            wanted.extend(reads(parsed(definitions[name])))
    return sorted(found)


def expanded(core: Expr, definitions: Mapping[str, str]) -> Expr:
    """Return a core tree with the expressions of computed attributes in the places of their names.

    Parameters
    ----------
    core : Expr
        A core tree, read at the profile.
    definitions : mapping of str to str
        The expressions, in PQL, by name.

    Raises
    ------
    Invalid
        ``computed.cycle`` for attributes that read one another.
    Unsupported
        ``engine.unsupported`` for ``computedAttributes`` as a whole, and for a rule that becomes too long.
    """
    return _Expansion(definitions).within(core, 0) if definitions else core


@dataclass
class _Expansion:
    definitions: Mapping[str, str]
    budget: Budget = field(default_factory=Budget)
    around: tuple[str, ...] = ()
    """The attributes whose expressions lie around the place, outermost first."""

    def within(self, expr: Expr, depth: int) -> Expr:
        """Return the tree of a place `depth` scopes inside the profile."""
        match expr:
            case Property(owner, name) if _is_all(owner, depth):
                return _placed(shift(self.budget.spend(self._definition(name)), depth), expr.span)
            case _ if _is_all(expr, depth):
                hint = f"Name one of them: {COMPUTED}.{next(iter(self.definitions))}."
                raise unsupported(expr, f"{COMPUTED} as a whole", hint)
            case _:
                return rebuild(expr, lambda child, inner: self.within(child, depth + inner))

    def _definition(self, name: str) -> Expr:
        """Return the expression of an attribute, read at the profile."""
        if name in self.around:
            raise cycle((*self.around[self.around.index(name) :], name))
        inner = replace(self, around=(*self.around, name))
        return inner.within(resolve(parsed(self.definitions[name]), truth=False), 0)


def _is_all(expr: Expr, depth: int) -> bool:
    """Whether an expression is the object that holds the computed attributes of the profile."""
    match expr:
        case Name(name):
            return depth == 0 and name == COMPUTED
        case Up(levels, name):
            return levels == depth and name == COMPUTED
        case _:
            return False


def _placed(expr: Expr, span: Span) -> Expr:
    """Return a tree all of which stands where the name stood."""
    if isinstance(expr, Positional):
        return expr
    return replace(rebuild(expr, lambda child, _: _placed(child, span)), span=span)
