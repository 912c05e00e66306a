"""`coterie ai`: the verbs that tell what a run found, how good a model is, and what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.markdown import Markdown

from coterie.cli import show
from coterie.cli.ai import measured, spread, tested
from coterie.cli.ai.models import Key
from coterie.cli.files import write_text
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid, suggestion

RunNumber = Annotated[str, typer.Option("--run", help="Number of the run; default the last that succeeded.")]
VersionNumber = Annotated[int | None, typer.Option("--version", help="Version of the model; default the one in use.")]
Picture = Literal["lift", "gains", "reliability", "distribution", "factors", "all"]


def add(app: typer.Typer) -> None:
    """Make the verbs of this module verbs of `app`."""
    for name, function in (
        ("insights", insights),
        ("evaluation", evaluation),
        ("card", card),
        ("value", value),
        ("drift", drift),
        ("outcomes", outcomes),
        ("migration", migration),
        ("plot", plot),
    ):
        verb(app, name)(function)


def insights(
    session: Session,
    key: Key,
    run: RunNumber = "latest",
    bucket: Annotated[Literal["low", "medium", "high"] | None, typer.Option(help="Only its factors.")] = None,
    factor: Annotated[str | None, typer.Option(help="Code of a factor: its values in each bucket.")] = None,
) -> None:
    """Show the people of a run: how many are in each bucket, how scores are spread, and what goes with them."""
    answer = session.read("model_insights", key=key, run=run)
    if factor is not None and not session.json:
        codes = factors_of(msgspec.json.decode(answer))
        if factor not in codes:
            raise Invalid(
                "model.factor",
                f"{factor!r} is no factor of this run.",
                hint=suggestion(factor, codes) or f"Its factors are {', '.join(codes)}.",
            )
        session.print(answer, lambda out, found: spread.factor(out, found, factor))
        return
    if session.json:
        session.print(answer, show.words)  # type: ignore[arg-type]
        return
    model = msgspec.json.decode(session.read("model_definition", key=key))
    session.print(answer, lambda out, found: spread.insights(out, model, found, bounds(model), bucket))


def factors_of(found: dict[str, Any]) -> list[str]:
    """Return the codes of the factors in insights, each once."""
    parts = [item for part in found["buckets"] for item in (*part["factors"], *part.get("exposures", ()))]
    return list(dict.fromkeys(item["code"] for item in parts))


def bounds(model: dict[str, Any]) -> tuple[int, int]:
    """Return the least scores of medium and high."""
    found = {"medium": 25, "high": 75} | (model.get("buckets") or {})
    return found["medium"], found["high"]


def evaluation(
    session: Session,
    key: Key,
    version: VersionNumber = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Show also probabilities against outcomes, and learners.")
    ] = False,
) -> None:
    """Show how a model did at past dates that it had not learnt from, beside rules that anybody could follow."""
    answer = session.read("model_evaluation", key=key, version=version)
    name = key if session.json else msgspec.json.decode(session.read("model_definition", key=key))["name"]
    session.print(answer, lambda out, found: tested.evaluation(out, name, found, whole=whole))


def card(
    session: Session,
    key: Key,
    file: Annotated[Path | None, typer.Argument(help="Markdown file to write; default the terminal.")] = None,
    version: VersionNumber = None,
) -> None:
    """Show the model card: purpose, people, data, tests, factors, limits, and what it must not be used for."""
    answer = session.read("model_card", key=key, version=version)
    if file is None:
        session.print(answer, _card)
        return
    write_text(file, msgspec.json.decode(answer)["markdown"])
    session.print(msgspec.json.encode({"path": str(file)}), lambda out, _: out.print(f"Written to {file}"))


def _card(out: Console, found: dict[str, Any]) -> None:
    if out.is_terminal:
        out.print(Markdown(found["markdown"]))
    else:
        out.print(found["markdown"], soft_wrap=True)


def value(
    session: Session,
    key: Key,
    contact_cost: Annotated[float, typer.Option("--contact-cost", help="What contacting one person costs.")],
    value_per_success: Annotated[float, typer.Option("--value-per-success", help="What one success brings.")],
    run: RunNumber = "latest",
) -> None:
    """Work out whom to contact: the profit of contacting the likeliest people first, and the best cut."""
    given = {"contact_cost": contact_cost, "value_per_success": value_per_success, "run": run}
    session.print(session.read("model_value", key=key, **given), measured.value)


def drift(session: Session, key: Key, run: RunNumber = "latest") -> None:
    """Show what moved between training and a run: people, values, events a day."""
    session.print(session.read("model_drift", key=key, run=run), measured.drift)


def outcomes(session: Session, key: Key) -> None:
    """Compare what runs expected with what came, once their windows have closed."""
    session.print(session.read("model_outcomes", key=key), measured.outcomes)


def migration(
    session: Session,
    key: Key,
    run: RunNumber = "latest",
    earlier: Annotated[
        str | None, typer.Option(help="Number of the run to compare with; default the one before.")
    ] = None,
) -> None:
    """Show how many people moved between buckets from one run to another."""
    session.print(session.read("model_migration", key=key, run=run, earlier=earlier), measured.migration)


def plot(
    session: Session,
    key: Key,
    picture: Annotated[Picture, typer.Argument(help="lift, gains, reliability, distribution, factors, or all.")],
    path: Annotated[Path, typer.Argument(help="File that ends in .png or .svg; for all, a folder.")],
    format_: Annotated[Literal["png", "svg"], typer.Option("--format", "-f", help="For all: png or svg.")] = "png",
    run: RunNumber = "latest",
    version: VersionNumber = None,
) -> None:
    """Draw pictures of a model as PNG or SVG. They need matplotlib: pip install 'coterie[plots]'."""
    from coterie.cli.ai.plots import drawn, style

    kinds = drawn.KINDS if picture == "all" else (picture,)
    files = [path / f"{kind}.{format_}" if picture == "all" else path for kind in kinds]
    for file in files:
        style.check(file)
    view = msgspec.json.decode(session.read("model", key=key))
    model = msgspec.json.decode(session.read("model_definition", key=key))
    told = drawn.Told(
        name=view["name"],
        goal=view["goal"],
        propensity=view["propensity"],
        bounds=bounds(model),
        evaluation=msgspec.json.decode(session.read("model_evaluation", key=key, version=version)),
        insights=msgspec.json.decode(session.read("model_insights", key=key, run=run)),
    )
    for kind, file in zip(kinds, files, strict=True):
        drawn.draw(kind, told, file)
    written = {"model": key, "files": [str(file) for file in files]}

    def look(out: Console, found: dict[str, Any]) -> None:
        for file in found["files"]:
            out.print(f"Drawn: {file}")

    session.print(msgspec.json.encode(written), look)
