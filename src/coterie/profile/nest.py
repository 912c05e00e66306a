"""Between the flat columns of a row and the nested object it was written as.

A row has a value for each leaf: a scalar, or a list for every array and map around the leaf. `Shape` is what a set of
leaves looks like as an object, built once and used for many rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coterie.core.clock import format_date, format_instant, parse_instant
from coterie.core.schema import KEY, VALUE, Field, FieldType, Leaf

Row = Mapping[str, Any]


class Shape:
    """The object that a set of leaves makes up.

    Parameters
    ----------
    leaves : iterable of Leaf
        All leaves of the object; no path is another's beginning.

    Examples
    --------
    >>> from coterie.core.schema import leaves, read_fields
    >>> fields = read_fields({"cart.lines[].sku": "string", "prices{}": "integer"}, "example")
    >>> shape = Shape(leaves(Field(FieldType.OBJECT, properties=fields)))
    >>> shape.nest({"cart.lines.sku": ["a", "b"], "prices.$key": ["EUR"], "prices.$value": [5]})
    {'cart': {'lines': [{'sku': 'a'}, {'sku': 'b'}]}, 'prices': {'EUR': 5}}
    """

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self.leaves = tuple(leaves)
        self._root = _Object(self.leaves, "", 0)

    def nest(self, row: Row) -> dict[str, Any]:
        """Return a row as an object: instants as text, decimals exact, absent values left out."""
        return self._root.nest(row)

    def flatten(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object as a row; instants may be ISO 8601 text or milliseconds."""
        return self._root.flatten(value)


class _Node(ABC):
    """A part of an object that holds some of its leaves."""

    paths: tuple[str, ...]

    @abstractmethod
    def nest(self, row: Row) -> Any:
        """Return the part of the object that a row holds."""

    @abstractmethod
    def flatten(self, value: Any) -> dict[str, Any]:
        """Return the columns that hold a part of an object."""


class _Scalar(_Node):
    def __init__(self, leaf: Leaf) -> None:
        self.path, self.field = leaf.path, leaf.field
        self.paths = (leaf.path,)

    def nest(self, row: Row) -> Any:
        value = row.get(self.path)
        return None if value is None else _shown(value, self.field)

    def flatten(self, value: Any) -> dict[str, Any]:
        dated = isinstance(value, str) and self.field.type in (FieldType.DATE, FieldType.DATETIME)
        return {self.path: parse_instant(value) if dated else value}


class _Object(_Node):
    def __init__(self, leaves: Sequence[Leaf], prefix: str, level: int) -> None:
        self.paths = tuple(leaf.path for leaf in leaves)
        groups: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            name = _place(leaf, level)[len(prefix) + bool(prefix) :].split(".", 1)[0]
            groups.setdefault(name, []).append(leaf)
        self.children = {
            name: _node(group, f"{prefix}.{name}" if prefix else name, level) for name, group in groups.items()
        }

    def nest(self, row: Row) -> dict[str, Any]:
        values = ((name, child, child.nest(row)) for name, child in self.children.items())
        return {
            name: value
            for name, child, value in values
            if value is not None and not (value == {} and isinstance(child, _Object | _Map))
        }

    def flatten(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for name, child in self.children.items():
            row |= child.flatten(None if value is None else value.get(name))
        return row


class _Array(_Node):
    def __init__(self, leaves: Sequence[Leaf], path: str, level: int) -> None:
        self.paths = tuple(leaf.path for leaf in leaves)
        self.item = _node(leaves, path, level + 1)

    def nest(self, row: Row) -> list[Any] | None:
        columns = {path: row[path] for path in self.paths if row.get(path) is not None}
        if not columns:
            return None
        length = max(map(len, columns.values()))
        return [self.item.nest(_slice(columns, position)) for position in range(length)]

    def flatten(self, value: Sequence[Any] | None) -> dict[str, Any]:
        if value is None:
            return dict.fromkeys(self.paths)
        items = [self.item.flatten(item) for item in value]
        return {path: [item[path] for item in items] for path in self.paths}


class _Map(_Node):
    def __init__(self, leaves: Sequence[Leaf], path: str, level: int) -> None:
        self.paths = tuple(leaf.path for leaf in leaves)
        self.key = f"{path}.{KEY}"
        values = [leaf for leaf in leaves if leaf.path != self.key]
        below = f"{path}.{VALUE}"
        single = any(_place(leaf, level + 1).startswith(below) for leaf in values)
        self.value = _node(values, below if single else path, level + 1)

    def nest(self, row: Row) -> dict[str, Any] | None:
        keys = row.get(self.key)
        if keys is None:
            return None
        columns = {path: row[path] for path in self.value.paths if row.get(path) is not None}
        values = ((key, self.value.nest(_slice(columns, position))) for position, key in enumerate(keys))
        return {key: value for key, value in values if value is not None and value != {}}

    def flatten(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        if value is None:
            return dict.fromkeys(self.paths)
        items = [self.value.flatten(item) for item in value.values()]
        return {self.key: list(value)} | {path: [item[path] for item in items] for path in self.value.paths}


def _node(leaves: Sequence[Leaf], path: str, level: int) -> _Node:
    """Return the part at `path`, inside of so many arrays and maps."""
    first = leaves[0]
    if _place(first, level) != path:
        return _Object(leaves, path, level)
    if len(first.levels) == level:
        return _Scalar(first)
    is_map = any(leaf.path == f"{path}.{KEY}" and len(leaf.levels) == level + 1 for leaf in leaves)
    return _Map(leaves, path, level) if is_map else _Array(leaves, path, level)


def _place(leaf: Leaf, level: int) -> str:
    """Return the path at which a leaf is found at a level: of the next array or map around it, or its own."""
    return leaf.levels[level] if len(leaf.levels) > level else leaf.path


def _slice(columns: Mapping[str, Sequence[Any]], position: int) -> dict[str, Any]:
    return {path: column[position] for path, column in columns.items() if position < len(column)}


def _shown(value: Any, field: Field) -> Any:
    match field.type:
        case FieldType.DATE:
            return format_date(value)
        case FieldType.DATETIME:
            return format_instant(value)
        case _:
            return value
