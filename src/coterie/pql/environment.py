"""What names mean at a place in a query: variables, reserved names, and properties of the implicit objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal as Choice

from coterie.pql.ast import Node
from coterie.pql.types import DATE, TIMESTAMP, Object, Type, properties_of, property_of

RESERVED = ("xEvent", "this", "now", "today")


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name resolves to.

    Parameters
    ----------
    kind : str
        ``variable`` (let, declaration, lambda parameter or chain label), ``property`` of an implicit object, ``object``
        (an implicit object itself: `this`, `$1`), ``events`` (`xEvent`) or ``time`` (`now`, `today`).
    name : str
        The name, as written.
    type : Type
        Type of what it stands for.
    levels : int
        Of a property or object: how many implicit objects lie between the place and the one meant.
    origin : Node, optional
        The node that introduces the variable or the implicit object; None for the profile.
    """

    kind: Choice["variable", "property", "object", "events", "time"]
    name: str
    type: Type
    levels: int = 0
    origin: Node | None = None


@dataclass(frozen=True, slots=True)
class Implicit:
    """An implicit object: its type, and the node over whose items it ranges (None: the profile)."""

    type: Type
    origin: Node | None


@dataclass(frozen=True, slots=True)
class Environment:
    """The implicit objects around a place, outermost first, and the variables in scope."""

    implicit: tuple[Implicit, ...]
    variables: Mapping[str, Binding] = field(default_factory=dict)

    @property
    def profile(self) -> Type:
        """The type of the profile."""
        return self.implicit[0].type

    @property
    def innermost(self) -> Type:
        """The type of the innermost implicit object."""
        return self.implicit[-1].type

    def inside(self, type_: Type, origin: Node) -> Environment:
        """Return the environment inside an item of that type."""
        return replace(self, implicit=(*self.implicit, Implicit(type_, origin)))

    def outside(self) -> Environment:
        """Return the environment in which the profile is the implicit object; variables stay."""
        return replace(self, implicit=self.implicit[:1])

    def binding(self, name: str, type_: Type, origin: Node) -> Environment:
        """Return the environment with one more variable."""
        variable = Binding("variable", name, type_, origin=origin)
        return replace(self, variables={**self.variables, name: variable})

    def lookup(self, name: str) -> Binding | None:
        """Return what a bare name means: a variable, a reserved name, or a property of the innermost object."""
        if name in self.variables:
            return self.variables[name]
        if name == "this":
            return self.up(0, None)
        if name == "xEvent":
            events = property_of(self.profile, name)
            assert events is not None
            return Binding("events", name, events)
        if name in ("now", "today"):
            return Binding("time", name, TIMESTAMP if name == "now" else DATE)
        return self.up(0, name)

    def up(self, levels: int, name: str | None) -> Binding | None:
        """Return the implicit object `levels` further out, or its property `name`; None when there is none."""
        if levels >= len(self.implicit):
            return None
        implicit = self.implicit[-1 - levels]
        if name is None:
            return Binding("object", "this", implicit.type, levels, implicit.origin)
        type_ = property_of(implicit.type, name)
        return None if type_ is None else Binding("property", name, type_, levels, implicit.origin)

    def suggestion(self, name: str) -> str | None:
        """Return how something called `name`, or nearly so, is reached from here."""
        for levels, implicit in enumerate(reversed(self.implicit)):
            if levels and name in properties_of(implicit.type):
                return f"{'^' * levels}.{name}"
        for variable in self.variables.values():
            if name in properties_of(variable.type):
                return f"{variable.name}.{name}"
        near = nearest(name, [*properties_of(self.innermost), *self.variables, *RESERVED])
        return near or next((path for path in _paths(self.innermost) if path.endswith(f".{name}")), None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of the `known` names that is nearest to `name`, or None when none is near."""
    known = list(known)
    folded = name.casefold()
    same = next((other for other in known if other.casefold() == folded), None)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return same or (close[0] if close else None)


def _paths(type_: Type, before: str = "", depth: int = 6) -> Iterator[str]:
    """Yield the paths below an object, through objects only."""
    if not isinstance(type_, Object) or depth == 0:
        return
    for name in type_.properties:
        yield f"{before}{name}"
        below = property_of(type_, name)
        if isinstance(below, Object):
            yield from _paths(below, f"{before}{name}.", depth - 1)
