"""The reference page says what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from coterie.pql import check
from coterie.pql.examples import EXAMPLES
from coterie.pql.functions import ALL, METHODS
from coterie.testing import SAMPLE, people

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "pql.md").read_text(encoding="utf-8")
SOURCE = Path(__file__).parents[2] / "src" / "coterie" / "pql"


PEOPLE = [json.loads(line) for line in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0].strip().splitlines()]
NOW = re.findall(r"were run at `([^`]+)`", PAGE)[0]
SHOWN = {
    rule.replace("\\|", "|"): set(names.split(", ")) - {"nobody"}
    for rule, names in re.findall(r"^\| `(.*)` \| ((?:ann|bob|eve|nobody)(?:, (?:bob|eve))*) \|$", PAGE, re.MULTILINE)
}


def test_every_function_is_on_the_page_with_an_example():
    assert EXAMPLES.keys() == {row.name for row in ALL}
    assert set(EXAMPLES.values()) == set(SHOWN)
    for row in ALL:
        assert f"| `{row.form}` |" in PAGE
        assert re.search(rf"\b{row.name}\(|\b{row.name} \(", EXAMPLES[row.name])


def test_examples_hold_for_whom_the_page_says_on_every_engine():
    assert any(names for names in SHOWN.values())
    assert any(not names or names < {"ann", "bob", "eve"} for names in SHOWN.values())
    with people(PEOPLE, NOW) as group:
        for rule, names in SHOWN.items():
            assert group.members(rule, "interpreter") == names, rule
            assert group.members(rule, "sql") == names, rule


def test_every_code_is_on_the_page():
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.glob("*.py"))
    codes = set(re.findall(r'"(pql\.[a-z-]+)"', source))
    assert codes
    assert codes <= set(re.findall(r"`(pql\.[a-z-]+)`", PAGE))


RULES = re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", RULES)
def test_examples_are_valid(text):
    assert check(text, SAMPLE, ["gold-members"]).ok


def test_there_are_examples():
    assert len(RULES) >= 10
    assert "exists" in METHODS
