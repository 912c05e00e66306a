"""`coterie identity`: namespaces and identity graphs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from coterie.cli import graphs, show
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="Identity namespaces and graphs.", no_args_is_help=True)

Namespace = Annotated[str, typer.Argument(help="Code of the namespace, such as Email.")]
Value = Annotated[str, typer.Argument(help="Value of the identity.")]
View = Annotated[
    str | None, typer.Option("--policy", "--view", help="Name of the merge policy; default that of the sandbox.")
]


@verb(app, "namespaces")
def namespaces(session: Session) -> None:
    """List the identity namespaces: the standard ones and your own."""
    session.print(session.read("namespaces"), _namespaces)


@verb(app, "add-namespace")
def add_namespace(
    session: Session,
    code: Annotated[str, typer.Argument(help="Code, fixed for ever.")],
    type_: Annotated[str, typer.Option("--type", help="COOKIE, CROSS_DEVICE, DEVICE, EMAIL, …; fixed for ever.")],
    name: Annotated[str, typer.Option(help="Name for people.")] = "",
    description: Annotated[str, typer.Option(help="What it identifies.")] = "",
) -> None:
    """Save an identity namespace of your own."""
    spec = {"code": code, "type": type_, "name": name or code, "description": description}
    session.print(session.change(lambda ws: [ws.identities.put_namespace(spec)]), _namespaces)


@verb(app, "graph")
def graph(
    session: Session,
    namespace: Namespace,
    value: Value,
    view: View = None,
    at: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="The graph as it was: what had happened by then.")
    ] = None,
    known: Annotated[
        str | None,
        typer.Option("--known", metavar="INSTANT", help="The graph as it was known: what had been recorded by then."),
    ] = None,
) -> None:
    """Show the identity graph that an identity belongs to: links and their evidence, what was removed, its history."""
    answer = session.read("graph", namespace=namespace, value=value, view=view, at=at, known=known)
    session.print(answer, graphs.graph)


@verb(app, "stats")
def stats(session: Session, view: View = None) -> None:
    """Count identities by namespace, links, and profiles by the size of their graph."""
    session.print(session.read("identity_stats", view=view), _stats)


def _namespaces(out: Console, found: list[dict[str, Any]]) -> None:
    rows = [
        (item["code"], item["type"], "own" if item.get("custom") else "standard", item.get("name") or "")
        for item in found
    ]
    show.table(out, "Identity namespaces", rows, ["code", "type", "kind", "*name"])


def _stats(out: Console, stats: dict[str, Any]) -> None:
    rows = [(item["namespace"], item["identities"]) for item in stats["namespaces"]]
    show.table(out, "Identities", rows, ["namespace", "identities"])
    sizes = [(item["identities"], item["profiles"]) for item in stats["sizes"]]
    show.table(out, "Profiles by number of identities", sizes, ["identities", "profiles"])
    if stats["collapsed_by"]:
        held = [(item["namespace"], item["profiles"], item["most"]) for item in stats["collapsed_by"]]
        show.table(out, "Profiles with several identities of a namespace", held, ["namespace", "profiles", "most"])
    facts = {
        "graphs of two or more identities": stats["graphs"],
        "of these without the best unique namespace": stats["lacking"],
        "identities of people nobody can place": stats["dangling"],
        "profiles with several identities of some namespace": stats["collapsed"],
        "links seen": stats["links"],
        "links removed": stats["links_removed"],
        "identities that had to leave a full graph": stats["identities_evicted"],
        "identities replayed record by record": stats["replayed"],
    }
    show.facts(out, "Graphs", facts)
