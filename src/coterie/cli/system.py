"""Verbs of the workspace as a whole: `init`, `status`, `demo`, `serve`, `rebuild`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.session import Session, tell_recovered
from coterie.cli.verb import verb
from coterie.core.clock import format_instant
from coterie.core.errors import Damaged


def add(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for name, function in (
        ("init", init),
        ("status", status),
        ("demo", demo),
        ("serve", serve),
        ("rebuild", rebuild),
    ):
        verb(app, name)(function)


def init(session: Session) -> None:
    """Make an empty workspace; one that is there stays as it is."""
    made = {"workspace": str(session.root), "sandbox": session.sandbox}
    answer = session.change(lambda _: made, create=True)
    session.print(answer, lambda out, _: out.print("Workspace {workspace}, sandbox {sandbox}.".format(**made)))


def status(session: Session) -> None:
    """Count everything the workspace holds."""
    session.print(session.read("status"), _status)


def demo(
    session: Session,
    predict: Annotated[
        bool, typer.Option("--predict", help="Also train three predictions and write their scores; takes minutes.")
    ] = False,
) -> None:
    """Load the sample world and show what comes out of it.

    A year of real baskets of 2,469 households, and a generated web shop for them.
    """
    from coterie.demo import report, world

    session.now = session.now or format_instant(world.CLOCK.now())
    answer = session.change(lambda ws: world.load(ws, ws.progress, predict=predict), create=True)
    session.print(answer, report.show)


def serve(
    session: Session,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8471,
) -> None:
    """Answer over HTTP, on this machine only, until stopped."""
    from coterie import workspace
    from coterie.api.reading import encode
    from coterie.api.server import Server

    def opening() -> Any:
        opened = workspace.open(session.root, session.sandbox, clock=session.clock)
        tell_recovered(opened)
        return opened

    server = Server(opening, host, port)
    session.print(
        encode({"url": server.url}),
        lambda out, _: out.print(
            f"Serving {session.root} at {server.url}  (what it answers: {server.url}/docs)  Stop: Ctrl-C"
        ),
    )
    server.run()


def rebuild(session: Session, into: Annotated[Path, typer.Argument(help="An empty directory.")]) -> None:
    """Build the workspace anew from its log, elsewhere, and compare."""
    answer = session.change(lambda ws: ws.rebuild(into))
    session.print(answer, _rebuilt)
    if not msgspec.json.decode(answer)["same"]:
        raise typer.Exit(Damaged.exit_code)


def _status(out: Console, status: dict[str, Any]) -> None:
    rows = [(item["dataset"], item["schema"], item["rows"], item["batches"]) for item in status["datasets"]]
    show.table(
        out, f"Sandbox {status['sandbox']}", rows, ["dataset", "schema", "rows", "batches"], empty="No datasets yet."
    )
    names = ("events", "records", "identities", "links", "audiences", "quarantined", "position")
    facts = {name: status[name] for name in names}
    facts |= {f"profiles ({item['view']})": item["profiles"] for item in status["views"]}
    show.facts(out, "", facts)


def _rebuilt(out: Console, rebuilt: dict[str, Any]) -> None:
    rows = [(table["table"], table["rows"], "yes" if table["same"] else "NO") for table in rebuilt["tables"]]
    show.table(
        out, f"Rebuilt in {rebuilt['path']} from {rebuilt['entries']:,} log entries", rows, ["table", "rows", "same"]
    )
    out.print("The two are the same." if rebuilt["same"] else "The two differ.", style="" if rebuilt["same"] else "red")
