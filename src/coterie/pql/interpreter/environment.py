"""What names mean while a query runs: the implicit objects around a place, and the variables (7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from coterie.pql.interpreter.values import Time, Value


class Scope(NamedTuple):
    """The implicit objects, the profile first, and the variables in scope.

    `moments` are the times of those variables that are labels of a chain: the times by which it is ordered (10.1).
    """

    objects: tuple[Value, ...]
    variables: Mapping[str, Value] = {}
    moments: Mapping[str, Time] = {}

    def inside(self, item: Value) -> Scope:
        """Return the scope in which bare names mean the item (7.1)."""
        return Scope((*self.objects, item), self.variables, self.moments)

    def bound(self, name: str, value: Value) -> Scope:
        """Return the scope with one more variable, which hides others of its name."""
        moments = self.moments
        if name in moments:
            moments = {label: time for label, time in moments.items() if label != name}
        return Scope(self.objects, {**self.variables, name: value}, moments)

    def labelled(self, labels: Mapping[str, Value], moments: Mapping[str, Time]) -> Scope:
        """Return the scope with the items that have labels, and their times."""
        return Scope(self.objects, {**self.variables, **labels}, {**self.moments, **moments})

    def of_profile(self) -> Scope:
        """Return the scope in which bare names mean the profile (11.2)."""
        return Scope(self.objects[:1], self.variables, self.moments)
