"""Computed attributes that expressions name, as they stand in the text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from coterie.core.errors import Invalid
from coterie.core.schema import COMPUTED
from coterie.pql.ast import Expr, Name, Property, Up
from coterie.pql.parser import parse
from coterie.pql.tree import walk


@lru_cache(maxsize=4_096)
def parsed(pql: str) -> Expr:
    """Return the tree of an expression; that of the same text is made once."""
    return parse(pql)


def named_in(expr: Expr) -> Iterator[str]:
    """Yield the computed attributes that a core tree names."""
    for node in walk(expr):
        match node:
            case Property(Name(name) | Up(_, name), attribute) if name == COMPUTED:
                yield attribute
            case _:
                pass


def cycle(names: tuple[str, ...]) -> Invalid:
    """Return the error for computed attributes that read one another."""
    return Invalid(
        "computed.cycle",
        f"computed attributes depend on themselves: {' → '.join(names)}.",
        hint="Break the circle by writing out one of the expressions.",
        where={"computed": names[0]},
    )
