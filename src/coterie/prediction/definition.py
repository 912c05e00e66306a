"""What a person states to have something predicted: the goal, for whom, from what, how often."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from coterie.core.clock import DAY

Operator = Literal[
    "exists", "not_exists", "eq", "neq", "in", "not_in", "gt", "gte", "lt", "lte", "between",
    "starts_with", "ends_with", "contains", "matches",
]  # fmt: skip
Propensity = Literal["conversion", "churn"]
Days = Annotated[int, Meta(ge=1, le=365)]


class Test(Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on a field of an event.

    Parameters
    ----------
    field : str
        Path of a field of events.
    op : str
        What is asked of it.
    value : object, optional
        What it is compared with: nothing for `exists` and `not_exists`, a list for `in` and `not_in`, a pair for
        `between`.
    """

    field: str
    op: Operator
    value: Any = None


class Kind(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named kind of events: those for which all of its tests hold, or any of them.

    Parameters
    ----------
    name : str
        What people read, such as in factors.
    where : tuple of Test
        The tests, all on the same event.
    match : str
        Whether ``all`` must hold or ``any``.
    """

    name: str
    where: tuple[Test, ...]
    match: Literal["all", "any"] = "all"


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """What is measured over the events of a kind: the sum of a field."""

    sum: str


class GoalEvent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A kind of events, and how many of them or how much of them the goal asks for.

    Parameters
    ----------
    name, where, match
        As of `Kind`.
    at_least : int
        How many such events the window must hold.
    measure, op, value
        Or else what is summed over them and compared, such as ``{"sum": "value"}``, ``gte``, 500.
    """

    name: str
    where: tuple[Test, ...]
    match: Literal["all", "any"] = "all"
    at_least: Annotated[int, Meta(ge=1)] = 1
    measure: Measure | None = None
    op: Literal["gt", "gte", "lt", "lte", "eq"] = "gte"
    value: float | None = None

    @property
    def kind(self) -> Kind:
        """The kind of events alone."""
        return Kind(self.name, self.where, self.match)


class Goal(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is predicted: whether events will, or will not, occur in a window after the instant of prediction.

    Parameters
    ----------
    events : tuple of GoalEvent
        What is looked for; different events may meet different ones of them.
    window_days : int
        Length of the window.
    polarity : str
        ``will_occur``, or ``will_not_occur``: nothing of it in the window.
    combiner : str
        Whether ``all_of`` the events are asked for or ``any_of`` them.
    gap_days : int
        Days between the prediction and the start of the window, to act in.
    """

    events: Annotated[tuple[GoalEvent, ...], Meta(min_length=1)]
    window_days: Days
    polarity: Literal["will_occur", "will_not_occur"] = "will_occur"
    combiner: Literal["all_of", "any_of"] = "all_of"
    gap_days: Annotated[int, Meta(ge=0, le=365)] = 0

    @property
    def lead_days(self) -> int:
        """Days from a prediction until it is known what came of it."""
        return self.gap_days + self.window_days

    def window(self, cutoff: int) -> tuple[int, int]:
        """Return when the window after a cut-off opens, and when it has closed, ms."""
        return cutoff + self.gap_days * DAY, cutoff + self.lead_days * DAY

    @property
    def measured(self) -> tuple[str, ...]:
        """The fields that are summed, each once."""
        return tuple(dict.fromkeys(event.measure.sum for event in self.events if event.measure is not None))

    @property
    def repeats(self) -> bool:
        """Whether it is one more of a single kind of events, which BG/NBD can predict without examples."""
        event = self.events[0]
        return len(self.events) == 1 and event.at_least == 1 and event.measure is None


class Population(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is scored: people with an event of their own in the look-back, for whom a rule holds.

    Parameters
    ----------
    where : str, optional
        A rule in PQL, asked at each cut-off of what was known before it.
    audience : str, optional
        Or the rule of an audience.
    lookback_days : int or None
        The days before a cut-off in which a person must have done something (not merely been shown something); None
        for everybody with an event before it.
    """

    where: str | None = None
    audience: str | None = None
    lookback_days: Annotated[int, Meta(ge=1, le=3650)] | None = 45


class Attribute(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A field of profiles to learn from.

    Parameters
    ----------
    field : str
        Path of the field.
    confirmed : bool
        Whether a person said that a value known only as of now may be used although it may tell of the goal.
    """

    field: str
    confirmed: bool = False


class Schedule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often people are scored and the model is trained anew: words, or five fields of cron."""

    score: str = "weekly"
    retrain: str = "auto"


class Buckets(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The least scores of the buckets `medium` and `high`."""

    medium: Annotated[int, Meta(ge=1, le=99)] = 25
    high: Annotated[int, Meta(ge=2, le=100)] = 75


class Model(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prediction as it is stated; a definition of the catalog.

    Parameters
    ----------
    key : str
        What programs call it, unique and never changed; scores stand under ``customerAI.<key>``.
    name : str
        What people read wherever the score is shown.
    goal : Goal
        What is predicted.
    propensity : str
        ``conversion`` when a high score is good, ``churn`` when it is bad.
    population : Population
        Who is scored.
    custom_events : tuple of Kind
        Further kinds of events to learn from.
    exposures : tuple of Kind
        What others did to the person (an e-mail sent): learnt from, never given as a reason.
    exclusions : tuple of Kind
        Events that are passed over altogether.
    attributes : tuple of Attribute
        Fields of profiles to learn from.
    categories : tuple of str, optional
        Fields of events whose values are counted one by one; chosen from the data when left out.
    schedule : Schedule
        How often it runs.
    buckets : Buckets
        Bounds of low, medium and high.
    protected : tuple of str
        Profile fields whose groups the model card compares; never learnt from.
    publish : bool
        Whether scores are written to profiles.
    seasonal : bool, optional
        Whether the business is seasonal, when somebody knows; None to let the data tell.
    view : str
        The merge policy whose persons are meant.
    description : str
        For people.
    draft : bool
        Saved, but not to be run yet.
    """

    key: str
    name: str
    goal: Goal
    propensity: Propensity = "conversion"
    population: Population = Population()
    custom_events: tuple[Kind, ...] = ()
    exposures: tuple[Kind, ...] = ()
    exclusions: tuple[Kind, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    categories: tuple[str, ...] | None = None
    schedule: Schedule = Schedule()
    buckets: Buckets = Buckets()
    protected: tuple[str, ...] = ()
    publish: bool = True
    seasonal: bool | None = None
    view: str = "default"
    description: str = ""
    draft: bool = False

    @property
    def kinds(self) -> tuple[Kind | GoalEvent, ...]:
        """The kinds of events that it names, those of the goal first."""
        return (*self.goal.events, *self.custom_events, *self.exposures, *self.exclusions)


def fingerprint(model: Model) -> str:
    """Return the hash of what a model learns: everything but its name, description, schedule and state."""
    bare = msgspec.structs.replace(
        model, name="", description="", schedule=Schedule(), publish=True, draft=False, buckets=Buckets()
    )
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()
