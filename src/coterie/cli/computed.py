"""`coterie computed`: named expressions over profiles and their events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.files import read_text
from coterie.cli.identity import View
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid
from coterie.core.shares import percent
from coterie.pql.words import UNITS

app = typer.Typer(help="Computed attributes: named expressions over profiles and their events.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the computed attribute.")]
Expression = Annotated[str | None, typer.Argument(help="The expression, in PQL.")]
ExpressionFile = Annotated[
    Path | None, typer.Option("--file", help="Read the expression from a file; - is standard input.")
]
Function = Annotated[
    str | None,
    typer.Option(
        "--function",
        "-f",
        help="Instead of an expression: count, sum, average, min, max, mostRecent, first, exists, distinctCount,"
        " topValue or list.",
    ),
]
OfField = Annotated[str | None, typer.Option("--field", help="Field of the events that the function is of.")]
Event = Annotated[str | None, typer.Option("--event", "-e", help="Type of the events.")]
Filter = Annotated[str | None, typer.Option("--filter", help="Condition on the events, in PQL.")]
Last = Annotated[str | None, typer.Option("--last", help="How old events may be, such as 30 days.")]
Length = Annotated[int | None, typer.Option("--length", "-n", help="Length of a list.")]


@verb(app, "put")
def put(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name: a letter, then letters, digits and _.")],
    pql: Expression = None,
    file: ExpressionFile = None,
    function: Function = None,
    field: OfField = None,
    event: Event = None,
    filter_: Filter = None,
    last: Last = None,
    length: Length = None,
    title: Annotated[str, typer.Option(help="Name for people; sentences use it.")] = "",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Save a computed attribute, which rules read as computedAttributes.NAME.

    It is an expression, or a function of events: --function sum --field commerce.order.priceTotal --last "30 days".
    Audiences that read it are evaluated anew when its expression changes.
    """
    given = _given(session, pql, file, function, field, event, filter_, last, length)
    answer = session.change(lambda ws: ws.computed.put(name, **given, title=title, description=description))
    session.print(answer, _attribute)


@verb(app, "list")
def list_(session: Session) -> None:
    """List the computed attributes."""
    session.print(session.read("computed_attributes"), _list)


@verb(app, "show")
def show_(session: Session, name: Name) -> None:
    """Show a computed attribute, and what reads it."""
    attribute = session.read("computed_attribute", name=name)
    if session.json:
        session.print(attribute, _attribute)
        return
    readers = msgspec.json.decode(session.read("computed_readers", name=name))
    session.print(attribute, lambda out, found: _attribute(out, found, readers))


@verb(app, "preview")
def preview(
    session: Session,
    pql: Expression = None,
    file: ExpressionFile = None,
    function: Function = None,
    field: OfField = None,
    event: Event = None,
    filter_: Filter = None,
    last: Last = None,
    length: Length = None,
    view: View = None,
    zone: Annotated[str, typer.Option(help="Time zone whose calendar is meant, such as Europe/Paris.")] = "UTC",
    at: Annotated[
        str | None, typer.Option(help="Instant to ask at; default now. At a past one, later events are left out.")
    ] = None,
) -> None:
    """Show how the values of an expression, or of a function of events, are spread over people; nothing is saved."""
    given = _given(session, pql, file, function, field, event, filter_, last, length)
    session.print(session.read("preview_computed", **given, view=view, zone=zone, at=at), show_preview)


@verb(app, "delete")
def delete(session: Session, name: Name) -> None:
    """Delete a computed attribute that no audience and no other one reads."""

    def remove(ws: Any) -> Any:
        ws.computed.delete(name)
        return {"deleted": name}

    session.print(session.change(remove), lambda out, _: out.print(f"Deleted {name}."))


def _given(
    session: Session,
    pql: str | None,
    file: Path | None,
    function: str | None,
    field: str | None,
    event: str | None,
    filter_: str | None,
    last: str | None,
    length: int | None,
) -> dict[str, Any]:
    """Return the expression or the form that the options give."""
    if [pql, file, function].count(None) != 2:
        raise Invalid(
            "computed.expression", "expected one expression, as an argument or by --file, or a --function of events."
        )
    parts = {"field": field, "event": event, "filter": filter_, "look_back": _look_back(last), "n": length}
    form = {key: value for key, value in parts.items() if value is not None}
    if function is not None:
        return {"form": {"function": function, **form}}
    if form:
        raise Invalid("computed.expression", "options that describe events go with --function, not with an expression.")
    session.text = pql if file is None else read_text(file)
    return {"pql": session.text}


def _look_back(last: str | None) -> dict[str, Any] | None:
    if last is None:
        return None
    count, _, unit = last.strip().partition(" ")
    known = UNITS.get(unit.strip())
    if not count.isdecimal() or known is None:
        raise Invalid("computed.form", f"{last!r} is no look-back.", hint="Write a number and a unit, such as 30 days.")
    return {"count": int(count), "unit": known}


def _attribute(out: Console, attribute: dict[str, Any], readers: list[str] | None = None) -> None:
    facts = {
        "title": attribute.get("title"),
        "description": attribute.get("description"),
        "type": _type(attribute["value"]),
        "read by": readers,
    }
    show.facts(out, f"Computed attribute {attribute['name']}", facts)
    out.print(Text(attribute["pql"].strip(), style="cyan"))


def _list(out: Console, attributes: list[dict[str, Any]]) -> None:
    rows = [
        (item["name"], _type(item["value"]), item.get("title") or item.get("description", ""), item["pql"].strip())
        for item in attributes
    ]
    show.table(out, "Computed attributes", rows, ["name", "type", "*title", "*expression"])


def _type(field: dict[str, Any]) -> str:
    return f"array of {field['items']['type']}" if field["type"] == "array" else str(field["type"])


def show_preview(out: Console, found: dict[str, Any]) -> None:
    """Show how values are spread."""
    out.print(Text(found["pql"].strip(), style="cyan"))
    out.print(
        Text.assemble(
            (f"{found['with_value']:,}", "bold"),
            f" of {found['people']:,} people have a value ({percent(found['share'])}), ",
            f"{found['distinct']:,} different {'items' if found['value']['type'] == 'array' else 'ones'}",
            (f"  in {found['seconds']:.2f} s", "dim"),
        )
    )
    if found["spread"] is not None:
        what = "length of the array" if found["value"]["type"] == "array" else "value"
        show.table(out, "Spread", list(found["spread"].items()), ["", f"*{what}"])
    rows = [(item["value"], item["people"], percent(item["people"] / found["with_value"])) for item in found["top"]]
    show.table(out, "Most frequent", rows, ["*value", "people", "of those"], empty="None.")
    show.table(
        out,
        "Some people",
        [(item["person"], item["value"]) for item in found["sample"]],
        ["person", "*value"],
        empty="None.",
    )
