"""How a model does for each group of protected attributes, which it never learns from."""

from __future__ import annotations

from msgspec import Struct


class Group(Struct, frozen=True):
    """A group: the share that did it with its interval, the mean probability, and the calibration error.

    All but its size are null for a group too small to be shown.
    """

    value: str
    people: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    mean_probability: float | None = None
    ece: float | None = None
    auc: float | None = None
    outside: bool = False


class Fairness(Struct, frozen=True):
    """The groups of a protected attribute, largest first, at one back-test."""

    field: str
    cutoff: int
    groups: tuple[Group, ...]
    suppressed: int
    least: int
