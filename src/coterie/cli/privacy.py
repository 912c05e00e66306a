"""`coterie privacy`: what is held on a person, erasing it, and the list that keeps it out."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.confirm import Yes, confirm
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid

app = typer.Typer(help="Requests of persons: access, erasure, the suppression list.", no_args_is_help=True)


class Mode(StrEnum):
    """What becomes of the rows."""

    ERASE = "erase"
    ANONYMISE = "anonymise"


class Treatment(StrEnum):
    """What becomes of definitions that hold one of the values."""

    REFUSE = "refuse"
    REDACT = "redact"
    KEEP = "keep"


Namespace = Annotated[str | None, typer.Argument(help="Code of the namespace, such as Email; or Namespace:value.")]
Value = Annotated[str | None, typer.Argument(help="Value of the identity.")]
File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="CSV of many identities: namespace and value in each line, without a header."),
]
Expand = Annotated[
    bool, typer.Option("--expand/--no-expand", help="Take in all identities of the graph; otherwise only those named.")
]


@verb(app, "preview")
def preview(
    session: Session, namespace: Namespace = None, value: Value = None, file: File = None, expand: Expand = True
) -> None:
    """Show what an erasure would reach: identities, counts, and every place that holds something."""
    session.print(session.read("erasure_preview", **_asked(namespace, value, file, expand)), _preview)


@verb(app, "access")
def access(
    session: Session,
    to: Annotated[Path, typer.Option("--to", help="The file to write; must not exist.")],
    namespace: Namespace = None,
    value: Value = None,
    file: File = None,
    expand: Expand = True,
) -> None:
    """Write everything that is held on a person into one JSON file."""
    pairs = _pairs(namespace, value, file)
    session.print(session.change(lambda ws: ws.privacy.access(pairs, to, expand=expand)), _access)


@verb(app, "erase")
def erase(
    session: Session,
    namespace: Namespace = None,
    value: Value = None,
    file: File = None,
    expand: Expand = True,
    mode: Annotated[
        Mode, typer.Option(help="Whether rows go, or stay under random identities without personal fields.")
    ] = Mode.ERASE,
    definitions: Annotated[
        Treatment, typer.Option(help="What becomes of definitions, such as rules, that hold one of the values.")
    ] = Treatment.REFUSE,
    reason: Annotated[str, typer.Option(help="Why; kept in the log, without the values.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would reach and change nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Erase persons from every store, prove it, and keep them out of later loads.

    Name one identity, or a file of them: many persons in one request cost no more than one, which is about a rebuild.
    """
    if dry_run:
        session.print(session.read("erasure_preview", **_asked(namespace, value, file, expand)), _preview)
        return
    pairs = _pairs(namespace, value, file)
    confirm(
        session,
        yes,
        "Do this for ever? It cannot be undone.",
        "coterie privacy preview",
        lambda: session.print(session.read("erasure_preview", **_asked(namespace, value, file, expand)), _preview),
    )
    answer = session.change(
        lambda ws: ws.privacy.erase(pairs, expand=expand, mode=str(mode), definitions=definitions.value, reason=reason)
    )
    session.print(answer, _erased)


@verb(app, "reports")
def reports(session: Session) -> None:
    """List the erasures with their completeness reports."""
    session.print(session.read("erasures"), _reports)


@verb(app, "unsuppress")
def unsuppress(
    session: Session,
    namespace: Namespace = None,
    value: Value = None,
    file: File = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
) -> None:
    """Let later loads take the rows of somebody who was erased and has come back."""
    pairs = _pairs(namespace, value, file)
    session.print(session.change(lambda ws: {"taken_off": ws.privacy.unsuppress(pairs, reason)}), _unsuppressed)


@verb(app, "delete-batch")
def delete_batch(
    session: Session,
    batch: Annotated[str, typer.Argument(help="Id of the batch.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
    yes: Yes = False,
) -> None:
    """Take a batch back and erase its files, its log entries and its quarantine.

    It takes about as long as a rebuild. To take a batch back at once, and keep it in the log: coterie ingest revert.
    """
    session.read("batch", batch=batch)
    confirm(session, yes, f"Erase batch {batch} for ever?", f"coterie ingest show {batch}")
    session.print(session.change(lambda ws: ws.privacy.delete_batch(batch, reason)), _deleted)


@verb(app, "delete-dataset")
def delete_dataset(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
    erase: Annotated[bool, typer.Option("--erase", help="Also erase files, log entries and quarantine.")] = False,
    yes: Yes = False,
) -> None:
    """Take all batches of a dataset back and delete its definition."""
    session.read("dataset", name=name)
    confirm(
        session, yes, f"Delete dataset {name}{' and erase its data for ever' if erase else ''}?", "coterie dataset list"
    )
    session.print(session.change(lambda ws: ws.privacy.delete_dataset(name, reason, erase=erase)), _deleted)


def _asked(namespace: str | None, value: str | None, file: Path | None, expand: bool) -> dict[str, Any]:
    persons = [f"{code}:{told}" for code, told in _pairs(namespace, value, file)]
    return {"persons": persons, "expand": expand}


def _pairs(namespace: str | None, value: str | None, file: Path | None) -> list[tuple[str, str]]:
    if file is None and namespace and not value:
        namespace, _, value = namespace.partition(":")
    if file is None and namespace and value:
        return [(namespace, value)]
    if file is None or namespace or value:
        raise Invalid(
            "privacy.whom", "it is not said whom it concerns.", hint="Give a namespace and a value, or --file."
        )
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except OSError as error:
        raise Invalid("privacy.whom", f"{file} cannot be read: {error.strerror}.", where={"file": str(file)}) from error
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise Invalid(
                "privacy.whom",
                f"{file}, row {number}: expected a namespace and a value.",
                where={"file": str(file), "line": number},
            )
    return [(row[0].strip(), row[1].strip()) for row in rows]


def _preview(out: Console, found: dict[str, Any]) -> None:
    identities = [(namespace, value) for namespace, value in found["identities"][:100]]
    show.table(out, "Identities", identities, ["namespace", "*value"])
    show.facts(out, "What is theirs", found["counts"] | {"never seen here": len(found["unknown"])})
    rows = [(item["store"], item["place"], item["form"], item["count"]) for item in found["findings"]]
    show.table(out, "Where", rows, ["store", "*place", "form", "times"], empty="Nothing was found.")
    if found["definitions"]:
        show.table(out, "Definitions that hold a value", [(name,) for name in found["definitions"]], ["*definition"])
    _outside(out, found)


def _access(out: Console, told: dict[str, Any]) -> None:
    show.facts(out, "Everything that is held", told | {"identities": len(told["identities"])})


def _erased(out: Console, report: dict[str, Any]) -> None:
    plain = ("rows", "files", "spoiled", "entries", "suppressed", "exports", "removed", "definitions", "digest")
    facts = {"at": show.instant(report["at"])} | report["counts"] | {name: report[name] for name in plain}
    show.facts(out, f"Request {report['request']}: {report['mode']}", facts | {"seconds": f"{report['seconds']:.1f}"})
    rows = [(item["store"], item["before"], item["after"]) for item in report["stores"]]
    show.table(out, "Found in the stores", rows, ["store", "before", "after"])
    _outside(out, report)


def _outside(out: Console, report: dict[str, Any]) -> None:
    out.print(f"Not reached: {'; '.join(report['outside'])}.", style="dim")


def _reports(out: Console, found: list[dict[str, Any]]) -> None:
    rows = [
        (
            item["request"],
            show.instant(item["at"]),
            item["mode"],
            item["counts"]["persons"],
            item["suppressed"],
            item["rows"],
            sum(store["before"] for store in item["stores"]),
            sum(store["after"] for store in item["stores"]),
        )
        for item in found
    ]
    columns = ["*request", "at", "mode", "persons", "identities", "rows", "found before", "after"]
    show.table(out, "Erasures", rows, columns, empty="Nobody was erased.")


def _unsuppressed(out: Console, told: dict[str, Any]) -> None:
    show.facts(out, "Suppression list", {"taken off": told["taken_off"]})


def _deleted(out: Console, done: dict[str, Any]) -> None:
    title = f"Dataset {done['dataset']}" if done["dataset"] else "Batch"
    facts = {"batches": done["batches"], "erased": done["erased"], "log entries that were emptied": done["entries"]}
    show.facts(out, f"{title}: deleted", facts)
