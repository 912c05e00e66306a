"""`coterie audience`: rules, members, exports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console

from coterie.cli import answers, retention, show, why
from coterie.cli.files import read_text
from coterie.cli.identity import View
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import CoterieError, Invalid

_NAMED = re.compile(r"([^\s=<>!\"'()\[\].]+)=(?!=)")
"""A name right before the sign that divides it from an expression; `city = "Lyon"`, with a blank, is an expression."""
_CARRIERS = (
    ("labels", "the audience"),
    ("identity_labels", "the identities in the file"),
    ("column_labels", "the columns"),
)

app = typer.Typer(help="Rules, members, exports.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the audience.")]
Rule = Annotated[str | None, typer.Argument(help="The rule, in PQL.")]
At = Annotated[
    str | None, typer.Option(help="Instant to ask at; default now. At a past one, later events are left out.")
]
Zone = Annotated[str, typer.Option(help="Time zone whose calendar the rule means, such as Europe/Paris.")]
Saved = Annotated[
    str | None, typer.Option("--audience", "-a", help="Take the rule, view and zone of a saved audience.")
]
Channels = Annotated[
    list[str] | None,
    typer.Option("--consent", help="A channel that members must have agreed to, such as email; repeatable."),
]
Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", help="A purpose that members must have agreed to, such as share; repeatable."),
]
Unknown = Annotated[
    Literal["yes", "no"], typer.Option(help="What it means when nothing is known of somebody's choice.")
]
ExcludeOptOut = Annotated[
    bool, typer.Option("--exclude-opt-out/--no-exclude-opt-out", help="Leave out who opted out of everything.")
]
RuleFile = Annotated[Path | None, typer.Option("--file", "-f", help="Read the rule from a file; - is standard input.")]


@verb(app, "put")
def put(
    session: Session,
    name: Name,
    pql: Rule = None,
    file: RuleFile = None,
    title: Annotated[str, typer.Option(help="Name for people.")] = "",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    view: View = None,
    zone: Zone = "UTC",
    consent: Channels = None,
    purpose: Purposes = None,
    unknown: Unknown = "no",
    exclude_opt_out: ExcludeOptOut = True,
) -> None:
    """Save an audience. Its members come with the next evaluation."""
    rule = _rule(session, pql, file)
    asked = {"channels": consent or [], "purposes": purpose or [], "unknown": unknown}

    def save(ws: Any) -> Any:
        ws.audiences.put(
            name,
            rule,
            title=title,
            description=description,
            view=view,
            zone=zone,
            consent=asked if consent or purpose else None,
            exclude_opt_out=exclude_opt_out,
        )
        return ws.audiences.describe(name)

    session.print(session.change(save), _audience)


@verb(app, "list")
def list_(session: Session) -> None:
    """List the audiences."""
    session.print(session.read("audiences"), _list)


@verb(app, "show")
def show_(session: Session, name: Name) -> None:
    """Show an audience and its rule."""
    session.print(session.read("audience", name=name), _audience)


@verb(app, "check")
def check(session: Session, pql: Rule = None, file: RuleFile = None) -> None:
    """Show what is wrong with a rule, and where; exit code 2 when an error is."""
    answer = session.read("check", pql=_rule(session, pql, file))
    session.print(answer, lambda out, problems: _problems(out, problems, session.text))
    if b'"severity":"error"' in answer:
        raise typer.Exit(Invalid.exit_code)


@verb(app, "count")
def count(
    session: Session,
    pql: Rule = None,
    file: RuleFile = None,
    audience: Saved = None,
    view: View = None,
    zone: Zone = "UTC",
    at: At = None,
    consent: Channels = None,
    purpose: Purposes = None,
    unknown: Unknown = "no",
    exclude_opt_out: ExcludeOptOut = True,
) -> None:
    """Count the people that a rule holds for, exactly, and show how many each of its conditions leaves."""
    rule: dict[str, Any] = _asked(session, pql, file, audience, view, zone)
    gate = {"channels": consent, "purposes": purpose, "unknown": unknown, "exclude_opt_out": exclude_opt_out}
    if audience is not None:
        gate = _gate(msgspec.json.decode(session.read("audience", name=audience)))
    session.print(session.read("count", **rule, **gate, at=at), answers.counted)


@verb(app, "overlap")
def overlap(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Evaluate them first, without saving.")] = False,
    at: At = None,
) -> None:
    """Compare audiences in pairs: how many people two have in common, and what that says."""
    session.print(session.read("overlap", names=names or None, fresh=fresh, at=at), answers.overlap)


@verb(app, "analyse")
def analyse(
    session: Session,
    pql: Rule = None,
    file: RuleFile = None,
    audience: Saved = None,
    view: View = None,
    zone: Zone = "UTC",
) -> None:
    """Tell what a rule reads, how involved it is, which methods can evaluate it, and what that costs."""
    session.print(session.read("analyse", **_asked(session, pql, file, audience, view, zone)), answers.analysed)


@verb(app, "diff")
def diff(
    session: Session,
    old: Annotated[str, typer.Argument(help="A rule, or the name of a saved audience.")],
    pql: Annotated[str | None, typer.Argument(help="The new rule, in PQL.")] = None,
    file: RuleFile = None,
    view: Annotated[
        str | None, typer.Option("--policy", "--view", help="Name of the merge policy; default the audience's.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the new rule; default the audience's.")] = None,
    at: At = None,
    sample: Annotated[int, typer.Option(min=0, max=1_000, help="How many persons to show each way.")] = 10,
) -> None:
    """Tell who would enter and who would leave if a rule were replaced by a new one; nothing is saved."""
    new = _rule(session, pql, file)
    try:
        answer = session.read("diff", old=old, new=new, view=view, zone=zone, at=at, sample=sample)
    except CoterieError as error:
        if error.where.get("rule") == "old":
            session.text = old
        raise
    session.print(answer, answers.difference)


@verb(app, "explain")
def explain(
    session: Session,
    person: Annotated[str, typer.Argument(help="An identity, such as Email:anna@example.com, or an id, p-….")],
    name: Annotated[str | None, typer.Argument(help="Name of the audience.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="A rule, in PQL, instead of an audience.")] = None,
    file: RuleFile = None,
    view: Annotated[
        str | None, typer.Option("--policy", "--view", help="Name of the merge policy; an audience has its own.")
    ] = None,
    zone: Zone = "UTC",
    at: At = None,
) -> None:
    """Tell why a person is in an audience, or is not, and what would change that."""
    if [name, rule, file].count(None) != 2:
        raise Invalid("audience.rule", "expected the name of an audience, or else a rule by --rule or --file.")
    pql = None if rule is None and file is None else _rule(session, rule, file)
    answer = session.read("explain", person=person, name=name, pql=pql, view=view, zone=zone, at=at)
    session.print(answer, why.explanation)


@verb(app, "evaluate")
def evaluate(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.")] = None,
    at: At = None,
) -> None:
    """Bring the members of audiences up to date."""
    session.print(session.change(lambda ws: ws.audiences.evaluate(names or None, at=at)), _evaluation)


@verb(app, "members")
def members(
    session: Session,
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    after: Annotated[str | None, typer.Option(help="After this person: the cursor printed last time.")] = None,
) -> None:
    """List the members of an audience, with their identities."""
    session.print(session.read("members", name=name, limit=limit, after=after), _members)


@verb(app, "export")
def export(
    session: Session,
    name: Name,
    path: Annotated[Path, typer.Argument(help="File to write.")],
    format_: Annotated[
        str | None, typer.Option("--format", "-f", help="csv, jsonl or parquet; default: by the file name.")
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option("--refuse-labels", help="Write nothing if what is exported carries this label; repeatable."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "-c",
            metavar="NAME=PQL",
            help="Also write this of each member, an attribute or any expression; repeatable. The name is optional.",
        ),
    ] = None,
) -> None:
    """Write the members of an audience to a file, with their identities."""
    columns = dict(map(_column, column or ()))
    answer = session.change(
        lambda ws: ws.audiences.export(name, path, format_, refuse_labels=refuse or (), columns=columns)
    )
    session.print(answer, _export)


@verb(app, "history")
def history(
    session: Session,
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
) -> None:
    """List how an audience changed: how many entered and left, when and why, newest first."""
    session.print(session.read("history", name=name, limit=limit), _history)


@verb(app, "delete")
def delete(session: Session, name: Name) -> None:
    """Delete an audience that no other one reads; its members leave."""

    def remove(ws: Any) -> Any:
        ws.audiences.delete(name)
        return {"deleted": name}

    session.print(session.change(remove), lambda out, _: out.print(f"Deleted {name}."))


def _asked(
    session: Session, pql: str | None, file: Path | None, audience: str | None, view: str | None, zone: str
) -> dict[str, Any]:
    """Return the rule asked about, with its view and zone: one that is given, or that of a saved audience."""
    if audience is None or pql is not None or file is not None:
        return {"pql": _rule(session, pql, file, audience), "view": view, "zone": zone}
    saved = msgspec.json.decode(session.read("audience", name=audience))
    session.text = saved["pql"]
    return {"pql": saved["pql"], "view": saved.get("view", "default"), "zone": saved.get("zone", "UTC")}


def _gate(saved: dict[str, Any]) -> dict[str, Any]:
    """Return what a saved audience asks of its members beside its rule."""
    return {**(saved["consent"] or {}), "exclude_opt_out": saved["exclude_opt_out"]}


def _rule(session: Session, pql: str | None, file: Path | None, audience: str | None = None) -> str:
    if [pql, file, audience].count(None) != 2:
        raise Invalid(
            "audience.rule", "expected one rule, as an argument, by --file or, where there is one, --audience."
        )
    session.text = pql if file is None else read_text(file)
    assert session.text is not None
    return session.text


def _audience(out: Console, audience: dict[str, Any]) -> None:
    facts = {key: audience.get(key) for key in ("title", "description", "view", "zone")}
    consent = audience["consent"] or {}
    facts |= {
        "consent to channels": consent.get("channels"),
        "consent to purposes": consent.get("purposes"),
        "unknown choice means": consent.get("unknown", "no") if consent else None,
        "general opt-outs": "left out" if audience["exclude_opt_out"] else "not asked",
        "labels": audience["labels"],
    }
    last = audience["last"]
    if last:
        facts["last evaluated"] = f"{show.instant(last['at'])}: {answers.matching(last['members'], last['withheld'])}"
    show.facts(out, f"Audience {audience['name']}", facts)
    out.print(audience["pql"].strip(), style="cyan")
    retention.warnings(out, audience["warnings"])


def _list(out: Console, audiences: list[dict[str, Any]]) -> None:
    rows = [
        (
            item["name"],
            item["title"] or item["description"],
            item["last"] and item["last"]["members"],
            item["last"] and item["last"]["withheld"]["people"],
            item["labels"],
            item["pql"].strip(),
        )
        for item in audiences
    ]
    show.table(out, "Audiences", rows, ["name", "*title", "members", "withheld", "*labels", "*rule"])


def _problems(out: Console, problems: list[dict[str, Any]], text: str | None) -> None:
    for problem in problems:
        show.problem(out, problem, text)
    if not problems:
        out.print("Nothing is wrong with this rule.")


def _evaluation(out: Console, run: dict[str, Any]) -> None:
    rows = [
        (
            item["audience"],
            item["members"],
            item["withheld"]["people"],
            item["entered"],
            item["exited"],
            f"{item['seconds']:.3f}",
        )
        for item in run["audiences"]
    ]
    columns = ["audience", "members", "withheld", "entered", "left", "seconds"]
    show.table(out, f"Evaluated at {show.instant(run['at'])}", rows, columns)
    out.print(f"{run['people']:,} people, {run['conditions']:,} distinct conditions, {run['seconds']:.2f} s")


def _members(out: Console, page: dict[str, Any]) -> None:
    namespaces = sorted({code for item in page["items"] for code in item["identities"]})
    rows = [
        (item["person"], show.instant(item["entered_at"]), *(item["identities"].get(code) for code in namespaces))
        for item in page["items"]
    ]
    show.table(out, "Members", rows, ["person", "entered", *(f"*{code}" for code in namespaces)], empty="None.")
    if page["next"]:
        out.print(f"More: --after {page['next']}", style="dim")


def _column(text: str) -> tuple[str, str]:
    """Return name and expression of a column; an expression without a name is its own name."""
    found = _NAMED.match(text)
    return (found[1], text[found.end() :].strip()) if found else (text.strip(), text.strip())


def _export(out: Console, written: dict[str, Any]) -> None:
    members = "1 member" if written["members"] == 1 else f"{written['members']:,} members"
    out.print(f"{members} of {written['audience']} written to {written['path']}")
    if written["withheld"]:
        out.print(f"{written['withheld']:,} left out: they chose so since the last evaluation.")
    for key, whose in _CARRIERS:
        if written[key]:
            out.print(f"Labels of {whose}: {', '.join(written[key])}", style="dim")


def _history(out: Console, changes: list[dict[str, Any]]) -> None:
    rows = [(show.instant(item["at"]), item["cause"], item["entered"], item["exited"]) for item in changes]
    show.table(out, "Changes", rows, ["at", "*cause", "entered", "left"])
