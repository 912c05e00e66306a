"""Runs of a model: trained, scored, published; what stands on profiles, in audiences, in files, after a rebuild."""

import json

import msgspec
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from tests.pipeline import shopping as shop

import coterie
from coterie.core.clock import DAY, FixedClock
from coterie.core.errors import Conflict, CoterieError, Invalid, NotFound
from coterie.pipeline.predictions import deciding, folders, publishing, versions
from coterie.prediction.run import STAGES, Status

RULES = {
    "likely": 'customerAI.buys.bucket = "high"',
    "rhythm": 'customerAI.buys.factors[direction = "raises" and importance = "high"]',
    "rising": "customerAI.buys.score - customerAI.buys.previous_score >= 20",
    "likely-reader": 'inSegment("likely")',
}


@pytest.fixture(scope="module")
def clock():
    return FixedClock(shop.NOW)


@pytest.fixture(scope="module")
def ws(trained, tmp_path_factory, clock):
    """A workspace in which a model was trained, its scores published, and audiences made of them."""
    with coterie.open(shop.copied(trained, tmp_path_factory.mktemp("shop")), clock=clock) as workspace:
        for name, rule in RULES.items():
            workspace.audiences.put(name, rule)
        workspace.audiences.evaluate()
        yield workspace


@pytest.fixture
def copy(ws, tmp_path, clock):
    """Return a workspace like that one, to be changed; its clock stands apart."""
    ws.sandbox.history.con.execute("CHECKPOINT")
    with coterie.open(shop.copied(ws.sandbox.path.parent, tmp_path), clock=FixedClock(clock.at)) as workspace:
        yield workspace


def scores_of(ws, key="buys"):
    """Return the scores on profiles by customer."""
    column = f"customerAI.{key}.probability"
    rows = ws.sandbox.history.con.execute(
        f'SELECT i.value, p."{column}" FROM profile_default p JOIN identity i ON i.identity = p.person '
        f'WHERE p."{column}" IS NOT NULL ORDER BY 1'
    ).fetchall()
    return dict(rows)


def test_a_run_passes_its_stages_and_tells_of_them(ws):
    (run,) = ws.predictions.runs("buys")
    assert [stage.stage for stage in run.stages] == list(STAGES[1:])
    assert (run.kind, run.version, run.trained, run.trigger) == ("train+score", 1, 1, "asked")
    assert run.scored == run.eligible == len(scores_of(ws)) > 100
    assert sum((run.buckets.low, run.buckets.medium, run.buckets.high)) == run.scored
    assert run.valid_until == shop.NOW + 14 * DAY
    assert ws.sandbox.catalog.batch(run.batch).dataset == "Customer AI Scores - Buys in 30 days"
    assert ws.datasets.get("Customer AI Scores - Buys in 30 days").schema == "Customer AI Schema - Buys in 30 days"
    assert not list(folders.work(ws.sandbox.path))


def test_what_is_asked_of_a_run(ws):
    run = ws.predictions.runs("buys")[0]
    insights = ws.predictions.insights("buys")
    assert insights.people == run.scored
    assert [bucket.people for bucket in insights.buckets] == [run.buckets.low, run.buckets.medium, run.buckets.high]
    assert ws.predictions.evaluation("buys").people > 100
    assert ws.predictions.version("buys").hashes == versions.hashes(folders.version(ws.sandbox.path, "buys", 1))
    assert ws.predictions.drift("buys").people == run.scored
    assert ws.predictions.migration("buys").before == 0
    assert ws.predictions.value("buys", 1.0, 20.0).people == run.scored
    assert ws.predictions.view("buys").next_at == run.started_at + 7 * DAY
    assert ws.predictions.counted() == run.scored
    assert ws.predictions.counted(2025) == 0


def test_a_person_is_told_why(ws):
    customer, probability = max(scores_of(ws).items(), key=lambda item: item[1])
    stored = ws.predictions.explain("buys", f"CRMID:{customer}")
    asked = ws.predictions.score("buys", f"CRMID:{customer}")
    assert stored.probability == asked.probability == float(probability)
    assert (stored.score, stored.bucket, stored.interval) == (asked.score, asked.bucket, asked.interval)
    assert [factor.code for factor in stored.factors] == [factor.code for factor in asked.factors]
    assert stored.factors
    assert all(factor.contribution > 0 for factor in stored.factors)
    assert all(factor.contribution < 0 for factor in stored.factors_against)
    assert ws.predictions.predictions(f"CRMID:{customer}") == [stored]
    assert ws.predictions.explain("buys", stored.person) == stored


def test_who_has_no_score_is_told_so(ws):
    everybody = {shop.name(n) for n in range(shop.PEOPLE)}
    stranger = min(everybody - scores_of(ws).keys())
    with pytest.raises(NotFound, match="not in the population") as error:
        ws.predictions.explain("buys", f"CRMID:{stranger}")
    assert error.value.code == "model.no-score"
    assert "coterie ai show buys" in error.value.hint
    with pytest.raises(Conflict) as error:
        ws.predictions.score("buys", f"CRMID:{stranger}")
    assert error.value.code == "model.not-eligible"
    with pytest.raises(NotFound) as error:
        ws.predictions.score("buys", "CRMID:nobody")
    assert error.value.code == "identity.not-found"
    with pytest.raises(NotFound) as error:
        ws.predictions.run("bugs")
    assert (error.value.code, error.value.hint) == ("model.not-found", "Did you mean buys?")


def test_scores_are_members(ws):
    run = ws.predictions.runs("buys")[0]
    assert ws.audiences.size("likely") == ws.audiences.size("likely-reader") == run.buckets.high
    assert 0 < ws.audiences.size("rhythm") <= run.scored
    assert ws.audiences.size("rising") == 0


def test_scores_as_files(ws, tmp_path):
    told = ws.predictions.scores("buys", path=tmp_path / "scores.parquet")
    rows = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert told.rows == len(rows)
    assert {row["CRMID"]: row["probability"] for row in rows} == {
        customer: float(probability) for customer, probability in scores_of(ws).items()
    }
    first = ws.predictions.explain("buys", rows[0]["person"])
    assert [item["code"] for item in rows[0]["factors"]] == [factor.code for factor in first.factors]
    ws.predictions.scores("buys", path=tmp_path / "scores.ndjson")
    lines = [json.loads(line) for line in (tmp_path / "scores.ndjson").read_text().splitlines()]
    assert [line["score"] for line in lines] == [row["score"] for row in rows]
    ws.predictions.scores("buys", path=tmp_path / "scores.csv")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == len(rows) + 1
    with pytest.raises(Invalid) as error:
        ws.predictions.scores("buys", path=tmp_path / "scores.xlsx", format="xlsx")
    assert error.value.code == "export.format"


def test_nothing_is_loaded_into_scores_by_hand(ws, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    with pytest.raises(Conflict) as error:
        ws.ingest.load("Customer AI Scores - Buys in 30 days", path)
    assert error.value.code == "dataset.system"


def test_the_first_run_makes_its_dataset_and_its_schema_both_or_neither(ws):
    made = [
        [item["kind"] for item in entry.body["definitions"]]
        for entry in ws.sandbox.log.entries()
        if entry.kind == "definitions.put"
    ]
    assert made == [["schema", "dataset"]]


def test_a_rebuild_has_the_same_scores_and_versions(ws, tmp_path):
    rebuilt = ws.rebuild(tmp_path / "rebuilt")
    assert rebuilt.same, [table for table in rebuilt.tables if not table.same]
    with coterie.open(tmp_path / "rebuilt", clock=ws.sandbox.clock) as again:
        assert scores_of(again) == scores_of(ws)
        assert again.predictions.runs("buys") == ws.predictions.runs("buys")
        assert again.predictions.version("buys") == ws.predictions.version("buys")
        assert again.predictions.insights("buys") == ws.predictions.insights("buys")
        customer = min(scores_of(ws))
        assert again.predictions.score("buys", f"CRMID:{customer}") == ws.predictions.score("buys", f"CRMID:{customer}")


def test_a_later_run_takes_the_place_of_the_scores(copy, tmp_path):
    before = scores_of(copy)
    copy.sandbox.clock.at += 7 * DAY
    shop.load(copy, tmp_path, shop.later(shop.PEOPLE, 7), "week")
    assert [item.key for item in copy.predictions.due()] == ["buys"]
    (run,) = copy.predictions.run_due()
    assert (run.status, run.kind, run.version, run.trigger) == (Status.SUCCEEDED, "score", 1, "schedule")
    assert run.as_of == shop.NOW + 7 * DAY
    assert not copy.predictions.due()
    after = scores_of(copy)
    assert run.scored == len(after)
    gone = min(before.keys() - after.keys())  # who did nothing for 90 days has left, and has no score any more
    assert not copy.predictions.predictions(f"CRMID:{gone}")
    stayed = min(after)
    told = copy.predictions.explain("buys", f"CRMID:{stayed}")
    assert told.run == "buys/2"
    assert told.previous_score is not None
    assert copy.audiences.size("likely") == run.buckets.high
    assert run.audiences == len(RULES) - 1
    migration = copy.predictions.migration("buys")
    assert (migration.before, migration.after) == (len(before), len(after))
    assert copy.predictions.migration("buys", "2", "1") == migration
    batches = copy.ingest.batches("Customer AI Scores - Buys in 30 days")
    assert [str(batch.status) for batch in batches] == ["inactive", "active"]
    assert copy.rebuild(tmp_path / "rebuilt").same


def test_scores_expire(copy):
    customer = min(scores_of(copy))
    copy.sandbox.clock.at = shop.NOW + 14 * DAY - 1
    assert copy.predictions.predictions(f"CRMID:{customer}")
    assert "customerAI" in copy.profiles.get("CRMID", customer).attributes
    assert copy.audiences.count(RULES["likely"]).count > 0
    copy.sandbox.clock.at += 1
    assert not copy.predictions.predictions(f"CRMID:{customer}")
    assert copy.predictions.explain("buys", f"CRMID:{customer}").expired
    assert "customerAI" not in copy.profiles.get("CRMID", customer).attributes
    assert not any(path.startswith("customerAI") for path in copy.profiles.get("CRMID", customer).provenance)
    assert "customerAI" in copy.profiles.get("CRMID", customer, at=shop.NOW + DAY).attributes
    assert copy.audiences.count(RULES["likely"]).count == 0
    assert copy.audiences.count(RULES["likely"], at=shop.NOW).count > 0
    copy.audiences.evaluate()
    assert copy.audiences.size("likely") == 0


def test_a_model_is_edited_as_far_as_it_may_be(copy):
    edited = copy.predictions.edit("buys", name="Buys soon", schedule="daily", buckets={"medium": 30, "high": 80})
    assert (edited.name, edited.schedule.score, edited.buckets.high) == ("Buys soon", "daily", 80)
    for change in ({"goal": {**shop.BUYS["goal"], "window_days": 7}}, {"view": "unstitched"}, {"seasonal": True}):
        with pytest.raises(Conflict, match="clone") as error:
            copy.predictions.edit("buys", **change)
        assert error.value.code == "model.fixed"
    with pytest.raises(Invalid, match=r"Did you mean|may be changed"):
        copy.predictions.edit("buys", nam="x")
    cloned = copy.predictions.clone("buys", "buys_60", goal={**shop.BUYS["goal"], "window_days": 60})
    assert (cloned.key, cloned.goal.window_days, cloned.name) == ("buys_60", 60, "Buys soon (copy)")
    assert [item.key for item in copy.predictions.list()] == ["buys", "buys_60"]
    with pytest.raises(Conflict) as error:
        copy.predictions.create(shop.BUYS)
    assert error.value.code == "model.exists"


def test_publishing_is_switched_on_later(copy):
    copy.predictions.delete("buys", keep_scores=True)
    copy.predictions.create(shop.BUYS | {"key": "later", "publish": False})
    run = copy.predictions.run("later")
    assert (run.status, run.batch, run.valid_until) == (Status.SUCCEEDED, None, None)
    assert copy.predictions.insights("later").people == run.scored
    assert "later" not in copy.schemas.union().profile.properties["customerAI"].properties
    with pytest.raises(Conflict) as error:
        copy.predictions.scores("later")
    assert error.value.code == "model.unpublished"
    copy.predictions.edit("later", publish=True)
    last = copy.predictions.runs("later")[0]
    assert (last.kind, last.as_of, last.scored) == ("score", run.as_of, run.scored)
    assert len(scores_of(copy, "later")) == run.scored
    assert scores_of(copy, "later") == scores_of(copy, "buys")  # which were kept; the same seed gives the same scores


def test_a_deleted_model_leaves_nothing(copy, tmp_path):
    with pytest.raises(Conflict, match="likely") as error:
        copy.predictions.delete("buys")
    assert error.value.code == "model.in-use"
    for name in reversed(RULES):
        copy.audiences.delete(name)
    scored = copy.predictions.runs("buys")[0].scored
    copy.predictions.delete("buys")
    assert not copy.predictions.list()
    assert "customerAI" not in copy.schemas.union().profile.properties
    assert not folders.model(copy.sandbox.path, "buys").exists()
    assert scores_of(copy) == {}
    assert not [item for item in copy.datasets.list() if item.system]
    assert copy.predictions.counted() == scored
    assert copy.rebuild(tmp_path / "rebuilt").same
    copy.predictions.create(shop.BUYS)
    assert copy.predictions.runs("buys") == copy.predictions.versions("buys") == []
    with pytest.raises(NotFound) as error:
        copy.predictions.run("buys", retrain=False)
    assert error.value.code == "model.untrained"


def test_a_challenger_is_compared_with_the_version_in_use(copy, tmp_path):
    """After 30 days the model is trained anew, and both are asked of people whose window has closed since."""
    copy.sandbox.clock.at += 40 * DAY
    shop.load(copy, tmp_path, shop.later(shop.PEOPLE, 40), "later")
    run = copy.predictions.run("buys")
    assert (run.status, run.kind, run.trained) == (Status.SUCCEEDED, "train+score", 2)
    version = copy.predictions.version("buys", 2)
    assert version.champion == (run.version == 2)
    assert "log-loss of the people at 2026-06-25" in version.decision
    assert "against version 1" in version.decision
    assert copy.predictions.version("buys").number == run.version
    outcomes = copy.predictions.outcomes("buys")
    assert [item.run for item in outcomes.outcomes] == ["buys/1"]
    before = copy.predictions.runs("buys")[-1]
    assert outcomes.outcomes[0].people == before.scored
    assert 0 <= outcomes.outcomes[0].actual <= 1


def test_a_challenger_that_lost_is_followed_by_another_one_only_when_its_time_has_come(copy):
    """A lasting alarm about drift asks for one training, not for one in every run."""
    sandbox, model = copy.sandbox, copy.predictions.get("buys")
    run, champion = copy.predictions.runs("buys")[0], copy.predictions.version("buys")

    def why(days):
        return deciding.retrain(sandbox, model, champion.as_of + days * DAY)

    assert (why(1), why(30)) == (None, "schedule")
    path = folders.run(sandbox.path, "buys", run.number) / publishing.DRIFT
    path.write_bytes(msgspec.json.encode(replace(copy.predictions.drift("buys"), level="alarm")))
    assert why(1) == "drift"
    lost = replace(champion, id="buys/2", number=2, champion=False, as_of=champion.as_of + DAY)
    publishing.note(sandbox, replace(run, id="buys/2", number=2, trained=2), lost)
    assert copy.predictions.version("buys").number == 1
    assert (why(2), why(30), why(31)) == (None, None, "schedule")


def test_a_version_that_is_damaged_is_named_and_trained_anew(copy):
    version = copy.predictions.version("buys")
    next(folders.version(copy.sandbox.path, "buys", 1).rglob("*.json")).write_text("{}")
    run = copy.predictions.run("buys", retrain=False)
    assert (run.status, run.error.code) == (Status.FAILED, "model.damaged")
    assert f"version {version.number} of model buys" in run.error.message
    assert "coterie ai run buys --retrain" in run.error.hint
    assert copy.audiences.size("likely") > 0  # the scores of the run before still stand


def test_audiences_of_scores(copy):
    run = copy.predictions.runs("buys")[0]
    ask = copy.predictions.audience_from
    assert ask("buys", "a", bucket="high").pql == 'customerAI.buys.bucket = "high"'
    assert copy.audiences.size("a") == run.buckets.high
    ask("buys", "b", range=(60, 80), title="From 60 to 80")
    assert (
        copy.audiences.size("b")
        == copy.audiences.count("customerAI.buys.score >= 60 and customerAI.buys.score <= 80").count
    )
    ask("buys", "c", top=0.2)
    assert abs(copy.audiences.size("c") - 0.2 * run.scored) < 0.05 * run.scored
    ask("buys", "d", top=10)
    assert copy.audiences.size("d") >= 10
    ask("buys", "e", reach=0.5)
    assert 0 < copy.audiences.size("e") < run.scored
    code = copy.predictions.insights("buys").buckets[2].factors[0].code
    ask("buys", "f", bucket="high", factor=code)
    assert 0 < copy.audiences.size("f") <= run.buckets.high
    for wrong in (
        {},
        {"bucket": "huge"},
        {"range": (80, 60)},
        {"top": -1},
        {"reach": 2},
        {"bucket": "high", "top": 0.1},
    ):
        with pytest.raises(Invalid) as error:
            ask("buys", "wrong", **wrong)
        assert error.value.code == "model.range"


def test_labels_of_what_a_model_reads_are_those_of_its_scores(tmp_path):
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock(shop.NOW)) as ws:
        shop.define(ws)
        ws.datasets.put("shop", "shop", labels=["C2"])
        ws.predictions.create(shop.BUYS)
        assert ws.predictions.view("buys").labels == ("C2",)
        for change, code in (
            ({"key": "Buys"}, "model.key"),
            ({"name": " "}, "model.spec"),
            ({"goal": "buys"}, "model.spec"),
            ({"buckets": {"medium": 80, "high": 75}}, "model.buckets"),
            ({"schedule": {"score": "hourly"}}, "model.schedule"),
            ({"attributes": [{"field": "nowhere"}]}, "model.unknown-field"),
            ({"attributes": [{"field": "customerAI.buys.score"}]}, "model.attribute"),
            ({"categories": ["nowhere"]}, "model.unknown-field"),
            ({"categories": ["total"]}, "model.attribute"),
            ({"exposures": shop.BUYS["goal"]["events"]}, "model.test"),
            ({"population": {"where": "customerAI.buys.score > 3"}}, "pql.invalid"),
            ({"population": {"where": "true", "audience": "x"}}, "model.population"),
            ({"population": {"audience": "x"}}, "audience.not-found"),
            ({"view": "nowhere"}, "view.not-found"),
        ):
            with pytest.raises(CoterieError) as error:
                ws.predictions.create(shop.BUYS | {"key": "other"} | change)
            assert error.value.code == code, change
        draft = ws.predictions.create(shop.BUYS | {"key": "idea", "draft": True})
        with pytest.raises(Conflict) as error:
            ws.predictions.run("idea")
        assert error.value.code == "model.draft"
        assert ws.predictions.due() == [ws.predictions.view("buys")]
        assert ws.predictions.edit("idea", goal={**shop.BUYS["goal"], "window_days": 7}, draft=False).goal != draft.goal
        with pytest.raises(Conflict) as error:
            ws.predictions.edit("idea", draft=True)
        assert error.value.code == "model.fixed"
        with pytest.raises(Conflict) as error:
            ws.predictions.run("buys", at=shop.NOW + 1)
        assert error.value.code == "model.later"
