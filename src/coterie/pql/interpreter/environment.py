"""What names mean while a query runs: the implicit objects around a place, and the variables (7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from coterie.pql.interpreter.values import Value


class Scope(NamedTuple):
    """The implicit objects, the profile first, and the variables in scope."""

    objects: tuple[Value, ...]
    variables: Mapping[str, Value] = {}

    def inside(self, item: Value) -> Scope:
        """Return the scope in which bare names mean the item (7.1)."""
        return Scope((*self.objects, item), self.variables)

    def bound(self, name: str, value: Value) -> Scope:
        """Return the scope with one more variable, which hides others of its name."""
        return Scope(self.objects, {**self.variables, name: value})

    def of_profile(self) -> Scope:
        """Return the scope in which bare names mean the profile (11.2)."""
        return Scope(self.objects[:1], self.variables)
