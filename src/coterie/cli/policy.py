"""`coterie policy`: merge policies, which say how profiles are put together."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from coterie.cli import profiles, show
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="Merge policies: how profiles are put together.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the policy.")]


@verb(app, "put")
def put(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name: lower-case letters, digits and underscores.")],
    order: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset", "-d", help="A dataset whose attributes count, best first; others do not. Repeatable."
        ),
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option("--events", "-e", help="A dataset whose events count; default all. Repeatable.")
    ] = None,
    no_events: Annotated[bool, typer.Option("--no-events", help="No events count.")] = False,
    unstitched: Annotated[
        bool, typer.Option("--unstitched", help="Each identity is a person of its own, whatever it is linked to.")
    ] = False,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    default: Annotated[bool, typer.Option("--default", help="Make it the default policy of the sandbox.")] = False,
) -> None:
    """Save a merge policy and merge all profiles by it.

    Of two values of an attribute the one taken in last wins; with --dataset, that of the dataset named first.
    """
    spec: dict[str, Any] = {"identityGraph": "none" if unstitched else "pdg"}
    if order:
        spec |= {"attributeMerge": "dataSetPrecedence", "order": order}
    if events or no_events:
        spec["eventDatasets"] = [] if no_events else events
    saved = session.change(lambda ws: ws.policies.put(name, spec, description=description, default=default))
    session.print(saved, _policy)


@verb(app, "list")
def list_(session: Session) -> None:
    """List the merge policies, the default one first."""
    session.print(session.read("policies"), _policies)


@verb(app, "show")
def show_(session: Session, name: Name) -> None:
    """Show a merge policy and the audiences that use it."""
    session.print(session.read("policy", name=name), _policy)


@verb(app, "default")
def default_(session: Session, name: Name) -> None:
    """Make a policy the default one; audiences of the former default go over to it."""
    session.print(session.change(lambda ws: ws.policies.set_default(name)), _policy)


@verb(app, "delete")
def delete(session: Session, name: Name) -> None:
    """Delete a policy that no audience uses."""

    def remove(ws: Any) -> Any:
        ws.policies.delete(name)
        return {"deleted": name}

    session.print(session.change(remove), lambda out, _: out.print(f"Deleted {name}."))


@verb(app, "compare")
def compare(
    session: Session,
    left: Name,
    right: Annotated[str, typer.Argument(help="The policy to compare it with.")],
    samples: Annotated[int, typer.Option(min=0, max=100, help="How many profiles that differ to show.")] = 5,
) -> None:
    """Show who would have another profile under another merge policy, and in what."""
    session.print(session.read("compare_views", left=left, right=right, samples=samples), profiles.comparison)


def _who_wins(policy: dict[str, Any]) -> str:
    match policy["attribute_merge"]:
        case "dataSetPrecedence":
            return f"by dataset: {', '.join(policy['order'])}"
        case _:
            return "the newest record"


def _seen(policy: dict[str, Any]) -> str:
    match policy["event_datasets"]:
        case None:
            return "all"
        case []:
            return "none"
        case names:
            return ", ".join(names)


def _stitching(policy: dict[str, Any]) -> str:
    return "linked identities are one person" if policy["identity_graph"] == "pdg" else "each identity by itself"


def _policies(out: Console, found: list[dict[str, Any]]) -> None:
    rows = [
        (
            item["name"],
            "yes" if item["default"] else "",
            _stitching(item),
            _who_wins(item),
            _seen(item),
            len(item["audiences"]),
        )
        for item in found
    ]
    show.table(out, "Merge policies", rows, ["policy", "default", "*persons", "*who wins", "*events", "audiences"])


def _policy(out: Console, policy: dict[str, Any]) -> None:
    show.facts(
        out,
        f"Merge policy {policy['name']}",
        {
            "description": policy["description"],
            "version": policy["version"],
            "default": "yes" if policy["default"] else "no",
            "persons": _stitching(policy),
            "who wins": _who_wins(policy),
            "events of": _seen(policy),
            "audiences": policy["audiences"],
        },
    )
    for warning in policy["warnings"]:
        out.print(warning, style="yellow")
