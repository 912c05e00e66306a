"""Shapes of source data: what a column holds, and how a source path reaches into it.

A **source path** names a column and what lies in it: `cart.total`, `items[].sku` (each element), `prefs{}.$key` and
`prefs{}.$value` (each entry of a map).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from coterie.core.schema import KEY, VALUE
from coterie.ingest.sql import IT, literal
from coterie.store.history import quote


class Shape(msgspec.Struct, frozen=True):
    """What a column or a part of it holds.

    `kind` is text, json (text out of a JSON document), integer, float, decimal, boolean, date, timestamp, instant
    (a timestamp with its zone), list, struct, map, or the engine's name of anything else.
    """

    kind: str
    fields: dict[str, Shape] = {}
    item: Shape | None = None

    @classmethod
    def of(cls, type_: Any) -> Shape:
        """Return the shape of one of the engine's types."""
        name = str(type_.id)
        match name:
            case "list" | "array":
                return cls("list", item=cls.of(type_.children[0][1]))
            case "struct":
                return cls("struct", {key: cls.of(child) for key, child in type_.children})
            case "map":
                return cls("map", item=cls.of(dict(type_.children)["value"]))
            case _:
                if name.startswith("timestamp"):
                    return cls("instant" if "tz" in name or "zone" in name else "timestamp")
                return cls(_KINDS.get(name, name))

    def parts(self, path: str) -> Iterator[tuple[str, Shape]]:
        """Yield the scalar parts below, each with its source path, the own one being `path`."""
        match self.kind:
            case "struct":
                for name, child in self.fields.items():
                    yield from child.parts(f"{path}.{name}")
            case "list":
                assert self.item is not None
                yield from self.item.parts(f"{path}[]")
            case "map":
                assert self.item is not None
                yield f"{path}{{}}.{KEY}", Shape("text")
                yield from self.item.parts(f"{path}{{}}" if self.item.kind == "struct" else f"{path}{{}}.{VALUE}")
            case _:
                yield path, self


_KINDS = {
    "varchar": "text",
    "enum": "text",
    "uuid": "text",
    "time": "text",
    "decimal": "decimal",
    "float": "float",
    "double": "float",
    "boolean": "boolean",
    "date": "date",
} | dict.fromkeys(
    ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
    "integer",
)

_STEP = re.compile(r"(\.[^.\[\]{}]+|\[\]|\{\})")


def steps(path: str) -> list[str]:
    """Return the steps of a source path: names with a dot before them, ``[]`` and ``{}``."""
    return [step for step in _STEP.split(path) if step]


def entries(sql: str, shape: Shape) -> tuple[str, Shape] | None:
    """Return SQL for the entries (key, value) of a map, or of an object taken as one, and the shape of the values."""
    if shape.kind == "map" and shape.item is not None:
        return f"map_entries({sql})", shape.item
    if shape.kind == "struct" and len(set(map(str, shape.fields.values()))) == 1:
        pairs = ", ".join(f"{{'key': {literal(name)}, 'value': {sql}.{quote(name)}}}" for name in shape.fields)
        there = f"list_filter([{pairs}], lambda {IT}: {IT}.value IS NOT NULL)"
        return f"CASE WHEN {sql} IS NOT NULL THEN {there} END", next(iter(shape.fields.values()))
    return None


class Reach(msgspec.Struct, frozen=True):
    """A source path followed: `sql` gives the value from a row, inside `depth` lists, of shape `shape`."""

    sql: str
    shape: Shape
    depth: int
    column: str


def reach(path: str, columns: Mapping[str, Shape], name: Callable[[str], str] = quote) -> Reach | None:
    """Follow a source path into the columns of a relation.

    Parameters
    ----------
    path : str
        The source path; a column whose whole name it is goes first.
    columns : mapping
        The columns with their shapes.
    name : callable
        Gives the SQL of a column.

    Returns
    -------
    Reach or None
        None when there is no such column or part.
    """
    column = next((name for name in _prefixes(path) if name in columns), None)
    if column is None:
        return None
    return _follow(name(column), columns[column], steps(path[len(column) :]), 0, column)


def _prefixes(path: str) -> Iterator[str]:
    yield path
    for match in reversed(list(re.finditer(r"[.\[{]", path))):
        yield path[: match.start()]


def _follow(sql: str, shape: Shape, path: list[str], depth: int, column: str) -> Reach | None:
    if not path:
        return Reach(sql, shape, depth, column)
    step, rest = path[0], path[1:]
    variable = f"e{depth}"
    if step == "[]" and shape.kind == "list" and shape.item is not None:
        return _each(sql, shape.item, rest, depth, column, variable, variable)
    pairs = entries(sql, shape) if step == "{}" else None
    if pairs is not None:
        listed, item = pairs
        name = rest[0] if rest else ""
        if name == f".{KEY}":
            return _each(listed, Shape("text"), rest[1:], depth, column, variable, f"{variable}.key")
        rest = rest[1:] if name == f".{VALUE}" else rest
        return _each(listed, item, rest, depth, column, variable, f"{variable}.value")
    if step.startswith(".") and step[1:] in shape.fields:
        return _follow(f"{sql}.{quote(step[1:])}", shape.fields[step[1:]], rest, depth, column)
    return None


def _each(sql: str, item: Shape, rest: list[str], depth: int, column: str, variable: str, element: str) -> Reach | None:
    inner = _follow(element, item, rest, depth + 1, column)
    if inner is None:
        return None
    each = sql if inner.sql == variable else f"list_transform({sql}, lambda {variable}: {inner.sql})"
    return msgspec.structs.replace(inner, sql=each)
