"""Fragments in SQL: what the writes of records leave for each dataset and identity.

Says what `coterie.profile.merge.settle` says. Most datasets know only writes that replace the whole record, of which
the last one is the fragment. The others are folded: rows that are older than the record that stands are passed over,
writes before the last replacement or removal are gone, and what is left is united leaf by leaf, arrays that were
appended to joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from coterie.core.schema import Leaf
from coterie.ingest.operation import PARTIAL, Operation
from coterie.ingest.sql import literal
from coterie.profile.latest import APPENDS, merged
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MERGE, APPEND, DELETE = Operation.MERGE.number, Operation.APPEND.number, Operation.DELETE.number

WRITE = '("$batch"::BIGINT << 32) + "$row"'
"""SQL for the number of a write, which grows with the time it was recorded, batch and row; no two writes share one."""

_KEY = ("$dataset", "$identity")
_BY = ", ".join(map(quote, _KEY))


class Folded(NamedTuple):
    """Datasets whose writes do not simply replace each other.

    `ordered` has the path of the date that orders the writes of a dataset, `operated` the datasets with merges, appends
    or deletes, `appended` those of them with appends, `unset` the paths that some write takes away.
    """

    ordered: Mapping[int, str]
    operated: frozenset[int]
    appended: frozenset[int]
    unset: frozenset[str]

    @property
    def datasets(self) -> list[int]:
        """Numbers of all of them."""
        return sorted(self.operated | self.ordered.keys())


def folded(con: DuckDBPyConnection) -> Folded:
    """Return the datasets whose writes do not simply replace each other."""
    ordered = con.execute("SELECT dataset, path FROM dataset_order").fetchall()
    operated = con.execute(
        f'SELECT "$dataset", bool_or("$operation" = {APPEND}) FROM record WHERE "$operation" IS NOT NULL GROUP BY ALL'
    ).fetchall()
    unset: list[tuple[str]] = []
    if operated:  # only merges and appends take fields away
        unset = con.execute('SELECT DISTINCT unnest("$unset") FROM record WHERE "$unset" IS NOT NULL').fetchall()
    return Folded(
        dict(ordered),
        frozenset(number for number, _ in operated),
        frozenset(number for number, appends in operated if appends),
        frozenset(path for (path,) in unset),
    )


def settled(source: str, leaves: Sequence[Leaf], which: Folded) -> str:
    """Return a SELECT of the fragments that writes leave.

    Parameters
    ----------
    source : str
        A relation with the columns of `record`, where all live writes of an identity in a dataset are or none.
    leaves : sequence of Leaf
        The attributes.
    which : Folded
        The datasets that need folding.

    Returns
    -------
    str
        A query for ``$dataset``, ``$identity``, ``$rank`` (the number of the last write) and the leaves.
    """
    if not which.datasets:
        return _last(source, leaves)
    parts = [_last(_of(source, which.datasets, "NOT IN"), leaves)]
    if changed := [number for number in which.datasets if number not in which.appended]:
        parts.append(_fold(_of(source, changed), leaves, which))
    if which.appended:  # apart, since arrays that may be joined cost more
        parts.append(_fold(_of(source, sorted(which.appended)), leaves, which, appended=True))
    return " UNION ALL ".join(parts)


def _of(source: str, datasets: Sequence[int], among: str = "IN") -> str:
    return f'(SELECT * FROM {source} WHERE "$dataset" {among} ({", ".join(map(str, datasets))}))'


def heeded(source: str, which: Folded, columns: str = "") -> str:
    """Return a SELECT of the writes that count: without those that are not newer than the record that stands.

    It has ``$dataset``, ``$identity``, ``$rank`` (the number of the write), ``$operation``, ``$unset`` and `columns`,
    the tail of a SELECT list.
    """
    head = f'{_BY}, {WRITE} AS "$rank", "$operation", "$unset"'
    if not which.ordered:
        return f"SELECT {head}{columns} FROM {source}"
    cases = "".join(f" WHEN {dataset:d} THEN {quote(path)}" for dataset, path in sorted(which.ordered.items()))
    # of the writes of an ordered dataset count those that are newer than all before them
    return (
        f'SELECT {head}{columns} FROM (SELECT *, CASE "$dataset"{cases} END AS "$time" FROM {source}) '
        'QUALIFY "$time" IS NULL OR coalesce("$time" > max("$time") OVER (PARTITION BY "$dataset", "$identity" '
        'ORDER BY "$batch", "$row" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), TRUE)'
    )


def older(con: DuckDBPyConnection, dataset: int, batch: int) -> int:
    """Return how many rows of a batch are passed over, because they are not newer than the record that stands."""
    mine = f"""(
        SELECT * FROM live_record WHERE "$dataset" = {dataset:d}
            AND "$identity" IN (SELECT "$identity" FROM live_record WHERE "$batch" = {batch:d})
    )"""
    counted = f'SELECT count(*) FILTER ("$rank" >> 32 = {batch:d}) FROM ({heeded(mine, folded(con))})'
    total = f'SELECT count(*) FROM live_record WHERE "$batch" = {batch:d}'
    return int(con.execute(f"SELECT ({total}) - ({counted})").fetchall()[0][0])


def _last(source: str, leaves: Sequence[Leaf]) -> str:
    if not leaves:
        return f'SELECT {_BY}, max({WRITE}) AS "$rank" FROM {source} GROUP BY {_BY}'
    columns = "".join(f", r.{quote(leaf.path)}" for leaf in leaves)
    return (
        f'SELECT r."$dataset", r."$identity", {WRITE} AS "$rank"{columns} FROM {source} r SEMI JOIN '
        f"(SELECT max({WRITE}) AS number FROM {source} GROUP BY {_BY}) l ON l.number = {WRITE}"
    )


def _fold(source: str, leaves: Sequence[Leaf], which: Folded, *, appended: bool = False) -> str:
    """Return a SELECT of the fragments of datasets with operations, or with an order of their own."""
    columns = "".join(f", {quote(leaf.path)}" for leaf in leaves)
    taken = {leaf.path: _taken(leaf, which.unset) for leaf in leaves}
    listed = [path for path, paths in taken.items() if paths]
    gone = "".join(
        f', max("$rank") FILTER (WHERE list_has_any("$unset", [{", ".join(map(literal, taken[path]))}])) '
        f"AS {quote(f'$unset.{path}')}"
        for path in listed
    )
    values = "".join(
        f', CASE WHEN {quote(f"$unset.{leaf.path}")} > "$rank" THEN NULL ELSE {quote(leaf.path)} END '
        f"AS {quote(leaf.path)}"
        if leaf.path in listed
        else f", {quote(leaf.path)}"
        for leaf in leaves
    )
    partial = ", ".join(str(operation.number) for operation in PARTIAL)
    appends = f', coalesce("$operation" = {APPEND}, FALSE) AS {quote(APPENDS)}' if appended else ""
    return f"""
        SELECT {_BY}, "$rank"{columns} FROM (
            WITH heeded AS MATERIALIZED ({heeded(source, which, columns)}), standing AS (
                SELECT {_BY}, max("$rank") AS "$last", arg_max(coalesce("$operation", 0), "$rank") AS "$done",
                       max("$rank") FILTER (WHERE coalesce("$operation", 0) NOT IN ({partial})) AS "$since"{gone}
                FROM heeded GROUP BY {_BY}
            ), kept AS (
                SELECT {_BY}, "$rank"{appends}{values} FROM heeded JOIN standing USING ({_BY})
                WHERE "$done" <> {DELETE} AND (
                    "$since" IS NULL OR "$rank" > "$since" OR ("$rank" = "$since" AND "$operation" IS NULL)
                )
            )
            SELECT {_BY}, "$last" AS "$rank"{columns}
            FROM ({merged("kept", _KEY, leaves, appended=appended)}) JOIN standing USING ({_BY})
        )"""


def _taken(leaf: Leaf, unset: frozenset[str]) -> list[str]:
    """Return which of the paths that are taken away take a leaf with them."""
    return sorted(path for path in unset if leaf.path == path or leaf.path.startswith(f"{path}."))
