"""`coterie ai`: the verbs about persons: why they have their scores, all scores as a file, audiences made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import answers
from coterie.cli.ai import told
from coterie.cli.ai.answers import RunNumber
from coterie.cli.ai.models import Key
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid

if TYPE_CHECKING:
    from coterie.workspace import Workspace

Person = Annotated[str, typer.Argument(help="An identity, such as Email:anna@example.com, or an id, p-….")]


def add(app: typer.Typer) -> None:
    """Make the verbs of this module verbs of `app`."""
    for name, function in (("explain", explain), ("score", score), ("scores", scores), ("audience", audience)):
        verb(app, name)(function)


def explain(
    session: Session,
    person: Person,
    key: Annotated[str | None, typer.Argument(help="Key of the model; default every model.")] = None,
) -> None:
    """Tell what is predicted of a person: how likely, how sure that is, what speaks for it and against."""
    if key is None:
        session.print(session.read("predictions", person=person), told.all_of)
        return
    session.print(session.read("prediction", key=key, person=person), told.prediction)


def score(
    session: Session,
    person: Person,
    key: Key,
    at: Annotated[str | None, typer.Option(help="Instant to score as of; default now.")] = None,
    what_if: Annotated[bool, typer.Option(help="Tell what would move the person to another bucket too.")] = False,
) -> None:
    """Score one person now, from all that is known of them at this moment. Nothing is saved."""
    answer = session.read("score_person", key=key, person=person, at=at, what_if=what_if)
    session.print(answer, told.prediction)


def scores(
    session: Session,
    key: Key,
    path: Annotated[Path, typer.Argument(help="File to write.")],
    format_: Annotated[
        Literal["parquet", "csv", "ndjson"] | None,
        typer.Option("--format", "-f", help="parquet, csv or ndjson; default: by the file name."),
    ] = None,
    run: RunNumber = "latest",
) -> None:
    """Write the scores of everybody with their reasons to a file."""
    answer = session.change(lambda ws: ws.predictions.scores(key, run=run, format=format_, path=path))
    session.print(answer, lambda out, found: out.print(f"{found['rows']:,} scores of {found['run']} written to {path}"))


def audience(
    session: Session,
    key: Key,
    name: Annotated[str, typer.Argument(help="Name of the new audience.")],
    bucket: Annotated[Literal["low", "medium", "high"] | None, typer.Option(help="The people of a bucket.")] = None,
    score: Annotated[str | None, typer.Option(help="The people with a score in a range, such as 60-80.")] = None,
    top: Annotated[str | None, typer.Option(help="The likeliest people: a share, such as 20%, or a number.")] = None,
    reach: Annotated[
        str | None,
        typer.Option(help="So many of the likeliest as hold a share of those for whom it will come true, such as 60%."),
    ] = None,
    factor: Annotated[
        str | None, typer.Option(help="Only people with this factor among their reasons: its code.")
    ] = None,
    range_: Annotated[
        str | None, typer.Option("--range", help="With --bucket and --factor: only values of this range, as shown.")
    ] = None,
    title: Annotated[str, typer.Option(help="Name for people.")] = "",
) -> None:
    """Make an audience of the people with some scores, and fill it."""
    scores, likeliest, holding = _range(score), _amount(top, "--top"), _amount(reach, "--reach")

    def make(ws: Workspace) -> Any:
        ws.predictions.audience_from(
            key,
            name,
            bucket=bucket,
            range=scores,
            top=likeliest,
            reach=holding,
            factor=factor,
            values=range_,
            title=title,
        )
        return ws.audiences.describe(name)

    session.print(session.change(make), _made)


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    low, _, high = text.partition("-")
    if not (low.strip().isdecimal() and high.strip().isdecimal()):
        raise Invalid("model.range", f"--score {text!r} is no range of scores.", hint="Write it like --score 60-80.")
    return int(low), int(high)


def _amount(text: str | None, option: str) -> float | int | None:
    """Return a share for `20%`, and a number of people for `500`."""
    if text is None:
        return None
    number = text.strip().removesuffix("%").strip()
    hint = f"Write it like {option} 20%."
    try:
        found = float(number) / 100 if text.strip().endswith("%") else int(number)
    except ValueError as error:
        raise Invalid("model.range", f"{option} {text!r} is no share and no number.", hint=hint) from error
    if isinstance(found, float) and not 0 < found <= 1:
        raise Invalid("model.range", f"{option} {text!r} is no share of people: from 0 to 100 %.", hint=hint)
    return found


def _made(out: Console, found: dict[str, Any]) -> None:
    last = found["last"]
    members = answers.matching(last["members"], last["withheld"])
    out.print(Text.assemble((f"Audience {found['name']}: ", "bold"), members))
    out.print(Text(found["pql"].strip(), style="cyan"))
    if found["description"]:
        out.print(Text(found["description"]))
    out.print(Text(f"Next: coterie audience members {found['name']}", style="dim"))
