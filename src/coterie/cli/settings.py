"""`coterie identity settings`: which namespaces are unique, in which order they count, how large graphs may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.confirm import Yes, confirm
from coterie.cli.files import read_spec, words
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid

app = typer.Typer(help="Linking rules: unique namespaces, priorities, the limit of graphs.", no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(help="YAML or JSON with the settings; - is standard input.")]
Algorithm = Annotated[str | None, typer.Option(help="none or optimized.")]
Priority = Annotated[str | None, typer.Option(help="Codes of namespaces, best first, with commas between.")]
Unique = Annotated[str | None, typer.Option(help="Codes of the unique namespaces, with commas between.")]
Limit = Annotated[int | None, typer.Option(help="Most identities of a graph; 0 for no limit.")]
Blocked = Annotated[str | None, typer.Option(help="Codes of namespaces that are never linked, with commas between.")]


@verb(app, "show")
def show_(session: Session) -> None:
    """Show the settings in force and the whole order of priority."""
    session.print(session.read("identity_settings"), _in_force)


@verb(app, "preview")
def preview(
    session: Session,
    file: File = None,
    algorithm: Algorithm = None,
    priority: Priority = None,
    unique: Unique = None,
    limit: Limit = None,
    blocked: Blocked = None,
) -> None:
    """Show exactly what other settings would change. Options replace parts of the settings in force, or of the file."""
    spec = _asked(session, file, algorithm, priority, unique, limit, blocked)
    session.print(session.read("preview_identity_settings", settings=spec), _preview)


@verb(app, "apply")
def apply(
    session: Session,
    file: File = None,
    algorithm: Algorithm = None,
    priority: Priority = None,
    unique: Unique = None,
    limit: Limit = None,
    blocked: Blocked = None,
    yes: Yes = False,
) -> None:
    """Save settings and apply them to all graphs at once, after showing what that changes."""
    spec = _asked(session, file, algorithm, priority, unique, limit, blocked)
    confirm(
        session,
        yes,
        "Save these settings and apply them to all graphs now?",
        "coterie identity settings preview",
        lambda: session.print(session.read("preview_identity_settings", settings=spec), _preview),
    )
    session.print(session.change(lambda ws: ws.identities.put_settings(spec)), _in_force)


def _asked(
    session: Session,
    file: Path | None,
    algorithm: str | None,
    priority: str | None,
    unique: str | None,
    limit: int | None,
    blocked: str | None,
) -> dict[str, Any]:
    """Return the settings that a file and options ask for."""
    spec = read_spec(file) if file else msgspec.json.decode(session.read("identity_settings"))["settings"]
    if not isinstance(spec, dict):
        raise Invalid(
            "identity.settings-spec",
            f"{file} holds no identity settings.",
            hint="`coterie identity settings show --json` shows what they look like.",
        )
    if priority is not None or unique is not None:
        rules = [item if isinstance(item, dict) else {"code": item} for item in spec.get("namespaces", [])]
        chosen = words(unique) if unique is not None else [rule["code"] for rule in rules if rule.get("unique")]
        codes = words(priority) if priority is not None else [rule["code"] for rule in rules]
        codes += [code for code in chosen if code not in codes] if priority is None else []
        spec["namespaces"] = [{"code": code, "unique": code in chosen} for code in codes]
        if missing := [code for code in chosen if code not in codes]:
            raise Invalid(
                "identity.settings-spec",
                f"namespace {missing[0]} is to be unique, but stands not in the order of priority.",
                hint="Name it in --priority too.",
            )
        if not file and algorithm is None:
            algorithm = "optimized"
    given = {
        "algorithm": algorithm,
        "graph_limit": limit,
        "blocked_namespaces": None if blocked is None else words(blocked),
    }
    return spec | {name: value for name, value in given.items() if value is not None}


def _in_force(out: Console, found: dict[str, Any]) -> None:
    _settings(out, found["settings"], "Identity settings")
    show.facts(out, "", {"whole order of priority": found["order"]})
    _warnings(out, found["warnings"])


def _settings(out: Console, settings: dict[str, Any], title: str) -> None:
    rules = settings.get("namespaces", [])
    facts = {
        "algorithm": settings.get("algorithm", "none"),
        "priority": [rule["code"] for rule in rules],
        "unique": [rule["code"] for rule in rules if rule.get("unique")],
        "most identities of a graph": settings.get("graph_limit", 50) or "no limit",
        "never linked": settings.get("blocked_namespaces", ["AAID"]),
    }
    show.facts(out, title, facts)


def _preview(out: Console, found: dict[str, Any]) -> None:
    _settings(out, found["settings"], "If these settings were saved")
    rows = [
        ("graphs of two or more identities", found["graphs_before"], found["graphs_after"]),
        ("people", found["profiles_before"], found["profiles_after"]),
    ]
    show.table(out, "Graphs and people", rows, ["*what", "now", "then"])
    changes = [
        ("graphs stay as they are", found["staying"]),
        ("times several graphs become one", found["merges"]),
        ("times one graph becomes several", found["splits"]),
        ("times graphs exchange identities", found["exchanges"]),
        ("people whose attributes or events change", found["profiles_changed"]),
        ("people known by another of their identities", found["renamed"]),
        ("links removed", found["links_removed"]),
        ("identities that have to leave a full graph", found["identities_evicted"]),
    ]
    show.table(out, "Changes", changes, ["*change", ""])
    for kind, title in _KINDS.items():
        samples = [sample for sample in found["samples"] if sample["kind"] == kind][:_SAMPLES]
        for number, sample in enumerate(samples, start=1):
            out.print(Text(f"{title}, for example ({number})", style="bold"))
            for word, groups in (("now", sample["before"]), ("then", sample["after"])):
                for group in groups:
                    out.print(Text.assemble((f"  {word:5}", "dim"), ", ".join(map(_name, group))), soft_wrap=True)
    if len(found["samples"]) > _SAMPLES:
        out.print(Text("--json shows more examples", style="dim"))
    _warnings(out, found["warnings"])


_SAMPLES = 3
_KINDS = {
    "merge": "Several graphs become one",
    "split": "One graph becomes several",
    "exchange": "Graphs exchange identities",
}


def _name(identity: list[str]) -> str:
    return show.words(f"{identity[0]}:{identity[1]}")


def _warnings(out: Console, warnings: list[str]) -> None:
    for warning in warnings:
        out.print(Text.assemble(("warning  ", "yellow"), f"{warning}."))
