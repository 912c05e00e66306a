"""What a planted leak looks like, and an honest strong feature, and chance."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.modelling.measures import auc
from coterie.prediction.problems import TELLING_AUC
from coterie.prediction.trust.leakage import Suspect, alone, problems_of, telling


@pytest.fixture(scope="module")
def drawn() -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    chance = random.beta(1, 3, 4000)
    return random, chance, random.random(4000) < chance


def test_the_order_of_numbers_in_either_direction(drawn: tuple[np.random.Generator, np.ndarray, np.ndarray]) -> None:
    _, chance, label = drawn
    assert alone(chance, label) == pytest.approx(auc(chance, label), abs=0.02)
    assert alone(-chance, label) == pytest.approx(alone(chance, label), abs=0.01)


def test_a_planted_leak_is_seen_in_every_form(drawn: tuple[np.random.Generator, np.ndarray, np.ndarray]) -> None:
    random, _, label = drawn
    after = np.where(label, random.integers(1, 9, 4000), 0).astype(float)
    only_written_then = np.where(label, random.random(4000), np.nan)
    in_the_middle = np.where(label, random.uniform(4, 6, 4000), random.choice([0.0, 9.0], 4000))
    word = np.where(label, random.choice([2.0, 5.0], 4000), random.choice([1.0, 3.0, 4.0], 4000))
    assert alone(after, label) > 0.99
    assert alone(only_written_then, label) > 0.99
    assert alone(in_the_middle, label) > TELLING_AUC
    assert alone(word, label, categories=True) > 0.99


def test_chance_tells_nothing_be_the_categories_many_or_few(
    drawn: tuple[np.random.Generator, np.ndarray, np.ndarray],
) -> None:
    random, _, label = drawn
    for values in (np.arange(4000.0), random.integers(0, 1500, 4000), random.integers(0, 3, 4000), np.zeros(4000)):
        assert alone(values.astype(float), label, categories=True) < 0.56
    assert alone(random.random(4000), label) < 0.55
    assert alone(np.full(4000, np.nan), label) == 0.5


def examples(label: np.ndarray, **columns: np.ndarray) -> Examples:
    features = tuple(
        Feature(name, Family.ATTRIBUTES if name.startswith("attribute:") else Family.FREQUENCY, name, name)
        for name in columns
    )
    people = np.arange(len(label), dtype=np.int32)
    frame = Frame(
        features, people, np.zeros(len(label), np.int64), np.column_stack(list(columns.values())).astype(np.float32)
    )
    return Examples(frame, label, label, np.full(len(label), -1, np.int32), np.ones(len(label)))


def test_features_that_nearly_know_the_outcome(drawn: tuple[np.random.Generator, np.ndarray, np.ndarray]) -> None:
    _, chance, label = drawn
    leak = label + 0.1 * chance
    found = telling(examples(label, honest=chance, leak=leak, **{"attribute:known": leak}), 0)
    assert [(each.figures["name"], each.severity) for each in found] == [("leak", "warning")]
    assert telling(examples(np.zeros(4000, bool), honest=chance), 0) == ()
    assert telling(examples(label, leak=label.astype(float)), 1) == ()


@pytest.mark.parametrize(
    ("suspect", "severity"),
    [
        (Suspect("a", "snapshot", 0.99, 0.4, 1.0, confirmed=False), "error"),
        (Suspect("a", "snapshot", 0.99, 0.4, 1.0, confirmed=True), "error"),
        (Suspect("a", "snapshot", 0.7, 0.4, 1.0, confirmed=False), "error"),
        (Suspect("a", "snapshot", 0.7, 0.4, 1.0, confirmed=True), None),
        (Suspect("a", "snapshot", 0.7, 0.0, 1.0, confirmed=False), None),
        (Suspect("a", "snapshot", None, 0.2, 1.0, confirmed=False), "error"),
        (Suspect("a", "history", 0.97, 0.0, 1.0, confirmed=False), "warning"),
        (Suspect("a", "history", 0.9, 0.3, 1.0, confirmed=False), None),
    ],
)
def test_which_attributes_are_refused(suspect: Suspect, severity: str | None) -> None:
    found = problems_of([suspect])
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all((each.code, each.number) == ("model.leakage-suspected", 420) for each in found)
