"""Columns of a plan: a leaf with the SQL of its source value, inside so many lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coterie.core.errors import Invalid
from coterie.core.schema import Leaf
from coterie.ingest.convert import Converter
from coterie.ingest.mapping import unknown_source
from coterie.ingest.shape import Reach, Shape, reach
from coterie.ingest.sql import literals
from coterie.store.history import quote


@dataclass(frozen=True)
class Input:
    """What the rows of a file offer: columns with shapes, SQL names of the columns, texts that are no value."""

    file: str
    columns: Mapping[str, Shape]
    name: Callable[[str], str] = quote
    nulls: tuple[str, ...] = ()
    document: bool = False


@dataclass(frozen=True)
class Column:
    """A leaf with a source: its raw value lies in `depth` lists; `leaf.depth` may be more."""

    leaf: Leaf
    number: int
    raw: str
    depth: int
    converter: Converter
    origin: str

    @property
    def raw_name(self) -> str:
        """Name of the raw value."""
        return f"r{self.number}"

    @property
    def value_name(self) -> str:
        """Name of the typed value."""
        return f"v{self.number}"

    @property
    def value(self) -> str:
        """SQL for the typed value over the raw one."""
        return each(self.raw_name, self.depth, self.converter.value)

    @property
    def bad(self) -> str | None:
        """SQL that says that some raw value has no typed one; None when that cannot be."""
        if self.converter.total:
            return None
        if self.depth == 0:
            return f"{self.raw_name} IS NOT NULL AND {self.value_name} IS NULL"
        return f"{_count(self.raw_name, self.depth)} <> {_count(self.value_name, self.depth)}"


def each(sql: str, depth: int, function: Callable[[str], str], level: int = 0) -> str:
    """Return SQL that applies a function to the values inside `depth` lists."""
    if depth == 0:
        return function(sql)
    variable = f"x{level}"
    return f"list_transform({sql}, lambda {variable}: {each(variable, depth - 1, function, level + 1)})"


def flat(sql: str, depth: int) -> str:
    """Return SQL for one list of the values inside `depth` lists."""
    for _ in range(depth - 1):
        sql = f"flatten({sql})"
    return sql


def _count(sql: str, depth: int) -> str:
    return f"list_count({flat(sql, depth)})"


def without(x: str, shape: Shape, nulls: tuple[str, ...]) -> str:
    """Return SQL for a value, NULL when its text is one of `nulls`."""
    if not nulls:
        return x
    text = x if shape.kind in ("text", "json") else f"CAST({x} AS VARCHAR)"
    return f"CASE WHEN {text} NOT IN ({literals(nulls)}) THEN {x} END"


def follow(path: str, given: Input) -> Reach:
    """Follow a source path to its values; raises ``mapping.unknown-source``, ``mapping.type``."""
    there = reach(path, given.columns, given.name)
    if there is None:
        raise unknown_source(path, given.columns, given.file)
    if there.shape.kind in ("struct", "list", "map"):
        raise Invalid(
            "mapping.type",
            f"source {path!r} is a {there.shape.kind}, not a value.",
            hint="Name a part of it: .name, [] for each element, {}.$key and {}.$value for each entry.",
            where={"source": path},
        )
    return there
