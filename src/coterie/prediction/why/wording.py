"""Factors and their values in words that need no explanation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Family, Feature
from coterie.prediction.why.quantities import Unit, between, quantity, rounded
from coterie.prediction.why.quantities import spread as spread_of
from coterie.prediction.why.ranges import Range

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
"""What looks like the path of a field, such as ``commerce.order.priceTotal``."""
_CLAUSE = 3
"""So many words at the end of both bounds of a range are no clause to be said once."""
_GROUPS = frozenset({"application", "commerce", "search", "web"})
"""First names of the types of events of the standard field groups."""
_WORD = re.compile(r"[^\W\d_]{3}")
"""What a value has that speaks for itself: "coats" does, 292 and XL say nothing without their field."""


@dataclass(frozen=True)
class Phrase:
    """How a measure is said.

    Parameters
    ----------
    name : str
        What is measured: "number in {a} days"; `a` and `b` are the numbers in the name of the feature.
    value : str
        A value of it: "{quantity} in {a} days".
    unit : Unit
        How its quantities are written.
    missing : str
        What is said when there is no value.
    zero : str
        What is said of nothing, if not the quantity.
    negative : str
        What is said of less than nothing, if not the same.
    scale : float
        What numbers are multiplied by before they are written.
    """

    name: str
    value: str = "{quantity}"
    unit: Unit = Unit.AMOUNT
    missing: str = "not known"
    zero: str = ""
    negative: str = ""
    scale: float = 1.0


@dataclass(frozen=True)
class Language:
    """Everything that is said in a language.

    Parameters
    ----------
    factors : dict of str to str
        The label of a factor by the kind of its code, what stands before the colon.
    families : dict of Family to str
        The label of others, by family.
    measures : tuple of pairs
        Patterns of the names of measures, what stands after the last colon in the name of a feature; the first that
        matches holds.
    attribute, last : Phrase
        How attributes are said, and how long ago a value of a field last was.
    truth : pair of str
        How no and yes are said.
    named : str
        A feature: its subject and its measure.
    rarer : str
        The values of a category that are not told apart.
    both, below, above : str
        Ranges of which each bound is said in full.
    """

    factors: dict[str, str]
    families: dict[Family, str]
    measures: tuple[tuple[re.Pattern[str], Phrase], ...]
    attribute: Phrase
    last: Phrase
    truth: tuple[str, str]
    named: str
    rarer: str
    both: str
    below: str
    above: str


def _patterns(table: dict[str, Phrase]) -> tuple[tuple[re.Pattern[str], Phrase], ...]:
    return tuple((re.compile(pattern), phrase) for pattern, phrase in table.items())


ENGLISH = Language(
    factors={
        "often": "How often: {subject}",
        "since": "Time since last {subject}",
        "rhythm": "Rhythm of {subject}",
        "spend": "Amount: {subject}",
        "trend": "More or less {subject} than before",
        "interest": "Interest in {subject}",
        "variety": "Variety: {subject}",
        "tenure": "Time as a customer",
        "habit": "Time of day and week",
        "attribute": "{subject}",
    },
    families={
        Family.RECENCY: "Time since last {subject}",
        Family.FREQUENCY: "How often: {subject}",
        Family.MONETARY: "Amount: {subject}",
        Family.TENURE: "Time as a customer",
        Family.RHYTHM: "Rhythm of {subject}",
        Family.TREND: "More or less {subject} than before",
        Family.CATEGORIES: "Interest in {subject}",
        Family.HABIT: "Time of day and week",
        Family.ATTRIBUTES: "{subject}",
    },
    measures=_patterns(
        {
            r"n_(\d+)d": Phrase(
                "number in {a} days", "{quantity} in {a} days", Unit.COUNT, "none in {a} days", "none in {a} days"
            ),
            r"n_all": Phrase("number in all", "{quantity} in all", Unit.COUNT, "none so far", "none so far"),
            r"days_(\d+)d": Phrase(
                "days with it in {a} days",
                "on {quantity} of {a} days",
                Unit.COUNT,
                "on none of {a} days",
                "on none of {a} days",
            ),
            r"days_all": Phrase(
                "days with it in all",
                "days with it so far: {quantity}",
                Unit.COUNT,
                "on no day so far",
                "on no day so far",
            ),
            r"sum_(\d+)d": Phrase(
                "total of {a} days", "{quantity} in {a} days", Unit.AMOUNT, "nothing in {a} days", "nothing in {a} days"
            ),
            r"sum_all": Phrase("total", "{quantity} in all", Unit.AMOUNT, "nothing so far", "nothing so far"),
            r"mean": Phrase("average", "{quantity} on average", Unit.AMOUNT),
            r"max": Phrase("highest", "highest {quantity}"),
            r"sd": Phrase("how much it varies", "varies by {quantity}"),
            r"last": Phrase("last time", "{quantity} last time"),
            r"recency": Phrase("time since the last", "{quantity}", Unit.DAYS, "never so far"),
            r"tenure": Phrase("time since the first", "{quantity} since the first", Unit.DAYS, "never so far"),
            r"recency_of_tenure": Phrase(
                "silence as part of the time as a customer",
                "silent for {quantity} of the time as a customer",
                Unit.SHARE,
            ),
            r"rate": Phrase("pace", "{quantity} every 30 days", scale=30),
            r"gap_median": Phrase("usual gap", "usually every {quantity}", Unit.DAYS, "no rhythm yet"),
            r"gap_mean": Phrase("average gap", "every {quantity} on average", Unit.DAYS, "no rhythm yet"),
            r"gap_sd": Phrase("how much gaps vary", "gaps vary by {quantity}", Unit.DAYS, "no rhythm yet"),
            r"gap_min": Phrase("shortest gap", "shortest gap {quantity}", Unit.DAYS, "no rhythm yet"),
            r"gap_max": Phrase("longest gap", "longest gap {quantity}", Unit.DAYS, "no rhythm yet"),
            r"gap_last": Phrase("last gap", "last gap {quantity}", Unit.DAYS, "no rhythm yet"),
            r"cv": Phrase(
                "how irregular gaps are", "gaps vary by {quantity} of their average", Unit.SHARE, "no rhythm yet"
            ),
            r"overdue": Phrase(
                "silence against the usual gap", "silent for {quantity} the usual gap", Unit.TIMES, "no rhythm yet"
            ),
            r"weekdays": Phrase(
                "part on the weekdays of the window",
                "{quantity} on the weekdays of the window",
                Unit.SHARE,
                "never so far",
            ),
            r"trend_(\d+)_(\d+)": Phrase(
                "pace of {a} days against {b} days",
                "{quantity} the pace of {b} days in the last {a}",
                Unit.TIMES,
                "none in {b} days",
                "none in the last {a} days",
            ),
            r"change_(\d+)_(\d+)": Phrase(
                "amount a day in {a} days less that in {b} days",
                "{quantity} a day more in the last {a} days than in {b}",
                zero="as much a day in the last {a} days as in {b}",
                negative="{quantity} a day less in the last {a} days than in {b}",
            ),
            r"distinct_(\d+)d": Phrase(
                "different ones in {a} days",
                "{quantity} different in {a} days",
                Unit.COUNT,
                "none in {a} days",
                "none in {a} days",
            ),
            r"distinct": Phrase(
                "different ones", "{quantity} different so far", Unit.COUNT, "none so far", "none so far"
            ),
            r"weekend": Phrase("part on weekends", "{quantity} on weekends", Unit.SHARE),
            r"hour": Phrase("time of day", "{quantity} UTC on average", Unit.HOUR),
            r"month": Phrase("month of the year", "{quantity}", Unit.MONTH),
        }
    ),
    attribute=Phrase("value", "{quantity}", Unit.AMOUNT, "not known"),
    last=Phrase("time since the last", "last {quantity} ago", Unit.DAYS, "never so far"),
    truth=("no", "yes"),
    named="{subject}: {measure}",
    rarer="another value",
    both="from {low} to {high}",
    below="less than: {high}",
    above="at least: {low}",
)


def factor_label(feature: Feature, language: Language = ENGLISH) -> str:
    """Return the label of the factor that a feature belongs to.

    Examples
    --------
    >>> factor_label(Feature("goal:n_30d", Family.FREQUENCY, "Purchase", "often:Purchase", 30))
    'How often: Purchase'
    """
    kind = feature.factor.partition(":")[0]
    template = language.factors.get(kind) or language.families[feature.family]
    return template.format(subject=subject_words(feature))


def feature_label(feature: Feature, language: Language = ENGLISH) -> str:
    """Return what a feature measures.

    Examples
    --------
    >>> feature_label(Feature("goal:n_30d", Family.FREQUENCY, "Purchase", "often:Purchase", 30))
    'Purchase: number in 30 days'
    """
    if feature.family is Family.ATTRIBUTES:
        return subject_words(feature)
    phrase, numbers = _phrase(feature.name, feature.family, language)
    if feature.family is Family.HABIT:
        return _capital(phrase.name)
    return language.named.format(subject=_capital(subject_words(feature)), measure=phrase.name.format(**numbers))


def value_label(feature: Feature, value: float, language: Language = ENGLISH) -> str:
    """Return a value of a feature.

    Examples
    --------
    >>> often = Feature("goal:n_30d", Family.FREQUENCY, "Purchase", "often:Purchase", 30)
    >>> value_label(often, 12.0), value_label(often, 0.0)
    ('12 in 30 days', 'none in 30 days')
    """
    phrase, numbers = _phrase(feature.name, feature.family, language)
    if np.isnan(value):
        return phrase.missing.format(**numbers)
    if feature.values:
        return _word(feature, int(value), language)
    number = float(rounded(phrase.unit, np.array(value * phrase.scale, dtype=np.float32)))
    if phrase.zero and number == 0:
        return phrase.zero.format(**numbers)
    if phrase.negative and number < 0:
        return phrase.negative.format(quantity=quantity(phrase.unit, -number), **numbers)
    return phrase.value.format(quantity=quantity(phrase.unit, number), **numbers)


def value_labels(
    feature: Feature, values: npt.NDArray[np.float32], language: Language = ENGLISH
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return values of a feature in words, as places in a list of different words."""
    phrase, _ = _phrase(feature.name, feature.family, language)
    shown = values if feature.values else rounded(phrase.unit, values * np.float32(phrase.scale))
    different, places = np.unique(shown, return_inverse=True, equal_nan=True)
    return places.astype(np.int32), [value_label(feature, float(value) / phrase.scale, language) for value in different]


def peer_label(feature: Feature, low: float, high: float, language: Language = ENGLISH) -> str:
    """Return between which values most people lie, both included."""
    phrase, numbers = _phrase(feature.name, feature.family, language)
    first, last = value_label(feature, low, language), value_label(feature, high, language)
    if first == last:
        return first
    if phrase.negative and low < 0:
        return _from_to(first, last, language)
    bounds = rounded(phrase.unit, np.array([low, high], np.float32) * np.float32(phrase.scale))
    quantity_of = spread_of(phrase.unit, *map(float, bounds))
    return phrase.value.format(quantity=quantity_of, **numbers)


def range_label(feature: Feature, each: Range, language: Language = ENGLISH) -> str:
    """Return a range of a feature's values."""
    phrase, numbers = _phrase(feature.name, feature.family, language)
    if not each.known:
        return phrase.missing.format(**numbers)
    if each.values:
        return _word(feature, each.values[0], language) if len(each.values) == 1 else language.rarer
    if phrase.zero and each.low is None and each.high is not None and 0 < each.high <= _least(phrase.unit):
        return phrase.zero.format(**numbers)
    if phrase.negative and (each.low is None or each.low < 0):
        return _signed(feature, each, language)
    low, high = (None if bound is None else bound * phrase.scale for bound in (each.low, each.high))
    return phrase.value.format(quantity=between(phrase.unit, low, high), **numbers)


def subject_words(feature: Feature) -> str:
    """Return what a feature is about.

    Examples
    --------
    >>> subject_words(Feature("x:n_7d", Family.FREQUENCY, "commerce.productListViews", "often:x"))
    'Product list views'
    >>> subject_words(Feature("x:n_7d", Family.CATEGORIES, "category=COSMETICS", "interest:x"))
    'COSMETICS'
    >>> subject_words(Feature("x:n_7d", Family.CATEGORIES, "product.brandNumber=292", "interest:x"))
    'brand number 292'
    >>> subject_words(Feature("x:n_7d", Family.CATEGORIES, "store.id=361", "interest:x"))
    'store 361'
    >>> subject_words(Feature("loyalty.memberSince", Family.ATTRIBUTES, "loyalty.memberSince", "attribute:x"))
    'Loyalty member since'
    """
    subject = feature.subject
    if feature.family is Family.CATEGORIES and "=" in subject:
        field, _, value = subject.partition("=")
        return value if _WORD.search(value) else f"{_named_by(field)} {value}"
    if feature.family is Family.ATTRIBUTES or feature.factor.startswith("variety:"):
        return path_words(subject)
    amount, of, kind = subject.partition(" of ")
    if of and feature.family in (Family.MONETARY, Family.TREND) and _PATH.fullmatch(amount):
        return f"{path_words(amount.split('.')[-1])} of {_kind_words(kind)}"
    return _kind_words(subject)


def _named_by(path: str) -> str:
    """Return what a number of a field is one of: of an id, what it is the id of."""
    names = path.split(".")
    return _plain(names[-2] if len(names) > 1 and names[-1].lower() == "id" else names[-1])


def path_words(path: str) -> str:
    """Return the path of a field as words; a name that stands for an organisation (``_acme``) says nothing."""
    names = [name for name in path.split(".") if name and not name.startswith("_")] or [path]
    return _capital(" ".join(map(_plain, names)))


def unit_of(feature: Feature, language: Language = ENGLISH) -> Unit:
    """Return what the values of a feature count."""
    return _phrase(feature.name, feature.family, language)[0].unit


def _kind_words(kind: str) -> str:
    """Return the name of a kind of events; a type of events such as ``commerce.purchases`` as words."""
    return event_words(kind) if _PATH.fullmatch(kind) and "." in kind else kind


def event_words(type_: str) -> str:
    """Return a type of events as people say it.

    Of the types of the standard field groups the last name says enough; of others the one before it belongs to it.

    Examples
    --------
    >>> event_words("commerce.productViews"), event_words("campaign.sent"), event_words("sign-up")
    ('Product views', 'Campaign sent', 'Sign up')
    """
    names = [name for name in re.split(r"[./:]", type_) if name] or [type_]
    return _capital(" ".join(map(_plain, names[-1:] if names[0].lower() in _GROUPS else names[-2:])))


def _plain(name: str) -> str:
    """Return the name of a field as words in small letters, but for what is written in capitals, such as SKU."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", " ", name.removesuffix("[]")).split()
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


@lru_cache(maxsize=4096)
def _measured(name: str, measures: tuple[tuple[re.Pattern[str], Phrase], ...]) -> tuple[Phrase, dict[str, str]] | None:
    measure = name.rpartition(":")[2]
    for pattern, phrase in measures:
        found = pattern.fullmatch(measure)
        if found:
            return phrase, dict(zip("ab", _filled(found.groups()), strict=False))
    return None


def _phrase(name: str, family: Family, language: Language) -> tuple[Phrase, dict[str, str]]:
    """Return how a feature is said, and the numbers in its name."""
    if family is Family.ATTRIBUTES:
        return language.attribute, {}
    if family is Family.CATEGORIES and name.endswith(":recency"):
        return language.last, {}
    return _measured(name, language.measures) or (language.attribute, {})


def _filled(groups: Sequence[str | None]) -> list[str]:
    return [group or "" for group in groups]


def _signed(feature: Feature, each: Range, language: Language) -> str:
    """Return a range that may reach below nothing: each bound is said in full."""
    low, high = (None if bound is None else value_label(feature, bound, language) for bound in (each.low, each.high))
    if low is None:
        return language.below.format(high=high)
    return language.above.format(low=low) if high is None else _from_to(low, high, language)


def _from_to(first: str, last: str, language: Language) -> str:
    """Return a range whose bounds are said in full, but for a clause at the end that both have."""
    words, others = first.split(" "), last.split(" ")
    alike = 0
    while alike < min(len(words), len(others)) - 1 and words[-alike - 1] == others[-alike - 1]:
        alike += 1
    return language.both.format(low=" ".join(words[: len(words) - alike]) if alike > _CLAUSE else first, high=last)


def _least(unit: Unit) -> float:
    """Return below what a quantity is shown as nothing."""
    return 1.0 if unit is Unit.COUNT else 0.005


def _word(feature: Feature, value: int, language: Language) -> str:
    name = feature.values[value]
    return {"false": language.truth[0], "true": language.truth[1]}.get(name.lower(), name)
