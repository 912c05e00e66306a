"""Verbs that read: what they print, and that it is the same through a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run, coterie, serving
from .shop import BUYERS, GOLD

READING = [
    "status",
    "schema list",
    "schema show customer",
    "schema union",
    "dataset list",
    "dataset show customers",
    "ingest batches",
    "ingest batches clicks",
    "ingest show b000001",
    "ingest quarantine b000001",
    "identity namespaces",
    "identity graph BrowserID b1",
    "identity stats",
    "identity stats --view unstitched",
    "profile show CustomerID c1",
    "profile show BrowserID b1 --events 1",
    "profile show CustomerID c3 --view unstitched",
    "profile count",
    "profile sample",
    "audience list",
    "audience show gold",
    "audience members gold --limit 1",
    "audience history buyers",
]
RULES = [
    ["audience", "count", BUYERS],
    ["audience", "count", GOLD, "--view", "unstitched"],
    ["audience", "check", GOLD],
]
WRONG = [
    ["audience", "show", "gould"],
    ["profile", "show", "CustomerID", "nobody"],
    ["profile", "show", "CustomerID", "a/b?c=d#e %2F"],
    ["ingest", "show", "b999999"],
    ["profile", "count", "--view", "sideways"],
    ["audience", "count", "xEvent[eventTyp = 1]"],
    ["audience", "check", "loyalty.tier ="],
    ["schema", "show", "x" * 2000],
]


@pytest.fixture(scope="module")
def both(loaded: Path) -> dict[str, list[tuple[int, str, str]]]:
    """Every reading, as tables and as JSON, from the stores and then from a server."""
    words = [*(line.split() for line in READING), *RULES, *WRONG]
    runs = [[*line, *form] for line in words for form in ([], ["--json"])]

    def ask() -> list[tuple[int, str, str]]:
        done = [coterie(loaded, *line) for line in runs]
        return [(item.code, item.out, item.err) for item in done]

    found = {"stores": ask()}
    with serving(loaded):
        found["server"] = ask()
    return found | {"words": [(0, " ".join(line), "") for line in runs]}


def test_a_server_gives_the_same_output_as_the_stores(both: dict[str, list[tuple[int, str, str]]]) -> None:
    for (_, words, _), stores, server in zip(both["words"], both["stores"], both["server"], strict=True):
        if len(words) < 1000:
            assert server == stores, words


def test_readings_succeed_and_wrong_ones_fail(both: dict[str, list[tuple[int, str, str]]]) -> None:
    codes = [code for code, _, _ in both["stores"]]
    good = 2 * (len(READING) + len(RULES))
    assert codes[:good] == [0] * good
    assert all(code in (2, 3) for code in codes[good:])


def test_profile_holds_what_was_loaded(run: Run) -> None:
    profile = run("profile", "show", "BrowserID", "b1", "--json").data
    assert profile["attributes"]["loyalty"]["tier"] == "gold"
    assert {(item["namespace"], item["value"]) for item in profile["identities"]} == {
        ("CustomerID", "c1"),
        ("Email", "ann@example.org"),
        ("BrowserID", "b1"),
    }


def test_decimals_are_printed_as_they_are(run: Run) -> None:
    assert '"spent": 120.50' in run("profile", "show", "CustomerID", "c1", "--json").out
    assert '"spent": 0.10' in run("profile", "show", "CustomerID", "c3", "--json").out


def test_quarantine_names_file_line_and_reason(run: Run) -> None:
    shown = run("ingest", "quarantine", "b000001")
    assert "customers.csv" in shown.out
    assert "never" in shown.out
    (row,) = run("ingest", "quarantine", "b000001", "--json").data
    assert (row["line"], row["field"], row["value"]) == (5, "loyalty.spent", "never")


def test_audience_counts_and_members(run: Run) -> None:
    assert run("audience", "count", BUYERS).out.strip() == "2 people"
    page = run("audience", "members", "gold", "--limit", "1", "--json").data
    rest = run("audience", "members", "gold", "--after", page["next"], "--json").data
    people = [item["identities"]["CustomerID"] for item in page["items"] + rest["items"]]
    assert sorted(people) == [["c1"], ["c3"]]
    assert rest["next"] is None


def test_a_wrong_rule_is_shown_with_a_caret_under_the_fault(run: Run) -> None:
    done = run("audience", "count", 'loyalty.teir = "gold"')
    assert done.code == 2
    lines = done.err.splitlines()
    quoted = next(position for position, line in enumerate(lines) if "loyalty.teir =" in line and "pql." not in line)
    start, caret = lines[quoted].index("loyalty"), lines[quoted + 1]
    assert caret.strip(" ^") == ""
    assert "^" in caret[start : start + len("loyalty.teir")]
    assert "Did you mean tier?" in done.err


def test_check_exits_with_2_for_errors_only(run: Run) -> None:
    assert run("audience", "check", GOLD).code == 0
    done = run("audience", "check", "loyalty.tier =", "--json")
    assert done.code == 2
    assert done.data[0]["severity"] == "error"


def test_shared_options_stand_before_or_after(run: Run, loaded: Path) -> None:
    before, after = run("--json", "audience", "list"), run("audience", "list", "--json")
    assert before == after
    assert coterie(Path("/nonexistent"), "status", "--workspace", str(loaded)).code == 0


def test_settings_come_from_the_environment_too(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from coterie.cli import app

    monkeypatch.setenv("COTERIE_WORKSPACE", str(loaded))
    assert CliRunner().invoke(app, ["profile", "count"]).stdout.strip() == "4 profiles"
    monkeypatch.setenv("COTERIE_SANDBOX", "other")
    assert CliRunner().invoke(app, ["profile", "count"]).exit_code == 3


def test_errors_have_one_form(run: Run) -> None:
    done = run("audience", "show", "gould", "--json")
    assert done.code == 3
    assert done.out == ""
    assert set(done.error) == {"code", "message", "hint", "where"}
    assert done.error["code"] == "audience.not-found"
    assert "gold" in done.error["hint"]
    plain = run("audience", "show", "gould").err
    assert plain.startswith("audience.not-found")
    assert "hint" in plain


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    done = coterie(tmp_path / "none", "status")
    assert done.code == 3
    assert "coterie init" in done.err
