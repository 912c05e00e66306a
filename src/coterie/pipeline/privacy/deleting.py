"""Deleting batches and datasets: taken back, and on demand without a trace of what they were."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from coterie.core.errors import Conflict
from coterie.core.progress import Progress
from coterie.governance.traces import Sought
from coterie.ingest.dataset import Dataset
from coterie.pipeline.apply import commit
from coterie.pipeline.batch import revert
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.privacy.rewriting import Rewriting, replaced
from coterie.store.catalog import BatchStatus
from coterie.store.sandbox import Sandbox


class Deleted(msgspec.Struct, frozen=True):
    """What was deleted: batches, and how many of the log's entries nothing is left of when they were erased too."""

    dataset: str | None
    batches: tuple[str, ...]
    erased: bool
    entries: int


def delete_batch(sandbox: Sandbox, batch: str, reason: str, progress: Progress) -> Deleted:
    """Take a batch back and erase it: its files, its entries in the log, its rows in the quarantine."""
    found = sandbox.catalog.batch(batch)
    _require_not_own(sandbox, found.dataset)
    if found.status is BatchStatus.ACTIVE:
        revert(sandbox, batch, reason, progress)
    return _erase(sandbox, None, [batch], reason, progress)


def delete_dataset(sandbox: Sandbox, name: str, reason: str, progress: Progress, *, erase: bool) -> Deleted:
    """Take all batches of a dataset back and delete its definition; with `erase` also what the batches were.

    Raises
    ------
    Conflict
        ``dataset.in-use`` while a merge policy names it.
    """
    definitions = Definitions(sandbox.catalog)
    _require_not_own(sandbox, definitions.get(Dataset, name).name)
    users = [
        view.name
        for view in definitions.views().values()
        if name in view.policy.order or name in (view.policy.event_datasets or ())
    ]
    if users:
        raise Conflict(
            "dataset.in-use",
            f"dataset {name} is named by the merge policies {', '.join(users)}.",
            hint="Change those first.",
            where={"dataset": name, "dependents": users},
        )
    batches = sandbox.catalog.batches(name)
    for batch in batches:
        if batch.status is BatchStatus.ACTIVE:
            revert(sandbox, batch.id, reason or f"dataset {name} deleted", progress)
    commit(sandbox, "definition.delete", {"kind": "dataset", "id": name})
    names = [batch.id for batch in batches]
    return _erase(sandbox, name, names, reason, progress) if erase else Deleted(name, tuple(names), False, 0)


def _require_not_own(sandbox: Sandbox, name: str) -> None:
    """Raise ``dataset.system`` for a dataset that Coterie fills itself: it goes with what fills it."""
    dataset = Definitions(sandbox.catalog).find(Dataset, name)
    if dataset is not None and dataset.system:
        raise Conflict(
            "dataset.system",
            f"dataset {name} is filled by Coterie itself.",
            hint="Delete the model whose scores it holds: `coterie ai delete`.",
            where={"dataset": name},
        )


def _erase(sandbox: Sandbox, dataset: str | None, batches: Sequence[str], reason: str, progress: Progress) -> Deleted:
    def build(work: Rewriting) -> int:
        commit(work.target, "privacy.deleted", {"dataset": dataset, "batches": list(batches), "reason": reason})
        return work.entries

    entries = replaced(sandbox, Sought.of([]), progress, build, batches=frozenset(batches))
    return Deleted(dataset, tuple(batches), True, entries)
