"""The documentation says what the program does: codes, verbs, links, and the blocks of the README run."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "coterie"
CODE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9-]*)+")
RAISED_BY = {
    "CoterieError", "Invalid", "NotFound", "Conflict", "Unsupported", "Busy", "Damaged", "Fault", "problem",
}  # fmt: skip


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                yield path, node, function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def codes() -> dict[str, Path]:
    """Codes that errors and problems are made with, and where."""
    found: dict[str, Path] = {}
    for path, node, name in calls():
        if name not in RAISED_BY and not name.endswith("Error"):
            continue
        given = [
            *node.args[: 2 if name == "Fault" else 1],
            *(word.value for word in node.keywords if word.arg == "code"),
        ]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                found[value.value] = path.relative_to(ROOT)
    return found


def documented() -> set[str]:
    return set(re.findall(r"`([a-z0-9_.-]+)`", (ROOT / "docs/reference/errors.md").read_text())) | {
        code
        for path in (ROOT / "docs/reference").glob("*.md")
        for code in re.findall(r"`(pql\.[a-z-]+)`", path.read_text())
    }


def test_there_are_codes() -> None:
    assert {"workspace.served", "request.host", "time.unreadable", "schema.conflict"} <= set(codes())


def test_every_code_is_documented() -> None:
    missing = {code: str(path) for code, path in codes().items() if code not in documented()}
    assert missing == {}


def test_every_documented_code_is_in_the_program() -> None:
    source = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    rows = re.findall(r"^\| `([a-z0-9_.-]+)` \|", (ROOT / "docs/reference/errors.md").read_text(), re.MULTILINE)
    assert [code for code in rows if f'"{code}"' not in source and not code.endswith(".not-found")] == []
    assert len(rows) == len(set(rows))


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@pytest.mark.parametrize("name", ["cli.md", "openapi.json", "pql.md"])
def test_generated_reference_is_up_to_date(name: str) -> None:
    committed = (ROOT / "docs/reference" / name).read_text()
    assert generator().GENERATED[name]() == committed, "run ./dev docs"


def test_every_verb_and_option_has_a_heading_and_a_meaning() -> None:
    module = generator()
    reference = (ROOT / "docs/reference/cli.md").read_text()
    verbs = dict(module.verbs(module.typer.main.get_command(module.app)))
    assert len(verbs) >= 30
    assert set(verbs) >= module.READS
    for name, command in verbs.items():
        assert re.search(rf"^### `coterie {name}[` ]", reference, re.MULTILINE), name
        assert command.help, name
        assert all(item.help for item in command.params if item.name not in ("context", "help")), name


def test_links_between_documents_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        (str(document.relative_to(ROOT)), target)
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []
