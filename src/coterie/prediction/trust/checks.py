"""What a dry run tells: whether a model can be trained, and on how many people, before anything is trained."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from coterie.prediction.problems import Problem
from coterie.prediction.trust.leakage import Suspect
from coterie.prediction.trust.policies import Objection

Role = Literal["training", "test", "scoring"]


class History(Struct, frozen=True):
    """How much there is to learn from.

    `days` are there from the first event to the instant of scoring, `required` would be wanted. `by_time` tells whether
    the model can be tested on a later time than it learnt from.
    """

    first: int | None
    last: int | None
    events: int
    people: int
    days: float
    required: int
    by_time: bool


class CutoffCount(Struct, frozen=True):
    """How many people are eligible at a cut-off, and for how many of them the prediction came true.

    `role` is `test` for a cut-off that a model is tested on, `training` for others, and `scoring` for the instant whose
    outcome is not known yet: its counts of outcomes are null. The window is from `opens` to `closes`.
    """

    cutoff: int
    role: Role
    opens: int
    closes: int
    eligible: int
    positives: int | None = None
    rate: float | None = None


class Completeness(Struct, frozen=True):
    """How full a field is that the model reads: the share of the events of a year, or of the profiles, that have it."""

    field: str
    of: Literal["events", "profiles"]
    share: float
    rows: int


class Check(Struct, frozen=True):
    """What a dry run found.

    Parameters
    ----------
    model : str
        Key of the model.
    at : int
        The instant asked about.
    scoring_at : int
        The instant people would be scored as of: earlier where the data are stale.
    history : History
        How much there is to learn from.
    cutoffs : tuple of CutoffCount
        The instant of scoring first, then the training cut-offs, newest first.
    people, positives, negatives : int
        Different people over all training cut-offs: eligible, and with each outcome at one of them at least.
    completeness : tuple of Completeness
        The fields the model reads.
    attributes : tuple of Suspect
        The attributes it would learn from.
    labels : tuple of str
        Data usage labels of what it reads; its scores carry them.
    objections : tuple of Objection
        Policies that these labels violate.
    problems : tuple of Problem
        Errors first, then warnings.
    seconds : float
        How long it took.
    """

    model: str
    at: int
    scoring_at: int
    history: History
    cutoffs: tuple[CutoffCount, ...]
    people: int
    positives: int
    negatives: int
    completeness: tuple[Completeness, ...]
    attributes: tuple[Suspect, ...]
    labels: tuple[str, ...]
    objections: tuple[Objection, ...]
    problems: tuple[Problem, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing stops a run."""
        return all(problem.severity != "error" for problem in self.problems)
