"""What a run says of everybody it scored: reasons, what goes with the buckets, when events are expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coterie.core.clock import DAY
from coterie.core.progress import Progress
from coterie.pipeline.predictions.data import Data
from coterie.prediction import problems
from coterie.prediction.definition import Model
from coterie.prediction.why.conditions import Rules
from coterie.prediction.why.insights import Insights
from coterie.prediction.why.peers import Peers

if TYPE_CHECKING:
    from coterie.pipeline.predictions.versions import Learnt
    from coterie.prediction.frame import Frame
    from coterie.prediction.modelling.scoring import Scores
    from coterie.prediction.modelling.trained import Trained

SUMMED = 500
"""People whose contributions are added up before anybody's are shown."""
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Explained:
    """What a run says, person by person in the order of the scores, and of everybody.

    Parameters
    ----------
    factors, against : ListArray
        What raises and what lowers each score; null where it was not worked out.
    expected : array of int64, optional
        Expected instants, ms; -1 for none.
    peers : Peers
        Usual values, for explanations on demand.
    insights : Insights
        Of everybody.
    """

    factors: pa.ListArray[Any]
    against: pa.ListArray[Any]
    expected: npt.NDArray[np.int64] | None
    peers: Peers
    insights: Insights


def explain(data: Data, learnt: Learnt, frame: Frame, scores: Scores, progress: Progress) -> Explained:
    """Work out why people have their scores.

    Parameters
    ----------
    data : Data
        What the model reads.
    learnt : Learnt
        The version.
    frame : Frame
        Features of the people scored.
    scores : Scores
        Their scores, in the same order.
    progress : Progress
        Receiver of progress reports.
    """
    from coterie.prediction.trust import warnings
    from coterie.prediction.why import counterfactual, reasons, summary
    from coterie.prediction.why import factors as factors_

    rows = factors_.chosen(scores.bucket)
    some = frame if len(rows) == len(frame) else frame.take(rows)
    require_sums(learnt.model.key, learnt.trained, some)
    found = factors_.explain(learnt.trained, some, scores.bucket[rows], learnt.scale, progress=progress)
    store = data.store(learnt.vocabulary)
    would = counterfactual.of_everybody(store, bucket_of(data.model, learnt), found, int(frame.cutoffs[0]), progress)
    both = reasons.reasons(found, would)
    rules = Rules(learnt.model, learnt.vocabulary, data.union)
    insights = summary.insights(
        scores.score,
        scores.probability,
        scores.bucket,
        found,
        some,
        learnt.scale,
        range_rule=rules.range,
        factor_rule=rules.factor,
    )
    insights = msgspec.structs.replace(insights, notes=warnings.of_likely(data.model))
    spread = [_spread(each, rows, len(frame)) for each in both]
    return Explained(spread[0], spread[1], expected(learnt, frame, scores.probability), found.peers, insights)


def require_sums(key: str, trained: Trained, frame: Frame) -> None:
    """Raise ``model.no-factors`` when what features contribute does not sum to the log-odds of people."""
    some = frame.take(np.arange(0, len(frame), max(1, len(frame) // SUMMED)))
    odds = trained.log_odds(some)
    added, base = trained.contributions(some)
    apart = np.abs(added.sum(axis=1) + base - odds)
    wrong = int((~(apart <= TOLERANCE * np.maximum(1.0, np.abs(odds)))).sum())  # what is no number is wrong too
    if wrong:
        told = f"for {wrong:,} of {len(some):,} people contributions do not sum to the log-odds"
        problems.refuse(key, [problems.no_factors(told)])


def expected(learnt: Learnt, frame: Frame, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.int64] | None:
    """Return when the events are expected, if they come in the window, ms; None for goals that cannot be timed."""
    if learnt.survival is None:
        return None
    goal = learnt.model.goal
    days = learnt.survival.expected_days(frame, probability).astype(np.int64)
    instants: npt.NDArray[np.int64] = frame.cutoffs + (goal.gap_days + days) * DAY
    return instants


def bucket_of(model: Model, learnt: Learnt) -> Callable[[Frame], npt.NDArray[np.int8]]:
    """Return what tells the buckets of people, by a version and the bounds that the model has now."""
    from coterie.prediction.modelling import scoring

    def told(frame: Frame) -> npt.NDArray[np.int8]:
        trained = learnt.trained
        return scoring.bucket_of(trained.scores.of(trained.probability(frame)), model.buckets)

    return told


def _spread(lists: Any, rows: npt.NDArray[np.intp], n: int) -> pa.ListArray[Any]:
    """Return lists of some rows as lists of all of them, null for the others."""
    if len(rows) == n:
        whole: pa.ListArray[Any] = lists
        return whole
    place = np.full(n, -1, np.int64)
    place[rows] = np.arange(len(rows))
    taken: pa.ListArray[Any] = lists.take(pa.array(place, mask=place < 0))
    return taken
