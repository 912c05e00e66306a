"""Graphs, persons and merged profiles, brought up to date after a change of facts, decisions or settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pyroaring import BitMap

from coterie.core.progress import Progress
from coterie.engine import people
from coterie.identity import persons
from coterie.identity.evidence import Evidence, lent
from coterie.identity.fold import Ints
from coterie.identity.persons import Cause, Changes
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Scope
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.profile import bulk
from coterie.store.sandbox import Sandbox


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
    for view in definitions.views().values():
        sandbox.history.ensure_view(view.name, stitched=view.stitched)
        changed = changes.touched if view.stitched else changes.identities
        touched = BitMap(changed.astype(np.uint32))
        if batches:
            touched |= _persons_of(sandbox, view.name, batches)
        if scope.identities is not None:
            touched |= _persons_with(sandbox, view.name, scope.identities)
        progress.report(f"profiles of view {view.name}")
        bulk.refresh(con, view, stored, touched=np.array(touched, dtype=np.int32))
    return changes


def _persons_with(sandbox: Sandbox, view: str, identities: Ints) -> BitMap:
    con = sandbox.history.con
    with lent(con, "asked", identity=identities):
        return people.read(con, f'SELECT DISTINCT person FROM "person_of_{view}" SEMI JOIN asked USING (identity)')


def _persons_of(sandbox: Sandbox, view: str, batches: Sequence[int]) -> BitMap:
    return people.read(
        sandbox.history.con,
        f"""
        SELECT DISTINCT p.person FROM "person_of_{view}" p SEMI JOIN (
            SELECT "$identity" AS identity FROM event WHERE list_contains($1::INTEGER[], "$batch")
            UNION ALL SELECT "$identity" FROM record WHERE list_contains($1::INTEGER[], "$batch")
        ) t ON t.identity = p.identity
        """,
        [list(batches)],
    )
