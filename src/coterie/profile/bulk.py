"""Merging for everybody at once: the table ``profile_<view>``, kept by set-wise statements.

Says what `coterie.profile.merge` says under ``timestampOrdered``. Fragments compete by the number of their last write,
which grows with `recorded_at`, batch and row; no two writes share one, so no tie is left to dataset or identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coterie.core.schema import KEY, Leaf
from coterie.store.history import column_type, quote
from coterie.store.history.columns import missing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WRITE = '(r."$batch"::BIGINT << 32) + r."$row"'


def refresh(
    con: DuckDBPyConnection, view: str, leaves: Iterable[Leaf], touched: npt.NDArray[np.int32] | None = None
) -> int:
    """Merge profiles anew.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history, with ``person_of_<view>`` up to date.
    view : str
        Name of the view.
    leaves : iterable of Leaf
        Attributes of the profile union; each is a column of `record`, and becomes one of ``profile_<view>``.
    touched : array of int32, optional
        The persons to merge, there or not; everybody when left out.

    Returns
    -------
    int
        How many of them have a profile: a live record or event.
    """
    leaves = list(leaves)
    table, persons = quote(f"profile_{view}"), quote(f"person_of_{view}")
    con.execute(f"CREATE TABLE IF NOT EXISTS {table} (person INTEGER NOT NULL)")
    for leaf in missing(con, f"profile_{view}", leaves):
        con.execute(f"ALTER TABLE {table} ADD COLUMN {quote(leaf.path)} {column_type(leaf)}")
    if touched is None:
        con.execute(f"CREATE OR REPLACE TEMP TABLE whose AS SELECT identity, person FROM {persons}")
        return _replace(con, table, leaves, "TRUE")
    if not touched.size:
        return 0
    con.register("touched_person", pa.table({"person": pa.array(touched, pa.int32())}))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE whose AS SELECT p.identity, p.person "
        f"FROM {persons} p SEMI JOIN touched_person t ON t.person = p.person"
    )
    live = _replace(con, table, leaves, "person IN (SELECT person FROM touched_person)")
    con.unregister("touched_person")
    return live


def _replace(con: DuckDBPyConnection, table: str, leaves: Sequence[Leaf], old: str) -> int:
    """Replace the rows of persons (those in ``whose``) by what they are now, and drop ``whose``."""
    con.execute(f"DELETE FROM {table} WHERE {old}")
    columns = "".join(f", {quote(leaf.path)}" for leaf in leaves)
    con.execute(
        f"""
        INSERT INTO {table} (person{columns})
        WITH live AS (
            SELECT DISTINCT w.person FROM whose w SEMI JOIN (
                SELECT "$identity" FROM live_event UNION ALL SELECT "$identity" FROM live_record
            ) o ON o."$identity" = w.identity
        ), last_write AS (
            SELECT max({_WRITE}) AS number FROM live_record r SEMI JOIN whose w ON w.identity = r."$identity"
            GROUP BY r."$dataset", r."$identity"
        ), claim AS (
            SELECT w.person, {_WRITE} AS "$write"{columns} FROM live_record r
            JOIN whose w ON w.identity = r."$identity" SEMI JOIN last_write l ON l.number = {_WRITE}
        )
        SELECT live.person{columns} FROM live LEFT JOIN ({_merged("claim", ("person",), leaves, 0)}) m USING (person)
        ORDER BY live.person
        """
    )
    con.execute("DROP TABLE whose")
    return int(con.execute(f"SELECT count(*) FROM {table} WHERE {old}").fetchall()[0][0])


class _Group(NamedTuple):
    """Leaves that are one value: a scalar, or all of an array; or those of a map, which are merged key by key."""

    leaves: tuple[Leaf, ...]
    map: str | None


def _groups(leaves: Sequence[Leaf], level: int) -> list[_Group]:
    """Divide leaves inside of so many maps into the values that compete as wholes, and into maps."""
    groups: dict[tuple[str, bool], list[Leaf]] = {}
    for leaf in leaves:
        inside = len(leaf.levels) > level
        groups.setdefault((leaf.levels[level] if inside else leaf.path, inside), []).append(leaf)
    return [
        _Group(tuple(group), path if inside and _is_map(group, path, level) else None)
        for (path, inside), group in groups.items()
    ]


def _is_map(leaves: Sequence[Leaf], path: str, level: int) -> bool:
    return any(leaf.path == f"{path}.{KEY}" and len(leaf.levels) == level + 1 for leaf in leaves)


def _merged(source: str, keys: tuple[str, ...], leaves: Sequence[Leaf], level: int) -> str:
    """Return a SELECT of one row for each combination of `keys`, with the leaves merged.

    `source` has the keys, ``$write`` and the leaves, a list level less for every map that was opened.
    """
    by = ", ".join(map(quote, keys))
    groups = _groups(leaves, level)
    wholes = [group for group in groups if group.map is None]
    aggregates = "".join(f", {_latest(group.leaves)} AS w{place:d}" for place, group in enumerate(wholes))
    found: dict[str, str] = {}
    for place, group in enumerate(wholes):
        for position, leaf in enumerate(group.leaves):
            found[leaf.path] = f"b.w{place:d}" if len(group.leaves) == 1 else f"b.w{place:d}.f{position:d}"
    joins = ""
    for place, group in enumerate(group for group in groups if group.map is not None):
        joins += f" LEFT JOIN ({_merged_map(source, keys, group, level)}) m{place:d} USING ({by})"
        found |= {leaf.path: f"m{place:d}.{quote(leaf.path)}" for leaf in group.leaves}
    columns = "".join(f", {found[leaf.path]} AS {quote(leaf.path)}" for leaf in leaves)
    return f"SELECT {by}{columns} FROM (SELECT {by}{aggregates} FROM {source} GROUP BY {by}) b{joins}"


def _latest(leaves: Sequence[Leaf]) -> str:
    """Return the aggregate that takes the leaves of one value from the last write that has it."""
    names = [quote(leaf.path) for leaf in leaves]
    if len(names) == 1:
        return f'arg_max({names[0]}, "$write")'
    fields = ", ".join(f"f{position:d} := {name}" for position, name in enumerate(names))
    has = " OR ".join(f"{name} IS NOT NULL" for name in names)
    return f'arg_max(struct_pack({fields}), "$write") FILTER (WHERE {has})'


def _merged_map(source: str, keys: tuple[str, ...], group: _Group, level: int) -> str:
    """Return a SELECT of the entries of a map, each merged by itself, gathered in the order of their keys."""
    by = ", ".join(map(quote, keys))
    key, entry = f"{group.map}.{KEY}", f"$key{level:d}"
    values = [leaf for leaf in group.leaves if leaf.path != key]
    columns = "".join(f", {quote(leaf.path)}" for leaf in values)
    opened = "".join(f", unnest({quote(leaf.path)}) AS {quote(leaf.path)}" for leaf in values)
    entries = f'(SELECT {by}, "$write", unnest({quote(key)}) AS {quote(entry)}{opened} FROM {source})'
    gathered = "".join(f", list({quote(leaf.path)} ORDER BY {quote(entry)}) AS {quote(leaf.path)}" for leaf in values)
    has = " OR ".join(f"{quote(leaf.path)} IS NOT NULL" for leaf in values)
    return (
        f"SELECT {by}, list({quote(entry)} ORDER BY {quote(entry)}) AS {quote(key)}{gathered} "
        f"FROM (SELECT {by}, {quote(entry)}{columns} FROM "
        f"({_merged(entries, (*keys, entry), values, level + 1)})) WHERE {has} GROUP BY {by}"
    )
