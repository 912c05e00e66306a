"""What one training makes: learners, the weight of factors, when events come, and what later runs are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie.core.progress import Progress
from coterie.pipeline.predictions import versions
from coterie.pipeline.predictions.versions import Learnt
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.frame import Examples
from coterie.prediction.modelling import artefact, training
from coterie.prediction.modelling.lanes import Lanes, single_threaded
from coterie.prediction.modelling.season import YearAgo
from coterie.prediction.modelling.trained import Trained
from coterie.prediction.problems import Problem
from coterie.prediction.trust import drift, leakage
from coterie.prediction.why import scale, survival
from coterie.prediction.why.scale import FactorScale


@dataclass(frozen=True)
class Newest:
    """What the back-test at the newest closed cut-off predicted, person by person."""

    cutoff: int
    people: npt.NDArray[np.int32]
    label: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """What a training made, and what is to be said of it."""

    learnt: Learnt
    newest: Newest
    data: str
    problems: tuple[Problem, ...]

    def save(self, folder: Path, configuration: str) -> None:
        """Write it as the files of a version."""
        versions.save(folder, self.learnt, configuration=configuration, data=self.data)


def trained(
    model: Model,
    examples: Examples,
    cutoffs: Cutoffs,
    vocabulary: Vocabulary,
    *,
    year_ago: Examples | None = None,
    seed: int,
    progress: Progress,
    stop: Callable[[], None],
) -> Made:
    """Train a model.

    Parameters
    ----------
    model : Model
        The model, its population written out.
    examples : Examples
        People at the training cut-offs, with what came of it.
    cutoffs : Cutoffs
        Those cut-offs.
    vocabulary : Vocabulary
        What the features are made of.
    year_ago : Examples, optional
        People at the same dates a year before, when the history reaches so far.
    seed : int
        Of everything random.
    progress : Progress
        Receiver of progress reports.
    stop : callable
        Called often; what it raises ends the training.
    """
    past = None if year_ago is None else YearAgo(year_ago, model.seasonal)
    days = model.goal.window_days
    with single_threaded(), Lanes(stop) as lanes:
        timed = model.goal.polarity == "will_occur" and bool(examples.hit.any())
        timing = lanes.begin(survival.fit, examples, days, seed=seed) if timed else None
        found = training.train(examples, cutoffs, model.goal, year_ago=past, seed=seed, progress=progress, lanes=lanes)
        assert found.out_of_time is not None
        held = lanes.begin(survival.back_test, examples, cutoffs, days, found.out_of_time, seed) if timed else None
        scales = scale.measure(found, examples.take(found.out_of_time.tested.rows))
        stop()
        reference = _reference(found, examples, scales)
        told = leakage.telling(examples, cutoffs.training[0])
        lanes.join(*(part for part in (timing, held) if part is not None))
        learnt = Learnt(
            model,
            found,
            vocabulary,
            cutoffs,
            scales,
            reference,
            timing.result() if timing else None,
            held.result() if held else None,
        )
    return Made(learnt, _newest(found), artefact.data_hash(examples), told)


def _newest(found: Trained) -> Newest:
    assert found.out_of_time is not None
    tested = found.out_of_time.tested
    rows = tested.of(0)
    return Newest(
        tested.cutoffs[0],
        tested.people[rows],
        tested.label[rows],
        tested.weight[rows],
        found.out_of_time.probability[rows],
    )


def _reference(found: Trained, examples: Examples, scales: FactorScale) -> drift.Reference:
    assert found.out_of_time is not None
    newest = examples.frame.cutoffs == examples.frame.cutoffs.max()
    whole = sum(item.weight for item in scales.factors) or 1.0
    return drift.refer(
        examples,
        found.out_of_time.probability,
        found.out_of_time.tested.rows,
        last_rate=float(np.average(examples.label[newest], weights=examples.weight[newest])),
        weights={item.code: item.weight / whole for item in scales.factors},
    )
