"""Asking before a step that is large or cannot be taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from coterie.cli.session import Session
from coterie.core.errors import Invalid

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(session: Session, yes: bool, question: str, look: str, preview: Callable[[], None] | None = None) -> None:
    """Go on when the user said yes, on the command line or now.

    Parameters
    ----------
    session : Session
        Of the verb. One that prints JSON asks nobody.
    yes : bool
        Whether ``--yes`` was given.
    question : str
        What is asked.
    look : str
        The command that shows beforehand what would happen.
    preview : callable, optional
        Shows that, before the question.

    Raises
    ------
    Invalid
        ``cli.unconfirmed`` when nobody is there to answer, or the answer is no.
    """
    if yes:
        return
    if session.json or not attended():
        raise Invalid(
            "cli.unconfirmed",
            f"nobody is there to answer: {question}",
            hint=f"Look at `{look}` first, then add --yes.",
        )
    if preview is not None:
        preview()
    if not typer.confirm(question):
        raise Invalid("cli.unconfirmed", "nothing was changed: it was not confirmed.")


def attended() -> bool:
    """Tell whether somebody can answer."""
    return sys.stdin.isatty()
