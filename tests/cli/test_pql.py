"""Rules in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coterie import pql

from .conftest import Run, coterie

RULE = 'xEvent[eventType = "buy"].count() >= 2 and not xEvent[eventType = "return"]'


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    """A file with a rule."""
    path = tmp_path / "rule.pql"
    path.write_text(RULE)
    return path


def test_a_rule_is_checked_against_schemas_without_a_workspace(tmp_path: Path, rule: Path) -> None:
    nowhere = tmp_path / "nowhere"
    done = coterie(nowhere, "pql", "check", str(rule), "--schema", "sample")
    assert (done.code, done.out) == (0, "1 rule is fine.\n")
    schema = tmp_path / "schema.yaml"
    schema.write_text("name: customers\nclass: profile\nfields: {tier: string}\n")
    wrong = tmp_path / "wrong.pql"
    wrong.write_text('teir = "gold"')
    done = coterie(nowhere, "pql", "check", str(wrong), "--schema", str(schema), "--json")
    assert done.code == 2
    ((problem,),) = [item["problems"] for item in done.data]
    assert (problem["code"], problem["start"], problem["suggestion"]) == ("pql.unknown-field", 0, "tier")
    assert coterie(nowhere, "pql", "check", str(wrong)).code == 3


def test_all_faults_of_all_files_are_shown_where_they_are(tmp_path: Path) -> None:
    files = []
    for number, text in enumerate(["loyalty.teir = 1", "loyalty.tier =", "true"]):
        files.append(tmp_path / f"{number}.pql")
        files[-1].write_text(text)
    done = coterie(tmp_path, "pql", "check", *map(str, files), "--schema", "sample")
    assert done.code == 2
    assert "pql.unknown-field" in done.out
    assert "pql.syntax" in done.out
    assert "^^^^" in done.out
    assert "1 rule is fine." in done.out


def test_the_workspace_gives_the_fields_when_no_schema_is_named(run: Run, tmp_path: Path) -> None:
    rule = tmp_path / "rule.pql"
    rule.write_text("no.such.field = 1")
    assert run("pql", "check", str(rule)).code == 2
    rule.write_text('xEvent[eventType = "web.click"]')
    assert run("pql", "check", str(rule)).code == 0


def test_rules_are_laid_out_and_turned_into_json_and_back(tmp_path: Path, rule: Path) -> None:
    assert coterie(tmp_path, "pql", "format", str(rule)).out == RULE + "\n"
    assert coterie(tmp_path, "pql", "format", str(rule), "--width", "40").out.splitlines() == [
        'xEvent[eventType = "buy"].count() >= 2',
        'and not xEvent[eventType = "return"]',
    ]
    form = coterie(tmp_path, "pql", "json", str(rule)).out
    assert pql.from_json(json.loads(form)) == pql.parse(RULE)
    assert coterie(tmp_path, "pql", "format", "-", stdin=form).out == RULE + "\n"


def test_a_rule_is_read_aloud(tmp_path: Path, rule: Path) -> None:
    words = coterie(tmp_path, "pql", "explain-text", str(rule), "--schema", "sample").out
    assert words.startswith("People who ")
    data = coterie(tmp_path, "pql", "explain-text", str(rule), "--schema", "sample", "--json").data
    assert " ".join(data["sentence"].split()) == " ".join(words.split())
    rule.write_text("loyalty.teir = 1")
    assert coterie(tmp_path, "pql", "explain-text", str(rule), "--schema", "sample").code == 2


def test_files_are_written_only_when_asked(tmp_path: Path, rule: Path) -> None:
    rule.write_text("loyalty.points>3")
    assert coterie(tmp_path, "pql", "format", "--check", str(rule)).code == 2
    assert rule.read_text() == "loyalty.points>3"
    done = coterie(tmp_path, "pql", "format", "--write", str(rule), "--json")
    assert (done.code, done.data) == (0, {"changed": [str(rule)]})
    assert rule.read_text() == "loyalty.points > 3\n"
    assert coterie(tmp_path, "pql", "format", "--check", str(rule)).code == 0


@pytest.mark.parametrize(("text", "code"), [("{", "pql.json"), ("a and", "pql.invalid"), ("{}", "pql.invalid")])
def test_what_is_no_rule_is_an_error(tmp_path: Path, rule: Path, text: str, code: str) -> None:
    rule.write_text(text)
    done = coterie(tmp_path, "pql", "format", str(rule), "--json")
    assert done.code == 2
    assert done.error["code"] == code
