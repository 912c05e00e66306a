"""`coterie dataset`: named places of records or events of one schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.files import part, read_spec
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="Named places of records or events of one schema.", no_args_is_help=True)

MappingFile = Annotated[
    Path | None, typer.Option("--mapping", "-m", help="YAML or JSON: a mapping, or what `schema infer` wrote.")
]


@verb(app, "create")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    schema: Annotated[str, typer.Option("--schema", "-s", help="Name of its schema.")],
    description: Annotated[str, typer.Option(help="What it holds.")] = "",
    mapping: MappingFile = None,
    upsert: Annotated[
        bool, typer.Option("--upsert", help="Rows change the attributes they give, and leave the others.")
    ] = False,
    ordered_by: Annotated[
        str | None, typer.Option(help="A date of the record: rows that are not newer by it are passed over.")
    ] = None,
    expire: Annotated[
        str | None, typer.Option("--expire-events-after", help="Keep no events older than this, as 90d.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="A label that holds for all its fields; repeatable.")
    ] = None,
) -> None:
    """Save a dataset of a schema."""
    details: dict[str, Any] = {
        "description": description,
        "upsert": upsert,
        "ordered_by": ordered_by,
        "expire_events_after": expire,
        "labels": labels or [],
    }
    if mapping is not None:
        from coterie.ingest.mapping import Mapping

        written = read_spec(mapping)
        details["mapping"] = msgspec.to_builtins(Mapping.read(part(written, "mapping") or written))
        details["format"] = part(written, "format")
    session.print(session.change(lambda ws: ws.datasets.put(name, schema=schema, **details)), _dataset)


@verb(app, "list")
def list_(session: Session) -> None:
    """List the datasets."""
    session.print(session.read("datasets"), _list)


@verb(app, "show")
def show_(session: Session, name: Annotated[str, typer.Argument(help="Name of the dataset.")]) -> None:
    """Show a dataset and its mapping."""
    session.print(session.read("dataset", name=name), _dataset)


def _list(out: Console, datasets: list[dict[str, Any]]) -> None:
    rows = [(item["name"], item["schema"], item.get("description", "")) for item in datasets]
    show.table(out, "Datasets", rows, ["name", "schema", "*description"])


def _dataset(out: Console, dataset: dict[str, Any]) -> None:
    plain = {key: value for key, value in dataset.items() if key not in ("name", "mapping", "format")}
    show.facts(out, f"Dataset {dataset['name']}", plain)
    for key in ("mapping", "format"):
        if dataset.get(key):
            show.structure(out, key.capitalize(), dataset[key])
