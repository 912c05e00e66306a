"""A verb of the CLI: a function of the session, to which the shared options and the handling of errors are added."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from coterie.cli import show
from coterie.cli.console import console
from coterie.cli.session import Session
from coterie.core.errors import CoterieError

PANEL = "Everywhere"
STOPPED = 130
"""Exit code of a run that somebody stopped, with Ctrl-C or at a question."""

Root = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Directory of the workspace. [env: COTERIE_WORKSPACE; default: workspace]",
        rich_help_panel=PANEL,
    ),
]
SandboxName = Annotated[
    str | None,
    typer.Option("--sandbox", help="Name of the sandbox. [env: COTERIE_SANDBOX; default: prod]", rich_help_panel=PANEL),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=PANEL)]
Now = Annotated[str | None, typer.Option("--now", help="Take this instant for the present one.", rich_help_panel=PANEL)]


@dataclass(frozen=True)
class Shared:
    """The shared options as given before the verb; those after it go before these."""

    workspace: Path | None = None
    sandbox: str | None = None
    json: bool = False
    now: str | None = None


def shared(
    context: typer.Context, workspace: Root = None, sandbox: SandboxName = None, json: Json = False, now: Now = None
) -> None:
    """Take the shared options that stand before the verb."""
    context.obj = Shared(workspace, sandbox, json, now)


_SHARED = {
    name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, annotation, default in (
        ("context", typer.Context, inspect.Parameter.empty),
        ("workspace", Root, None),
        ("sandbox", SandboxName, None),
        ("json", Json, False),
        ("now", Now, None),
    )
}


def verb(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make `function(session, …)` the verb `name` of `app`; its docstring is the help."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function).parameters.values())[1:]
        hints = get_type_hints(function, include_extras=True)
        parameters = [
            *(item.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[item.name]) for item in own),
            *_SHARED.values(),
        ]

        def run(**given: Any) -> None:
            before: Shared = given.pop("context").find_root().obj
            options = {name: given.pop(name) or getattr(before, name) for name in _SHARED if name != "context"}
            perform(_session(**options), lambda session: function(session, **given))

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        app.command(name)(run)
        return function

    return add


def _session(workspace: Path | None, sandbox: str | None, json: bool, now: str | None) -> Session:
    root = workspace or Path(os.environ.get("COTERIE_WORKSPACE") or "workspace")
    return Session(root, sandbox or os.environ.get("COTERIE_SANDBOX") or "prod", json, now)


def perform(session: Session, call: Callable[[Session], None]) -> None:
    """Run a verb; an error is shown and becomes the exit code of its kind."""
    try:
        call(session)
    except CoterieError as failure:
        show.error(console(stderr=True), failure, json=session.json, text=session.text)
        raise typer.Exit(failure.exit_code) from None
    except BrokenPipeError:
        # The reader of our output went away (`| head`): that is its right, and nothing to report.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except typer.Abort:
        raise typer.Exit(STOPPED) from None
    except typer.Exit:
        raise
    except Exception as fault:
        if not session.json:
            traceback.print_exc()
        show.error(console(stderr=True), _unexpected(fault), json=session.json)
        raise typer.Exit(CoterieError.exit_code) from None


def _unexpected(fault: Exception) -> CoterieError:
    return CoterieError(
        "internal.error",
        f"the program failed: {type(fault).__name__}: {fault}",
        hint="Please report this, with what you did.",
    )
