"""Persons: which identities are one, brought up to date after a load, a revert, a decision, or from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.identity import saved
from coterie.identity.cluster import distinct
from coterie.identity.evidence import NOBODY, Evidence, ints, lent
from coterie.identity.fold import Ints
from coterie.identity.stitch import KINDS, Causes, Known, Replayed, Scope, Stitched, stitch

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    evidence, before = known(evidence, scope)
    after = stitch(evidence, before, scope)
    _retell(evidence, before, after)
    saved.write(evidence, before.saved, after.saved, after.states)
    old, new = before.person, after.person
    changed = np.flatnonzero(old != new).astype(np.int32)
    if not changed.size:
        return Changes(changed, changed)
    _store(evidence, old, new, changed)
    merged, split, renamed = _tell(evidence, old, new, changed, cause)
    touched = distinct(np.concatenate([old[changed], new[changed]]))
    come_or_gone = changed[(old[changed] == NOBODY) | (new[changed] == NOBODY)]
    numbers = evidence.numbers
    return Changes(numbers(touched[touched != NOBODY]), numbers(come_or_gone), merged, split, renamed)


def known(evidence: Evidence, scope: Scope) -> tuple[Evidence, Known]:
    """Return the persons that the history tells now of the components that a change touches.

    Beside the evidence about just their identities.
    """
    con = evidence.con
    changed = evidence.concerned([scope.batch]) if scope.batch is not None else scope.identities
    if changed is None:
        persons = con.execute("SELECT identity, person FROM person_of").fetchnumpy()
        folded: Mapping[str, Any] = con.execute("SELECT identity, component FROM folded").fetchnumpy()
        identity, person = ints(persons["identity"]), ints(persons["person"])
        changed, among = np.empty(0, np.int32), None
    else:
        # facts that come or go name all that they join; a decision lets links count that were there
        named = changed if scope.batches else np.concatenate([changed, evidence.beside(changed)])
        identity, person, folded = _around(con, named)
        among = distinct(np.concatenate([named, identity]))
    evidence = evidence.within(among)
    person_of, component_of = np.full((2, evidence.size), NOBODY, np.int32)
    person_of[evidence.places(identity)] = evidence.places(person)
    component_of[evidence.places(ints(folded["identity"]))] = evidence.places(ints(folded["component"]))
    return evidence, Known(person_of, component_of, saved.saved(evidence), evidence.places(changed))


def _around(con: DuckDBPyConnection, named: Ints) -> tuple[Ints, Ints, Mapping[str, Any]]:
    """Return the identities of the components of some, with their persons, and which of them were replayed.

    An identity may be told twice.
    """
    with lent(con, "named", identity=named):
        folded = con.execute(
            "SELECT identity, component FROM folded "
            "WHERE component IN (SELECT component FROM folded SEMI JOIN named USING (identity))"
        ).fetchnumpy()
    replayed = ints(folded["identity"])
    with lent(con, "named", identity=np.concatenate([named, replayed])):
        first = con.execute("SELECT identity, person FROM person_of SEMI JOIN named USING (identity)").fetchnumpy()
    identity, person = ints(first["identity"]), ints(first["person"])
    with lent(con, "graph", person=distinct(person[~np.isin(identity, replayed)])):
        rest = con.execute("SELECT identity, person FROM person_of SEMI JOIN graph USING (person)").fetchnumpy()
    return np.concatenate([identity, ints(rest["identity"])]), np.concatenate([person, ints(rest["person"])]), folded


def _retell(evidence: Evidence, before: Known, after: Stitched) -> None:
    """Replace what is told of replays of the touched components."""
    con, replayed = evidence.con, after.replayed
    told = before.component[after.touched] != NOBODY
    if told.any():
        stands = np.full(len(after.person), saved.NEVER, np.int64)
        if replayed is not None:
            stands[replayed.identities] = replayed.stands
        gone = after.touched[told]
        with lent(con, "gone", identity=evidence.numbers(gone), stands=stands[gone]):
            for table, whose in _TOLD.items():
                later = f' AND {table}."at" > gone.stands' if table in _LOGS else ""
                con.execute(f"DELETE FROM {table} USING gone WHERE {table}.{whose} = gone.identity{later}")
    if replayed is not None:
        _write(evidence, replayed)


def _write(evidence: Evidence, replayed: Replayed) -> None:
    con, numbers = evidence.con, evidence.numbers
    _insert(con, "folded", {"identity": numbers(replayed.identities), "component": numbers(replayed.component)})
    links = replayed.links
    a, b = numbers(links.a), numbers(links.b)
    _insert(con, "graph_link", {"a": a, "b": b, "first_at": links.first_at, "last_at": links.last_at})
    a, b = map(numbers, replayed.removed)
    removed = {"a": a, "b": b, "reason": replayed.removed_kind, "namespace": replayed.removed_namespace}
    words = " ".join(f"WHEN {kind:d} THEN '{word}'" for kind, word in KINDS.items())
    _insert(
        con,
        "removed_link",
        removed | _columns(replayed.removed_by),
        f"* EXCLUDE (reason) REPLACE (nullif(namespace, -1) AS namespace, {_NOWHERE}), CASE reason {words} END AS kind",
    )
    evicted = {"identity": numbers(replayed.evicted)} | _columns(replayed.evicted_by)
    _insert(con, "evicted", evicted, f"* REPLACE ({_NOWHERE})")


_NOWHERE = 'nullif(batch, -1) AS batch, nullif("row", -1) AS "row", nullif(decision, -1) AS decision'


def _columns(causes: Causes) -> dict[str, Any]:
    return {"at": causes.at, "batch": causes.batch, "row": causes.row, "decision": causes.decision}


def _insert(con: DuckDBPyConnection, table: str, columns: dict[str, Any], select: str = "*") -> None:
    with lent(con, "told", **columns):
        con.execute(f"INSERT INTO {table} BY NAME SELECT {select} FROM told")


def _store(evidence: Evidence, old: Ints, new: Ints, changed: Ints) -> None:
    con, numbers = evidence.con, evidence.numbers
    if evidence.among is None and len(changed) > len(new) // 4:
        con.execute("DELETE FROM person_of")
        kept = np.flatnonzero(new != NOBODY).astype(np.int32)
    else:
        gone = changed[old[changed] != NOBODY]
        if gone.size:
            with lent(con, "moved", identity=numbers(gone)):
                con.execute("DELETE FROM person_of WHERE identity IN (SELECT identity FROM moved)")
        kept = changed[new[changed] != NOBODY]
    _insert(con, "person_of", {"identity": numbers(kept), "person": numbers(new[kept])})


def _tell(evidence: Evidence, old: Ints, new: Ints, changed: Ints, cause: Cause) -> tuple[int, int, int]:
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
    with lent(evidence.con, "moved", person=evidence.numbers(person), into=evidence.numbers(into), kind=kind):
        evidence.con.execute(
            'INSERT INTO lineage BY NAME SELECT person, "into", $batch::INTEGER AS batch, '
            "$decision::INTEGER AS decision, "
            "$at AS \"at\", ['merged', 'renamed', 'split'][kind + 1] AS kind FROM moved",
            {"batch": cause.batch, "decision": cause.decision, "at": cause.at},
        )
    return int((kind == 0).sum()), int((kind == 2).sum()), int((kind == 1).sum())
