"""Persons of a view: which identities are one person, brought up to date after a load, a revert, or from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.identity.cluster import Ints, extend

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NOBODY = -1


class Changes(msgspec.Struct, frozen=True):
    """What `refresh` changed.

    `touched` holds the persons, old and new, that gained, lost or exchanged identities; `identities` those that are new
    or gone; `merged` and `split` count the rows added to the lineage.
    """

    touched: Ints
    identities: Ints
    merged: int
    split: int


def refresh(con: DuckDBPyConnection, *, batch: int | None, at: int) -> Changes:
    """Bring `person_of` to what the live facts say, and tell the lineage of persons who merged or split.

    Every identity that occurs in a live record, event or link belongs to a person, who is the smallest identity of
    the graph. After a load only the batch is read; after a revert (the batch is withdrawn), everything.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    batch : int or None
        The batch whose rows and links were added or withdrawn; None to start from nothing.
    at : int
        Instant of the change.

    Returns
    -------
    Changes
        Touched persons and counts.
    """
    old = _stored(con)
    loaded = batch is not None and old.size and not _withdrawn(con, batch)
    new = _persons(con, old if loaded else old[:0], batch if loaded else None)
    size = max(len(old), len(new))
    old, new = _grown(old, size), _grown(new, size)
    changed = np.flatnonzero(old != new).astype(np.int32)
    if not changed.size:
        return Changes(changed, changed, 0, 0)
    _store(con, old, new, changed)
    merged, split = _tell(con, old, new, changed, batch, at)
    touched = np.unique(np.concatenate([old[changed], new[changed]]))
    come_or_gone = changed[(old[changed] == _NOBODY) | (new[changed] == _NOBODY)]
    return Changes(touched[touched != _NOBODY], come_or_gone, merged, split)


def _stored(con: DuckDBPyConnection) -> Ints:
    """Return the person of each identity by number, -1 for those that have none."""
    rows = con.execute(f"SELECT identity, person FROM person_of").fetchnumpy()
    identity, person = _ints(rows["identity"]), _ints(rows["person"])
    persons = _grown(np.empty(0, np.int32), int(identity.max()) + 1 if identity.size else 0)
    persons[identity] = person
    return persons


def _withdrawn(con: DuckDBPyConnection, batch: int) -> bool:
    return bool(con.execute("SELECT 1 FROM batch WHERE batch = $1 AND withdrawn_at IS NOT NULL", [batch]).fetchall())


def _persons(con: DuckDBPyConnection, before: Ints, batch: int | None) -> Ints:
    """Return the persons after the facts of a batch are added to those of `before`; all facts when it is None."""
    where = "" if batch is None else f'WHERE "$batch" = {batch:d}'
    links = con.execute(
        f"SELECT DISTINCT a, b FROM live_link {'' if batch is None else f'WHERE batch = {batch:d}'}"
    ).fetchnumpy()
    a, b = _ints(links["a"]), _ints(links["b"])
    rows = con.execute(
        f'SELECT DISTINCT "$identity" AS identity FROM live_event {where} '
        f'UNION SELECT DISTINCT "$identity" FROM live_record {where}'
    ).fetchnumpy()
    occurring = np.concatenate([_ints(rows["identity"]), a, b])
    forest = _grown(before, max(len(before), int(occurring.max()) + 1 if occurring.size else 0))
    fresh = occurring[forest[occurring] == _NOBODY]
    forest[fresh] = fresh
    if not a.size:
        return forest
    there = forest != _NOBODY
    gaps = np.flatnonzero(~there).astype(np.int32)
    forest[gaps] = gaps
    forest = extend(forest, a, b)
    forest[gaps] = _NOBODY
    return forest


def _store(con: DuckDBPyConnection, old: Ints, new: Ints, changed: Ints) -> None:
    if len(changed) > len(new) // 4:
        con.execute("DELETE FROM person_of")
        kept = np.flatnonzero(new != _NOBODY).astype(np.int32)
    else:
        gone = changed[old[changed] != _NOBODY]
        if gone.size:
            _with_rows(con, {"identity": gone}, "DELETE FROM person_of WHERE identity IN (SELECT identity FROM moved)")
        kept = changed[new[changed] != _NOBODY]
    _with_rows(
        con,
        {"identity": kept, "person": new[kept]},
        "INSERT INTO person_of BY NAME SELECT identity, person FROM moved",
    )


def _tell(con: DuckDBPyConnection, old: Ints, new: Ints, changed: Ints, batch: int | None, at: int) -> tuple[int, int]:
    """Add a row to the lineage for each person of whom identities went to another one; return merged and split."""
    moved = changed[(old[changed] != _NOBODY) & (new[changed] != _NOBODY)]
    if not moved.size:
        return 0, 0
    pairs, counts = np.unique(old[moved].astype(np.int64) << 32 | new[moved], return_counts=True)
    person, into = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    # a person merged who is there no more and went to one that has others too; in all other cases the person was split
    sizes = np.bincount(new[new != _NOBODY], minlength=len(new))
    merged = (new[person] != person) & (sizes[into] > counts)
    _with_rows(
        con,
        {"person": person, "into": into, "merged": merged},
        'INSERT INTO lineage (person, "into", batch, "at", kind) '
        "SELECT person, \"into\", $batch::INTEGER, $at, CASE WHEN merged THEN 'merged' ELSE 'split' END FROM moved",
        {"batch": batch, "at": at},
    )
    return int(merged.sum()), int((~merged).sum())


def _with_rows(
    con: DuckDBPyConnection, columns: dict[str, Any], statement: str, parameters: dict[str, object] | None = None
) -> None:
    """Run a statement that reads the table ``moved``."""
    con.register("moved", columns)
    con.execute(statement, parameters)
    con.unregister("moved")


def _ints(column: Any) -> Ints:
    return np.asarray(column, dtype=np.int32)


def _grown(persons: Ints, size: int) -> Ints:
    grown = np.full(size, _NOBODY, np.int32)
    grown[: len(persons)] = persons
    return grown
