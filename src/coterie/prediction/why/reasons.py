"""Factors in words: of one person to be shown, of everybody to be written to profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coterie.prediction.frame import Feature, Frame
from coterie.prediction.why.explanation import Counterfactual, Explanation, Factor, Importance
from coterie.prediction.why.factors import Factors, explain
from coterie.prediction.why.groups import Groups
from coterie.prediction.why.peers import Peers
from coterie.prediction.why.scale import Explained, FactorScale
from coterie.prediction.why.wording import factor_label, peer_label, value_label, value_labels

IMPORTANCES = get_args(Importance)

REASON = pa.struct(
    [
        ("code", pa.string()),
        ("label", pa.string()),
        ("value", pa.float64()),
        ("value_label", pa.string()),
        ("direction", pa.string()),
        ("importance", pa.string()),
        ("contribution", pa.float64()),
        ("share", pa.float64()),
        ("peer_range", pa.list_(pa.float64())),
        ("peer_label", pa.string()),
        ("counterfactual", pa.string()),
    ]
)
"""A reason as it is written to profiles."""


def explanation(
    trained: Explained,
    person: Frame,
    bucket: int,
    scale: FactorScale,
    peers: Peers,
    would: Callable[[Factors], tuple[Counterfactual, ...]] | None = None,
) -> Explanation:
    """Return why one person has a score.

    Parameters
    ----------
    trained : Explained
        The model.
    person : Frame
        One row.
    bucket : int
        The person's, as a place in `BUCKETS`.
    scale : FactorScale
        Of the version of the model.
    peers : Peers
        Usual values, of the last run.
    would : callable, optional
        Finds what would move the person to another bucket, from the factors.
    """
    factors = explain(trained, person, np.array([bucket], dtype=np.int8), scale, peers=peers)
    counterfactuals = () if would is None else would(factors)
    raises, lowers = factors_of(factors, 0, counterfactuals)
    columns, base = trained.contributions(person)
    exposures = _exposures(factors.groups, columns, person, scale)
    shown = sum(each.contribution for each in (*raises, *lowers, *exposures))
    total = float(factors.log_odds[0])
    return Explanation(raises, lowers, exposures, base, total, total - base - shown, counterfactuals)


def factors_of(
    factors: Factors, row: int, counterfactuals: tuple[Counterfactual, ...] = ()
) -> tuple[tuple[Factor, ...], tuple[Factor, ...]]:
    """Return what speaks for and against the score of a person, in words."""
    table = factors.peers.table(factors.groups.features)
    sides = []
    for side in range(2):
        found = []
        for place in range(side * factors.top, (side + 1) * factors.top):
            group = int(factors.factor[row, place])
            if group < 0:
                break
            column = int(factors.feature[row, place])
            feature, value = factors.groups.features[column], float(factors.value[row, place])
            low, high = (float(bound) for bound in table[factors.bucket[row], column])
            code = factors.groups.codes[group]
            found.append(
                Factor(
                    code=code,
                    label=label_of(factors.groups, group),
                    value_label=value_label(feature, value),
                    direction="lowers" if side else "raises",
                    contribution=float(factors.contribution[row, place]),
                    share=round(float(factors.share[row, place]), 6),
                    importance=IMPORTANCES[factors.importance[row, place]],
                    value=None if feature.values or np.isnan(value) else value,
                    peer_range=None if np.isnan(low) else (low, high),
                    peer_label=_usual(feature, low, high),
                    counterfactual=next((each for each in counterfactuals if each.code == code), None),
                )
            )
        sides.append(tuple(found))
    return sides[0], sides[1]


def reasons(
    factors: Factors, counterfactuals: tuple[npt.NDArray[np.int32], list[str]] | None = None
) -> tuple[pa.Array[Any], pa.Array[Any]]:
    """Return what speaks for and against the scores of everybody: two arrays of lists of `REASON`, a list for each.

    Parameters
    ----------
    factors : Factors
        Of n people.
    counterfactuals : pair of array and list of str, optional
        For each person and factor (an array of the shape of `factors.factor`), the place of a sentence in the list;
        -1 for none.
    """
    table = factors.peers.table(factors.groups.features)
    features = factors.groups.features
    labels = [label_of(factors.groups, group) for group in range(len(factors.groups))]
    usual = [_usual(feature, *bounds) for side in table for feature, bounds in zip(features, side, strict=True)]
    worded = np.array([bool(feature.values) for feature in features])
    made = []
    for side, direction in enumerate(("raises", "lowers")):
        at = slice(side * factors.top, (side + 1) * factors.top)
        there = factors.factor[:, at] >= 0
        group, column = factors.factor[:, at][there], factors.feature[:, at][there]
        value = factors.value[:, at][there].astype(np.float64)
        whose = np.repeat(factors.bucket, there.sum(axis=1))
        bounds = table[whose, column].astype(np.float64)
        sentence = None if counterfactuals is None else counterfactuals[0][:, at][there]
        struct = pa.StructArray.from_arrays(
            [
                _words(group, list(factors.groups.codes)),
                _words(group, labels),
                pa.array(value, mask=np.isnan(value) | worded[column]),
                _value_words(features, column, factors.value[:, at][there]),
                _words(np.zeros(len(group), dtype=np.int8), [direction]),
                _words(factors.importance[:, at][there], list(IMPORTANCES)),
                pa.array(np.round(factors.contribution[:, at][there], 6)),
                pa.array(np.round(factors.share[:, at][there].astype(np.float64), 6)),
                _pairs(bounds),
                _words(np.where(np.isnan(bounds[:, 0]), -1, whose * np.int32(len(worded)) + column), usual),
                pa.nulls(len(group), pa.string())
                if counterfactuals is None or sentence is None
                else _words(sentence, counterfactuals[1]),
            ],
            fields=list(REASON),
        )
        offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
        made.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), struct))
    return made[0], made[1]


def _usual(feature: Feature, low: float, high: float) -> str:
    return "" if np.isnan(low) else peer_label(feature, float(low), float(high))


def label_of(groups: Groups, group: int) -> str:
    """Return the label of a factor: that of its first column."""
    return factor_label(groups.features[int(groups.columns[group][0])])


def _exposures(
    groups: Groups, contributions: npt.NDArray[np.float64], person: Frame, scale: FactorScale
) -> tuple[Factor, ...]:
    """Return what others did to a person and the model takes into account, the weightiest first."""
    totals = groups.total(contributions)
    telling = groups.telling(contributions, totals)
    whole = float(np.abs(totals).sum())
    found = []
    for group in np.argsort(-np.abs(totals[0]), kind="stable"):
        contribution = float(totals[0, group])
        if not groups.exposure[group] or not contribution:
            continue
        column = int(telling[0, group])
        feature, value = groups.features[column], float(person.values[0, column])
        found.append(
            Factor(
                code=groups.codes[group],
                label=label_of(groups, int(group)),
                value_label=value_label(feature, value),
                direction="raises" if contribution > 0 else "lowers",
                contribution=contribution,
                share=round(abs(contribution) / whole, 6),
                importance=scale.importance(contribution),
                value=None if feature.values or np.isnan(value) else value,
            )
        )
    return tuple(found)


def _words(places: npt.NDArray[np.integer], words: list[str]) -> pa.Array[Any]:
    """Return words by their places in a list; nothing for places below 0."""
    wide = places.astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(wide, pa.int32(), mask=wide < 0), pa.array(words, pa.string())).cast(
        pa.string()
    )


def _value_words(
    features: tuple[Feature, ...], column: npt.NDArray[np.int16], value: npt.NDArray[np.float32]
) -> pa.Array[Any]:
    """Return each value in the words of its column."""
    places = np.full(len(column), -1, dtype=np.int32)
    words: list[str] = []
    order = np.argsort(column, kind="stable")
    bounds = np.searchsorted(column[order], np.arange(len(features) + 1))
    for number, feature in enumerate(features):
        inside = order[bounds[number] : bounds[number + 1]]
        if len(inside):
            found, labels = value_labels(feature, value[inside])
            places[inside] = found + len(words)
            words += labels
    return _words(places, words)


def _pairs(bounds: npt.NDArray[np.float64]) -> pa.Array[Any]:
    """Return lists of two numbers; nothing where they are not known."""
    unknown = np.isnan(bounds[:, 0])
    known = bounds[~unknown]
    offsets = np.concatenate([[0], np.cumsum(np.where(unknown, 0, 2))]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(known.reshape(-1), pa.float64()), mask=pa.array(unknown, pa.bool_())
    )
