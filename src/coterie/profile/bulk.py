"""Merging for everybody at once: the table ``profile_<view>``, kept by set-wise statements.

Says what `coterie.profile.merge` says. Fragments compete by the number of their last write, which grows with
`recorded_at`, batch and row; no two writes share one, so no tie is left to dataset or identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coterie.core.schema import Leaf
from coterie.profile.fragments import folded, settled
from coterie.profile.latest import merged
from coterie.profile.policy import View
from coterie.store.history import column_type, quote
from coterie.store.history.columns import missing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def refresh(
    con: DuckDBPyConnection, view: View, leaves: Iterable[Leaf], touched: npt.NDArray[np.int32] | None = None
) -> int:
    """Merge profiles anew.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history, with ``person_of_<view>`` and ``event_of_<view>`` up to date.
    view : View
        The view.
    leaves : iterable of Leaf
        Attributes of the profile union; each is a column of `record`, and becomes one of ``profile_<view>``.
    touched : array of int32, optional
        The persons to merge, there or not; everybody when left out.

    Returns
    -------
    int
        How many of them have a profile: a fragment or an event that the policy of the view lets count.
    """
    leaves, persons = list(leaves), quote(f"person_of_{view.name}")
    ensure(con, view, leaves)
    if touched is None:
        con.execute(f"CREATE OR REPLACE TEMP TABLE whose AS SELECT identity, person FROM {persons}")
        return _replace(con, view, leaves, everybody=True)
    if not touched.size:
        return 0
    con.register("touched_person", {"person": np.asarray(touched, np.int32)})
    con.execute(
        "CREATE OR REPLACE TEMP TABLE whose AS SELECT p.identity, p.person "
        f"FROM {persons} p SEMI JOIN touched_person t ON t.person = p.person"
    )
    live = _replace(con, view, leaves, everybody=False)
    con.unregister("touched_person")
    return live


def ensure(con: DuckDBPyConnection, view: View, leaves: Iterable[Leaf]) -> None:
    """Make the table of the profiles of a view, and its columns, where they are missing."""
    table = quote(f"profile_{view.name}")
    con.execute(f"CREATE TABLE IF NOT EXISTS {table} (person INTEGER NOT NULL)")
    for leaf in missing(con, f"profile_{view.name}", leaves):
        con.execute(f"ALTER TABLE {table} ADD COLUMN {quote(leaf.path)} {column_type(leaf)}")


def _replace(con: DuckDBPyConnection, view: View, leaves: Sequence[Leaf], *, everybody: bool) -> int:
    """Replace the rows of persons (those in ``whose``) by what they are now, and drop ``whose``."""
    # the writes of a few are read once and kept; those of everybody are better read again, in narrow columns
    old = "TRUE" if everybody else "person IN (SELECT person FROM touched_person)"
    kept = "NOT MATERIALIZED" if everybody else "MATERIALIZED"
    mine = "live_record r" if everybody else 'live_record r SEMI JOIN whose w ON w.identity = r."$identity"'
    table, events = quote(f"profile_{view.name}"), quote(f"event_of_{view.name}")
    con.execute(f"DELETE FROM {table} WHERE {old}")
    columns = "".join(f", {quote(leaf.path)}" for leaf in leaves)
    claimed = "".join(f", f.{quote(leaf.path)}" for leaf in leaves)
    places, which = _places(con, view), folded(con)
    if places is not None:
        mine += f" WHERE {_contributing(places)}"
    rank = _rank(places)
    system = ["$dataset", "$batch", "$row", "$identity", *(["$operation", "$unset"] if which.datasets else [])]
    written = ", ".join(f"r.{quote(column)}" for column in [*system, *(leaf.path for leaf in leaves)])
    live = con.execute(
        f"""
        INSERT INTO {table} (person{columns})
        WITH mine AS {kept} (SELECT {written} FROM {mine}), claim AS (
            SELECT w.person, {rank} AS "$rank"{claimed}
            FROM ({settled("mine", leaves, which)}) f JOIN whose w ON w.identity = f."$identity"
        ), united AS MATERIALIZED ({merged("claim", ("person",), leaves)})
        SELECT person{columns} FROM (
            FROM united
            UNION ALL BY NAME
            SELECT DISTINCT w.person FROM whose w SEMI JOIN {events} e ON e."$identity" = w.identity
            ANTI JOIN united u ON u.person = w.person
        ) ORDER BY person
        """
    ).fetchall()
    con.execute("DROP TABLE whose")
    return int(live[0][0])


def known_at(
    con: DuckDBPyConnection, view: View, leaves: Iterable[Leaf], at: int, people: Iterable[int] | None = None
) -> str:
    """Return a SELECT of what was known of people at an instant: their attributes by the records taken in before it.

    Persons are the present ones; whoever had no record then is left out.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : View
        The view.
    leaves : iterable of Leaf
        The attributes.
    at : int
        The instant, ms.
    people : iterable of int, optional
        The only persons asked about; default all.

    Returns
    -------
    str
        A query for ``person`` and the leaves.
    """
    leaves = list(leaves)
    places, which = _places(con, view), folded(con)
    persons = quote(f"person_of_{view.name}")
    if people is not None:
        listed = ", ".join(str(int(person)) for person in people) or "NULL"
        persons = f"(SELECT * FROM {persons} WHERE person IN ({listed}))"
    conditions = [f'r."$batch" IN (SELECT batch FROM batch WHERE recorded_at < {at:d})']
    if people is not None:
        conditions.append(f'r."$identity" IN (SELECT identity FROM {persons})')
    if places is not None:
        conditions.append(_contributing(places))
    system = ["$dataset", "$batch", "$row", "$identity", *(["$operation", "$unset"] if which.datasets else [])]
    ordering = [path for path in which.ordered.values() if path not in {leaf.path for leaf in leaves}]
    columns = dict.fromkeys([*system, *(leaf.path for leaf in leaves), *ordering])
    written = ", ".join(f"r.{quote(column)}" for column in columns)
    claimed = "".join(f", f.{quote(leaf.path)}" for leaf in leaves)
    listed_leaves = "".join(f", {quote(leaf.path)}" for leaf in leaves)
    return f"""
        WITH mine AS (SELECT {written} FROM live_record r WHERE {" AND ".join(conditions)}), claim AS (
            SELECT w.person, {_rank(places)} AS "$rank"{claimed}
            FROM ({settled("mine", leaves, which)}) f JOIN {persons} w ON w.identity = f."$identity"
        )
        SELECT person{listed_leaves} FROM ({merged("claim", ("person",), leaves)})
    """


def _contributing(places: Mapping[int, int]) -> str:
    """Return the SQL of that a write is of a dataset that contributes attributes."""
    return f'r."$dataset" IN ({", ".join(map(str, places)) or "NULL"})'


def _rank(places: Mapping[int, int] | None) -> str:
    """Return the SQL of what fragments compete by."""
    if places is None:
        return '"$rank"'
    ranks = "".join(f" WHEN {dataset:d} THEN {place:d}" for dataset, place in places.items())
    return f'((CASE "$dataset"{ranks or " WHEN 0 THEN 0"} END)::HUGEINT << 64) + "$rank"'


def _places(con: DuckDBPyConnection, view: View) -> dict[int, int] | None:
    """Return the datasets that contribute attributes, each with its weight, the best with the greatest; None for all.

    Datasets that have no data yet have no number, and contribute nothing.
    """
    listed = view.policy.attribute_datasets
    if listed is None:
        return None
    numbers = dict(con.execute("SELECT id, dataset FROM dataset").fetchall())
    return {numbers[name]: weight for weight, name in enumerate(reversed(listed)) if name in numbers}
