"""The case files of the language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "cases"


def cases(name: str) -> list[Any]:
    """Return the rows of a case file."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


QUERIES = {row["id"]: row["pql"] for name in ("pql-examples", "pql-semantics") for row in cases(name)}
