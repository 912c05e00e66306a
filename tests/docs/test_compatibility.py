"""The table of constructs in the documentation is the table of the compiler."""

from __future__ import annotations

import re
from pathlib import Path

from coterie.engine.sql.constructs import CONSTRUCTS

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_every_construct_is_listed_with_its_form():
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    forms = {name: "the same" if row["duckdb"] is row["spark"] else "its own" for name, row in CONSTRUCTS.items()}
    assert dict(rows) == forms
    assert len(rows) == len(forms)
