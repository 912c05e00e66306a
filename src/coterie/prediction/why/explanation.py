"""Why a person has a score: factors in words, what would change it, and when the events are expected."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

BUCKETS = ("low", "medium", "high")
"""Names of the buckets, in the order of their scores; arrays hold places in it."""

Direction = Literal["raises", "lowers"]
Importance = Literal["low", "medium", "high"]


class Counterfactual(Struct, frozen=True, omit_defaults=True):
    """A change of what is known of a person that would move them to another bucket, as the model sees it.

    It is a statement of the model, worked out by scoring the changed features: not a promise of what would happen.

    Parameters
    ----------
    move : str
        ``waiting`` (nothing more is done for some days) or ``attribute`` (a field of the profile has another value).
    text : str
        The sentence, such as "would leave high after 24 more days without activity".
    bucket : str, optional
        The bucket that they would be in; of what stands on profiles only the sentence is kept.
    days : int, optional
        Of waiting: the first number of days after which the bucket changes.
    value : float, optional
        The value of the factor's feature at which it changes.
    code : str, optional
        The factor that it is about.
    """

    move: Literal["waiting", "attribute"]
    text: str
    bucket: str | None = None
    days: int | None = None
    value: float | None = None
    code: str | None = None


class Factor(Struct, frozen=True, omit_defaults=True):
    """Something known of a person that is associated with a higher or a lower score.

    Parameters
    ----------
    code : str
        Stable code, such as ``since:Purchase``; see `Feature.factor`.
    label : str
        What it is, for people: "Time since last Purchase".
    value_label : str
        The value that tells most, for people: "23 days".
    direction : str
        Whether it ``raises`` or ``lowers`` the probability.
    contribution : float
        By how much, in log-odds.
    share : float
        Its part of everything that speaks for or against.
    importance : str
        Whether it weighs ``low``, ``medium`` or ``high`` among the reasons that this model gives.
    value : float, optional
        The value as a number; nothing when it is a word, or not known.
    peer_range : pair of float, optional
        From the 10th to the 90th percentile of this value among the people of the same bucket.
    peer_label : str
        The same for people: "8 to 40 days".
    counterfactual : Counterfactual, optional
        What would move the person to another bucket.
    """

    code: str
    label: str
    value_label: str
    direction: Direction
    contribution: float
    share: float
    importance: Importance
    value: float | None = None
    peer_range: tuple[float, float] | None = None
    peer_label: str = ""
    counterfactual: Counterfactual | None = None


class Explanation(Struct, frozen=True, omit_defaults=True):
    """Why a person has a score.

    Parameters
    ----------
    raises, lowers : tuple of Factor
        What speaks for a higher and for a lower probability, the weightiest first.
    exposures : tuple of Factor
        What others did to the person and the model takes into account; never a reason.
    base : float
        Log-odds of somebody of whom nothing is known.
    log_odds : float
        Log-odds of the person: the base and the contributions of all factors, shown here or not.
    rest : float
        Contributions of the factors that are not shown.
    counterfactuals : tuple of Counterfactual
        Changes that would move the person to another bucket, the smallest first.
    """

    raises: tuple[Factor, ...]
    lowers: tuple[Factor, ...]
    exposures: tuple[Factor, ...]
    base: float
    log_odds: float
    rest: float
    counterfactuals: tuple[Counterfactual, ...] = ()


class Timing(Struct, frozen=True, omit_defaults=True):
    """When the events of the goal are expected.

    Parameters
    ----------
    days : tuple of int
        Days from the start of the window; the last is its length.
    probability : tuple of float
        Probability that the events have occurred by the end of each of these days.
    expected_day : int, optional
        If they occur in the window: the day by which they have for half of such people.
    """

    days: tuple[int, ...]
    probability: tuple[float, ...]
    expected_day: int | None = None


class TimingTest(Struct, frozen=True):
    """Whether the timing held at the newest past cut-off, by a curve that had learnt nothing after it.

    Parameters
    ----------
    days : tuple of int
        Days from the start of the window.
    expected, observed : tuple of float
        Share of people for whom the events had occurred by the end of each: as predicted before curves are made to
        end at the main probability, and as it was.
    people : int
        How many people these shares are of.
    difference : float
        Mean probability at the end of the window by the curve, less the mean by the main model, for the same people.
    """

    days: tuple[int, ...]
    expected: tuple[float, ...]
    observed: tuple[float, ...]
    people: int
    difference: float | None = None
