"""Which pictures there are of a model, and how each is drawn from what the readings answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from coterie.cli.ai.plots import curves, people
from coterie.cli.ai.told import day

Data = Mapping[str, Any]
Kind = Literal["lift", "gains", "reliability", "distribution", "factors"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Told:
    """What the readings say of a model: itself, its evaluation, and the insights of a run."""

    name: str
    goal: str
    propensity: str
    bounds: tuple[int, int]
    evaluation: Data
    insights: Data


def draw(kind: Kind, told: Told, path: Path) -> None:
    """Draw a picture into a file; raises ``plot.format``, ``plot.not-installed``, ``file.unwritable``."""
    _DRAWN[kind](told, path)


def _lift(told: Told, path: Path) -> None:
    pooled = [_bounded(item, "lift") for item in told.evaluation["deciles"]]
    tests = {
        day(test["cutoff"]): [(item["decile"], float(item["lift"])) for item in test["deciles"]]
        for test in told.evaluation["backtests"]
    }
    curves.lift(path, told.name, pooled, tests)


def _gains(told: Told, path: Path) -> None:
    found = told.evaluation
    points = [(float(item["share"]), *_bounded(item, "gain")) for item in found["gains"]]
    naive = {
        rule["name"]: [(float(item["share"]), float(item["gain"])) for item in rule.get("gains", ())]
        for rule in found["rules"]
    }
    curves.gains(path, told.name, curves.Curve("This model", points), naive, float(found["pooled"]["rate"]))


def _bounded(item: Data, name: str) -> tuple[float, float, float]:
    """Return a figure with its interval, or with none but itself."""
    value, low, high = item[name], item.get("low"), item.get("high")
    return float(value), float(value if low is None else low), float(value if high is None else high)


def _reliability(told: Told, path: Path) -> None:
    bins = [
        (float(item["predicted"]), *_bounded(item, "observed"), int(item["people"]))
        for item in told.evaluation["reliability"]
    ]
    curves.reliability(path, told.name, bins)


def _distribution(told: Told, path: Path) -> None:
    counts = told.insights["distribution"]["people"]
    buckets = {item["bucket"]: item["people"] for item in told.insights["buckets"]}
    step = 5 if sum(counts) < 1_000 else 1
    bars = [(score, score + step, sum(counts[score : score + step])) for score in range(0, 100, step)]
    bars[-1] = (bars[-1][0], bars[-1][1], bars[-1][2] + counts[100])
    people.distribution(path, told.name, told.propensity, bars, told.bounds, buckets)


def _factors(told: Told, path: Path) -> None:
    buckets = {
        item["bucket"]: [
            (factor["label"], float(factor["contribution"]), float(factor["top_share"])) for factor in item["factors"]
        ]
        for item in told.insights["buckets"]
    }
    people.factors(path, told.name, told.goal, buckets)


_DRAWN: dict[Kind, Callable[[Told, Path], None]] = {
    "lift": _lift,
    "gains": _gains,
    "reliability": _reliability,
    "distribution": _distribution,
    "factors": _factors,
}
