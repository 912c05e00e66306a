"""People of a bucket as rules in PQL: all of them, those with a reason, those whose value lies in a range."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from coterie.core.schema import PREDICTED, Field, FieldType, Leaf, Union, leaves, lookup
from coterie.pql.printer import path as path_of
from coterie.pql.printer import quoted
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.frame import Family, Feature
from coterie.prediction.predicates import condition, literal, own
from coterie.prediction.why.ranges import Range

_COUNTED = re.compile(r"n_(?:(\d+)d|all)")
_SUMMED = re.compile(r"sum_(?:(\d+)d|all)")
_MINUTES = ((1440, "day"), (60, "hour"), (1, "minute"))


@dataclass(frozen=True)
class Rules:
    """Says people of a model's buckets in PQL.

    Parameters
    ----------
    model : Model
        The model.
    vocabulary : Vocabulary
        What the features are made of.
    union : Union
        The fields there are.
    """

    model: Model
    vocabulary: Vocabulary
    union: Union

    def bucket(self, bucket: str) -> str:
        """Return the rule of everybody in a bucket."""
        return bucket_rule(self.model.key, bucket)

    def factor(self, bucket: str, code: str) -> str:
        """Return the rule of the people of a bucket who have a factor among their reasons."""
        return factor_rule(self.model.key, bucket, code)

    def range(self, bucket: str, feature: Feature, each: Range) -> str | None:
        """Return the rule of the people of a bucket whose value lies in a range; None when it cannot be said."""
        said = self.condition(feature, each)
        return None if said is None else f"{self.bucket(bucket)} and {said}"

    def condition(self, feature: Feature, each: Range) -> str | None:
        """Return the rule of everybody whose value of a feature lies in a range, as of now."""
        if each.known and each.low is None and each.high is None and not each.values:
            return None
        if feature.family is Family.ATTRIBUTES:
            return self._attribute(feature, each)
        subject, _, measure = feature.name.rpartition(":")
        events = self._events.get(subject)
        if events is not None:
            return self._of_events(events, measure, each)
        amount = next((amount for amount in self.vocabulary.amounts if amount.key == subject), None)
        leaf = None if amount is None else self._leaves.get(amount.field)
        summed = _SUMMED.fullmatch(measure)
        if amount is None or leaf is None or leaf.depth or not summed or not each.known:
            return None
        total = f"{_within(self._events[amount.kind], summed[1])}.sum({path_of(amount.field.split('.'))})"
        return _bounded(total, each, whole=False)

    @cached_property
    def _leaves(self) -> dict[str, Leaf]:
        return {leaf.path: leaf for leaf in leaves(self.union.event)}

    @cached_property
    def _events(self) -> dict[str, str]:
        """The condition on one event of each kind, and of each value of a field, by the name within features."""
        passed = f"not ({condition(self.model.exclusions)})" if self.model.exclusions else ""
        mine = own(self.model) if self.model.exposures or self.model.exclusions else ""
        found = {kind.key: _both(kind.pql, passed) for kind in self.vocabulary.kinds}
        for category in self.vocabulary.categories:
            path = path_of(category.field.split("."))
            leaf = self._leaves.get(category.field)
            if leaf is not None and leaf.field.type in (FieldType.STRING, FieldType.BOOLEAN):
                truth = leaf.field.type is FieldType.BOOLEAN
                for value in category.values:
                    said = f"{path} = {value if truth else quoted(value)}"
                    found[f"{category.field}={value}"] = _both(said, mine)
        return found

    def _of_events(self, events: str, measure: str, each: Range) -> str | None:
        counted = _COUNTED.fullmatch(measure)
        if counted and each.known:
            return _bounded(f"{_within(events, counted[1])}.count()", each, whole=True)
        if measure not in ("recency", "tenure"):
            return None
        if not each.known:
            return f"{_within(events)}.count() = 0"
        if measure == "recency":
            least, most = each.low, each.high
            newer = None if most is None else f"{_when(events, '<', most)}.count() >= 1"
            older = None if least is None else f"{_when(events, '<', least)}.count() = 0"
        else:
            least, most = each.low, each.high
            newer = None if most is None else f"{_when(events, '>=', most)}.count() = 0"
            older = None if least is None else f"{_when(events, '>=', least)}.count() >= 1"
        some = None if (newer if measure == "recency" else older) else f"{_within(events)}.count() >= 1"
        return " and ".join(part for part in (newer, older, some) if part)

    def _attribute(self, feature: Feature, each: Range) -> str | None:
        field = lookup(self.union.profile, feature.subject)
        if field is None or field.items is not None:
            return None
        path = path_of(feature.subject.split("."))
        if feature.values:
            listed = [_value(feature.values[value], field) for value in each.values]
            if not each.known:
                # a value that the model does not know counts as missing
                every = ", ".join(_value(value, field) for value in feature.values)
                return f"not ({path} in [{every}])"
            return f"{path} = {listed[0]}" if len(listed) == 1 else f"{path} in [{', '.join(listed)}]"
        if field.type not in (FieldType.INTEGER, FieldType.NUMBER):
            return None
        return _bounded(path, each, whole=False) if each.known else f"{path}.isNull()"


def bucket_rule(key: str, bucket: str) -> str:
    """Return the rule of everybody in a bucket of a model."""
    return f"{_scores(key)}.bucket = {quoted(bucket)}"


def factor_rule(key: str, bucket: str, code: str) -> str:
    """Return the rule of the people of a bucket who have a factor among their reasons, for or against."""
    scores, test = _scores(key), f"[code = {quoted(code)}]"
    return f"{bucket_rule(key, bucket)} and ({scores}.factors{test} or {scores}.factors_against{test})"


def _scores(key: str) -> str:
    return path_of([PREDICTED, key])


def _both(first: str, second: str) -> str:
    if first and second:
        return f"({first}) and {second}"
    return first or second


def _within(events: str, days: str | None = None) -> str:
    """Return the events of a kind, of all time or of the last days."""
    recent = f"timestamp occurs <= {days} {'day' if days == '1' else 'days'} before now" if days else ""
    filter_ = " and ".join(part for part in (f"({events})" if events and recent else events, recent) if part)
    return f"xEvent[{filter_}]" if filter_ else "xEvent"


def _when(events: str, sign: str, days: float) -> str:
    """Return the events of a kind that lie less than so many days back, or at least as many."""
    minutes = round(days * 1440)
    step, unit = next((step, unit) for step, unit in _MINUTES if minutes % step == 0)
    number = minutes // step
    tail = f"timestamp occurs {sign} {number} {unit}{'' if number == 1 else 's'} before now"
    return f"xEvent[({events}) and {tail}]" if events else f"xEvent[{tail}]"


def _bounded(value: str, each: Range, *, whole: bool) -> str:
    """Return that a number lies in a range."""

    def said(bound: float) -> str:
        return str(math.ceil(bound)) if whole or bound == int(bound) else literal(float(bound))

    if whole and each.low is not None and each.high is not None and math.ceil(each.high) - math.ceil(each.low) == 1:
        return f"{value} = {said(each.low)}"
    if whole and each.low is None and each.high is not None and math.ceil(each.high) == 1:
        return f"{value} = 0"
    parts = []
    if each.low is not None:
        parts.append(f"{value} >= {said(each.low)}")
    if each.high is not None:
        parts.append(f"{value} < {said(each.high)}")
    return " and ".join(parts)


def _value(value: str, field: Field) -> str:
    return value if field.type is FieldType.BOOLEAN else quoted(value)
