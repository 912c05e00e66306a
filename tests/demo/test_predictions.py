"""The predictions of the sample world can be made: what they ask for is there, and what they promise is shown."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from coterie.core.clock import DAY
from coterie.demo import predictions, report, world
from coterie.workspace import Workspace

Loaded = tuple[Workspace, world.DemoReport]

LOOKBACKS = {"buys_in_7_days": 30, "stops_for_30_days": 60, "redeems_a_coupon": 60}
"""Days in which households of each model bought something."""


def test_there_are_three_models_as_files_state_them() -> None:
    assert set(predictions.models()) == set(LOOKBACKS)


@pytest.mark.parametrize("key", LOOKBACKS)
def test_a_model_could_be_trained_on_the_households_that_bought(loaded: Loaded, key: str) -> None:
    ws, _ = loaded
    found = ws.predictions.check({"key": key, **predictions.models()[key]})
    assert found.passed
    assert not [problem for problem in found.problems if problem.severity == "error"]
    households = ws.sandbox.history.con.execute(
        'SELECT count(DISTINCT "household.id") FROM event WHERE "eventType" = $1 AND "timestamp" < $2 '
        'AND "timestamp" >= $3',
        ["commerce.purchases", world.CLOCK.now(), world.CLOCK.now() - LOOKBACKS[key] * DAY],
    ).fetchall()[0][0]
    scored = [cutoff for cutoff in found.cutoffs if cutoff.cutoff == found.scoring_at]
    assert [cutoff.eligible for cutoff in scored] == [households]
    assert min(found.positives, found.negatives) >= 100


def test_models_are_told_with_three_digits_of_their_auc() -> None:
    model = {"model": "buys", "goal": "Purchase within 7 days", "scored": 9, "buckets": None, "learner": "blend"}
    told = {"models": [{**model, "auc": 0.80412345}], "audience": "a", "members": 1234, "pql": "x", "household": []}
    out = io.StringIO()
    report._predictions(Console(file=out, width=120), told)
    assert "│ 0.804 │" in out.getvalue()
    assert "1,234 members" in out.getvalue()


def test_nothing_is_said_of_predictions_that_were_not_asked_for(loaded: Loaded) -> None:
    _, made = loaded
    assert made.predicted is None
    out = io.StringIO()
    report._predictions(Console(file=out), None)
    assert out.getvalue() == ""
