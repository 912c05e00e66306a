"""Attributes and features that know the outcome: they are written because of it, and not known beforehand."""

from __future__ import annotations

from msgspec import Struct


class Suspect(Struct, frozen=True):
    """How much an attribute tells of the goal by itself.

    `auc` is that of the attribute alone at the newest cut-off whose outcome is known; `late` the share of people whose
    value was written after it. `history` tells whether values are those of the cut-off; else only the latest are known.
    """

    field: str
    auc: float | None
    late: float
    history: bool
    confirmed: bool
