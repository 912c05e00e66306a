"""Persons: which identities are one, brought up to date after a load, a revert, a decision, or from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.identity import saved
from coterie.identity.cluster import distinct
from coterie.identity.evidence import NOBODY, Evidence, ints, lent
from coterie.identity.fold import Ints
from coterie.identity.stitch import KINDS, Causes, Known, Replayed, Scope, Stitched, grown, stitch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TOLD = {"folded": "identity", "graph_link": "a", "removed_link": "a", "evicted": "identity"}
"""The tables that tell of replayed components, each with a column of whose they are."""

_LOGS = ("removed_link", "evicted")


class Cause(msgspec.Struct, frozen=True):
    """What changed the graphs, and when: a batch or a decision; neither stands for new settings."""

    at: int
    batch: int | None = None
    decision: int | None = None


class Changes(msgspec.Struct, frozen=True):
    """What `refresh` changed.

    `touched` holds the persons, old and new, that gained, lost or exchanged identities; `identities` those that are new
    or gone; `merged`, `split` and `renamed` count the rows added to the lineage.
    """

    touched: Ints
    identities: Ints
    merged: int = 0
    split: int = 0
    renamed: int = 0


def refresh(evidence: Evidence, scope: Scope, cause: Cause) -> Changes:
    """Bring `person_of`, and what is told of replayed graphs, to what live facts, decisions and settings say.

    Every identity that occurs in a live record, event, link or merge decision belongs to a person. A person whose
    identities went to another one is told in the lineage.

    Parameters
    ----------
    evidence : Evidence
        The facts after the change.
    scope : Scope
        What changed.
    cause : Cause
        Why and when.
    """
    con = evidence.con
    before = known(con)
    after = stitch(evidence, before, scope)
    _retell(con, before, after)
    saved.write(con, before.saved, after.saved, after.states)
    new = after.person
    old = grown(before.person, len(new))
    changed = np.flatnonzero(old != new).astype(np.int32)
    if not changed.size:
        return Changes(changed, changed)
    _store(con, old, new, changed)
    merged, split, renamed = _tell(con, old, new, changed, cause)
    touched = distinct(np.concatenate([old[changed], new[changed]]))
    come_or_gone = changed[(old[changed] == NOBODY) | (new[changed] == NOBODY)]
    return Changes(touched[touched != NOBODY], come_or_gone, merged, split, renamed)


def known(con: DuckDBPyConnection) -> Known:
    """Return the persons that the history tells now."""
    persons = con.execute("SELECT identity, person FROM person_of").fetchnumpy()
    folded = con.execute("SELECT identity, component FROM folded").fetchnumpy()
    identity, person = ints(persons["identity"]), ints(persons["person"])
    replayed, component = ints(folded["identity"]), ints(folded["component"])
    size = max(int(each.max()) + 1 if each.size else 0 for each in (identity, replayed))
    persons_by_number, components_by_number = np.full((2, size), NOBODY, np.int32)
    persons_by_number[identity] = person
    components_by_number[replayed] = component
    return Known(persons_by_number, components_by_number, saved.saved(con, size))


def _retell(con: DuckDBPyConnection, before: Known, after: Stitched) -> None:
    """Replace what is told of replays of the touched components."""
    told = grown(before.component, len(after.person))[after.touched] != NOBODY
    if told.any():
        replayed = after.replayed
        stands = np.full(len(after.person), saved.NEVER, np.int64)
        if replayed is not None:
            stands[replayed.identities] = replayed.stands
        gone = after.touched[told]
        with lent(con, "gone", identity=gone, stands=stands[gone]):
            for table, whose in _TOLD.items():
                later = f' AND {table}."at" > gone.stands' if table in _LOGS else ""
                con.execute(f"DELETE FROM {table} USING gone WHERE {table}.{whose} = gone.identity{later}")
    if after.replayed is not None:
        _write(con, after.replayed)


def _write(con: DuckDBPyConnection, replayed: Replayed) -> None:
    _insert(con, "folded", {"identity": replayed.identities, "component": replayed.component})
    links = replayed.links
    _insert(con, "graph_link", {"a": links.a, "b": links.b, "first_at": links.first_at, "last_at": links.last_at})
    a, b = replayed.removed
    removed = {"a": a, "b": b, "reason": replayed.removed_kind, "namespace": replayed.removed_namespace}
    words = " ".join(f"WHEN {kind:d} THEN '{word}'" for kind, word in KINDS.items())
    _insert(
        con,
        "removed_link",
        removed | _columns(replayed.removed_by),
        f"* EXCLUDE (reason) REPLACE (nullif(namespace, -1) AS namespace, {_NOWHERE}), CASE reason {words} END AS kind",
    )
    _insert(con, "evicted", {"identity": replayed.evicted} | _columns(replayed.evicted_by), f"* REPLACE ({_NOWHERE})")


_NOWHERE = 'nullif(batch, -1) AS batch, nullif("row", -1) AS "row", nullif(decision, -1) AS decision'


def _columns(causes: Causes) -> dict[str, Any]:
    return {"at": causes.at, "batch": causes.batch, "row": causes.row, "decision": causes.decision}


def _insert(con: DuckDBPyConnection, table: str, columns: dict[str, Any], select: str = "*") -> None:
    with lent(con, "told", **columns):
        con.execute(f"INSERT INTO {table} BY NAME SELECT {select} FROM told")


def _store(con: DuckDBPyConnection, old: Ints, new: Ints, changed: Ints) -> None:
    if len(changed) > len(new) // 4:
        con.execute("DELETE FROM person_of")
        kept = np.flatnonzero(new != NOBODY).astype(np.int32)
    else:
        gone = changed[old[changed] != NOBODY]
        if gone.size:
            with lent(con, "moved", identity=gone):
                con.execute("DELETE FROM person_of WHERE identity IN (SELECT identity FROM moved)")
        kept = changed[new[changed] != NOBODY]
    _insert(con, "person_of", {"identity": kept, "person": new[kept]})


def _tell(con: DuckDBPyConnection, old: Ints, new: Ints, changed: Ints, cause: Cause) -> tuple[int, int, int]:
    """Add a row to the lineage for each person of whom identities went to another one; count the rows by kind."""
    moved = changed[(old[changed] != NOBODY) & (new[changed] != NOBODY)]
    if not moved.size:
        return 0, 0, 0
    pairs, counts = np.unique(old[moved].astype(np.int64) << 32 | new[moved], return_counts=True)
    person, into = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    sizes, were = (np.bincount(all_[all_ != NOBODY], minlength=len(new)) for all_ in (new, old))
    # a person merged who is there no more and went to one that has others too; one that went whole and found nobody
    # there is named anew; in all other cases the person was split
    merged = (new[person] != person) & (sizes[into] > counts)
    renamed = (sizes[into] == counts) & (were[person] == counts)
    kind = np.select([merged, renamed], [0, 1], 2)
    with lent(con, "moved", person=person, into=into, kind=kind):
        con.execute(
            'INSERT INTO lineage BY NAME SELECT person, "into", $batch::INTEGER AS batch, '
            "$decision::INTEGER AS decision, "
            "$at AS \"at\", ['merged', 'renamed', 'split'][kind + 1] AS kind FROM moved",
            {"batch": cause.batch, "decision": cause.decision, "at": cause.at},
        )
    return int((kind == 0).sum()), int((kind == 2).sum()), int((kind == 1).sum())
