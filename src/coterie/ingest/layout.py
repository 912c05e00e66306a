"""How fields stand together: items of one array side by side, and what must not be missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coterie.core.errors import Unsupported
from coterie.core.schema import Field, FieldType, Schema, leaves
from coterie.ingest.column import Column, flat
from coterie.ingest.convert import Fault
from coterie.store.history import quote


def _groups(columns: list[Column]) -> dict[str, list[Column]]:
    out: dict[str, list[Column]] = {}
    for column in columns:
        if column.leaf.depth:
            out.setdefault(column.leaf.levels[0], []).append(column)
    return out


def placed(columns: list[Column]) -> dict[str, str]:
    """Return SQL for each leaf over the typed values: single values become items of the lists beside them."""
    out = {column.leaf.path: column.value_name for column in columns}
    for group in _groups(columns).values():
        driver = next((column for column in group if column.depth), None)
        present = [column for column in group if column.origin] or group
        some = " OR ".join(f"{column.raw_name} IS NOT NULL" for column in present)
        for column in group:
            value = column.value_name
            if column.depth == 0 and driver is not None:
                value = f"list_transform({driver.value_name}, lambda _: {value})"
            elif column.depth == 0:
                value = f"CASE WHEN {some} THEN [{value}] END"
            for _ in range(column.leaf.depth - max(column.depth, 1)):
                value = f"[{value}]"
            out[column.leaf.path] = value
    return out


def aligned(columns: list[Column]) -> list[tuple[str, str, Fault]]:
    """Return the check that lists from different sources under one array have the same length."""
    out = []
    for group in _groups(columns).values():
        lists = [column for column in group if column.depth]
        for other in lists[1:]:
            first = lists[0]
            if other.origin != first.origin:
                unequal = f"len({first.value_name}) IS DISTINCT FROM len({other.value_name})"
                fault = Fault(unequal, "value.items", f"expected as many elements as {first.leaf.path} has")
                out.append((other.leaf.path, f"CAST({other.raw_name} AS VARCHAR)", fault))
    return out


def required(schema: Schema, columns: list[Column]) -> list[tuple[str, str, Fault]]:
    """Return the checks of required fields; a field inside an array is required of each item.

    What counts is the source value, so that one of the wrong type is not called missing as well.
    """
    raw = {column.leaf.path: column.raw_name for column in columns if column.depth == column.leaf.depth}
    out: list[tuple[str, str, Fault]] = []

    def walk(below: Field, path: str, depth: int) -> None:
        for name, child in below.properties.items():
            full = f"{path}.{name}" if path else name
            inner, nested = child, depth
            while inner.items is not None:
                inner, nested = inner.items, nested + 1
            if child.required:
                inside = [raw.get(leaf.path, quote(leaf.path)) for leaf in leaves(child, full)]
                if depth == 0:
                    condition = " AND ".join(f"{name} IS NULL" for name in inside)
                elif child.type is not FieldType.OBJECT:
                    values = flat(inside[0], depth)
                    condition = f"list_count({values}) < len({values})"
                else:
                    raise Unsupported(
                        "ingest.required",
                        f"field {full}: a required object inside an array is not checked yet.",
                        hint="Require the fields below it instead.",
                        where={"field": full},
                    )
                out.append((full, "NULL", Fault(condition, "field.required", "expected a value")))
            if inner.type is FieldType.OBJECT:
                walk(inner, full, nested)

    walk(schema.root, "", 0)
    return out


class _Container(NamedTuple):
    """An array or a map of a schema, given with the property that it is or lies in.

    `path` is that of the property and `depth` the number of lists around it; `level` is the number around the
    container. `inner` says whether it lies in an array.
    """

    path: str
    property: Field
    depth: int
    field: Field
    level: int
    inner: bool


def _containers(below: Field, path: str = "", depth: int = 0, *, inner: bool = False) -> Iterator[_Container]:
    """Yield the arrays and maps below a field, the outer ones first."""
    for name, child in below.properties.items():
        full, field, level, within = f"{path}.{name}" if path else name, child, depth, inner
        while field.items is not None:
            yield _Container(full, child, depth, field, level, within)
            within = within or field.type is FieldType.ARRAY
            field, level = field.items, level + 1
        if field.type is FieldType.OBJECT:
            yield from _containers(field, full, level, inner=within)


def sized(schema: Schema) -> list[tuple[str, str, Fault]]:
    """Return the checks of the numbers of elements that arrays and maps may have."""
    out: list[tuple[str, str, Fault]] = []
    for path, child, _, field, level, _ in _containers(schema.root):
        column = quote(next(leaves(child, path)).path)
        for wrong, bound, word in (("<", field.min_length, "least"), (">", field.max_length, "most")):
            if bound is not None:
                condition = f"len({column}) {wrong} {bound:d}"
                if level:
                    each = f"lambda v: len(v) {wrong} {bound:d}"
                    condition = f"len(list_filter({flat(column, level)}, {each})) > 0"
                fault = Fault(condition, "value.length", f"expected at {word} {bound} elements")
                out.append((path, f"CAST({column} AS VARCHAR)", fault))
    return out


def appended(schema: Schema, appends: str) -> list[tuple[str, str, Fault]]:
    """Return the checks that no row for which `appends` holds has an array of bounded length.

    How long such an array would get depends on the other rows. What lies inside an item is not appended to.
    """
    out: list[tuple[str, str, Fault]] = []
    for path, child, depth, field, level, inner in _containers(schema.root):
        if field.type is not FieldType.ARRAY or field.max_length is None or inner:
            continue
        columns = [quote(leaf.path) for leaf in leaves(child, path) if len(leaf.levels) > level - depth]
        given = [f"{column} IS NOT NULL" for column in columns]
        if level:
            given = [f"list_count({flat(column, level)}) > 0" for column in columns]
        reason = f"expected no items to append, since there may be at most {field.max_length}"
        fault = Fault(f"{appends} AND ({' OR '.join(given)})", "value.append", reason)
        out.append((path, f"CAST({columns[0]} AS VARCHAR)", fault))
    return out
