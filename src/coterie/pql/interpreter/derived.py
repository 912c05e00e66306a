"""The computed attributes of a profile, each worked out when it is first read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coterie.core.schema import COMPUTED, Field, FieldType
from coterie.pql.computed import cycle
from coterie.pql.interpreter.values import Object, Value

_FIELD = Field(FieldType.OBJECT, title=COMPUTED)


class Derived(Object):
    """The object ``computedAttributes`` of a profile during one evaluation.

    Parameters
    ----------
    of : callable
        Gives the value of an expression for the profile.
    definitions : mapping of str to str
        The expressions, in PQL, by name.
    """

    __slots__ = ("_around", "_definitions", "_of")

    def __init__(self, of: Callable[[str], Value], definitions: Mapping[str, str]) -> None:
        super().__init__({}, _FIELD, "UTC")
        self._of, self._definitions = of, definitions
        self._around: list[str] = []

    def get(self, name: str) -> Value:
        """Return the value of a computed attribute; None for one that there is not."""
        if name in self._around:
            raise cycle((*self._around[self._around.index(name) :], name))
        if name not in self._read:
            self._around.append(name)
            try:
                self._read[name] = self._of(self._definitions[name]) if name in self._definitions else None
            finally:
                self._around.pop()
        return self._read[name]

    @property
    def empty(self) -> bool:
        """Whether the profile has no value for any of them."""
        return not self._definitions

    def plain(self) -> Any:
        """Return those that it has as plain data."""
        return {name: self.get(name) for name in self._definitions}
