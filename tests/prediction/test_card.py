"""The model card of a version that was really trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from coterie.core.clock import DAY
from coterie.pipeline.definitions import Definitions
from coterie.prediction.data.store import FeatureStore
from coterie.prediction.definition import Attribute, Population
from coterie.prediction.frame import Examples, Frame
from coterie.prediction.learners.parameters import parameters_of
from coterie.prediction.modelling import scoring
from coterie.prediction.modelling.trained import Trained
from coterie.prediction.modelling.training import train
from coterie.prediction.trust import drift
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.card_writing import Facts, card
from coterie.prediction.trust.examination import Examined, examine
from coterie.prediction.trust.fairness import by_group
from coterie.prediction.why import scale
from coterie.workspace import Workspace

from .crafted import NOW, model, shop

ASKED = model(
    description="Whom to write to.",
    population=Population(where='xEvent[eventType = "visit"].count() >= 2'),
    attributes=(Attribute("tier", confirmed=True),),
    protected=("city",),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    people = [
        {"crm": {"id": f"p{who}"}, "tier": "gold" if who % 3 else "basic", "city": ("Lyon", "Nice")[who % 2]}
        for who in range(600)
    ]
    random = np.random.default_rng(4)
    often = random.choice([0.004, 0.05], 600)
    visits = random.random((600, 150)) < random.gamma(4, 0.05, 600)[:, None]
    orders = random.random((600, 150)) < often[:, None]
    events = [(int(who), day + 0.3, "visit") for who, day in np.argwhere(visits)]
    events += [(int(who), day + 0.6, "order") for who, day in np.argwhere(orders)]
    with shop(tmp_path_factory.mktemp("card"), events, people) as opened:
        yield opened


@pytest.fixture(scope="module")
def examined(workspace: Workspace) -> Examined:
    union = Definitions(workspace.sandbox.catalog).union()
    return examine(workspace.sandbox.history.con, union, ASKED, NOW)


@pytest.fixture(scope="module")
def made(workspace: Workspace, examined: Examined) -> tuple[FeatureStore, Examples, Trained]:
    assert examined.cutoffs is not None
    assert examined.vocabulary is not None
    union = Definitions(workspace.sandbox.catalog).union()
    store = FeatureStore(workspace.sandbox.history.con, union, ASKED, examined.vocabulary)
    examples = store.training(examined.cutoffs.training)
    return store, examples, train(examples, examined.cutoffs, ASKED.goal, seed=3)


@pytest.fixture(scope="module")
def facts(examined: Examined, made: tuple[FeatureStore, Examples, Trained]) -> Facts:
    _, examples, trained = made
    assert examined.cutoffs is not None
    assert examined.vocabulary is not None
    assert trained.out_of_time is not None
    tested = trained.out_of_time.tested
    newest = tested.of(0)
    cities = [("Lyon", "Nice")[person % 2] for person in tested.people[newest]]
    return Facts(
        model=ASKED,
        version=1,
        made_at=NOW,
        check=examined.check,
        cutoffs=examined.cutoffs,
        vocabulary=examined.vocabulary,
        features=trained.features,
        evaluation=trained.evaluation,
        windows=trained.interval.windows,
        scale=scale.measure(trained, examples.take(tested.rows)),
        parameters=parameters_of(trained.learner),
        libraries={"lightgbm": "4"},
        seed=3,
        data="abc",
        problems=examined.check.problems,
        fairness=(
            by_group("city", tested.cutoffs[0], cities, trained.out_of_time.probability[newest], tested.label[newest]),
        ),
    )


@pytest.fixture(scope="module")
def written(facts: Facts) -> Card:
    return card(facts)


def test_a_card_has_every_part(written: Card, facts: Facts) -> None:
    titles = [section.title for section in written.sections]
    assert titles[0] == "What it predicts"
    assert {"How well it does", "Limits", "What it must not be used for", "Groups", "Warnings"} <= set(titles)
    text = written.markdown
    for said in (
        "# Orders soon",
        "Order within 14 days",
        "Whom to write to.",
        "a high score is good",
        "600 people, 2026-01-01 to 2026-05-30",
        "Boosted trees" if facts.evaluation.algorithm in ("blend", "trees") else "Logistic regression",
        "Hold out a random 10 %",
        "Of tier only the latest value is known",
        "credit, insurance or housing",
        "employment",
        "mild look-ahead",
    ):
        assert said in text, said
    for backtest in facts.evaluation.backtests:
        assert backtest.measures.auc.value is not None
        assert f"{backtest.measures.auc.value:.3f} (" in text


def test_tables_are_whole(written: Card) -> None:
    rows = [line for line in written.markdown.splitlines() if line.startswith("|")]
    assert len(rows) > 30
    for section in written.sections:
        for table in section.tables:
            assert {len(row) for row in table.rows} == {len(table.headings)}


def test_words_of_people_do_not_break_the_markdown(facts: Facts) -> None:
    odd = msgspec.structs.replace(ASKED, name="A | *b*\n# c", description="<script> | x")
    lines = card(replace(facts, model=odd)).markdown.splitlines()
    assert lines[0] == "# A \\| \\*b\\* # c"
    assert [line for line in lines if line.startswith("# ")] == [lines[0]]
    assert "- **Purpose:** \\<script\\> \\| x" in lines


def test_a_card_is_the_same_read_back(written: Card) -> None:
    assert msgspec.json.decode(msgspec.json.encode(written), type=Card) == written


def test_without_protected_attributes_no_groups_are_compared(facts: Facts) -> None:
    assert "no groups were compared" in card(replace(facts, fairness=())).markdown


# -- drift of really built features ---------------------------------------------------------------------------------


def scored(made: tuple[FeatureStore, Examples, Trained], frame: Frame) -> drift.Drift:
    _, examples, trained = made
    assert trained.out_of_time is not None
    kept = drift.refer(examples, trained.out_of_time.probability, trained.out_of_time.tested.rows)
    return drift.compare(kept, frame, scoring.score(trained, frame).probability)


def test_people_who_go_on_as_before_raise_no_alarm(made: tuple[FeatureStore, Examples, Trained]) -> None:
    found = scored(made, made[0].build([NOW]))
    assert found.level != "alarm", found.reasons


def test_people_who_fall_silent_raise_the_alarm(made: tuple[FeatureStore, Examples, Trained]) -> None:
    assert scored(made, made[0].build([NOW + 30 * DAY])).level == "alarm"
