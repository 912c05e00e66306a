"""What a repository must hold, and what it must not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = subprocess.run(
    ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
TRACKED = {Path(line.split("\t", 1)[1]): line.split(" ", 1)[0] for line in FILES}
BINARY = {".png", ".parquet", ".gz", ".duckdb"}


def texts() -> list[tuple[Path, str]]:
    there = [path for path in TRACKED if (ROOT / path).is_file() and path.suffix not in BINARY]
    return [(path, (ROOT / path).read_text(encoding="utf-8")) for path in there]


# Written in parts, so that this file passes its own test.
HOSTS = [".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("deb", "debian", "org"),
)]  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.\-/:}~])/(?:" + "|".join(["work", "root", "home", "Users"]) + r")/\w")


def test_no_file_names_a_registry_host() -> None:
    assert [(str(path), host) for path, text in texts() for host in HOSTS if host in text] == []


def test_no_file_names_a_path_of_some_machine() -> None:
    assert [(str(path), found[0]) for path, text in texts() if (found := MACHINE_PATH.search(text))] == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    assert [str(path) for path, text in texts() if later.search(text)] == []


def test_no_module_grows_without_end() -> None:
    long = {str(path): text.count("\n") for path, text in texts() if path.suffix == ".py" and path.parts[0] == "src"}
    assert {path: lines for path, lines in long.items() if lines > 600} == {}


@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_scripts_can_be_run_and_are_plain_shell(script: str) -> None:
    assert TRACKED[Path(script)] == "100755"
    assert (ROOT / script).read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", script], cwd=ROOT, check=False).returncode == 0


def test_help_of_the_script_names_every_verb() -> None:
    shown = subprocess.run(["./dev", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for verb in ("up", "test", "check", "setup", "bench", "docs", "lock", "clean", "help"):
        assert re.search(rf"^  {verb}\b", shown, re.MULTILINE), verb


def test_an_unknown_verb_is_refused() -> None:
    done = subprocess.run(["./dev", "frobnicate"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unknown verb frobnicate" in done.stderr


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md"])
def test_what_a_reader_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500
