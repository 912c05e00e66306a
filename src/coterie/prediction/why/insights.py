"""What a run says of everybody: how scores are distributed, and what goes with low, medium and high ones."""

from __future__ import annotations

from msgspec import Struct

from coterie.prediction.why.explanation import Direction


class ValueRange(Struct, frozen=True, omit_defaults=True):
    """The people of a bucket for whom a factor has a value of some range; ranges are the same in all buckets.

    Parameters
    ----------
    label : str
        The range, for people: "8 to 14 days".
    people : int
        How many people of the bucket.
    coverage : float
        Their share of the bucket.
    low, high : float, optional
        Bounds: from `low`, up to but not including `high`; None where there is none.
    value : str, optional
        Of a category: the value.
    known : bool
        False for the range of those of whom nothing is known.
    rate : float, optional
        The share of people of this range, in any bucket, of whom the prediction came true in the past windows that
        the model was tested on.
    tested : int
        How many people that share is of.
    pql : str, optional
        The rule of these people, when it can be said as one.
    """

    label: str
    people: int
    coverage: float
    low: float | None = None
    high: float | None = None
    value: str | None = None
    known: bool = True
    rate: float | None = None
    tested: int = 0
    pql: str | None = None


class BucketFactor(Struct, frozen=True, omit_defaults=True):
    """A factor among the people of a bucket.

    Parameters
    ----------
    code, label
        As of `Factor`.
    direction : str
        Whether it raises or lowers the probability of these people, on the whole.
    contribution : float
        Mean contribution to the log-odds, with its sign.
    weight : float
        Mean of its amount.
    top_share : float
        Share of the people for whom it is among the shown reasons.
    values_of : str
        What the ranges are of: the value of this factor that tells most, such as "Purchases in 90 days".
    ranges : tuple of ValueRange
        How its values are spread.
    pql : str, optional
        The rule of the people of the bucket who have this factor among their reasons.
    """

    code: str
    label: str
    direction: Direction
    contribution: float
    weight: float
    top_share: float
    values_of: str
    ranges: tuple[ValueRange, ...] = ()
    pql: str | None = None


class BucketInsights(Struct, frozen=True, omit_defaults=True):
    """The people of a bucket.

    Parameters
    ----------
    bucket : str
        ``low``, ``medium`` or ``high``.
    people : int
        How many.
    share : float
        Their share of all that were scored.
    probability : float, optional
        Their mean probability: the rate that is expected.
    explained : int
        For how many of them factors were worked out.
    factors : tuple of BucketFactor
        The weightiest factors.
    exposures : tuple of BucketFactor
        The same of what others did to them; never reasons.
    """

    bucket: str
    people: int
    share: float
    probability: float | None
    explained: int
    factors: tuple[BucketFactor, ...] = ()
    exposures: tuple[BucketFactor, ...] = ()


class Distribution(Struct, frozen=True, omit_defaults=True):
    """How many people have each score.

    Parameters
    ----------
    people : tuple of int
        How many have the score 0, 1, …, 100.
    hits : tuple of int, optional
        Of how many of them the prediction came true; known when the window has passed.
    """

    people: tuple[int, ...]
    hits: tuple[int, ...] | None = None


class Insights(Struct, frozen=True, omit_defaults=True):
    """What a run says of everybody.

    Parameters
    ----------
    people : int
        How many were scored.
    probability : float, optional
        Their mean probability.
    distribution : Distribution
        Their scores.
    buckets : tuple of BucketInsights
        Low, medium and high.
    notes : tuple of str
        What is to be known before people are chosen by it, a sentence each.
    """

    people: int
    probability: float | None
    distribution: Distribution
    buckets: tuple[BucketInsights, ...]
    notes: tuple[str, ...] = ()


class Move(Struct, frozen=True):
    """People who went from one bucket to another between two runs; None is nobody's: not scored."""

    before: str | None
    after: str | None
    people: int


class Migration(Struct, frozen=True):
    """Who moved between the buckets of two runs.

    Parameters
    ----------
    before, after : int
        How many people each of the runs scored.
    moves : tuple of Move
        For each pair of buckets how many; also who came and who left.
    """

    before: int
    after: int
    moves: tuple[Move, ...]
