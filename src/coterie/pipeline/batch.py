"""The life of a batch: from files to an acknowledged log entry, and back out by a revert."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from coterie.core.errors import Conflict, CoterieError, Damaged, Invalid
from coterie.core.progress import Progress
from coterie.ingest import quarantine
from coterie.ingest.dataset import Dataset
from coterie.ingest.mapping import Mapping
from coterie.ingest.report import BatchReport
from coterie.ingest.source import Kind, Source, SourceFile, SourceFormat, resolve
from coterie.ingest.stage import Staged
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.privacy import intake
from coterie.pipeline.reading import Reading, copied
from coterie.store.catalog import Batch, BatchStatus
from coterie.store.sandbox import Sandbox

THRESHOLD = 0.05


@dataclass(frozen=True)
class Request:
    """What to load: files into a dataset, by a mapping, tolerating a share of bad rows (0 to 1).

    `operation` is what rows do that do not say it themselves, by default that of the dataset; `unset` are paths that
    merges and appends take away.
    """

    dataset: str
    paths: tuple[Path, ...]
    mapping: Mapping | None = None
    format: SourceFormat | None = None
    threshold: float = THRESHOLD
    dry_run: bool = False
    operation: str | None = None
    unset: tuple[str, ...] = ()


def load(sandbox: Sandbox, request: Request, progress: Progress) -> BatchReport:
    """Load files into a dataset, whole or not at all.

    The files are copied beside the log and checked; when the share of bad rows is within the threshold the log takes
    the batch (from here on it survives a crash) and it is applied. Files that an active batch of the dataset holds
    already, read in the same way, are left out; when none is left nothing changes.

    Raises
    ------
    Invalid
        For files, formats or mappings that cannot be read as asked; the batch is noted as failed.
    Conflict
        ``dataset.system`` for a dataset that Coterie fills itself.
    """
    began = time.perf_counter()
    if not 0 <= request.threshold <= 1:
        raise Invalid("ingest.threshold", f"threshold {request.threshold} is not a share between 0 and 1.")
    dataset = Definitions(sandbox.catalog).get(Dataset, request.dataset)
    if dataset.system:
        raise Conflict(
            "dataset.system",
            f"dataset {dataset.name} is filled by Coterie itself: nothing can be loaded into it.",
            hint="Load your records into a dataset of your own.",
            where={"dataset": dataset.name},
        )
    source = resolve(request.paths, request.format or dataset.format)
    reading = Reading.asked(sandbox, dataset, source, request.mapping, operation=request.operation, unset=request.unset)
    if request.dry_run:
        staged = intake.stage(sandbox, reading, source, progress)
        return _report(_Run(request, began, "", source.files), "dry run", staged, _refusal(staged, request.threshold))

    quarantine.expire(sandbox.history.con, sandbox.clock.now())
    batch = _begin(sandbox, dataset.name)
    try:
        body = _copy(sandbox, batch, source, reading, progress)
        run = _Run(request, began, batch.id, source.files)
        if not body["files"]:
            return _unchanged(sandbox, batch, run)
        body["threshold"] = request.threshold
        given, files = body["files"], copied(sandbox, body)
        staged = intake.stage(sandbox, reading, files, progress, body)
    except BaseException as error:
        _fail(sandbox, batch, error)
        raise
    now = sandbox.clock.now()
    quarantine.write(
        sandbox.history.con, batch.id, dataset.name, [file.name for file in files.files], now + quarantine.RETENTION
    )
    body["metrics"] = _metrics(given, reading, staged)
    refusal = _refusal(staged, request.threshold)
    if refusal:
        commit(sandbox, "batch.refused", {**body, "reason": refusal})
        sandbox.log.discard(batch.id)
        return _report(run, BatchStatus.FAILED, staged, refusal)
    effect = _accept(sandbox, batch, body, progress)
    staged = msgspec.structs.replace(staged, warnings=staged.warnings | effect.pop("warnings"))
    effect |= {"warnings": staged.warnings} if staged.warnings else {}
    sandbox.catalog.put_batch(
        msgspec.structs.replace(sandbox.catalog.batch(batch.id), metrics={**body["metrics"], **effect})
    )
    return _report(
        run,
        BatchStatus.ACTIVE,
        staged,
        duplicates=effect["duplicates"],
        older=effect["older"],
        identities_new=effect["identities_new"],
        links_new=effect["links_new"],
    )


def load_made(
    sandbox: Sandbox,
    dataset: Dataset,
    path: Path,
    mapping: Mapping,
    progress: Progress,
    *,
    replaces: Sequence[str] = (),
    definitions: Callable[[str], Sequence[Mapping_[str, Any]]] = lambda _: (),
) -> str:
    """Load a file that Coterie made itself into a system dataset, in place of other batches, and return its batch.

    One entry of the log loads the rows, takes the batches of `replaces` back, and puts the definitions that are given
    for the id of the batch. No row of such a file is bad.

    Raises
    ------
    Damaged
        ``dataset.made`` when rows are; nothing is loaded then.
    """
    source = resolve([path], SourceFormat(Kind.PARQUET))
    reading = Reading.asked(sandbox, dataset, source, mapping)
    batch = _begin(sandbox, dataset.name)
    try:
        body = _copy(sandbox, batch, source, reading, progress)
        given = body["files"]
        staged = intake.stage(sandbox, reading, copied(sandbox, body), progress, body)
        if staged.quarantined:
            raise Damaged(
                "dataset.made",
                f"{staged.quarantined:,} of {staged.rows_read:,} rows made for dataset {dataset.name} do not fit its "
                f"schema: {', '.join(staged.errors)}.",
                hint="This is a fault of the program: please report it.",
                where={"dataset": dataset.name},
            )
        body |= {"threshold": 0, "metrics": _metrics(given, reading, staged)}
        body |= {"replaces": list(replaces)} if replaces else {}
        body |= {"definitions": [dict(item) for item in items]} if (items := definitions(batch.id)) else {}
    except BaseException as error:
        _fail(sandbox, batch, error)
        raise
    effect = _accept(sandbox, batch, body, progress)
    effect.pop("warnings")
    sandbox.catalog.put_batch(
        msgspec.structs.replace(sandbox.catalog.batch(batch.id), metrics={**body["metrics"], **effect})
    )
    return batch.id


def revert(sandbox: Sandbox, id_: str, reason: str, progress: Progress) -> BatchReport:
    """Take an active batch back; raises ``batch.not-active``."""
    began = time.perf_counter()
    batch = sandbox.catalog.batch(id_)
    if batch.status is not BatchStatus.ACTIVE:
        raise Conflict(
            "batch.not-active",
            f"batch {id_} is {batch.status}; only an active one can be taken back.",
            where={"batch": id_},
        )
    commit(sandbox, "batch.reverted", {"batch": id_, "reason": reason}, progress)
    return BatchReport(
        batch=id_,
        dataset=batch.dataset,
        status=str(sandbox.catalog.batch(id_).status),
        reason=reason,
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True)
class _Run:
    request: Request
    began: float
    batch: str
    files: tuple[SourceFile, ...]


def _accept(sandbox: Sandbox, batch: Batch, body: dict[str, Any], progress: Progress) -> dict[str, Any]:
    before = sandbox.log.last
    try:
        effect: dict[str, Any] = commit(sandbox, "batch.accepted", body, progress)
    except BaseException as error:
        if sandbox.log.last == before:
            _fail(sandbox, batch, error)
        raise
    return effect


def _fail(sandbox: Sandbox, batch: Batch, error: BaseException) -> None:
    """Leave nothing of a batch that the log does not have but a note of why."""
    sandbox.log.discard(batch.id)
    _end(sandbox, batch, BatchStatus.FAILED, error.code if isinstance(error, CoterieError) else "interrupted")


def _begin(sandbox: Sandbox, dataset: str) -> Batch:
    number = sandbox.catalog.next_batch_number()
    batch = Batch(f"b{number:06d}", number, dataset, BatchStatus.LOADING, sandbox.clock.now())
    sandbox.catalog.put_batch(batch)
    return batch


def _end(sandbox: Sandbox, batch: Batch, status: BatchStatus, reason: str) -> None:
    sandbox.catalog.put_batch(
        msgspec.structs.replace(batch, status=status, finished_at=sandbox.clock.now(), reason=reason)
    )


def _copy(sandbox: Sandbox, batch: Batch, source: Source, reading: Reading, progress: Progress) -> dict[str, Any]:
    """Copy the files beside the log and return the body of the log entry, with the files not loaded before."""
    copies = sandbox.log.stage(batch.id, [Path(file.path) for file in source.files], progress)
    known = _loaded(sandbox, batch.dataset, reading)
    files = [
        {**msgspec.to_builtins(copy), "name": file.name}
        for copy, file in zip(copies, source.files, strict=True)
        if copy.sha256 not in known
    ]
    return {
        "batch": batch.id,
        "number": batch.number,
        "dataset": batch.dataset,
        "files": files,
        **reading.body(),
    }


def _loaded(sandbox: Sandbox, dataset: str, reading: Reading) -> set[str]:
    """Return the digests of the files that active batches of the dataset have read in this way."""
    return {
        file["sha256"]
        for batch in sandbox.catalog.batches(dataset)
        if batch.status is BatchStatus.ACTIVE and batch.metrics["reading"] == reading.digest()
        for file in batch.metrics["inputFiles"]
    }


def _unchanged(sandbox: Sandbox, batch: Batch, run: _Run) -> BatchReport:
    sandbox.log.discard(batch.id)
    reason = "every file is in an active batch of the dataset already"
    _end(sandbox, batch, BatchStatus.ABORTED, reason)
    return BatchReport(
        batch=batch.id,
        dataset=batch.dataset,
        status="unchanged",
        files=[file.name for file in run.files],
        reason=reason,
        seconds=time.perf_counter() - run.began,
    )


def _refusal(staged: Staged, threshold: float) -> str:
    """Return why a batch is refused whole; empty when it is not. With expired events nothing is wrong."""
    bad, rows = staged.quarantined - staged.expired, staged.rows_read - staged.expired
    if not rows or bad <= threshold * rows:
        return ""
    share = 100 * bad / rows
    return f"{share:.2f} % of the rows are bad, more than the {100 * threshold:g} % that were to be tolerated"


def _metrics(files: list[dict[str, Any]], reading: Reading, staged: Staged) -> dict[str, Any]:
    """Return the counts of a batch under the field's names, and what its files can be known again by."""
    return {
        "inputFileCount": len(files),
        "inputByteSize": sum(file["bytes"] for file in files),
        "inputRecordCount": staged.rows_read,
        "outputRecordCount": staged.accepted,
        "failedRecordCount": staged.quarantined,
        "errors": staged.errors,
        "inputFiles": [{key: file[key] for key in ("name", "bytes", "sha256")} for file in files],
        "reading": reading.digest(),
    }


def _report(
    run: _Run,
    status: str,
    staged: Staged,
    reason: str = "",
    *,
    duplicates: int = 0,
    older: int = 0,
    identities_new: int = 0,
    links_new: int = 0,
) -> BatchReport:
    return BatchReport(
        batch=run.batch,
        dataset=run.request.dataset,
        status=str(status),
        files=[file.name for file in run.files],
        rows_read=staged.rows_read,
        accepted=staged.accepted,
        quarantined=staged.quarantined,
        duplicates=duplicates,
        errors=staged.errors,
        warnings=staged.warnings | ({"record.older": older} if older else {}),
        identities_new=identities_new,
        links_new=links_new,
        reason=reason,
        dry_run=run.request.dry_run,
        seconds=time.perf_counter() - run.began,
    )
