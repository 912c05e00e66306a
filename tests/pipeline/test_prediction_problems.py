"""Codes that only a run can raise: a model that knows nothing, scores that are none, reasons that do not add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.prediction.crafted import NOW, START, Happening, load, model, rows_of, shop

from coterie.core.clock import DAY
from coterie.core.errors import Invalid
from coterie.pipeline.predictions import deciding, explaining, versions
from coterie.prediction.definition import Population
from coterie.prediction.frame import Frame
from coterie.prediction.odds import Floats
from coterie.prediction.run import Status
from coterie.workspace import Workspace

WINDOW = 15
"""More than two weeks, so that timing is learnt week by week and not day by day: there is less to learn."""


def people(count: int, rates: tuple[float, ...], *, seed: int = 1) -> list[Happening]:
    """Return random visits of everybody, and orders at rates of their own."""
    random = np.random.default_rng(seed)
    rate = random.choice(rates, count)
    visits = random.random((count, 150)) < 0.15
    orders = random.random((count, 150)) < rate[:, None]
    return [
        *((int(who), day + 0.3, "visit") for who, day in np.argwhere(visits)),
        *((int(who), day + 0.6, "order") for who, day in np.argwhere(orders)),
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A model that knows who orders often and who seldom."""
    folder = tmp_path_factory.mktemp("trained")
    with shop(folder, people(400, (0.004, 0.06))) as workspace:
        workspace.predictions.create(model(WINDOW, population=Population(lookback_days=10)))
        run = workspace.predictions.run("orders_soon")
        assert run.status is Status.SUCCEEDED, run.error
        yield workspace


def test_402_a_model_that_only_guesses_is_not_published(tmp_path: Path) -> None:
    with shop(tmp_path, people(300, (0.03,))) as workspace:
        workspace.predictions.create(model(polarity="will_not_occur"))
        run = workspace.predictions.run("orders_soon")
        assert run.status is Status.TRAINING_ISSUE
        assert run.error is not None
        assert (run.error.code, run.error.number) == ("model.bad", 402)
        assert run.error.where["low"] < 0.55
        assert "below 55 % nothing is published" in run.error.message
        assert run.batch is None
        card = workspace.predictions.card("orders_soon", 1)
        assert any(section.title == "Limits" for section in card.sections)


@dataclass(frozen=True)
class Adrift:
    """A learner whose reasons are not those of its scores."""

    learner: Any
    off: float
    algorithm: Any = "logistic"

    def log_odds(self, values: Any) -> Floats:
        found: Floats = self.learner.log_odds(values)
        return found

    def contributions(self, values: Any) -> tuple[Floats, float]:
        added, base = self.learner.contributions(values)
        return added + self.off, base

    def files(self) -> dict[str, bytes]:
        return {}


@pytest.mark.parametrize("off", [1e-4, float("nan")])
def test_414_reasons_that_do_not_sum_to_the_score_are_not_shown(trained: Workspace, off: float) -> None:
    version = versions.named(trained.sandbox, "orders_soon", 1)
    learnt = versions.learnt(trained.sandbox, version)
    features = learnt.trained.features
    random = np.random.default_rng(2)
    values = random.gamma(2, 2, (300, len(features))).astype(np.float32)
    frame = Frame(features, np.arange(300, dtype=np.int32), np.full(300, NOW), values)
    explaining.require_sums("orders_soon", learnt.trained, frame)
    broken = replace(learnt.trained, learner=Adrift(learnt.trained.learner, off))
    with pytest.raises(Invalid, match="do not sum to the log-odds") as caught:
        explaining.require_sums("orders_soon", broken, frame)
    assert (caught.value.code, caught.value.where["number"]) == ("model.no-factors", 414)


def test_what_a_run_expected_is_held_against_what_came(trained: Workspace, tmp_path: Path) -> None:
    """Orders of the window after the first run arrive; its scores are read from the batch it published."""
    assert trained.predictions.outcomes("orders_soon").outcomes == ()
    later = people(400, (0.004, 0.06), seed=1)  # the same habits, drawn on
    random = np.random.default_rng(3)
    rate = np.bincount([who for who, _, kind in later if kind == "order"], minlength=400) / 150
    came = np.argwhere(random.random((400, WINDOW)) < rate[:, None])
    load(trained, tmp_path, "event", rows_of([(int(who), 150 + day + 0.5, "order") for who, day in came], 7))
    trained.sandbox.clock.at = NOW + (WINDOW + 1) * DAY  # type: ignore[attr-defined]
    found = trained.predictions.outcomes("orders_soon")
    (outcome,) = found.outcomes
    first = trained.predictions.runs("orders_soon")[-1]
    assert (outcome.run, outcome.people) == (first.id, first.scored)
    assert outcome.expected == pytest.approx(first.mean_probability, abs=1e-6)
    did = {int(who) for who, _ in came}
    assert outcome.actual == pytest.approx(len(did) / 400, abs=0.03)
    assert outcome.auc is not None
    assert outcome.auc > 0.6
    assert found.level in ("steady", "warning")
    stated = trained.predictions.get("orders_soon")
    assert deciding.retrain(trained.sandbox, stated, NOW + 15 * DAY) is None
    load(trained, tmp_path, "event", rows_of([(who, 155.5, "order") for who in range(400)], 8))
    assert trained.predictions.outcomes("orders_soon").level == "alarm"  # far more orders than were expected
    assert deciding.retrain(trained.sandbox, stated, NOW + 15 * DAY) == "outcomes"


def test_403_one_and_the_same_score_for_everybody_is_none(trained: Workspace, tmp_path: Path) -> None:
    alike: list[Happening] = [(9000 + who, 200.3, "visit") for who in range(150)]
    load(trained, tmp_path, "event", rows_of(alike, 9))
    trained.sandbox.clock.at = START + 201 * DAY  # type: ignore[attr-defined]
    run = trained.predictions.run("orders_soon", retrain=False)
    assert run.status is Status.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.number) == ("model.ineligible-scores", 403)
    assert "all 150 got the same one" in run.error.message
    assert run.batch is None
    assert run.as_of >= START + 201 * DAY
