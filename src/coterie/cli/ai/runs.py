"""`coterie ai`: the verbs that run models, stop them, and look at their runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai import listed, tested
from coterie.cli.ai.models import At, Key
from coterie.cli.console import console
from coterie.cli.session import Session
from coterie.cli.verb import STOPPED, verb
from coterie.core.errors import Busy, Invalid


def add(app: typer.Typer) -> None:
    """Make the verbs of this module verbs of `app`."""
    for name, function in (("run", run), ("cancel", cancel), ("runs", runs), ("versions", versions), ("due", due)):
        verb(app, name)(function)


def run(
    session: Session,
    key: Annotated[str | None, typer.Argument(help="Key of the model; none with --due.")] = None,
    at: At = None,
    retrain: Annotated[
        bool | None,
        typer.Option("--retrain/--no-retrain", help="Train anew, or do not; default when its schedule asks for it."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Take up the run that was stopped.")] = False,
    seed: Annotated[int, typer.Option(help="Of all that is random; the same seed gives the same scores.")] = 0,
    due: Annotated[bool, typer.Option("--due", help="Run every model whose time has come.")] = False,
) -> None:
    """Train when needed, score everybody eligible, work out why, and write it to profiles.

    Ctrl-C stops it cleanly: nothing half done is visible, and --resume goes on where it stopped.
    """
    if due == (key is not None):
        raise Invalid("model.run", "expected the key of a model, or else --due for all whose time has come.")
    try:
        if key is None:
            session.print(session.change(lambda ws: ws.predictions.run_due(at), stages=listed.UNDER_WAY), _several)
            return
        answer = session.change(
            lambda ws: ws.predictions.run(key, at, retrain, seed, resume=resume), stages=listed.UNDER_WAY
        )
    except KeyboardInterrupt:
        how = "" if key is None else f" To go on: coterie ai run {key} --resume"
        console(stderr=True).print(f"Stopped; nothing was published.{how}")
        raise typer.Exit(STOPPED) from None
    session.print(answer, listed.run)
    status = msgspec.json.decode(answer)["status"]
    if status == "cancelled":
        raise typer.Exit(STOPPED)
    if status in ("failed", "training_issue"):
        raise typer.Exit(Invalid.exit_code)


def cancel(session: Session, key: Key) -> None:
    """Stop the run of a model that another process has under way, or give up one that was stopped before."""
    from coterie.workspace.predictions import request_cancel

    asked = request_cancel(session.root, session.sandbox, key)
    try:
        given_up = msgspec.json.decode(session.change(lambda ws: ws.predictions.cancel(key)))
        answer = {"model": key, "given_up": given_up, "asked": []}
    except Busy:
        if not asked:
            raise
        answer = {"model": key, "given_up": [], "asked": asked}
    session.print(msgspec.json.encode(answer), _cancelled)


def _cancelled(out: Console, found: dict[str, Any]) -> None:
    which = f"Run {show.words(found['asked'] or found['given_up'])} of {found['model']}"
    if found["asked"]:
        out.print(Text(f"{which} was asked to stop; it ends at its next step."))
    elif found["given_up"]:
        out.print(Text(f"{which} was given up: it cannot be taken up again."))
    else:
        out.print(Text(f"No run of {found['model']} is under way: nothing was stopped."))


def runs(session: Session, key: Key) -> None:
    """List the runs of a model, the newest first."""
    session.print(session.read("model_runs", key=key), listed.runs)


def versions(session: Session, key: Key) -> None:
    """List the versions of a model, the newest first: how good they are, and which is in use."""
    session.print(session.read("model_versions", key=key), tested.versions)


def due(session: Session, at: At = None) -> None:
    """List the models whose time to run has come; `run --due` runs them."""
    session.print(session.read("models_due", at=at), _due)


def _due(out: Console, found: list[dict[str, Any]]) -> None:
    rows = [(item["key"], item["name"], item.get("next_at") and show.instant(item["next_at"])) for item in found]
    show.table(out, "Due", rows, ["key", "*name", "since"], empty="None: nothing is to be run now.")


def _several(out: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        out.print(Text("No model is due: nothing was run."))
    for item in found:
        listed.run(out, item)
