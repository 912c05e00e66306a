"""`coterie schema`: what fields records have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.files import read_spec, write_text
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="What fields records and events have.", no_args_is_help=True)


@verb(app, "put")
def put(
    session: Session,
    file: Annotated[Path, typer.Argument(help="YAML or JSON: a schema, a list of them, or what `infer` wrote.")],
) -> None:
    """Save the schemas of a file; a new version may only add fields."""
    specs = read_spec(file)
    specs = specs if isinstance(specs, list) else [specs]
    answer = session.change(lambda ws: [ws.schemas.put(spec.get("schema", spec)) for spec in specs])
    session.print(answer, _list)


@verb(app, "put-group")
def put_group(
    session: Session, file: Annotated[Path, typer.Argument(help="YAML or JSON: a field group, or a list of them.")]
) -> None:
    """Save field groups: sets of fields that schemas take in by name."""
    specs = read_spec(file)
    specs = specs if isinstance(specs, list) else [specs]
    answer = session.change(lambda ws: [ws.schemas.put_group(spec) for spec in specs])
    session.print(answer, _groups)


@verb(app, "list")
def list_(session: Session) -> None:
    """List the schemas."""
    session.print(session.read("schemas"), _list)


@verb(app, "groups")
def groups(session: Session) -> None:
    """List the field groups: those that come with the program, and those saved here."""
    session.print(session.read("field_groups"), _groups)


@verb(app, "show")
def show_(session: Session, name: Annotated[str, typer.Argument(help="Name of the schema.")]) -> None:
    """Show the fields of a schema and which of them are identities."""
    session.print(session.read("schema", name=name), _schema)


@verb(app, "union")
def union(
    session: Session,
    schema: Annotated[str | None, typer.Option(help="Only what this schema contributes.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only what this dataset contributes.")] = None,
    identities: Annotated[bool, typer.Option("--identities", help="Only fields that are identities.")] = False,
) -> None:
    """Show every field that a rule may name, as a tree, with the schemas and datasets that contribute it."""

    def wanted(field: dict[str, Any]) -> bool:
        return (
            (schema is None or schema in field["schemas"])
            and (dataset is None or dataset in field["datasets"])
            and (not identities or bool(field.get("identities")))
        )

    session.print(session.read("union_tree"), lambda out, tree: _union(out, tree, wanted))


@verb(app, "infer")
def infer(
    session: Session,
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs: CSV, JSONL or Parquet, plain or .gz.")],
    name: Annotated[str | None, typer.Option(help="Name of the schema to be.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="profile or event; default: by its fields.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the proposal here, to correct and `put`.")
    ] = None,
) -> None:
    """Propose a schema and a mapping for files, and show how the first rows would be stored. Nothing is saved."""

    def propose(ws: Any) -> Any:
        draft = ws.schemas.infer(paths, name=name, class_=class_)
        if out is not None:
            write_text(out, draft.to_yaml())
        return draft

    session.print(session.change(propose), _draft)
    if out is not None and not session.json:
        typer.echo(f"Written to {out}. Correct it, then: coterie schema put {out}")


def _list(out: Console, schemas: list[dict[str, Any]]) -> None:
    rows = [
        (item["name"], item["class"], len(fields_of(item.get("fields", {}))), _identities(item), item.get("title", ""))
        for item in schemas
    ]
    show.table(out, "Schemas", rows, ["name", "class", "fields", "*identities", "*title"])


def _groups(out: Console, groups: list[dict[str, Any]]) -> None:
    rows = [(item["name"], item["classes"], len(fields_of(item["fields"])), item.get("title", "")) for item in groups]
    show.table(out, "Field groups", rows, ["name", "classes", "fields", "*title"])


def _identities(schema: dict[str, Any]) -> list[str]:
    found = [f"{item['path']} → {item['namespace']}" for item in schema.get("identities", [])]
    return [*found, "identityMap"] if schema.get("identity_map") else found


def _schema(out: Console, schema: dict[str, Any]) -> None:
    show.facts(
        out,
        f"Schema {schema['name']}",
        {
            "title": schema.get("title"),
            "class": schema["class"],
            "description": schema.get("description"),
            "identities": _identities(schema),
        },
    )
    _fields(out, "Fields", schema.get("fields", {}))


def _union(out: Console, tree: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> None:
    for title, fields in (("Of a profile", tree["profile"]), ("Of an event (xEvent)", tree["event"])):
        rows = _branches(fields, wanted, max((len(field["schemas"]) for field in fields), default=0))
        columns = ["field", "type", "*title", "*schemas", "*datasets"]
        if out.width < show.WIDE:
            rows, columns = [(*row[:2], *row[3:]) for row in rows], [*columns[:2], *columns[3:]]
        show.table(out, title, rows, columns, empty="None.")


def _branches(
    fields: list[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool], every: int, depth: int = 0
) -> list[tuple[Any, ...]]:
    """Return a row for each field of a tree that is wanted or has such a one below it, indented by its depth."""
    rows: list[tuple[Any, ...]] = []
    for field in fields:
        below = _branches(field.get("fields", []), wanted, every, depth + 1)
        if not below and (field.get("fields") or not wanted(field)):
            continue
        kind = "" if field["type"] == "object" else field["type"]
        if field.get("decimals") is not None:
            kind += f", {field['decimals']} decimals"
        if field.get("identities"):
            kind += f" → {', '.join(field['identities'])}"
        marks = field["path"].removesuffix(".")[len(field["path"].rstrip("[]{}")) :]
        title = " ".join([field.get("title", ""), *(f"[{label}]" for label in field.get("labels", ()))]).strip()
        schemas, datasets = field["schemas"] or ["the system itself"], field["datasets"]
        if len(schemas) == every > 1:  # as the fields that every event has
            schemas, datasets = f"all {every}", f"all {len(datasets)}"
        rows.append((f"{'  ' * depth}{field['name']}{marks}", kind, title, schemas, datasets))
        rows += below
    return rows


def _fields(out: Console, title: str, fields: dict[str, Any]) -> None:
    rows = fields_of(fields)
    if any(labels for *_, labels in rows):
        show.table(out, title, rows, ["field", "type", "*title", "*labels"])
    else:
        show.table(out, title, [row[:3] for row in rows], ["field", "type", "*title"], empty="None.")


def fields_of(
    fields: dict[str, Any], prefix: str = "", above: tuple[str, ...] = ()
) -> list[tuple[str, str, str, list[str]]]:
    """Return path, type, title and labels of each field that holds values.

    There is ``[]`` after arrays and ``{}`` after maps; the labels are its own and those of what is around it.
    """
    rows: list[tuple[str, str, str, list[str]]] = []
    for name, field in fields.items():
        path, title, labels = f"{prefix}{name}", field.get("title", ""), (*above, *field.get("labels", ()))
        while field.get("items") is not None:
            path += "{}" if field["type"] == "map" else "[]"
            field = field["items"]
            labels = (*labels, *field.get("labels", ()))
        if field["type"] == "object":
            rows += fields_of(field.get("properties", {}), f"{path}.", labels)
        else:
            kind = field["type"] + (f", {field['decimals']} decimals" if field.get("decimals") is not None else "")
            rows.append((path, kind, title or field.get("title", ""), list(dict.fromkeys(labels))))
    return rows


def _draft(out: Console, draft: dict[str, Any]) -> None:
    _schema(out, draft["schema"])
    preview = draft.get("preview") or []
    if preview:
        columns = list(preview[0])
        show.table(
            out,
            "The first rows, as they would be stored",
            [[row.get(name) for name in columns] for row in preview],
            [f"*{name}" for name in columns],
        )
    for note in draft.get("notes", []):
        out.print(Text.assemble(("note  ", "yellow"), note))
