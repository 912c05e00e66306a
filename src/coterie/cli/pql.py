"""`coterie pql`: rules in files, to be checked, laid out, turned into JSON and back, and read aloud."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console

from coterie.cli import show
from coterie.cli.files import read_text, write_text
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid, NotFound
from coterie.pql import Expr, check, from_json, parse, to_json
from coterie.pql.layout import WIDTH, layout
from coterie.pql.sentence import sentence

if TYPE_CHECKING:
    from coterie.core.schema import Union

app = typer.Typer(help="Rules in files: check, lay out, convert, read aloud.", no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(help="Files with one rule each, in PQL; - is standard input.")]
File = Annotated[Path, typer.Argument(help="A file with one rule, in PQL or its JSON form; - is standard input.")]
SchemaFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--schema",
        help="YAML or JSON with the schemas to check against, instead of the workspace's; "
        "`sample` is the schema of the published examples.",
    ),
]


@dataclass(frozen=True)
class _Rule:
    path: Path
    text: str

    @property
    def tree(self) -> Expr:
        """The tree of the rule, from either form."""
        if self.text.lstrip()[:1] != "{":
            return parse(self.text)
        try:
            return from_json(msgspec.json.decode(self.text))
        except msgspec.DecodeError as error:
            raise Invalid("pql.json", f"{self.path} is no JSON: {error}.", where={"file": str(self.path)}) from error


def _read(session: Session, path: Path) -> _Rule:
    session.text = read_text(path)
    return _Rule(path, session.text)


def _union(session: Session, schemas: list[str] | None) -> Union:
    from coterie import testing
    from coterie.core.schema import Union

    if not schemas:
        try:
            return msgspec.json.decode(session.read("union"), type=Union)
        except NotFound as error:
            error.hint = "Make one with coterie init, or name the schemas: --schema FILE."
            raise
    return testing.SAMPLE if schemas == ["sample"] else testing.schema(*schemas)


@verb(app, "check")
def check_(session: Session, files: Files, schema: SchemaFiles = None) -> None:
    """Show what is wrong with rules, and where; exit code 2 when an error is.

    Without --schema the fields are those of the workspace.
    """
    union = _union(session, schema)
    rules = [_read(session, path) for path in files]
    found = [
        {"file": str(rule.path), "problems": msgspec.to_builtins(check(rule.text, union).problems)} for rule in rules
    ]
    texts = {str(rule.path): rule.text for rule in rules}
    session.print(msgspec.json.encode(found), lambda out, answer: _problems(out, answer, texts))
    if any(problem["severity"] == "error" for item in found for problem in item["problems"]):
        raise typer.Exit(Invalid.exit_code)


@verb(app, "format")
def format_(
    session: Session,
    files: Files,
    write: Annotated[bool, typer.Option("--write", help="Write the files instead of printing.")] = False,
    verify: Annotated[
        bool, typer.Option("--check", help="Only name the files that are laid out otherwise; exit code 2.")
    ] = False,
    width: Annotated[int, typer.Option(min=20, max=1_000, help="Columns of a line.")] = WIDTH,
) -> None:
    """Lay rules out as text: one spelling, broken over lines. Takes the JSON form too."""
    changed: list[str] = []
    for path in files:
        rule = _read(session, path)
        text = layout(rule.tree, width) + "\n"
        if text != rule.text:
            changed.append(str(path))
        if write and str(path) != "-":
            if text != rule.text:
                write_text(path, text)
        elif not verify and not session.json:
            sys.stdout.write(text)
    if write or verify or session.json:
        session.print(msgspec.json.encode({"changed": changed}), lambda out, _: _changed(out, changed, write=write))
    if verify and changed:
        raise typer.Exit(Invalid.exit_code)


@verb(app, "json")
def json_(session: Session, file: File) -> None:
    """Print a rule in its JSON form."""
    answer = msgspec.json.encode(to_json(_read(session, file).tree))
    sys.stdout.write(msgspec.json.format(answer, indent=2).decode() + "\n")


@verb(app, "explain-text")
def explain_text(session: Session, file: File, schema: SchemaFiles = None) -> None:
    """Say in plain English who the people of a rule are."""
    union = _union(session, schema)
    rule = _read(session, file)
    tree = rule.tree
    check(tree, union).require()
    answer = msgspec.json.encode({"sentence": sentence(tree, union)})
    session.print(answer, lambda out, found: out.print(found["sentence"]))


def _problems(out: Console, found: list[dict[str, Any]], texts: dict[str, str]) -> None:
    wrong = 0
    for item in found:
        wrong += bool(item["problems"])
        if item["problems"]:
            out.print(item["file"], style="bold")
        for problem in item["problems"]:
            show.problem(out, problem, texts[item["file"]])
    fine = len(found) - wrong
    if fine:
        out.print(f"{fine} {'rule is' if fine == 1 else 'rules are'} fine.")


def _changed(out: Console, changed: list[str], *, write: bool) -> None:
    for path in changed:
        out.print(f"{'Laid out' if write else 'Laid out otherwise'}: {path}")
    if not changed:
        out.print("All are laid out as they should be.")
