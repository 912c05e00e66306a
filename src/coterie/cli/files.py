"""Files that verbs read and write: definitions in YAML or JSON, rules as text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from coterie.core.errors import Invalid, NotFound


def read_text(path: Path) -> str:
    """Return the text of a file, of standard input for ``-``."""
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound("file.not-found", f"there is no file {path}.", where={"file": str(path)}) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("file.unreadable", f"cannot read {path}: {error}.", where={"file": str(path)}) from error


def read_spec(path: Path) -> Any:
    """Return the content of a YAML or JSON file."""
    return parsed(read_text(path), path)


def parsed(text: str, path: Path) -> Any:
    """Return the content of the text of a YAML or JSON file; raises ``file.yaml``."""
    try:
        return yaml.safe_load(text)  # JSON is YAML
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        what = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error).partition("\n")[0]
        where = {"file": str(path)} | ({"line": mark.line + 1, "column": mark.column + 1} if mark else {})
        raise Invalid("file.yaml", f"{path} is no YAML: {what}.", where=where) from error


def part(spec: Any, name: str) -> dict[str, Any] | None:
    """Return what stands under `name` in the content of a file; an inferred proposal holds several parts."""
    found = spec.get(name) if isinstance(spec, dict) else None
    return found if isinstance(found, dict) else None


def write_text(path: Path, text: str) -> None:
    """Write a file; raises ``file.unwritable``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(
            "file.unwritable", f"cannot write {path}: {error.strerror}.", where={"file": str(path)}
        ) from error


def words(text: str | None) -> list[str]:
    """Return the words of an option that takes several, with commas between."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]
