"""`coterie identity …`: why identities are joined, what would join them, and decisions about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli import graphs
from coterie.cli.files import read_spec, read_text, words
from coterie.cli.identity import View
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import Identity

if TYPE_CHECKING:
    from coterie.workspace import Workspace

Reason = Annotated[str, typer.Option(help="Why; it is kept with the decision.")]
Written = Annotated[str, typer.Argument(help="An identity, such as Email:ann@example.org.")]


def add(app: typer.Typer) -> None:
    """Add the verbs to those of identities."""
    for name, function in (
        ("explain", explain),
        ("merge", merge),
        ("split", split),
        ("never", never),
        ("decisions", decisions),
        ("undo", undo),
        ("simulate", simulate),
        ("suggest", suggest),
    ):
        verb(app, name)(function)


def explain(session: Session, a: Written, b: Written, view: View = None) -> None:
    """Tell why two identities are one person, as a chain of dated links with their records; or why they are not."""
    one, other = Identity.read(a), Identity.read(b)
    session.print(session.read("explain_joining", a=str(one), b=str(other), view=view), graphs.joining)


def merge(
    session: Session,
    identities: Annotated[list[str], typer.Argument(help="Two or more identities, such as Email:ann@example.org.")],
    reason: Reason = "",
) -> None:
    """Decide that identities belong to one person."""
    chosen = [Identity.read(text) for text in identities]
    session.print(session.change(lambda ws: ws.identities.merge(chosen, reason)), graphs.decided)


def split(session: Session, a: Written, b: Written, reason: Reason = "") -> None:
    """Decide that two identities are never in one graph."""
    one, other = Identity.read(a), Identity.read(b)
    session.print(session.change(lambda ws: ws.identities.split(one, other, reason)), graphs.decided)


def never(session: Session, identity: Written, reason: Reason = "") -> None:
    """Decide that an identity takes no part in linking, even one that was not seen yet."""
    chosen = Identity.read(identity)
    session.print(session.change(lambda ws: ws.identities.never_link(*chosen, reason)), graphs.decided)


def decisions(session: Session) -> None:
    """List the decisions about identities, the undone ones too."""
    session.print(session.read("decisions"), graphs.decisions)


def undo(
    session: Session,
    decisions: Annotated[
        list[str], typer.Argument(help="Numbers of decisions, such as 7; 12-40 stands for all those from 12 to 40.")
    ],
) -> None:
    """Take decisions back: graphs and profiles become as if they had never been made."""
    numbers = [number for text in decisions for number in _numbers(text)]
    if len(numbers) == 1:
        session.print(session.change(lambda ws: ws.identities.undo(numbers[0])), graphs.decided)
    else:
        session.print(session.change(lambda ws: ws.identities.undo_all(numbers)), graphs.undone)


_DECISIONS = 10_000_000
"""More decisions than anybody makes."""


def _numbers(text: str) -> range:
    first, dash, last = text.partition("-")
    numbered = first.isdecimal() and (last.isdecimal() or not dash)
    if not numbered or int(last or first) >= _DECISIONS:
        raise Invalid(
            "identity.decision",
            f"{text!r} is neither the number of a decision nor a range of them.",
            hint="`coterie identity decisions` lists them.",
        )
    return range(int(first), int(last or first) + 1)


def simulate(
    session: Session,
    file: Annotated[
        Path | None,
        typer.Argument(help="A line for each event, such as `CRMID: Tom, ECID: 111`; - is standard input."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Instead an example: shared-device, non-unique-phone or bad-values.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML or JSON with identity settings, instead of the sandbox's.")
    ] = None,
    algorithm: Annotated[str | None, typer.Option(help="Instead, the algorithm alone: none or optimized.")] = None,
    priority: Annotated[
        str | None, typer.Option(help="Instead, namespaces in the order of priority: CRMID,Email,ECID.")
    ] = None,
    unique: Annotated[str | None, typer.Option(help="Those of them that are unique in a graph: CRMID.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Most identities of a graph; 0 for no limit.")] = None,
) -> None:
    """Tell what graphs some events would give, with the links and identities that would go; nothing is stored."""
    from coterie.identity.simulation import PRESETS

    text = None if file is None else read_text(file)
    spec = _spec(settings, algorithm, priority, unique, limit)
    answer = session.read("simulate", text=text, preset=preset, settings=spec)
    shown = text if preset is None else PRESETS[preset].text
    session.print(answer, lambda out, found: graphs.simulation(out, shown or "", found))


def suggest(
    session: Session,
    fields: Annotated[str, typer.Option(help="Attributes to compare: person.name.lastName,person.birthDate.")],
    threshold: Annotated[float, typer.Option(help="Show pairs from this probability on.")] = 0.9,
    block: Annotated[
        list[str] | None,
        typer.Option(help="Compare only people who agree in this field, or in several: a+b. May be given again."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many pairs to show at most.")] = 20,
    accept: Annotated[list[str] | None, typer.Option(help="Merge this pair. May be given again.")] = None,
    accept_above: Annotated[float | None, typer.Option(help="Merge all pairs from this probability on.")] = None,
    view: View = None,
) -> None:
    """Score pairs of people who are perhaps one, and merge those that you accept. Needs the extra splink."""
    blocks = [words(item.replace("+", ",")) for item in block or ()]
    least = min([threshold, *([] if accept_above is None else [accept_above])])

    def asked(ws: Workspace) -> dict[str, Any]:
        found = ws.identities.suggest(words(fields), least, blocks, view)
        pairs = {item.pair: item for item in found.pairs}
        for name in accept or ():
            if name not in pairs:
                raise NotFound.named("suggestion", name, pairs)
        chosen = [
            item
            for item in found.pairs
            if item.pair in (accept or ()) or (accept_above is not None and item.probability >= accept_above)
        ]
        return {"suggestions": found, "accepted": ws.identities.accept(chosen) if chosen else None}

    session.print(session.change(asked), lambda out, found: graphs.suggestions(out, found, limit))


def _spec(
    settings: Path | None, algorithm: str | None, priority: str | None, unique: str | None, limit: int | None
) -> dict[str, Any] | None:
    """Return identity settings as a file or options give them; None when nothing does."""
    options = (algorithm, priority, unique, limit)
    if settings is not None:
        if options != (None,) * len(options):
            raise Invalid("identity.settings-spec", "expected settings by --settings, or else by options.")
        found = read_spec(settings)
        if not isinstance(found, dict):
            raise Invalid(
                "identity.settings-spec", f"{settings} holds no identity settings.", where={"file": str(settings)}
            )
        return found
    if options == (None,) * len(options):
        return None
    alone = words(unique)
    order = list(dict.fromkeys([*words(priority), *alone]))
    spec: dict[str, Any] = {
        "algorithm": algorithm or "optimized",
        "namespaces": [{"code": code, "unique": code in alone} for code in order],
    }
    return spec if limit is None else spec | {"graph_limit": limit}
