"""`coterie retention`: how long data are kept."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.session import Session
from coterie.cli.verb import verb

app = typer.Typer(help="How long events and pseudonymous profiles are kept.", no_args_is_help=True)


@verb(app, "show")
def show_(session: Session) -> None:
    """Show what is kept how long, and which audiences look further back."""
    session.print(session.read("retention"), _view)


@verb(app, "set")
def set_(
    session: Session,
    pseudonymous: Annotated[
        list[str] | None,
        typer.Option("--pseudonymous", help="Code of a namespace of pseudonyms, such as ECID; repeatable."),
    ] = None,
    after: Annotated[str | None, typer.Option(help="How long such profiles are kept without activity, as 14d.")] = None,
) -> None:
    """Save how long profiles are kept that have identities of these namespaces only; without any, for ever."""

    def save(ws: Any) -> Any:
        ws.retention.put(pseudonymous or (), after)
        return ws.retention.show()

    session.print(session.change(save), _view)


@verb(app, "run")
def run(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would go, and change nothing.")] = False,
    erase: Annotated[
        bool, typer.Option("--erase", help="Take it out of the staged files too; takes as long as a rebuild.")
    ] = False,
) -> None:
    """Take away what is kept no longer, for ever. This also happens by itself, once a day."""
    if dry_run:
        session.print(session.read("retention_preview"), _retained)
    else:
        session.print(session.change(lambda ws: ws.retention.run(erase=erase)), _retained)


def _view(out: Console, found: dict[str, Any]) -> None:
    rows = [
        (item["dataset"], f"{item['expire_events_after']:,} days", show.instant(item["oldest"]))
        for item in found["datasets"]
    ]
    columns = ["dataset", "keeps events for", "oldest event"]
    show.table(out, "Events", rows, columns, empty="Kept for ever: no dataset has `expire_events_after`.")
    rule = found["pseudonymous"]
    if rule:
        facts = {"namespaces": rule["namespaces"], "without activity for": f"{rule['after']:,} days"}
        show.facts(out, "Pseudonymous profiles go", facts)
    else:
        out.print("Profiles are kept for ever.")
    if found["last"]:
        out.print(Text(f"Something last went at {show.instant(found['last'])}.", style="dim"))
    warnings(out, found["warnings"])


def warnings(out: Console, found: list[dict[str, Any]]) -> None:
    """Show which audiences look further back than data are kept."""
    for warning in found:
        out.print(Text.assemble((warning["code"], "bold yellow"), f"  {warning['message']}"))


def _retained(out: Console, found: dict[str, Any]) -> None:
    verb = "would go" if found["dry_run"] else "went"
    rows = [
        (item["dataset"], show.instant(item["before"]), month, count)
        for item in found["datasets"]
        for month, count in item["months"].items()
    ]
    show.table(out, f"Events that {verb}", rows, ["dataset", "before", "month", "events"], empty="None.")
    gone = found["pseudonymous"]
    if gone:
        facts = {
            "profiles": gone["profiles"],
            "their events": gone["events"],
            "their records": gone["records"],
            "some of them": ["; ".join(identities) for identities in gone["sample"]],
        }
        show.facts(out, f"Pseudonymous profiles that {verb}", facts)
    if found["purged"]:
        purged = found["purged"]
        out.print(f"Staged files written again: {purged['files']:,}; rows taken out of them: {purged['rows']:,}.")
    out.print(Text(f"Identities that nothing names any more: {found['identities']:,}.", style="dim"))
