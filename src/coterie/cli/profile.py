"""`coterie profile`: what is known of one customer."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.identity import Namespace, Value, View
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="What is known of one customer.", no_args_is_help=True)


@verb(app, "show")
def show_(
    session: Session,
    namespace: Namespace,
    value: Value,
    view: View = "default",
    events: Annotated[int, typer.Option(min=0, max=10_000, help="How many events, newest first.")] = 20,
    before: Annotated[str | None, typer.Option(help="Events before this cursor: the one printed last time.")] = None,
) -> None:
    """Show the profile that an identity belongs to, with the source of every attribute and the latest events."""
    answer = session.read("profile", namespace=namespace, value=value, view=view, events=events, before=before)
    session.print(answer, _profile)


@verb(app, "count")
def count(session: Session, view: View = "default") -> None:
    """Count the profiles."""
    session.print(
        session.read("count_profiles", view=view), lambda out, answer: out.print(f"{answer['count']:,} profiles")
    )


@verb(app, "sample")
def sample(
    session: Session, limit: Annotated[int, typer.Option("-n", min=1, max=100)] = 10, view: View = "default"
) -> None:
    """Show some profiles, those with the most identities first."""
    session.print(session.read("sample", limit=limit, view=view), _sample)


def _sample(out: Console, profiles: list[dict[str, Any]]) -> None:
    rows = [[item["person"], *(item[name] for name in item if name != "person")] for item in profiles]
    columns = ["person", *(f"*{name}" for name in (profiles[0] if profiles else {}) if name != "person")]
    show.table(out, "Profiles", rows, columns)


def _profile(out: Console, profile: dict[str, Any]) -> None:
    show.structure(out, "Profile", profile)
