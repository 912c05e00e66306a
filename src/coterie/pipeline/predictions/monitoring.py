"""What came of the runs of a model, once their windows have closed."""

from __future__ import annotations

import numpy as np

from coterie.core.clock import DAY
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import ended, models, output, versions
from coterie.pipeline.predictions.data import Data
from coterie.prediction.data.population import Rows
from coterie.prediction.run import Run, Version
from coterie.prediction.trust.outcomes import ROLLING, Closed, Monitoring, Outcome, judge, monitor
from coterie.store.history import quote
from coterie.store.sandbox import Sandbox


def outcomes(sandbox: Sandbox, key: str, version: Version | None = None) -> Monitoring:
    """Compare what runs expected with what came, once their windows have closed and their events are there.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    key : str
        The model.
    version : Version, optional
        Only runs that it scored.
    """
    definitions = Definitions(sandbox.catalog)
    model = models.model_named(definitions, key)
    found, known = list[Outcome](), _known_until(sandbox, model.view)
    for run in ended.scored(definitions, key):
        if len(found) == ROLLING * 2:
            break
        if (
            run.batch is None
            or model.goal.window(run.as_of)[1] > known
            or (version is not None and run.version != version.number)
        ):
            continue
        judged = _judged(sandbox, Data.of(sandbox, model), run, run.batch)
        found += [] if judged is None else [judged]
    return monitor(key, found)


def _judged(sandbox: Sandbox, data: Data, run: Run, batch: str) -> Outcome | None:
    """Return what came of a run; None when nobody it scored is known any more."""
    goal, number = data.model.goal, sandbox.catalog.batch(batch).number
    scores = output.scores(sandbox.history.con, run.key, number, data.model.view)
    if run.version is None or not len(scores):
        return None
    learnt = versions.learnt(sandbox, versions.named(sandbox, run.key, run.version))
    asked = Rows(scores.people, np.full(len(scores), run.as_of, np.int64))
    came = data.store(learnt.vocabulary).outcomes(asked)
    closed = Closed(run.id, run.version, run.as_of, *goal.window(run.as_of), scores)
    return judge(closed, came.people, came.label)


def _known_until(sandbox: Sandbox, view: str) -> int:
    """Return until when it is known what people did: a day after the newest event, or now."""
    newest = sandbox.history.con.execute(f'SELECT max("timestamp") FROM {quote(f"event_of_{view}")}').fetchall()
    return min(sandbox.clock.now(), (newest[0][0] or 0) + DAY)
