"""SQL that unites rows attribute by attribute: each is taken from the row of the highest rank that has it.

An attribute is a leaf path: objects and maps are united key by key, arrays are one value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coterie.core.schema import KEY, Leaf
from coterie.store.history import quote


def merged(source: str, keys: tuple[str, ...], leaves: Sequence[Leaf], level: int = 0) -> str:
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
    """
    by = ", ".join(map(quote, keys))
    parts = groups(leaves, level)
    wholes = [group for group in parts if group.map is None]
    aggregates = "".join(f", {_latest(group.leaves)} AS w{place:d}" for place, group in enumerate(wholes))
    found: dict[str, str] = {}
    for place, group in enumerate(wholes):
        for position, leaf in enumerate(group.leaves):
            found[leaf.path] = f"b.w{place:d}" if len(group.leaves) == 1 else f"b.w{place:d}.f{position:d}"
    joins = ""
    for place, group in enumerate(group for group in parts if group.map is not None):
        joins += f" LEFT JOIN ({_merged_map(source, keys, group, level)}) m{place:d} USING ({by})"
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
    names = [quote(leaf.path) for leaf in leaves]
    if len(names) == 1:
        return f'arg_max({names[0]}, "$rank")'
    fields = ", ".join(f"f{position:d} := {name}" for position, name in enumerate(names))
    has = " OR ".join(f"{name} IS NOT NULL" for name in names)
    return f'arg_max(struct_pack({fields}), "$rank") FILTER (WHERE {has})'


def _merged_map(source: str, keys: tuple[str, ...], group: Group, level: int) -> str:
    """Return a SELECT of the entries of a map, each merged by itself, gathered in the order of their keys."""
    by = ", ".join(map(quote, keys))
    key, entry = f"{group.map}.{KEY}", f"$key{level:d}"
    values = [leaf for leaf in group.leaves if leaf.path != key]
    columns = "".join(f", {quote(leaf.path)}" for leaf in values)
    opened = "".join(f", unnest({quote(leaf.path)}) AS {quote(leaf.path)}" for leaf in values)
    entries = f'(SELECT {by}, "$rank", unnest({quote(key)}) AS {quote(entry)}{opened} FROM {source})'
    gathered = "".join(f", list({quote(leaf.path)} ORDER BY {quote(entry)}) AS {quote(leaf.path)}" for leaf in values)
    has = " OR ".join(f"{quote(leaf.path)} IS NOT NULL" for leaf in values)
    return (
        f"SELECT {by}, list({quote(entry)} ORDER BY {quote(entry)}) AS {quote(key)}{gathered} "
        f"FROM (SELECT {by}, {quote(entry)}{columns} FROM "
        f"({merged(entries, (*keys, entry), values, level + 1)})) WHERE {has} GROUP BY {by}"
    )
