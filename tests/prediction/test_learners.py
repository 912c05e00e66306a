"""Learners: contributions sum to log-odds, what is kept reads back the same, and what was planted is found."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from sklearn.linear_model import LogisticRegression
from tests.prediction.series import FEATURES, series

from coterie.prediction.learners import base, bgnbd, logistic
from coterie.prediction.learners.bgnbd import BgNbd, Parameters
from coterie.prediction.learners.blend import Blend
from coterie.prediction.learners.learner import Learner
from coterie.prediction.learners.logistic import Logistic
from coterie.prediction.learners.reading import read
from coterie.prediction.learners.trees import Binned, Trees
from coterie.prediction.modelling.roles import Repeats
from coterie.prediction.odds import log_loss

ROUNDS = 60


@pytest.fixture(scope="module")
def learners() -> dict[str, Learner]:
    examples = series(1_500, 2, 1).examples
    values, label, weight = examples.frame.values, examples.label, examples.weight
    linear = logistic.fit(FEATURES, values, label, weight, seed=0)
    trees = Binned(FEATURES, values, label, weight, 0).fit(ROUNDS, lambda _: None)
    repeated = bgnbd.fit(values, Repeats(0, 1, 2, 14), seed=0)
    assert repeated is not None
    made: tuple[Learner, ...] = (linear, trees, Blend((linear, trees)), repeated, base.fit(label, weight))
    return {learner.algorithm: learner for learner in made}


@pytest.fixture(scope="module")
def unseen() -> np.ndarray:
    """Rows of people that were not learnt from, some of them odd."""
    values = series(500, 1, 2).examples.frame.values.copy()
    values[0] = np.nan
    values[1] = 0
    values[2] = 1e9
    values[3, 4] = 7  # a tier that nobody had
    values[4] = -5
    return values


@pytest.mark.parametrize("algorithm", ["logistic", "trees", "blend", "bgnbd", "base"])
def test_contributions_and_base_sum_to_log_odds(
    learners: dict[str, Learner], unseen: np.ndarray, algorithm: str
) -> None:
    learner = learners[algorithm]
    added, start = learner.contributions(unseen)
    odds = learner.log_odds(unseen)
    assert added.shape == unseen.shape
    assert np.isfinite(odds).all()
    assert np.abs(added.sum(axis=1) + start - odds).max() < 1e-6
    if algorithm != "base":
        assert odds.std() > 0.1


@pytest.mark.parametrize("algorithm", ["logistic", "trees", "blend", "bgnbd", "base"])
def test_what_is_kept_predicts_the_same_to_the_bit(
    learners: dict[str, Learner], unseen: np.ndarray, algorithm: str
) -> None:
    learner = learners[algorithm]
    again = read(learner.algorithm, learner.files())
    assert (again.log_odds(unseen) == learner.log_odds(unseen)).all()
    assert (again.contributions(unseen)[0] == learner.contributions(unseen)[0]).all()
    assert again.files() == learner.files()


def test_one_person_alone_scores_as_among_others(learners: dict[str, Learner], unseen: np.ndarray) -> None:
    for learner in learners.values():
        together = learner.log_odds(unseen)
        assert [learner.log_odds(unseen[i : i + 1])[0] for i in range(5)] == together[:5].tolist()


def test_learners_come_close_to_the_true_odds(learners: dict[str, Learner]) -> None:
    fresh = series(4_000, 1, 3)
    values, label = fresh.examples.frame.values, fresh.examples.label
    best = log_loss(fresh.odds, label).mean()
    rate = log_loss(learners["base"].log_odds(values), label).mean()
    for algorithm in ("logistic", "trees", "blend"):
        loss = log_loss(learners[algorithm].log_odds(values), label).mean()
        assert loss < best + 0.25 * (rate - best), algorithm


def test_a_missing_value_is_told_of_its_feature() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4_000, 2)).astype(np.float32)
    gone = rng.random(4_000) < 0.3
    values[gone, 0] = np.nan
    label = rng.random(4_000) < np.where(gone, 0.8, 0.3)
    found = logistic.fit(FEATURES[2:4], values, label, np.ones(4_000), seed=0)
    added, _ = found.contributions(values)
    assert added[gone, 0].min() > 0.5
    assert np.abs(added[:, 1]).max() < 0.3


def test_logistic_is_what_scikit_learn_fits_with_weights() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(800, 2)).astype(np.float32)
    label = rng.random(800) < 1 / (1 + np.exp(-values[:, 0]))
    weight = rng.integers(1, 4, 800).astype(np.float64)
    found = logistic.fit(FEATURES[2:4], values, label, weight / weight.mean(), seed=0, penalty=0.5)
    design = np.sign(values) * np.log1p(np.abs(values))
    centre = np.average(design, axis=0, weights=weight)
    scale = np.sqrt(np.average((design - centre) ** 2, axis=0, weights=weight))
    reference = LogisticRegression(C=0.5, tol=1e-10, max_iter=1_000)
    reference.fit((design - centre) / scale, label, sample_weight=weight / weight.mean())
    assert found.coefficients == pytest.approx(reference.coef_[0], abs=1e-4)


def test_equal_columns_and_a_first_look_at_some_rows_change_no_coefficient() -> None:
    """Numbers twice, and features that are missing together: as scikit-learn fits all of them from nothing."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(9_000, 4)).astype(np.float32)
    values[rng.random(9_000) < 0.2, :3] = np.nan
    values[:, 2] = values[:, 1]
    label = rng.random(9_000) < 1 / (1 + np.exp(-np.nan_to_num(values[:, 1], nan=1.0) - values[:, 3]))
    weight = np.ones(9_000)
    features = [structs.replace(FEATURES[2], name=f"x{i}") for i in range(4)]
    found = logistic.fit(features, values, label, weight, seed=0)
    assert len(found.columns) == 7
    reference = LogisticRegression(C=logistic.PENALTY, tol=1e-10, max_iter=1_000, solver="newton-cholesky")
    reference.fit(np.ascontiguousarray(found.design.of(values)), label)
    assert found.coefficients == pytest.approx(reference.coef_[0], abs=1e-6)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=1e-6)
    named = {(column.feature, column.part): number for number, column in enumerate(found.columns)}
    alike = [[named[i, "missing"] for i in range(3)], [named[i, "number"] for i in (1, 2)]]
    assert all(len(set(found.coefficients[places])) == 1 for places in alike)
    assert found.coefficients[alike[0][0]] != 0


def test_sampled_rows_with_weights_predict_the_rates_of_all() -> None:
    whole = series(8_000, 1, 5, base=-2.5)
    examples = whole.examples
    kept = examples.label | (np.random.default_rng(0).random(len(examples)) < 0.25)
    weight = np.where(examples.label, 1.0, 4.0)[kept]
    values, label = examples.frame.values[kept], examples.label[kept]
    linear = logistic.fit(FEATURES, values, label, weight, seed=0)
    trees = Binned(FEATURES, values, label, weight, 0).fit(ROUNDS, lambda _: None)
    for learner in (linear, trees):
        p = 1 / (1 + np.exp(-learner.log_odds(examples.frame.values)))
        assert p.mean() == pytest.approx(examples.label.mean(), rel=0.06)


def test_constant_and_empty_features_say_nothing() -> None:
    values = np.column_stack([np.ones(200), np.full(200, np.nan), np.arange(200)]).astype(np.float32)
    label = np.arange(200) > 100
    found = logistic.fit(FEATURES[:3], values, label, np.ones(200), seed=0)
    assert {column.feature for column in found.columns} == {2}


def test_one_class_alone_gives_its_rate() -> None:
    values = np.arange(50, dtype=np.float32)[:, None]
    found = logistic.fit(FEATURES[:1], values, np.zeros(50, np.bool_), np.ones(50), seed=0)
    assert isinstance(found, Logistic)
    assert found.log_odds(values[:1])[0] < -4


def test_same_seed_same_trees() -> None:
    examples = series(600, 1, 1).examples

    def text(seed: int) -> str:
        binned = Binned(FEATURES, examples.frame.values, examples.label, examples.weight, seed)
        return binned.fit(20, lambda _: None).text

    assert text(1) == text(1)
    assert text(1) != text(2)


def test_rounds_do_not_depend_on_a_base_rate_that_moved() -> None:
    """Where far fewer reach the goal in the held-out window, as many rounds are learnt as where nothing moved."""
    moved = []
    for drop in (0.0, 2.5):
        one, other = series(3_000, 1, 7), series(3_000, 1, 8, base=-1.0 - drop)
        values = np.concatenate([one.examples.frame.values, other.examples.frame.values])
        label = np.concatenate([one.examples.label, other.examples.label])
        binned = Binned(FEATURES, values, label, np.ones(len(label)), 0)
        _, rounds = binned.until_no_better(np.arange(3_000), np.arange(3_000, 6_000), lambda _: None)
        moved.append(rounds)
    assert moved[0] > 50
    assert moved[1] > 0.5 * moved[0]


# -- BG/NBD ------------------------------------------------------------------------------------------------------------

TRUE = Parameters(r=0.8, alpha=40.0, a=0.9, b=2.5)


def simulated(people: int, seed: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return count, recency and tenure of customers, and whether each bought again within the window."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(TRUE.r, 1 / TRUE.alpha, people)
    leaves = rng.beta(TRUE.a, TRUE.b, people)
    age = rng.uniform(100, 400, people)
    rows, again = np.empty((people, 3)), np.zeros(people, np.bool_)
    for i in range(people):
        moment, last, count = 0.0, 0.0, 1
        while True:
            moment += rng.exponential(1 / rate[i])
            if moment > age[i]:
                again[i] = moment <= age[i] + window
                break
            last, count = moment, count + 1
            if rng.random() < leaves[i]:
                break
        rows[i] = count, age[i] - last, age[i]
    return rows.astype(np.float32), again


def test_bgnbd_recovers_what_was_simulated() -> None:
    rows, again = simulated(6_000, 3, 60)
    learner = bgnbd.fit(rows, Repeats(0, 1, 2, 60), seed=0)
    assert isinstance(learner, BgNbd)
    found = learner.parameters
    assert found.r == pytest.approx(TRUE.r, rel=0.2)
    assert found.alpha == pytest.approx(TRUE.alpha, rel=0.25)
    assert found.a / (found.a + found.b) == pytest.approx(TRUE.a / (TRUE.a + TRUE.b), rel=0.25)
    p = 1 / (1 + np.exp(-learner.log_odds(rows)))
    assert p.mean() == pytest.approx(again.mean(), abs=0.02)
    order = np.argsort(p)
    for part in np.array_split(order, 5):
        assert p[part].mean() == pytest.approx(again[part].mean(), abs=0.05)


def test_bgnbd_of_not_occurring_is_the_complement() -> None:
    rows, _ = simulated(300, 4, 60)
    occurs, lacks = (bgnbd.fit(rows, Repeats(0, 1, 2, 60, occurs), seed=0) for occurs in (True, False))
    assert occurs is not None
    assert lacks is not None
    assert occurs.log_odds(rows) == pytest.approx(-lacks.log_odds(rows))


def test_bgnbd_by_hand() -> None:
    """The closed form of the specification's source, for one customer with no repeat and one with three."""
    p = bgnbd.again(TRUE, np.array([0.0, 3.0]), np.array([0.0, 90.0]), np.array([50.0, 100.0]), 30)
    none = 1 - ((40 + 50) / (40 + 50 + 30)) ** 0.8
    alive = 1 / (1 + 0.9 / (2.5 + 3 - 1) * ((40 + 100) / (40 + 90)) ** 3.8)
    three = alive * (1 - ((40 + 100) / (40 + 100 + 30)) ** 3.8)
    assert p == pytest.approx([none, three])


def test_bgnbd_needs_some_history() -> None:
    assert bgnbd.fit(np.full((500, 3), np.nan, np.float32), Repeats(0, 1, 2, 30), seed=0) is None


def test_trees_read_from_text_are_the_same_number(learners: dict[str, Learner]) -> None:
    trees = learners["trees"]
    assert isinstance(trees, Trees)
    assert trees.rounds == ROUNDS
