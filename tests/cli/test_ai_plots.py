"""Pictures of a model: files of the right kind that say what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from coterie.cli.ai.plots import drawn, style
from coterie.core.errors import Invalid, Unsupported
from coterie.prediction.modelling import backtest
from coterie.prediction.why.insights import BucketFactor, BucketInsights, Distribution, Insights

DAY = 1_767_225_600_000


@pytest.fixture(scope="module")
def told() -> drawn.Told:
    """What is told of predictions made up here, measured by the real measures."""
    dice = np.random.default_rng(5)
    probability = dice.beta(2, 5, 1200)
    label, weight = dice.random(1200) < probability, np.ones(1200)
    everybody = np.arange(1200)
    recent = backtest.NaiveRule("Most recent first", "since", probability + dice.normal(0, 0.2, 1200))
    tested = backtest.Tested(everybody, np.zeros(1200, int), everybody.astype(np.int32), label, weight, (DAY,), (100,))
    evaluation = {
        "pooled": {"rate": float(label.mean())},
        "backtests": backtest.backtests(tested, probability, [recent], 1),
        "deciles": backtest.deciles(probability, label, weight),
        "reliability": backtest.reliability(probability, label, weight),
        "gains": backtest.gains(probability, label, weight),
        "rules": backtest.judged([recent], label, weight, everybody),
    }
    score = np.minimum(100, (probability * 130).astype(int))
    parts = []
    for bucket, low, high, way in (("low", 0, 25, -1), ("medium", 25, 75, 1), ("high", 75, 101, 1)):
        held = (score >= low) & (score < high)
        factors = (
            BucketFactor("since:Purchase", "Time since last Purchase", "raises", 0.8 * way, 0.9, 0.7, "days"),
            BucketFactor("often:Purchase", "How often: Purchase", "lowers", -0.3 * way, 0.4, 0.4, "times"),
        )
        parts.append(BucketInsights(bucket, int(held.sum()), float(held.mean()), 0.2, int(held.sum()), factors))
    counts = tuple(int(count) for count in np.bincount(score, minlength=101))
    insights = Insights(1200, 0.3, Distribution(counts), tuple(parts))
    return drawn.Told(
        "Buys soon",
        "Purchase within 14 days",
        "conversion",
        (25, 75),
        msgspec.to_builtins(evaluation),
        msgspec.to_builtins(insights),
    )


WORDS = {
    "lift": ("Buys soon: lift by tenth of people", "95 % intervals", "Times the average rate"),
    "gains": ("Buys soon: gains", "Most recent first", "At random", "Best possible", "Share of people taken"),
    "reliability": ("Buys soon: reliability", "Probability given", "Exactly as said"),
    "distribution": ("Buys soon: distribution of scores", "of 1,200 people", "medium", "Score"),
    "factors": ("Buys soon: factors", "Time since last Purchase", "not the cause of", "high", "low"),
}


@pytest.mark.parametrize("kind", drawn.KINDS)
def test_an_svg_has_its_words_as_text(told: drawn.Told, tmp_path: Path, kind: drawn.Kind) -> None:
    drawn.draw(kind, told, tmp_path / "a.svg")
    text = " ".join(re.findall(r">([^<>]+)</(?:text|tspan)>", (tmp_path / "a.svg").read_text()))
    for words in WORDS[kind]:
        assert words in text, (words, text)


def test_the_same_figures_give_the_same_file(told: drawn.Told, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        drawn.draw("gains", told, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_png_is_a_picture_with_the_colours_of_its_polarity(told: drawn.Told, tmp_path: Path) -> None:
    matplotlib_image = pytest.importorskip("matplotlib.image")
    shares = {}
    for propensity in ("conversion", "churn"):
        drawn.draw("distribution", replace(told, propensity=propensity), tmp_path / "a.png")
        pixels = matplotlib_image.imread(tmp_path / "a.png")
        assert pixels.shape[0] > 600
        assert pixels.shape[1] > 1000
        right, left = pixels[:, pixels.shape[1] * 4 // 5 :], pixels[:, : pixels.shape[1] // 4]
        shares[propensity] = {
            name: (_has(left, colour), _has(right, colour))
            for name, colour in (("good", style.GOOD), ("bad", style.BAD))
        }
    assert shares["conversion"] == {"good": (False, True), "bad": (True, False)}
    assert shares["churn"] == {"good": (True, False), "bad": (False, True)}


def _has(pixels: np.ndarray, colour: str) -> bool:
    wanted = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return bool((np.abs(pixels[:, :, :3] - wanted).max(axis=2) < 0.01).sum() > 50)


def test_other_files_are_refused_before_anything_is_drawn(told: drawn.Told, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        drawn.draw("lift", told, tmp_path / "a.pdf")
    assert caught.value.code == "plot.format"
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Unsupported) as caught:
        style.check(Path("a.png"))
    assert caught.value.code == "plot.not-installed"
    assert "coterie[plots]" in (caught.value.hint or "")


def test_the_command_line_loads_no_learner_and_no_drawing() -> None:
    """They take seconds, and most verbs need neither."""
    heavy = "matplotlib", "lightgbm", "sklearn", "scipy"
    code = f"import sys, coterie.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
