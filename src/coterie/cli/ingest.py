"""`coterie ingest`: loading files, looking at what was put aside, taking a load back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.dataset import MappingFile
from coterie.cli.files import part, read_spec
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid

app = typer.Typer(help="Load files, look at what was put aside, take a load back.", no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(help="Id of the batch.")]


@verb(app, "load")
def load(
    session: Session,
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs: CSV, JSONL or Parquet, plain or .gz.")],
    mapping: MappingFile = None,
    format_: Annotated[
        Path | None, typer.Option("--format", "-f", help="YAML or JSON: how the files are written.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Share of bad rows past which the batch is refused whole.")
    ] = 0.05,
    operation: Annotated[
        str | None,
        typer.Option(
            help="What rows do to the records that are there: create (replace), merge, append (a merge that adds to "
            "arrays) or delete; default that of the dataset."
        ),
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="A field that merges and appends take away. Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")] = False,
) -> None:
    """Load files into a dataset.

    Bad rows are put aside with their reasons; the same files twice change nothing. A batch that is refused whole,
    because too many of its rows are bad, ends with exit code 2.
    """
    written = read_spec(mapping) if mapping else None
    form = part(written, "format")
    if format_ is not None:
        form = read_spec(format_)
        form = part(form, "format") or form
    answer = session.change(
        lambda ws: ws.ingest.load(
            dataset,
            paths,
            mapping=part(written, "mapping") or written,
            format=form,
            threshold=threshold,
            dry_run=dry_run,
            operation=operation,
            unset=unset or (),
        )
    )
    session.print(answer, _report)
    if b'"status":"failed"' in answer:
        raise typer.Exit(Invalid.exit_code)


@verb(app, "batches")
def batches(
    session: Session, dataset: Annotated[str | None, typer.Argument(help="Only those of this dataset.")] = None
) -> None:
    """List the batches."""
    session.print(session.read("batches", dataset=dataset), _batches)


@verb(app, "show")
def show_(session: Session, batch: BatchId) -> None:
    """Show a batch."""
    session.print(session.read("batch", batch=batch), _batch)


@verb(app, "quarantine")
def quarantine(
    session: Session,
    batch: BatchId,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
) -> None:
    """List the rows of a batch that were put aside: file, line, field, value and reason."""
    session.print(session.read("quarantine", batch=batch, limit=limit), _quarantine)


@verb(app, "revert")
def revert(
    session: Session, batch: BatchId, reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = ""
) -> None:
    """Take a batch back: everything becomes as if it had never come."""
    session.print(session.change(lambda ws: ws.ingest.revert(batch, reason)), _report)


def _report(out: Console, report: dict[str, Any]) -> None:
    facts = {key.replace("_", " "): value for key, value in report.items() if key not in ("batch", "errors", "files")}
    facts["seconds"] = f"{report['seconds']:.2f}"
    facts["files"] = [str(item["name"] if isinstance(item, dict) else item) for item in report.get("files", [])]
    show.facts(out, f"Batch {report['batch']}" if report.get("batch") else "Dry run: nothing was changed", facts)
    _errors(out, report.get("errors", {}))
    if report.get("quarantined") and report.get("batch"):
        out.print(f"The rows: coterie ingest quarantine {report['batch']}", style="dim")


def _errors(out: Console, errors: dict[str, int]) -> None:
    if errors:
        rows = sorted(errors.items(), key=lambda item: -item[1])
        show.table(out, "Put aside, by reason", rows, ["reason", "faults"])


def _batches(out: Console, found: list[dict[str, Any]]) -> None:
    rows = [
        (
            item["id"],
            item["dataset"],
            item["status"],
            show.instant(item["created_at"]),
            *(item["metrics"].get(name) for name in _COUNTS),
        )
        for item in found
    ]
    columns = ["batch", "*dataset", "status", "at", "read", "accepted", "put aside", "duplicates"]
    show.table(out, "Batches", rows, columns)


_COUNTS = ("inputRecordCount", "outputRecordCount", "failedRecordCount", "duplicates")


def _batch(out: Console, batch: dict[str, Any]) -> None:
    metrics = dict(batch["metrics"])
    errors, _ = metrics.pop("errors", {}), metrics.pop("reading", None)
    files = [file["name"] for file in metrics.pop("inputFiles", [])]
    show.facts(
        out,
        f"Batch {batch['id']}",
        {
            "dataset": batch["dataset"],
            "status": batch["status"],
            "created": show.instant(batch["created_at"]),
            "finished": show.instant(batch["finished_at"]),
            "reason": batch["reason"],
        }
        | {key.replace("_", " "): value for key, value in metrics.items()}
        | {"files": files},
    )
    _errors(out, errors)


def _quarantine(out: Console, rows: list[dict[str, Any]]) -> None:
    shown = [(item["file"], item["line"], item["field"], item["value"], item["code"], item["reason"]) for item in rows]
    columns = ["*file", "line", "*field", "*value", "code", "*reason"]
    show.table(out, "Put aside", shown, columns, empty="Nothing was put aside.")
