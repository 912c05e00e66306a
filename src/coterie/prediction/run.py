"""Runs of a model, the versions that they leave, and what is said of one person."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from coterie.prediction.why.explanation import Counterfactual, Factor, Timing

Trigger = Literal["asked", "schedule", "drift", "configuration", "outcomes"]
"""Why a run was started: a person asked, its time had come, the people changed, the goal changed, what came was not
what was promised."""

RunKind = Literal["train+score", "score"]


class Status(StrEnum):
    """How far a run is, or how it ended."""

    QUEUED = "queued"
    CHECKING = "checking"
    BUILDING_FEATURES = "building_features"
    TRAINING = "training"
    EVALUATING = "evaluating"
    SCORING = "scoring"
    EXPLAINING = "explaining"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TRAINING_ISSUE = "training_issue"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of the run."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TRAINING_ISSUE)


STAGES = tuple(status for status in Status if not status.ended)
"""The stages of a run, in order; a run that does not train passes over two of them."""


class Stage(Struct, frozen=True):
    """A stage that a run has passed.

    Parameters
    ----------
    stage : Status
        Which.
    seconds : float
        How long it took.
    rows : int or None
        How many rows it made: pairs of people and cut-offs, people, records.
    """

    stage: Status
    seconds: float
    rows: int | None = None


class RunError(Struct, frozen=True):
    """Why a run failed: an error as everywhere, with its number in the catalogue of Customer AI, if it has one."""

    code: str
    message: str
    hint: str | None = None
    number: int | None = None
    where: dict[str, Any] = {}


class BucketCounts(Struct, frozen=True):
    """How many people are in each bucket."""

    low: int
    medium: int
    high: int


class Run(Struct, frozen=True):
    """One execution of a model; a definition of the catalog once it has ended.

    Parameters
    ----------
    id : str
        ``<key>/<number>``.
    key : str
        The model.
    number : int
        From 1.
    kind : str
        ``train+score`` or ``score``.
    status : Status
        How far it is, or how it ended.
    as_of : int
        The instant whose scores these are, ms: only what happened before it was read.
    started_at, finished_at : int
        Instants; `finished_at` is None until it has ended.
    configuration : str
        Hash of what the model learns (`definition.fingerprint`).
    seed : int
        Of everything random.
    trigger : str
        Why it was started.
    version : int, optional
        The version of the model whose scores these are.
    trained : int, optional
        The version that this run trained: another one when it did not take the place of the one before.
    stages : tuple of Stage
        The stages passed.
    eligible : int
        People in the population.
    scored : int
        People with a score.
    buckets : BucketCounts, optional
        How they are spread.
    mean_probability : float, optional
        The mean of all probabilities.
    batch : str, optional
        The batch of scores on profiles; None when they were not published.
    valid_until : int, optional
        Until when the scores count.
    audiences : int
        Audiences that were evaluated anew because they read the scores.
    error : RunError, optional
        Why it failed.
    warnings : tuple of str
        What is to be known about it, a sentence each.
    resumable : bool
        Whether a run that did not end can be taken up where it stopped.
    """

    id: str
    key: str
    number: int
    kind: RunKind
    status: Status
    as_of: int
    started_at: int
    finished_at: int | None
    configuration: str
    seed: int
    trigger: Trigger = "asked"
    version: int | None = None
    trained: int | None = None
    stages: tuple[Stage, ...] = ()
    eligible: int = 0
    scored: int = 0
    buckets: BucketCounts | None = None
    mean_probability: float | None = None
    batch: str | None = None
    valid_until: int | None = None
    audiences: int = 0
    error: RunError | None = None
    warnings: tuple[str, ...] = ()
    resumable: bool = False

    @property
    def seconds(self) -> float:
        """How long its stages took."""
        return sum(stage.seconds for stage in self.stages)


class Version(Struct, frozen=True):
    """What one training left; a definition of the catalog. Its learners are in the folder of the version.

    Parameters
    ----------
    id : str
        ``<key>/<number>``.
    key : str
        The model.
    number : int
        From 1.
    run : str
        The run that trained it.
    trained_at, as_of : int
        When it was trained, and the instant before which everything lies that it learnt from.
    configuration : str
        Hash of what the model learns.
    algorithm : str
        The learner that was chosen.
    champion : bool
        Whether it took the place of the version before; a candidate is kept, and not used.
    decision : str
        Why, in a sentence.
    data : str
        Hash of the examples it learnt from.
    hashes : dict of str to str
        SHA-256 of its files, by name.
    libraries : dict of str to str
        Versions of what it was trained with.
    evaluation : dict
        The evaluation, as `evaluation` of the workspace returns it.
    card : dict
        The model card, as `card` of the workspace returns it.
    """

    id: str
    key: str
    number: int
    run: str
    trained_at: int
    as_of: int
    configuration: str
    algorithm: str
    champion: bool
    decision: str = ""
    data: str = ""
    hashes: dict[str, str] = {}
    libraries: dict[str, str] = {}
    evaluation: dict[str, Any] = {}
    card: dict[str, Any] = {}


class Prediction(Struct, frozen=True):
    """What a model says of one person.

    Parameters
    ----------
    person : str
        Public id of the person.
    key, name : str
        The model.
    propensity : str
        ``conversion`` when a high score is good, ``churn`` when it is bad.
    goal : str
        What is predicted, in words.
    score, probability, interval, percentile, bucket
        The answer: 0 to 100, a probability, between which values it lies, the rank among all scored in hundredths,
        and the bucket. Percentiles of a score worked out on demand are those of the last run.
    previous_score : int, optional
        That of the run before.
    expected_date : int, optional
        When it is to be expected, if it is.
    window_days : int
        Length of the window.
    as_of, score_date, valid_until : int
        What was read lies before `as_of`; scored when; until when it counts.
    version : int
        The version of the model.
    run : str, optional
        The run; None for a score worked out on demand.
    factors, factors_against : tuple of Factor
        What raises it, and what lowers it.
    exposures : tuple of Factor
        What others did to the person and the model takes into account; never a reason. Of scores on demand only.
    timing : Timing, optional
        When it is to be expected; of scores on demand only.
    counterfactuals : tuple of Counterfactual
        What would move the person to another bucket, where it was asked for.
    expired : bool
        Whether it counts no longer.
    notes : tuple of str
        What is to be known about it, a sentence each.
    """

    person: str
    key: str
    name: str
    propensity: str
    goal: str
    score: int
    probability: float
    interval: tuple[float, float]
    percentile: int | None
    bucket: Literal["low", "medium", "high"]
    window_days: int
    as_of: int
    score_date: int
    valid_until: int
    version: int
    run: str | None = None
    previous_score: int | None = None
    expected_date: int | None = None
    factors: tuple[Factor, ...] = ()
    factors_against: tuple[Factor, ...] = ()
    exposures: tuple[Factor, ...] = ()
    timing: Timing | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()
    expired: bool = False
    notes: tuple[str, ...] = ()


class ModelView(Struct, frozen=True):
    """A model with what became of it, for lists.

    Parameters
    ----------
    key, name, propensity, description, goal
        The model; the goal in words.
    schedule : str
        How often it runs.
    draft, publish : bool
        Whether it can not be run yet; whether its scores are written to profiles.
    configuration_version : int
        How often it was saved.
    version : int, optional
        The version in use.
    last : Run, optional
        Its last run.
    next_at : int, optional
        When it is to run next.
    labels : tuple of str
        Labels of the fields that it reads.
    """

    key: str
    name: str
    propensity: str
    description: str
    goal: str
    schedule: str
    draft: bool
    publish: bool
    configuration_version: int
    version: int | None = None
    last: Run | None = None
    next_at: int | None = None
    labels: tuple[str, ...] = ()


class ScoresFile(Struct, frozen=True):
    """Scores of a run, written to a file."""

    path: str
    run: str
    format: str
    rows: int


class ScoredPerson(Struct, frozen=True):
    """A person as a run scored them.

    Parameters
    ----------
    person : str
        Public id.
    identity : str
        By which they were scored, as ``Namespace:value``.
    rank, percentile, score, probability, interval, bucket
        The score; rank 1 is the likeliest.
    previous_score : int or None
        That of the run before.
    expected_date : int or None
        When it is to be expected, if it is.
    factors, factors_against : tuple of Factor
        What raises it, and what lowers it.
    """

    person: str
    identity: str
    rank: int
    percentile: int
    score: int
    probability: float
    interval: tuple[float, float]
    bucket: Literal["low", "medium", "high"]
    previous_score: int | None
    expected_date: int | None
    factors: tuple[Factor, ...]
    factors_against: tuple[Factor, ...]


class ScoresPage(Struct, frozen=True):
    """Some of the scores of a run, the likeliest first; `next` is the cursor of the page after, null on the last."""

    run: str
    as_of: int
    items: tuple[ScoredPerson, ...]
    next: str | None
