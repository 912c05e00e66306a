"""The reference page says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coterie.pql import check
from coterie.pql.functions import ALL, METHODS
from coterie.testing import SAMPLE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "pql.md").read_text(encoding="utf-8")
SOURCE = Path(__file__).parents[2] / "src" / "coterie" / "pql"


def function_table():
    """Return the table of functions as the page should hold it."""
    lines = ["| form | section | gives | of null | meaning |", "|---|---|---|---|---|"]
    for row in ALL:
        result = str(row.result) if not isinstance(row.result, str) else f"*{row.result}*"
        lines.append(f"| `{row.form}` | {row.section} | {result} | {row.null} | {row.summary} |")
    return "\n".join(lines)


def test_the_table_of_functions_is_current():
    assert function_table() in PAGE


def test_every_code_is_on_the_page():
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.glob("*.py"))
    codes = set(re.findall(r'"(pql\.[a-z-]+)"', source))
    assert codes
    assert codes <= set(re.findall(r"`(pql\.[a-z-]+)`", PAGE))


EXAMPLES = re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_valid(text):
    assert check(text, SAMPLE, ["gold-members"]).ok


def test_there_are_examples():
    assert len(EXAMPLES) >= 10
    assert "exists" in METHODS
