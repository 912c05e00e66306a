"""The README is true: its blocks run, on the sample world that its first command makes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SCRIPTS = Path(sys.executable).parent


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, with `coterie` on the path."""
    environment = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `coterie demo` was run."""
    folder = tmp_path_factory.mktemp("readme")
    done = run(["coterie", "demo"], folder)
    assert done.returncode == 0, done.stderr
    for word in ("HouseholdID", "searched-not-bought", "transactions", "exports"):
        assert word in done.stdout, word
    return folder


def blocks(language: str) -> list[str]:
    """Return the blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_python_prints_what_the_text_says(folder: Path) -> None:
    (code,), (expected,) = blocks("python"), blocks("text")
    done = run([sys.executable, "-W", "error", "-c", code], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_commands_run(folder: Path) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("coterie ")]
    assert len(lines) >= 3
    for line in lines:
        done = run(shlex.split(line, comments=True), folder)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout.strip(), line


def test_commands_of_the_script_are_its_verbs() -> None:
    shown = subprocess.run(["./dev", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    used = set(re.findall(r"\./dev ([a-z]+)", README))
    assert used
    assert all(re.search(rf"^  {verb}\b", shown, re.MULTILINE) for verb in used)
