"""Scores on profiles: those that have expired are not shown, as rules do not see them (`pql.validity`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coterie.core.clock import parse_instant
from coterie.core.schema import PREDICTED, VALID_UNTIL


def lasting(attributes: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return the attributes of a profile without scores that no longer count at an instant.

    Examples
    --------
    >>> scores = {"customerAI": {"buys": {"score": 81, "valid_until": "1970-01-02T00:00:00Z"}}, "id": "7"}
    >>> lasting(scores, 86_399_999) == scores, lasting(scores, 86_400_000)
    (True, {'id': '7'})
    """
    gone = expired(attributes, at)
    if not gone:
        return dict(attributes)
    kept = {key: scores for key, scores in attributes[PREDICTED].items() if key not in gone}
    rest = {name: value for name, value in attributes.items() if name != PREDICTED}
    return rest | ({PREDICTED: kept} if kept else {})


def expired(attributes: Mapping[str, Any], at: int) -> frozenset[str]:
    """Return the models whose scores on a profile no longer count at an instant."""
    found = attributes.get(PREDICTED)
    if not isinstance(found, Mapping):
        return frozenset()
    return frozenset(
        key
        for key, scores in found.items()
        if isinstance(scores, Mapping) and VALID_UNTIL in scores and parse_instant(scores[VALID_UNTIL]) <= at
    )
