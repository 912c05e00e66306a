"""How the log moves on: nothing is accepted that cannot be applied, and nothing accepted is left unapplied.

Live work (`commit`), recovery and rebuild (`replay`) have the same effects, so a rebuilt workspace is the same as one
that lived.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.errors import Damaged
from coterie.core.progress import Progress, Quiet
from coterie.governance import suppression
from coterie.ingest import quarantine
from coterie.pipeline.effects import batches, decisions, definitions, evaluations, retention
from coterie.pipeline.effects.evaluations import EngineOf
from coterie.pipeline.reading import restage
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ACCEPTED = "accepted"
"""Progress stage: the log has the entry, its effect is about to become visible."""


def commit(
    sandbox: Sandbox,
    kind: str,
    body: Mapping[str, Any],
    progress: Progress | None = None,
    engine: EngineOf | None = None,
) -> Any:
    """Do what an entry says, accept it in the log, and make its effect visible.

    The effect is worked out in a transaction of the history; only when all of it succeeded does the log take the entry,
    durably, and the transaction is committed. A crash before that leaves nothing, a crash after it is made good by
    `recover`.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    kind, body
        Of the log entry. The rows of an accepted batch stand in the TEMP table ``stage``.
    progress : Progress, optional
        Receiver of progress reports.
    engine : callable, optional
        Gives the engine that evaluates conditions of a view; default a new `SqlEngine`.

    Returns
    -------
    object
        What the effect has to tell: numbers of a batch, or the `Evaluation`; None for the rest.

    Raises
    ------
    Damaged
        ``workspace.behind`` when an earlier entry was accepted but could not be made visible.
    """
    progress = progress or Quiet()
    if sandbox.history.position != sandbox.log.last:
        raise Damaged(
            "workspace.behind",
            f"the history stands at log entry {sandbox.history.position} of {sandbox.log.last}.",
            hint="Close the workspace and open it again: what was accepted is then applied.",
        )
    entry = sandbox.log.prepare(kind, body)
    with _transaction(sandbox, entry):
        told = _effect(sandbox, entry, progress, engine)
        sandbox.log.append_as(entry)
        progress.report(ACCEPTED)
    sandbox.catalog.apply(entry)
    return told


def replay(sandbox: Sandbox, entry: Entry, progress: Progress | None = None, *, staged: bool = False) -> Any:
    """Bring history and catalog past an entry that the log has; a store that has its effect already is left alone.

    The rows of an accepted batch are read from the copies of its files, unless they are `staged` already. Returns what
    `commit` would.
    """
    progress, told = progress or Quiet(), None
    if entry.position > sandbox.history.position:
        if entry.kind == "batch.accepted" and not staged:
            restage(sandbox, entry.body, progress)
        with _transaction(sandbox, entry):
            told = _effect(sandbox, entry, progress)
    sandbox.catalog.apply(entry)
    return told


def _transaction(sandbox: Sandbox, entry: Entry) -> AbstractContextManager[DuckDBPyConnection]:
    return sandbox.history.transaction(
        entry.position, facts=changes_facts(entry), rewrites=entry.kind not in _LEAVE_EVENTS
    )


_LEAVE_EVENTS = frozenset(
    {
        "audience.evaluated", "batch.accepted", "batch.refused", "batch.reverted", "definition.delete",
        "definition.put", "definitions.delete", "definitions.put", "identities.decided", "identities.undone",
        "identity.decided", "identity.undone",
    }
)  # fmt: skip
"""Entries that leave the rows of `event` that earlier batches wrote as they are; of any other it is not known.

Where a batch is taken back, duplicates may come to count: the copy by identity is let go then (`batches.promote`).
"""


def changes_facts(entry: Entry) -> bool:
    """Whether an entry may change persons, events or stored attributes: rules and members are none of these."""
    rules = ("audience", "computed_attribute", "model", "model_run", "model_version")
    if entry.kind in ("audience.evaluated", "batch.refused"):
        return False
    several = entry.body["definitions"] if entry.kind.startswith("definitions.") else [entry.body]
    return any(item.get("kind") not in rules for item in several)


def _effect(sandbox: Sandbox, entry: Entry, progress: Progress, engine: EngineOf | None = None) -> Any:
    """Write the effect of an entry into the history; the catalog still stands before the entry."""
    match entry.kind:
        case "definition.put":
            definitions.put(sandbox, entry)
        case "definitions.put":
            for item in entry.body["definitions"]:
                definitions.put(sandbox, msgspec.structs.replace(entry, body=item))
        case "definition.delete":
            definitions.deleted(sandbox, entry)
        case "definitions.delete":
            for item in entry.body["definitions"]:
                definitions.deleted(sandbox, msgspec.structs.replace(entry, body=item))
        case "batch.accepted":
            return batches.accepted(sandbox, entry, progress)
        case "batch.reverted":
            return batches.reverted(sandbox, entry, progress)
        case "identity.decided" | "identities.decided":
            return decisions.decided(sandbox, entry, progress)
        case "identity.undone" | "identities.undone":
            return decisions.undone(sandbox, entry, progress)
        case "retention.applied":
            return retention.applied(sandbox, entry, progress)
        case "audience.evaluated":
            return evaluations.evaluated(sandbox, entry, engine)
        case "privacy.erased":
            suppression.add(sandbox.history.con, entry.body["hashes"], entry.body["request"])
        case "privacy.unsuppressed":
            return suppression.remove(sandbox.history.con, entry.body["hashes"])
        case _:
            pass  # a refused batch concerns the catalog only, and of a removed entry nothing is left
    return None


def recover(sandbox: Sandbox, progress: Progress) -> list[str]:
    """Finish what a crash left undone and say what became of it, a sentence each."""
    told: list[str] = []
    quarantine.expire(sandbox.history.con, sandbox.clock.now())
    if sandbox.history.position == 0:
        definitions.make_views(sandbox, [])
    for entry in sandbox.log.entries(after=min(sandbox.catalog.position, sandbox.history.position)):
        replay(sandbox, entry, progress)
        told.append(
            f"{entry.kind} {_subject(entry)} had been accepted: log entry {entry.position} is now applied whole."
        )
    return told + [
        f"batch {batch.id} of dataset {batch.dataset} had not been accepted: it is absent, load it again."
        for batch in sandbox.catalog.abandon_unfinished(sandbox.clock.now())
    ]


def _subject(entry: Entry) -> str:
    several = ", ".join(item["id"] for item in entry.body.get("definitions", ()))
    return str(entry.body.get("batch") or entry.body.get("id") or several)
