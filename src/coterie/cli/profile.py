"""`coterie profile`: what is known of one customer, and of all."""

from __future__ import annotations

from typing import Annotated

import typer

from coterie.cli import profiles
from coterie.cli.identity import Namespace, Value, View
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="What is known of one customer.", no_args_is_help=True)

AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="INSTANT", help="The profile as it was: what had happened by then.")
]
Known = Annotated[
    str | None,
    typer.Option("--known", metavar="INSTANT", help="The profile as it was known: what had been recorded by then."),
]
Audience = Annotated[str | None, typer.Option(help="Only members of this audience.")]
Samples = Annotated[int, typer.Option(min=0, max=100, help="How many people to show.")]


@verb(app, "show")
def show_(
    session: Session,
    namespace: Namespace,
    value: Value,
    view: View = None,
    events: Annotated[int, typer.Option(min=0, max=10_000, help="How many events.")] = 20,
    before: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="The events after those: the cursor printed last time.")
    ] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only events of this type. Repeatable.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Only events of this dataset. Repeatable.")] = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Only events at or after it.")] = None,
    until: Annotated[str | None, typer.Option(metavar="INSTANT", help="Only events before it.")] = None,
    where: Annotated[
        str | None, typer.Option(metavar="PQL", help="Only events for which this holds, such as `total >= 100`.")
    ] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Events in the order of time.")] = False,
    at: AsOf = None,
    known: Known = None,
) -> None:
    """Show the profile that an identity belongs to, with the source of every attribute and the latest events."""
    answer = session.read(
        "profile",
        namespace=namespace,
        value=value,
        view=view,
        events=events,
        before=before,
        types=_joined(type_),
        datasets=_joined(dataset),
        since=since,
        until=until,
        where=where,
        oldest_first=oldest_first,
        at=at,
        known=known,
    )
    session.print(answer, lambda out, profile: profiles.profile(out, profile, oldest_first=oldest_first))


def _joined(names: list[str] | None) -> str | None:
    return ",".join(names) if names else None


@verb(app, "why")
def why(
    session: Session,
    namespace: Namespace,
    value: Value,
    attribute: Annotated[str, typer.Argument(help="Path of the attribute, as `show` prints it.")],
    view: View = None,
    at: AsOf = None,
    known: Known = None,
) -> None:
    """Show one attribute whole: where its value comes from, why others lost, and all that was written over time."""
    answer = session.read(
        "profile_why", namespace=namespace, value=value, attribute=attribute, view=view, at=at, known=known
    )
    session.print(answer, profiles.attribute)


@verb(app, "count")
def count(session: Session, view: View = None) -> None:
    """Count the profiles."""
    session.print(
        session.read("count_profiles", view=view), lambda out, answer: out.print(f"{answer['count']:,} profiles")
    )


@verb(app, "sample")
def sample(
    session: Session,
    limit: Annotated[int, typer.Option("-n", min=1, max=100, help="How many at most.")] = 10,
    view: View = None,
    audience: Audience = None,
) -> None:
    """Show some profiles, those with the most identities first."""
    session.print(session.read("sample", limit=limit, view=view, audience=audience), profiles.sample)


@verb(app, "report")
def report(session: Session, view: View = None) -> None:
    """Count profiles by namespace, by dataset, and by how little is known of them."""
    session.print(session.read("profile_report", view=view), profiles.report)


@verb(app, "conflicts")
def conflicts(
    session: Session,
    view: View = None,
    audience: Audience = None,
    samples: Samples = 3,
) -> None:
    """Show where records of the same person say different things, and which dataset wins."""
    answer = session.read("profile_conflicts", view=view, audience=audience, samples=samples)
    session.print(answer, profiles.conflicts)
