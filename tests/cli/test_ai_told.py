"""What `coterie ai` shows of answers that are stated here by hand."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from coterie.cli.ai import measured, told


def shown(show: Any, found: Any) -> str:
    """Return what is printed of an answer."""
    text = io.StringIO()
    show(Console(file=text, width=120), found)
    return text.getvalue()


def outcome(number: int, actual: float) -> dict[str, Any]:
    bucket = {"bucket": "low", "people": 10, "expected": 0.1, "actual": actual, "low": 0.0, "high": 0.5}
    given = {"run": f"k/{number}", "closes": 0, "people": 10, "expected": 0.1, "actual": actual, "auc": 0.7}
    return {**given, "low": 0.0, "high": 0.2, "level": "steady", "buckets": [bucket]}


def test_the_buckets_of_outcomes_are_those_of_the_newest_run() -> None:
    answer = {"outcomes": [outcome(2, 0.2), outcome(1, 0.4)], "level": "steady", "reasons": []}
    text = shown(measured.outcomes, answer)
    assert "Buckets of run k/2" in text
    assert "Buckets of run k/1" not in text


def test_who_moved_is_not_asked_of_a_first_run() -> None:
    first = {"before": 0, "after": 344, "moves": [{"before": None, "after": "low", "people": 344}]}
    assert "nobody had one before" in shown(measured.migration, first)
    later = {"before": 10, "after": 10, "moves": [{"before": "high", "after": "low", "people": 10}]}
    assert "10 people scored before, 10 now" in shown(measured.migration, later)


def test_what_would_change_the_bucket_is_told_once_with_a_factor_or_without() -> None:
    waiting = {"move": "waiting", "text": "would leave high after 24 more days without activity"}
    found = {
        "propensity": "conversion",
        "factors": [
            {"label": "Tier", "value_label": "gold", "contribution": 1, "importance": "high", "counterfactual": waiting}
        ],
        "factors_against": [],
    }
    said = "By this model: would leave high after 24 more days without activity."
    assert shown(told.reasons, found).count(said) == 1
    assert shown(told.reasons, {**found, "counterfactuals": [waiting]}).count(said) == 1
    bare = {**found, "factors": [], "counterfactuals": [waiting]}
    assert shown(told.reasons, bare).count(said) == 1
