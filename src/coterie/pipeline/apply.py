"""The effect of a log entry on the catalog and the history.

Live work, recovery and rebuild all come through `apply`, so a rebuilt workspace is the same as one that lived.
"""

from __future__ import annotations

from typing import Any

from coterie.core.progress import Progress, Quiet
from coterie.ingest import quarantine
from coterie.pipeline.effects import batches, definitions, evaluations
from coterie.pipeline.reading import restage
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox


def apply(sandbox: Sandbox, entry: Entry, *, staged: bool = False, progress: Progress | None = None) -> Any:
    """Bring catalog and history past a log entry.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    entry : Entry
        The next entry that one of the stores lacks; a store that has it already is left alone.
    staged : bool
        Whether the rows of an accepted batch still stand in the TEMP table ``stage``; otherwise they are read from the
        staged files again.
    progress : Progress, optional
        Receiver of progress reports.

    Returns
    -------
    object
        What the effect has to tell: numbers of a batch, or the `Evaluation`; None for the rest.
    """
    progress = progress or Quiet()
    sandbox.catalog.apply(entry)
    if entry.position <= sandbox.history.position:
        return None
    if entry.kind == "batch.accepted" and not staged:
        restage(sandbox, entry.body, progress)
    with sandbox.history.transaction(entry.position):
        match entry.kind:
            case "definition.put":
                definitions.put(sandbox, entry)
            case "definition.delete":
                definitions.deleted(sandbox, entry)
            case "batch.accepted":
                return batches.accepted(sandbox, entry, progress)
            case "batch.reverted":
                return batches.reverted(sandbox, entry, progress)
            case "audience.evaluated":
                return evaluations.evaluated(sandbox, entry)
            case _:
                pass  # a refused batch concerns the catalog only
    return None


def recover(sandbox: Sandbox, progress: Progress) -> list[str]:
    """Finish what a crash left undone and say what became of it, a sentence each."""
    told: list[str] = []
    quarantine.expire(sandbox.history.con, sandbox.clock.now())
    if sandbox.history.position == 0:
        definitions.make_views(sandbox)
    for entry in sandbox.log.entries(after=min(sandbox.catalog.position, sandbox.history.position)):
        apply(sandbox, entry, progress=progress)
        told.append(
            f"{entry.kind} {_subject(entry)} had been accepted: log entry {entry.position} is now applied whole."
        )
    return told + [
        f"batch {batch.id} of dataset {batch.dataset} had not been accepted: it is absent, load it again."
        for batch in sandbox.catalog.abandon_unfinished(sandbox.clock.now())
    ]


def _subject(entry: Entry) -> str:
    return str(entry.body.get("batch") or entry.body.get("id") or "")
