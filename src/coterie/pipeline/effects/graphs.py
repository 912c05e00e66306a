"""Graphs, persons and merged profiles, brought up to date after a change of facts, decisions or settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pyroaring import BitMap

from coterie.core.progress import Progress
from coterie.engine import people
from coterie.identity import persons
from coterie.identity.evidence import Evidence, ints, lent
from coterie.identity.fold import Ints
from coterie.identity.persons import Cause, Changes
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Scope
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.profile import bulk
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def evidence(sandbox: Sandbox, settings: IdentitySettings | None = None) -> Evidence:
    """Return what the history says of identities under the settings in force, or others."""
    definitions = Definitions(sandbox.catalog)
    return Evidence(sandbox.history.con, settings or definitions.identity_settings(), definitions.namespaces())


def refresh(
    sandbox: Sandbox,
    scope: Scope,
    cause: Cause,
    progress: Progress,
    *,
    batches: Sequence[int] = (),
    settings: IdentitySettings | None = None,
) -> Changes:
    """Bring graphs, persons and merged profiles up to date.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores, within a transaction of the history.
    scope : Scope
        What changed: a batch that was added, or identities of which something was added or taken away, or everything.
    cause : Cause
        Why and when, for the lineage of persons.
    progress : Progress
        Receiver of progress reports.
    batches : sequence of int
        Batches whose rows came or went: the profiles of their people are merged anew.
    settings : IdentitySettings, optional
        The settings to come into force; default those in force.

    Returns
    -------
    Changes
        Persons that gained, lost or exchanged identities.
    """
    definitions = Definitions(sandbox.catalog)
    con, stored = sandbox.history.con, profile_leaves(definitions)
    progress.report("graphs")
    changes = persons.refresh(evidence(sandbox, settings), scope, cause)
    of_events, of_records = (_owners(con, table, batches) for table in ("event", "record"))
    for view in definitions.views().values():
        sandbox.history.ensure_view(view.name, stitched=view.stitched)
        bulk.ensure(con, view, stored)
        changed = changes.touched if view.stitched else changes.identities
        touched = BitMap(changed.astype(np.uint32))
        touched |= _persons_with(con, view.name, of_records)
        touched |= _come_or_gone(con, view.name, of_events, gone=scope.batch is None)
        if scope.identities is not None and not batches:
            touched |= _persons_with(con, view.name, scope.identities)
        progress.report(f"profiles of view {view.name}")
        bulk.refresh(con, view, stored, touched=np.array(touched, dtype=np.int32))
    return changes


def _owners(con: DuckDBPyConnection, table: str, batches: Sequence[int]) -> Ints:
    """Return the identities that the rows of batches belong to."""
    if not batches:
        return np.empty(0, np.int32)
    # constants: blocks of rows of other batches are not read
    where = f'"$identity" IS NOT NULL AND "$batch" IN ({", ".join(map(str, batches))})'
    return ints(
        con.execute(f'SELECT DISTINCT "$identity" AS identity FROM {table} WHERE {where}').fetchnumpy()["identity"]
    )


def _persons_with(con: DuckDBPyConnection, view: str, identities: Ints) -> BitMap:
    if not identities.size:
        return BitMap()
    with lent(con, "asked", identity=identities):
        return people.read(con, f'SELECT DISTINCT person FROM "person_of_{view}" SEMI JOIN asked USING (identity)')


def _come_or_gone(con: DuckDBPyConnection, view: str, of_events: Ints, *, gone: bool) -> BitMap:
    """Return the persons who are there, or are not, by events: nothing else of a profile comes from them.

    They are the persons without a profile, and if events are `gone`, those without any event that is left.
    """
    persons = _persons_with(con, view, of_events)
    with lent(con, "asked", person=people.numbers(persons)):
        there = people.read(con, f'SELECT person FROM "profile_{view}" SEMI JOIN asked USING (person)')
        if not gone:
            return persons - there
        seen = people.read(
            con,
            f'SELECT DISTINCT p.person FROM "event_of_{view}" e JOIN (FROM "person_of_{view}" SEMI JOIN asked '
            'USING (person)) p ON p.identity = e."$identity"',
        )
    return persons - (there & seen)
