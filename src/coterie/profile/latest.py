"""SQL that unites rows attribute by attribute: each is taken from the row of the highest rank that has it.

An attribute is a leaf path: objects and maps are united key by key, arrays are one value. Where rows may append, an
array is what the last row has that does not append to it, followed by what all later rows have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coterie.core.schema import KEY, Leaf
from coterie.store.history import quote

APPENDS = "$append"
"""The column that says of a row whether it appends to arrays."""


def merged(
    source: str, keys: tuple[str, ...], leaves: Sequence[Leaf], level: int = 0, *, appended: bool = False
) -> str:
    """Return a SELECT of one row for each combination of keys, with the leaves united.

    Parameters
    ----------
    source : str
        A relation with the columns `keys`, ``$rank`` (no two rows of a combination share one) and the leaves, a list
        level less for every map that was opened.
    keys : tuple of str
        What the rows are united by.
    leaves : sequence of Leaf
        The attributes.
    level : int
        How many maps were opened.
    appended : bool
        Whether rows may append; then they have the column `APPENDS`.
    """
    by = ", ".join(map(quote, keys))
    parts = groups(leaves, level)
    wholes = [group for group in parts if group.map is None]
    aggregates, found = "", dict[str, str]()
    for place, group in enumerate(wholes):
        if appended and len(group.leaves[0].levels) > level:
            aggregates += f", {_pieces(group.leaves)} AS w{place:d}, {_replaced(group.leaves)} AS s{place:d}"
            found |= {leaf.path: _joined(place, position) for position, leaf in enumerate(group.leaves)}
            continue
        aggregates += f", {_latest(group.leaves)} AS w{place:d}"
        for position, leaf in enumerate(group.leaves):
            found[leaf.path] = f"b.w{place:d}" if len(group.leaves) == 1 else f"b.w{place:d}.f{position:d}"
    joins = ""
    for place, group in enumerate(group for group in parts if group.map is not None):
        inside = _merged_map(source, keys, group, level, appended=appended)
        joins += f" LEFT JOIN ({inside}) m{place:d} USING ({by})"
        found |= {leaf.path: f"m{place:d}.{quote(leaf.path)}" for leaf in group.leaves}
    columns = "".join(f", {found[leaf.path]} AS {quote(leaf.path)}" for leaf in leaves)
    return f"SELECT {by}{columns} FROM (SELECT {by}{aggregates} FROM {source} GROUP BY {by}) b{joins}"


class Group(NamedTuple):
    """Leaves that are one value: a scalar, or all of an array; or those of a map, which are merged key by key."""

    leaves: tuple[Leaf, ...]
    map: str | None


def groups(leaves: Sequence[Leaf], level: int) -> list[Group]:
    """Divide leaves inside of so many maps into the values that compete as wholes, and into maps."""
    divided: dict[tuple[str, bool], list[Leaf]] = {}
    for leaf in leaves:
        inside = len(leaf.levels) > level
        divided.setdefault((leaf.levels[level] if inside else leaf.path, inside), []).append(leaf)
    return [
        Group(tuple(group), path if inside and _is_map(group, path, level) else None)
        for (path, inside), group in divided.items()
    ]


def _is_map(leaves: Sequence[Leaf], path: str, level: int) -> bool:
    return any(leaf.path == f"{path}.{KEY}" and len(leaf.levels) == level + 1 for leaf in leaves)


def _latest(leaves: Sequence[Leaf]) -> str:
    """Return the aggregate that takes the leaves of one value from the row of the highest rank that has it."""
    if len(leaves) == 1:
        return f'arg_max({quote(leaves[0].path)}, "$rank")'
    return f'arg_max(struct_pack({_fields(leaves)}), "$rank") FILTER (WHERE {_has(leaves)})'


def _pieces(leaves: Sequence[Leaf]) -> str:
    """Return the aggregate that gathers what each row has of an array, in the order of the rows."""
    length = f"greatest({', '.join(f'len({quote(leaf.path)})' for leaf in leaves)})"
    piece = f'struct_pack("rank" := "$rank", "length" := {length}, {_fields(leaves)})'
    # sorted by their ranks, which come first: an aggregate with an order of its own costs half as much again
    return f"list_sort(list({piece}) FILTER (WHERE {_has(leaves)}))"


def _replaced(leaves: Sequence[Leaf]) -> str:
    """Return the aggregate for the rank of the last row that has an array and does not append it."""
    return f'max("$rank") FILTER (WHERE NOT {quote(APPENDS)} AND ({_has(leaves)}))'


def _joined(place: int, position: int) -> str:
    """Return the SQL of one leaf of a joined array: as long as the others, with nulls where a row did not have it."""
    pieces = f'list_filter(b.w{place:d}, lambda p: p."rank" >= coalesce(b.s{place:d}, p."rank"))'
    items = f'list_transform({pieces}, lambda p: list_resize(coalesce(p.f{position:d}, []), p."length"))'
    known = f"list_any_value(list_transform({pieces}, lambda p: p.f{position:d})) IS NOT NULL"
    return f"CASE WHEN {known} THEN flatten({items}) END"


def _fields(leaves: Sequence[Leaf]) -> str:
    return ", ".join(f"f{position:d} := {quote(leaf.path)}" for position, leaf in enumerate(leaves))


def _has(leaves: Sequence[Leaf]) -> str:
    return " OR ".join(f"{quote(leaf.path)} IS NOT NULL" for leaf in leaves)


def _merged_map(source: str, keys: tuple[str, ...], group: Group, level: int, *, appended: bool) -> str:
    """Return a SELECT of the entries of a map, each merged by itself, gathered in the order of their keys."""
    by = ", ".join(map(quote, keys))
    key, entry = f"{group.map}.{KEY}", f"$key{level:d}"
    values = [leaf for leaf in group.leaves if leaf.path != key]
    columns = "".join(f", {quote(leaf.path)}" for leaf in values)
    opened = "".join(f", unnest({quote(leaf.path)}) AS {quote(leaf.path)}" for leaf in values)
    appends = f", {quote(APPENDS)}" if appended else ""
    entries = f'(SELECT {by}, "$rank"{appends}, unnest({quote(key)}) AS {quote(entry)}{opened} FROM {source})'
    gathered = "".join(f", list({quote(leaf.path)} ORDER BY {quote(entry)}) AS {quote(leaf.path)}" for leaf in values)
    united = merged(entries, (*keys, entry), values, level + 1, appended=appended)
    return (
        f"SELECT {by}, list({quote(entry)} ORDER BY {quote(entry)}) AS {quote(key)}{gathered} "
        f"FROM (SELECT {by}, {quote(entry)}{columns} FROM ({united})) WHERE {_has(values)} GROUP BY {by}"
    )
