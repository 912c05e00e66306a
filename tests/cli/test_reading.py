"""Verbs that read: what they print, and that it is the same through a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coterie.cli import console

from .conftest import Run, coterie, serving
from .shop import BUYERS, GOLD

READING = [
    "status",
    "schema list",
    "schema show customer",
    "schema union",
    "schema union --identities --schema customer --dataset customers",
    "dataset list",
    "dataset show customers",
    "ingest batches",
    "ingest batches clicks",
    "ingest show b000001",
    "ingest quarantine b000001",
    "identity namespaces",
    "identity graph BrowserID b1",
    "identity graph BrowserID b1 --as-of 2026-06-01T12:00:00Z",
    "identity decisions",
    "identity explain Email:ann@example.org BrowserID:b1",
    "identity explain CustomerID:c1 BrowserID:b2",
    "identity simulate --preset shared-device",
    "identity simulate --preset bad-values --algorithm none --limit 2",
    "identity stats",
    "identity stats --view unstitched",
    "profile show CustomerID c1",
    "profile show BrowserID b1 --events 1",
    "profile show CustomerID c3 --view unstitched",
    "profile show CustomerID c1 --type purchase --type view --dataset clicks --since 2026-01-01 --oldest-first",
    "profile show CustomerID c1 --as-of 2026-06-10 --known 2030-01-01T00:00:00Z",
    "profile why CustomerID c1 loyalty.tier",
    "profile why CustomerID c1 loyalty.tier --policy unstitched",
    "profile conflicts",
    "profile conflicts --audience gold --samples 1",
    "profile report",
    "policy compare default unstitched",
    "profile count",
    "profile sample",
    "computed list",
    "computed preview xEvent.count()",
    "computed preview --function topValue --field page --at 2026-06-15",
    "audience list",
    "audience show gold",
    "audience members gold --limit 1",
    "audience history buyers",
]
BOTH = f"{BUYERS} and {GOLD}"
RULES = [
    ["audience", "count", BUYERS],
    ["audience", "count", GOLD, "--view", "unstitched"],
    ["audience", "check", GOLD],
    ["audience", "count", f"{BOTH} and not inSegment('gold')".replace("'", '"'), "--at", "2026-06-01"],
    ["audience", "count", f"{BUYERS} or {GOLD}", "--zone", "Europe/Paris"],
    ["audience", "overlap"],
    ["audience", "overlap", "gold", "buyers", "--fresh"],
    ["audience", "count", "--audience", "gold"],
    ["audience", "diff", "gold", BOTH],
    ["audience", "diff", GOLD, "true", "--sample", "1", "--view", "unstitched"],
]
WRONG = [
    ["audience", "show", "gould"],
    ["profile", "show", "CustomerID", "nobody"],
    ["identity", "explain", "CustomerID:c1", "c2"],
    ["identity", "explain", "CustomerID:c1", "CustomerID:nobody"],
    ["identity", "simulate", "--preset", "shared"],
    ["identity", "simulate", "--preset", "shared-device", "--unique", "Emails"],
    ["profile", "show", "CustomerID", "a/b?c=d#e %2F"],
    ["profile", "why", "CustomerID", "c1", "loyalty.teir"],
    ["profile", "why", "CustomerID", "nobody", "loyalty.tier"],
    ["profile", "show", "CustomerID", "c1", "--known", "1999-01-01"],
    ["profile", "show", "CustomerID", "c1", "--before", "yesterday"],
    ["profile", "conflicts", "--audience", "gold", "--policy", "unstitched"],
    ["policy", "compare", "default", "defualt"],
    ["ingest", "show", "b999999"],
    ["profile", "count", "--view", "sideways"],
    ["audience", "count", "xEvent[eventTyp = 1]"],
    ["audience", "check", "loyalty.tier ="],
    ["schema", "show", "x" * 2000],
    ["audience", "count", BOTH, "--audience", "gold"],
    ["audience", "analyse"],
    ["audience", "overlap", "gold"],
    ["audience", "overlap", "gold", "gould"],
    ["audience", "diff", "loyalty.teir = 1", GOLD],
    ["audience", "diff", "gold", "loyalty.teir = 1"],
    ["audience", "analyse", "loyalty.teir = 1"],
]


@pytest.fixture(scope="module")
def both(loaded: Path) -> dict[str, list[tuple[int, str, str]]]:
    """Every reading, as tables and as JSON, from the stores and then from a server."""
    words = [*(line.split() for line in READING), *RULES, *WRONG]
    runs = [[*line, *form] for line in words for form in ([], ["--json"])]

    def ask() -> list[tuple[int, str, str]]:
        done = [coterie(loaded, *line) for line in runs]
        return [(item.code, _without_time(item.out), item.err) for item in done]

    found = {"stores": ask()}
    with serving(loaded):
        found["server"] = ask()
    return found | {"words": [(0, " ".join(line), "") for line in runs]}


def _without_time(text: str) -> str:
    """Leave out how long an answer took, which no two runs have in common."""
    return re.sub(r'"seconds": [0-9.e-]+|in [0-9.]+ s', "time", text)


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
    assert run("audience", "count", BUYERS).out.startswith("2 of 4 people (50 %)")
    page = run("audience", "members", "gold", "--limit", "1", "--json").data
    rest = run("audience", "members", "gold", "--after", page["next"], "--json").data
    people = [item["identities"]["CustomerID"] for item in page["items"] + rest["items"]]
    assert sorted(people) == [["c1"], ["c3"]]
    assert rest["next"] is None


def test_a_funnel_shows_what_each_condition_leaves(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("audience", "count", BOTH, "--json").data
    assert (found["count"], found["people"]) == (1, 4)
    assert [(step["text"], step["left"], step["withheld"]) for step in found["steps"]] == [(BUYERS, 2, 1), (GOLD, 1, 1)]
    shown = run("audience", "count", BOTH).out
    assert [line for line in shown.splitlines() if GOLD in line and "25 %" in line and "████" in line]
    assert "1 more person would be in without" in shown
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console, "WIDTH", 80)
    narrow = run("audience", "count", BOTH).out.splitlines()
    assert max(map(len, narrow)) <= 80
    assert any("25 %" in line for line in narrow)


def test_overlaps_are_put_into_words(run: Run) -> None:
    (pair,) = run("audience", "overlap", "gold", "buyers", "--json").data["pairs"]
    assert (pair["both"], pair["of_a"], pair["jaccard"]) == (1, 0.5, 1 / 3)
    assert "33.3 %" in run("audience", "overlap").out


def test_an_analysis_is_the_same_through_a_server_but_for_what_is_known(loaded: Path) -> None:
    words = ["audience", "analyse", f"{BOTH} and inSegment('gold')".replace("'", '"')]
    plain, shown = coterie(loaded, *words, "--json").data, coterie(loaded, *words).out
    assert plain["audiences"] == ["gold"]
    assert "whole history" in shown
    with serving(loaded):
        served = coterie(loaded, *words, "--json").data
    assert {**served, "cost": None} == {**plain, "cost": None}


def test_an_error_in_the_old_rule_is_pointed_at_there(run: Run) -> None:
    old, new = 'loyalty.teir = "gold"', 'loyalty.tier = "silver" and loyalty.sent > 1'
    for words, place in ((("audience", "diff", old, GOLD), "loyalty.teir"), (("audience", "diff", GOLD, new), "sent")):
        done = run(*words)
        assert done.code == 2
        assert any(place in line for line in done.err.splitlines() if "pql." not in line)


def test_a_difference_shows_both_ways(run: Run) -> None:
    shown = run("audience", "diff", "gold", BUYERS).out
    assert "Audience gold: 2 people, 2 by the new rule" in shown
    assert "bob@example.org" in shown
    assert "eve@example.org" in shown
    assert run("audience", "diff", "gold", BUYERS, "--sample", "0", "--json").data["entrants"] == []


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
