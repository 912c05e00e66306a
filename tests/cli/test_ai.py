"""`coterie ai`: from a goal to scores, reasons and audiences, on a crowd that buys by habit."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from coterie import open as open_workspace
from coterie.core.clock import FixedClock
from coterie.core.errors import Invalid

from . import crowd
from .conftest import Run, coterie, serving

KEY = "buys_soon"
HIGH = f'customerAI.{KEY}.bucket = "high"'


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crowd.write_files(tmp_path_factory.mktemp("crowd") / "files")


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    """The root of a workspace with one model, trained and scored; not to be changed."""
    root = tmp_path_factory.mktemp("crowd") / "workspace"
    for words in (
        "init",
        "identity add-namespace CustomerID --type CROSS_DEVICE --name Customer",
        f"schema put {files}/customer.yaml",
        f"schema put {files}/visit.yaml",
        "dataset create customers --schema customer",
        "dataset create visits --schema visit",
        f"ingest load customers {files}/customers.csv",
        f"ingest load visits {files}/visits.jsonl",
        f"ai create {files}/buys_soon.yaml",
        f"ai run {KEY}",
    ):
        done = coterie(root, *words.split(), now=crowd.NOW)
        assert done.code == 0, (words, done.out, done.err)
    return root


@pytest.fixture
def ai(scored: Path) -> Run:
    """Run `coterie ai` on the scored crowd."""
    return partial(coterie, scored, "ai", now=crowd.NOW)


@pytest.fixture
def own(tmp_path: Path, scored: Path) -> Run:
    """Run the command line on a scored crowd of the test's own."""
    return partial(coterie, Path(shutil.copytree(scored, tmp_path / "own")), now=crowd.NOW)


@pytest.fixture(scope="session")
def likely(scored: Path) -> tuple[str, str]:
    """An identity in the bucket high, and one in low."""
    found = {}
    for bucket in ("high", "low"):
        rule = f'customerAI.{KEY}.bucket = "{bucket}"'
        coterie(scored, "audience", "put", f"in_{bucket}", rule, now=crowd.NOW)
    coterie(scored, "audience", "evaluate", now=crowd.NOW)
    for bucket in ("high", "low"):
        page = coterie(scored, "audience", "members", f"in_{bucket}", "--json", now=crowd.NOW).data
        found[bucket] = f"CustomerID:{page['items'][0]['identities']['CustomerID'][0]}"
    return found["high"], found["low"]


# -- models -----------------------------------------------------------------------------------------------------------


def test_a_model_by_options_is_the_one_of_the_file(own: Run, files: Path) -> None:
    words = "ai create again --goal purchase --within 14d --lookback 60d --json"
    made = own(*words.split())
    assert made.code == 0, made.err
    stated = own("ai", "show", KEY, "--json")
    assert made.data["model"]["goal"] == stated.data["goal"] == "Purchase within 14 days"
    assert made.data["stated"]["population"] == {"lookback_days": 60}


def test_goals_may_be_conditions_rules_and_audiences(own: Run) -> None:
    words = own(
        "ai", "create", "shoes", "--goal", 'eventType = "purchase" and category = "shoes"', "--within", "2w", "--json"
    )
    assert words.code == 0, words.err
    goal = words.data["stated"]["goal"]
    assert goal["window_days"] == 14
    assert [test["field"] for test in goal["events"][0]["where"]] == ["eventType", "category"]

    rule = 'xEvent[eventType = "view" and timestamp occurs <= 21 days before now].count() >= 2'
    made = own("ai", "create", "views", "--rule", rule, "--json")
    assert made.code == 0, made.err
    assert (made.data["stated"]["goal"]["window_days"], made.data["stated"]["goal"]["events"][0]["at_least"]) == (21, 2)

    back = own("ai", "goal", "views", "--save", "viewers")
    assert back.code == 0, back.err
    again = own("ai", "create", "views_again", "--from-audience", "viewers", "--json")
    assert again.data["stated"]["goal"] == made.data["stated"]["goal"]


def test_churn_is_what_does_not_occur(own: Run) -> None:
    made = own("ai", "create", "stops", "--goal", "purchase", "--within", "30d", "--not", "--json")
    assert made.code == 0, made.err
    assert (made.data["model"]["propensity"], made.data["model"]["goal"]) == ("churn", "no Purchase within 30 days")
    assert "people who would leave" in own("ai", "show", "stops").out


def test_a_goal_that_never_happened_is_told_at_once(own: Run) -> None:
    made = own("ai", "create", "typo", "--goal", "purchas", "--within", "30d")
    assert made.code == 0, made.err
    assert "warning 421" in made.out
    assert "Did you mean purchase?" in made.out
    right = own("ai", "create", "right", "--goal", "purchase", "--within", "30d", "--json")
    assert [item["code"] for item in right.data["advice"]] == ["model.uplift"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("create x --goal purchase", "model.goal"),
        ("create x --within 30d", "model.goal"),
        ("create x --goal purchase --within soon", "model.days"),
        ("create x --goal purchase --rule y --within 3d", "model.goal"),
        ("create Not-A-Key --goal purchase --within 30d", "model.key"),
        ("create buys_soon --goal purchase --within 30d", "model.exists"),
        ("run", "model.run"),
        ("audience buys_soon x --top 200%", "model.range"),
        ("audience buys_soon x --top 0%", "model.range"),
        ("audience buys_soon x --bucket high --factor often:Purchas", "model.factor"),
    ],
)
def test_what_cannot_be_meant_is_refused(ai: Run, words: str, code: str) -> None:
    done = ai(*words.split(), "--json")
    assert done.code in (2, 4)
    assert done.error["code"] == code
    assert done.error["hint"] or code == "model.run"


def test_a_fault_in_a_file_is_told_with_its_line(ai: Run, files: Path) -> None:
    done = ai("create", str(files / "wrong.yaml"))
    assert done.code == 2
    assert "line 8" in done.err
    assert "'equals'" in done.err
    done = ai("create", str(files / "nothing.yaml"), "--json")
    assert (done.code, done.error["code"]) == (3, "file.not-found")


@pytest.mark.parametrize(
    "words",
    ["show", "check", "run", "runs", "insights", "evaluation", "card", "drift", "outcomes", "goal", "delete --yes"],
)
def test_an_unknown_model_is_told_with_those_there_are(ai: Run, words: str) -> None:
    verb, *rest = words.split()
    done = ai(verb, "buys_son", *rest, "--json")
    assert (done.code, done.error["code"]) == (3, "model.not-found")
    assert KEY in done.error["hint"]


def test_the_list_and_a_model(ai: Run) -> None:
    (item,) = ai("list", "--json").data
    assert (item["key"], item["last"]["status"], item["version"]) == (KEY, "succeeded", 1)
    out = ai("list").out
    assert "Buys within two weeks" in out
    assert f"{item['last']['scored']:,} scores given in 2026" in out
    out = ai("show", KEY).out
    for words in ("Purchase within 14 days", "who did something in the last 60 days", "weekly", "customerAI.buys_soon"):
        assert words in out


def test_a_model_is_edited_cloned_and_deleted(own: Run) -> None:
    edited = own("ai", "edit", KEY, "--name", "Comes back", "--high", "80", "--schedule", "daily", "--json")
    assert edited.code == 0, edited.err
    assert (edited.data["model"]["name"], edited.data["stated"]["buckets"]["high"]) == ("Comes back", 80)
    cloned = own("ai", "clone", KEY, "longer", "--within", "30d", "--name", "Buys in a month", "--json")
    assert cloned.data["stated"]["goal"]["window_days"] == 30
    assert cloned.data["stated"]["goal"]["events"] == edited.data["stated"]["goal"]["events"]
    refused = own("ai", "delete", KEY, "--json")
    assert refused.error["code"] == "cli.unconfirmed"
    assert own("ai", "delete", KEY, "--yes").code == 0
    assert [item["key"] for item in own("ai", "list", "--json").data] == ["longer"]


# -- checks and runs --------------------------------------------------------------------------------------------------


def test_a_check_counts_people_at_each_cut_off(ai: Run, files: Path) -> None:
    done = ai("check", KEY, "--json")
    assert done.code == 0, done.err
    scoring, *past = done.data["cutoffs"]
    assert (scoring["role"], scoring["positives"]) == ("scoring", None)
    assert all(item["positives"] <= item["eligible"] for item in past)
    out = ai("check", str(files / "buys_soon.yaml")).out
    for words in ("It can run", "People at each cut-off", "to be scored", "test", "training"):
        assert words in out


def test_a_check_of_what_never_happened_says_so(ai: Run, files: Path, tmp_path: Path) -> None:
    file = tmp_path / "never.yaml"
    file.write_text((files / "buys_soon.yaml").read_text().replace("value: purchase", "value: launch"))
    done = ai("check", str(file))
    assert done.code == 2
    assert "It cannot run yet" in done.out
    assert "421" in done.out


def test_a_run_tells_its_stages(ai: Run) -> None:
    (run,) = ai("runs", KEY, "--json").data
    assert [stage["stage"] for stage in run["stages"]][-1] == "publishing"
    assert run["scored"] == sum(run["buckets"].values()) > 100
    assert "train+score" in ai("runs", KEY).out


def test_a_second_run_scores_anew_without_training(own: Run) -> None:
    done = own("ai", "run", KEY, "--no-retrain")
    assert done.code == 0, done.err
    assert re.search(r"✓ scoring +\d+\.\d s", done.err)
    assert "✓ training" not in done.err
    for words in ("succeeded", "Stages", "Next: coterie ai insights"):
        assert words in done.out
    moved = own("ai", "migration", KEY, "--json").data
    assert moved["before"] == moved["after"]
    assert all(move["before"] == move["after"] for move in moved["moves"] if move["people"])


def test_a_run_that_is_interrupted_is_taken_up(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from coterie.prediction.modelling import scoring

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "score", interrupted)
        stopped = own("ai", "run", KEY, "--no-retrain")
    assert stopped.code == 130
    assert f"coterie ai run {KEY} --resume" in stopped.err
    assert "✗ scoring" in stopped.err
    newest = own("ai", "runs", KEY, "--json").data[0]
    assert (newest["status"], newest["resumable"]) == ("cancelled", True)
    resumed = own("ai", "run", KEY, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert (resumed.data["id"], resumed.data["status"]) == (newest["id"], "succeeded")
    assert own("ai", "run", KEY, "--resume", "--json").error["code"] == "model.nothing-to-resume"


def test_a_draft_is_completed_before_it_runs(own: Run, files: Path, tmp_path: Path) -> None:
    assert own("ai", "create", "later", "--goal", "purchase", "--within", "7d", "--draft").code == 0
    assert own("ai", "run", "later", "--json").error["code"] == "model.draft"
    file = tmp_path / "later.yaml"
    file.write_text((files / "buys_soon.yaml").read_text().replace("buys_soon", "later"))
    done = own("ai", "edit", "later", "--file", str(file), "--no-draft", "--json")
    assert done.code == 0, done.err
    assert (done.data["stated"]["goal"]["window_days"], done.data["model"]["draft"]) == (14, False)
    assert own("ai", "edit", "later", "--file", str(files / "wrong.yaml"), "--json").error["where"]["line"] == 8


def test_what_is_due(own: Run) -> None:
    assert own("ai", "due", "--json").data == []
    later = ["--at", "2026-06-23T00:00:00Z"]
    assert [item["key"] for item in own("ai", "due", *later, "--json").data] == [KEY]
    assert "No model is due" in own("ai", "run", "--due").out


# -- what a run found -------------------------------------------------------------------------------------------------


def test_insights_count_everybody_once(ai: Run) -> None:
    found = ai("insights", KEY, "--json").data
    assert sum(part["people"] for part in found["buckets"]) == found["people"] == sum(found["distribution"]["people"])
    out = ai("insights", KEY).out
    for words in ("people scored", "low", "medium", "high", "not its causes", "0"):
        assert words in out.replace("are not its causes", "not its causes")


def test_a_factor_opens_as_its_values(ai: Run) -> None:
    found = ai("insights", KEY, "--json").data
    code = found["buckets"][2]["factors"][0]["code"]
    out = ai("insights", KEY, "--factor", code).out
    assert "of high" in out
    wrong = ai("insights", KEY, "--factor", code[:-1])
    assert wrong.code == 2
    assert code in wrong.err


def test_the_evaluation_stands_beside_naive_rules(ai: Run) -> None:
    found = ai("evaluation", KEY, "--json").data
    auc = found["pooled"]["auc"]
    assert auc["low"] <= auc["value"] <= auc["high"]
    assert found["rules"]
    out = ai("evaluation", KEY).out
    for words in (
        "puts the right one first",
        "Beside rules that anybody could follow",
        found["rules"][0]["name"],
        "tenth",
    ):
        assert words in out


def test_the_card_is_markdown(ai: Run, tmp_path: Path) -> None:
    assert ai("card", KEY, str(tmp_path / "card.md")).code == 0
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("# ")
    assert "Purchase within 14 days" in text
    assert text.strip() in ai("card", KEY).out


def test_the_value_names_the_best_cut(ai: Run) -> None:
    found = ai("value", KEY, "--contact-cost", "2", "--value-per-success", "8", "--json").data
    assert found["best"]["profit"] == max(cut["profit"] for cut in found["cuts"])
    assert "Best cut" in ai("value", KEY, "--contact-cost", "2", "--value-per-success", "8").out
    refused = ai("value", KEY, "--contact-cost", "-2", "--value-per-success", "8")
    assert refused.code == 2


def test_drift_and_outcomes(ai: Run) -> None:
    found = ai("drift", KEY, "--json").data
    assert found["level"] in ("steady", "warning", "alarm")
    assert "Population stability" in ai("drift", KEY).out
    assert "No window of a run has closed yet" in ai("outcomes", KEY).out


# -- persons ----------------------------------------------------------------------------------------------------------


def test_a_person_is_explained(ai: Run, likely: tuple[str, str]) -> None:
    high, low = likely
    found = ai("explain", high, KEY, "--json").data
    assert found["bucket"] == "high"
    assert found["interval"][0] <= found["probability"] <= found["interval"][1]
    assert found["factors"]
    assert all(item["direction"] == "raises" for item in found["factors"])
    assert all(item["direction"] == "lowers" for item in found["factors_against"])
    out = ai("explain", high, KEY).out
    for words in ("Raises it", "Lowers it", found["factors"][0]["label"], "not its causes", "counts until"):
        assert words in out
    assert [item["key"] for item in ai("explain", low, "--json").data] == [KEY]
    assert " low " in ai("explain", low).out


def test_a_score_on_demand_is_that_of_the_run(ai: Run, likely: tuple[str, str]) -> None:
    saved = ai("explain", likely[0], KEY, "--json").data
    now = ai("score", likely[0], KEY, "--json").data
    for name in ("score", "probability", "bucket", "interval"):
        assert now[name] == saved[name], name
    assert now["run"] is None
    assert "not saved" in ai("score", likely[0], KEY).out


def test_who_is_unknown_or_not_scored_is_told(ai: Run, scored: Path) -> None:
    done = ai("explain", "CustomerID:nobody", KEY, "--json")
    assert done.code == 3
    known = {item["identities"]["CustomerID"][0] for item in _members(scored, f"customerAI.{KEY}.score >= 0")}
    quiet = next(f"c{number}" for number in range(crowd.PEOPLE) if f"c{number}" not in known)
    done = ai("explain", f"CustomerID:{quiet}", KEY)
    assert done.code != 0
    assert "60 days" in done.err or "population" in done.err
    assert "Nothing is predicted" in ai("explain", f"CustomerID:{quiet}").out


def _members(root: Path, rule: str) -> list[dict[str, Any]]:
    run = partial(coterie, root, now=crowd.NOW)
    run("audience", "put", "asked", rule)
    run("audience", "evaluate", "asked")
    items: list[dict[str, Any]] = run("audience", "members", "asked", "--limit", "10000", "--json").data["items"]
    run("audience", "delete", "asked")
    return items


def test_the_profile_shows_scores_and_reasons(scored: Path, likely: tuple[str, str]) -> None:
    namespace, value = likely[0].split(":")
    out = coterie(scored, "profile", "show", namespace, value, now=crowd.NOW).out
    assert "Predictions" in out
    assert re.search(rf"{KEY}\s*│\s*high", out)
    assert "customerAI." not in out


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
def test_scores_are_written_to_a_file(ai: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"scores.{kind}"
    written = ai("scores", KEY, str(path), "--json").data
    scored = ai("insights", KEY, "--json").data["people"]
    assert written["rows"] == scored
    match kind:
        case "parquet":
            assert pq.read_table(path).num_rows == scored
        case "csv":
            assert len(path.read_text().splitlines()) == scored + 1
        case _:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            assert len(rows) == scored
            assert 0 <= rows[0]["probability"] <= 1


def test_a_file_name_that_says_no_format_is_refused(ai: Run, tmp_path: Path) -> None:
    refused = ai("scores", KEY, str(tmp_path / "scores.xlsx"), "--json")
    assert (refused.code, refused.error["code"]) == (2, "export.format")
    assert not list(tmp_path.iterdir())
    assert ai("scores", KEY, str(tmp_path / "scores.txt"), "--format", "csv").code == 0


def test_scores_are_read_page_by_page(scored: Path) -> None:
    with open_workspace(scored, clock=FixedClock(crowd.NOW)) as ws:
        found, after = [], None
        while True:
            page = ws.predictions.page(KEY, limit=100, after=after)
            found += page.items
            after = page.next
            if after is None:
                break
        everybody = ws.predictions.insights(KEY).people
        assert [item.rank for item in found] == list(range(1, everybody + 1))
        assert len({item.person for item in found}) == everybody
        assert [item.probability for item in found] == sorted((item.probability for item in found), reverse=True)
        told = ws.predictions.explain(KEY, found[0].identity)
        for name in ("person", "score", "probability", "interval", "bucket", "factors", "factors_against"):
            assert getattr(told, name) == getattr(found[0], name), name
        with pytest.raises(Invalid) as error:
            ws.predictions.page(KEY, after="' OR 1")
        assert error.value.code == "model.cursor"


def test_versions_say_how_good_they_are_and_which_is_used(ai: Run) -> None:
    (version,) = ai("versions", KEY, "--json").data
    assert (version["number"], version["in_use"], version["run"]) == (1, True, f"{KEY}/1")
    assert version["auc"] == ai("evaluation", KEY, "--json").data["pooled"]["auc"]
    assert "in use" in ai("versions", KEY).out


# -- audiences and pictures -------------------------------------------------------------------------------------------


def test_audiences_are_made_of_scores(own: Run) -> None:
    buckets = {part["bucket"]: part["people"] for part in own("ai", "insights", KEY, "--json").data["buckets"]}
    made = own("ai", "audience", KEY, "hot", "--bucket", "high")
    assert made.code == 0, made.err
    assert "Hold out a random 10 %" in " ".join(made.out.split())
    assert own("audience", "show", "hot", "--json").data["last"]["members"] == buckets["high"]
    assert "random 10 %" not in " ".join(own("ai", "audience", KEY, "cold", "--bucket", "low").out.split())
    assert "Hold out a random 10 %" in " ".join(own("ai", "insights", KEY).out.split())
    everybody = sum(buckets.values())
    assert own("ai", "audience", KEY, "best", "--top", "20%").code == 0
    best = own("audience", "show", "best", "--json").data["last"]["members"]
    assert abs(best - everybody / 5) <= 0.03 * everybody
    assert own("ai", "audience", KEY, "first", "--top", "25").code == 0
    assert own("audience", "show", "first", "--json").data["last"]["members"] == 25
    assert own("ai", "audience", KEY, "middle", "--score", "40-60").code == 0
    spread = own("ai", "insights", KEY, "--json").data["distribution"]["people"]
    assert own("audience", "show", "middle", "--json").data["last"]["members"] == sum(spread[40:61])
    for words in ("--top lots", "--score 3", "--bucket high --top 5%"):
        assert own("ai", "audience", KEY, "wrong", *words.split()).code == 2


def test_pictures_of_a_model(ai: Run, tmp_path: Path) -> None:
    drawn = ai("plot", KEY, "all", str(tmp_path), "--format", "svg", "--json")
    assert drawn.code == 0, drawn.err
    assert len(drawn.data["files"]) == 5
    assert all("Buys within two weeks" in Path(file).read_text() for file in drawn.data["files"])
    assert ai("plot", KEY, "gains", str(tmp_path / "gains.png")).code == 0
    assert (tmp_path / "gains.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    refused = ai("plot", KEY, "gains", str(tmp_path / "gains.gif"), "--json")
    assert (refused.code, refused.error["code"]) == (2, "plot.format")


# -- a server that holds the workspace --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, scored: Path) -> Iterator[Run]:
    root = Path(shutil.copytree(scored, tmp_path_factory.mktemp("served") / "workspace"))
    with serving(root):
        yield partial(coterie, root, "ai", now=crowd.NOW)


def test_a_server_answers_the_same(ai: Run, served: Run, likely: tuple[str, str]) -> None:
    for words in (
        ["list"],
        ["show", KEY],
        ["runs", KEY],
        ["versions", KEY],
        ["insights", KEY],
        ["evaluation", KEY],
        ["card", KEY],
        ["goal", KEY],
        ["value", KEY, "--contact-cost", "2", "--value-per-success", "8"],
        ["explain", likely[0], KEY],
    ):
        assert served(*words, "--json").data == ai(*words, "--json").data, words
    assert served("run", KEY, "--json").error["code"] == "workspace.served"
