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
    session: Session,
    limit: Annotated[int, typer.Option("-n", min=1, max=100, help="How many at most.")] = 10,
    view: View = "default",
) -> None:
    """Show some profiles, those with the most identities first."""
    session.print(session.read("sample", limit=limit, view=view), _sample)


def _sample(out: Console, profiles: list[dict[str, Any]]) -> None:
    rows = [(item["namespace"], item["value"], item["identities"], item["attributes"]) for item in profiles]
    show.table(out, "Profiles", rows, ["namespace", "identity", "identities", "*attributes"])


def _profile(out: Console, profile: dict[str, Any]) -> None:
    show.facts(out, f"Profile {profile['person']}", {"view": profile["view"], "links": profile["links"]})
    identities = [
        (item["namespace"], item["value"], item["links"], show.instant(item["first_at"]), show.instant(item["last_at"]))
        for item in profile["identities"]
    ]
    show.table(out, "Identities", identities, ["namespace", "*value", "links", "first linked", "last linked"])
    attributes = [
        (
            path,
            _at(profile["attributes"], path),
            f"{reason['winner']['dataset']} / {reason['winner']['namespace']}:{reason['winner']['value']}",
            show.instant(reason["winner"]["recorded_at"]),
            len(reason["losers"]),
        )
        for path, reason in profile["provenance"].items()
    ]
    columns = ["attribute", "*value", "*comes from", "recorded", "others lost"]
    show.table(out, "Attributes", attributes, columns, empty="None: no record says anything of this person.")
    memberships = [
        (item["audience"], item["status"], show.instant(item["entered_at"]), show.instant(item["exited_at"]))
        for item in profile["memberships"]
    ]
    show.table(out, "Audiences", memberships, ["*audience", "status", "entered", "left"], empty="In none.")
    sources = [
        (item["dataset"], item["records"], item["events"], show.instant(item["recorded_at"]))
        for item in profile["sources"]
    ]
    show.table(out, "Datasets", sources, ["*dataset", "records", "events", "last recorded"])
    events = [
        (
            item["event"].get("timestamp"),
            item["event"].get("eventType"),
            item["dataset"],
            {name: value for name, value in item["event"].items() if name not in _COMMON},
        )
        for item in profile["events"]
    ]
    show.table(out, "Events, newest first", events, ["at", "type", "dataset", "*what"], empty="None shown.")
    if profile["next"]:
        out.print(f"Older ones: --before {profile['next']}", style="dim")


_COMMON = ("_id", "timestamp", "eventType")


def _at(attributes: dict[str, Any], path: str) -> Any:
    """Return the value at a path of provenance; keys of maps may hold dots themselves."""
    if path in attributes:
        return attributes[path]
    for name, value in attributes.items():
        if isinstance(value, dict) and path.startswith(f"{name}."):
            return _at(value, path[len(name) + 1 :])
    return None
