"""Groups of protected attributes compared."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from coterie.prediction.trust.fairness import LEAST, by_group


def drawn(people: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    probability = np.round(random.beta(2, 5, people), 6)
    return probability, random.random(people) < probability, random


def test_groups_by_hand() -> None:
    probability, label, random = drawn(3000)
    values = list(random.choice(["f", "m"], 3000))
    found = by_group("gender", 0, values, probability, label)
    assert [group.people for group in found.groups] == sorted((values.count("f"), values.count("m")), reverse=True)
    one = found.groups[0]
    own = np.array(values) == one.value
    assert one.rate == pytest.approx(label[own].mean(), abs=1e-6)
    assert one.mean_probability == pytest.approx(probability[own].mean(), abs=1e-6)
    assert one.low < one.rate < one.high
    assert one.auc is not None
    assert one.auc > 0.6
    assert not any(group.off for group in found.groups)


def test_a_group_that_is_judged_wrongly_is_told() -> None:
    probability, label, random = drawn(4000)
    values = random.choice(["a", "b"], 4000)
    wrong = np.where(values == "b", np.clip(probability + 0.2, 0, 1), probability)
    found = {group.value: group.off for group in by_group("origin", 0, list(values), wrong, label).groups}
    assert found == {"a": False, "b": True}


def test_people_count_for_those_they_stand_for() -> None:
    probability, label, _ = drawn(2000)
    weight = np.where(label, 1.0, 3.0)
    (group,) = by_group("all", 0, ["x"] * 2000, probability, label, weight).groups
    assert group.rate == pytest.approx(label.sum() / weight.sum(), abs=1e-6)
    assert group.mean_probability == pytest.approx(np.average(probability, weights=weight), abs=1e-6)


def test_small_groups_are_not_shown() -> None:
    probability, label, _ = drawn(1000)
    values = ["x"] * (1000 - LEAST - (LEAST - 1)) + ["y"] * LEAST + ["z"] * (LEAST - 1)
    found = by_group("f", 0, values, probability, label)
    assert [group.value for group in found.groups] == ["x", "y"]
    assert found.suppressed == 1


def test_numbers_are_put_into_ranges_and_missing_values_are_a_group() -> None:
    probability, label, random = drawn(4000)
    ages: list[object] = [None if place % 10 == 0 else Decimal(int(random.integers(18, 90))) for place in range(4000)]
    found = by_group("age", 0, ages, probability, label)
    names = {group.value for group in found.groups}
    assert len(names) == 5
    assert "not known" in names
    assert any(name.startswith("up to ") for name in names)
    assert sum(group.people for group in found.groups) == 4000


def test_truth_values_and_rare_words() -> None:
    probability, label, _ = drawn(6000)
    assert [group.value for group in by_group("vip", 0, [True] * 4000 + [False] * 2000, probability, label).groups] == [
        "yes",
        "no",
    ]
    many = by_group("city", 0, [f"c{place % 40}" for place in range(6000)], probability, label)
    assert many.groups[0].value == "other"
