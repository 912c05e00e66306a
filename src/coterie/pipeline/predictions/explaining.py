"""What a run says of everybody it scored: reasons, what goes with the buckets, when events are expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coterie.core.clock import DAY
from coterie.core.progress import Progress
from coterie.core.schema import PREDICTED
from coterie.pql.printer import quoted
from coterie.prediction.factors import Peers
from coterie.prediction.insights import Insights

if TYPE_CHECKING:
    from coterie.pipeline.predictions.versions import Learnt
    from coterie.prediction.frame import Frame
    from coterie.prediction.scoring import Scores


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


def explain(learnt: Learnt, frame: Frame, scores: Scores, progress: Progress) -> Explained:
    """Work out why people have their scores.

    Parameters
    ----------
    learnt : Learnt
        The version.
    frame : Frame
        Features of the people scored.
    scores : Scores
        Their scores, in the same order.
    progress : Progress
        Receiver of progress reports.
    """
    from coterie.prediction import factors as factors_
    from coterie.prediction import reasons, summary

    rows = factors_.chosen(scores.bucket)
    some = frame if len(rows) == len(frame) else frame.take(rows)
    found = factors_.explain(learnt.trained, some, scores.bucket[rows], learnt.scale, progress=progress)
    both = reasons.reasons(found)
    insights = summary.insights(
        scores.score,
        scores.probability,
        scores.bucket,
        found,
        some,
        learnt.scale,
        factor_rule=lambda bucket, code: factor_rule(learnt.model.key, bucket, code),
    )
    spread = [_spread(each, rows, len(frame)) for each in both]
    return Explained(spread[0], spread[1], expected(learnt, frame, scores.probability), found.peers, insights)


def expected(learnt: Learnt, frame: Frame, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.int64] | None:
    """Return when the events are expected, if they come in the window, ms; None for goals that cannot be timed."""
    if learnt.survival is None:
        return None
    goal = learnt.model.goal
    days = learnt.survival.expected_days(frame, probability).astype(np.int64)
    instants: npt.NDArray[np.int64] = frame.cutoffs + (goal.gap_days + days) * DAY
    return instants


def factor_rule(key: str, bucket: str, code: str) -> str:
    """Return the rule of the people of a bucket who have a factor among their reasons."""
    scores, name = f"{PREDICTED}.{key}", quoted(code)
    return (
        f'{scores}.bucket = "{bucket}" and ({scores}.factors[code = {name}] or {scores}.factors_against[code = {name}])'
    )


def _spread(lists: Any, rows: npt.NDArray[np.intp], n: int) -> pa.ListArray[Any]:
    """Return lists of some rows as lists of all of them, null for the others."""
    if len(rows) == n:
        whole: pa.ListArray[Any] = lists
        return whole
    place = np.full(n, -1, np.int64)
    place[rows] = np.arange(len(rows))
    taken: pa.ListArray[Any] = lists.take(pa.array(place, mask=place < 0))
    return taken
