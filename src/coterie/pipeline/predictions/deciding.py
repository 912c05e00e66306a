"""Whether to train, and whether what was trained takes the place of the version in use: champion and challenger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec.structs import replace
from pyroaring import BitMap

from coterie.core.clock import DAY, format_date
from coterie.core.errors import Damaged
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import ended, folders, monitoring, publishing, versions
from coterie.pipeline.predictions.checkpoints import Checkpoints, State
from coterie.pipeline.predictions.data import Data
from coterie.prediction import problems, schedule
from coterie.prediction.definition import Model, fingerprint
from coterie.prediction.problems import Problem
from coterie.prediction.run import Run, Status, Trigger, Version
from coterie.prediction.trust.drift import Drift
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.pipeline.predictions.training import Newest
    from coterie.pipeline.predictions.versions import Learnt

FILE = "decision.json"
DRAWS = 200
BESIDE: tuple[Trigger, ...] = ("configuration", "drift", "outcomes")
"""Why a run trains beside its schedule."""
AGE = 30
"""Days after which a model is trained anew by itself."""


class Decision(msgspec.Struct, frozen=True):
    """Whether a new version takes the place of the one in use, and why.

    `number` is that of the new version. `problem` says why it is not good enough to be used at all, or is to be used
    with care; `warnings` are to be known about the run.
    """

    number: int
    replaces: bool
    usable: bool
    reason: str
    problem: Problem | None = None
    warnings: tuple[str, ...] = ()


def retrain(sandbox: Sandbox, model: Model, at: int) -> Trigger | None:
    """Return why a model is to be trained anew; None when the version in use still does.

    By itself it is trained when there is no version for what it states, when 30 days have passed (a window has closed
    since then, as one closes every day), when the last run saw that people or data have moved far,
    and when what came was not what was promised.

    The days are counted from the newest version, whether it is in use or not: a challenger that lost is not followed by
    another one at once, and what has moved for good asks for a training once, then as often as the schedule does.
    """
    definitions = Definitions(sandbox.catalog)
    champion = versions.champion(definitions, model.key)
    if champion is None:
        return "asked"
    if champion.configuration != fingerprint(model):
        return "configuration"
    newest = versions.of_model(definitions, model.key)[-1]
    if model.schedule.retrain != schedule.AUTO:
        due = schedule.next_after(model.schedule.retrain, newest.as_of)
        return "schedule" if due is not None and due <= at else None
    if at - newest.as_of >= AGE * DAY:
        return "schedule"
    if newest.number == champion.number and _moved(sandbox, definitions, model.key, champion):
        return "drift"
    return "outcomes" if _broken(sandbox, model, champion, newest) else None


def _moved(sandbox: Sandbox, definitions: Definitions, key: str, champion: Version) -> bool:
    """Whether the last run of the version in use saw that people or data have moved far."""
    last = next((run for run in ended.scored(definitions, key) if run.version == champion.number), None)
    if last is None:
        return False
    path = folders.run(sandbox.path, key, last.number) / publishing.DRIFT
    return path.exists() and msgspec.json.decode(path.read_bytes(), type=Drift).level == "alarm"


def _broken(sandbox: Sandbox, model: Model, champion: Version, newest: Version) -> bool:
    """Whether what came of the runs of the version in use was not what it promised, and nothing learnt from it yet."""
    try:
        found = monitoring.outcomes(sandbox, model.key, champion)
    except Damaged:
        return False  # it will be trained anew, or the run that is to score by it will say so
    return found.level == "alarm" and found.outcomes[0].closes > newest.as_of


def decide(
    sandbox: Sandbox, data: Data, new: Learnt, newest: Newest, state: State, look: Callable[[], None]
) -> Decision:
    """Decide whether what was trained takes the place of the version in use.

    It must be usable at all, and not worse on the newest closed cut-off: the difference of the log-loss of the two,
    persons drawn anew, must not lie above zero with 95 % certainty.
    """
    mine = versions.of_model(Definitions(sandbox.catalog), state.key)
    found = problems.bad_model(*_interval(new))
    warnings = () if found is None else (found.message,)
    asked = Decision(1 + max((item.number for item in mine), default=0), True, True, "", found, warnings)
    if new.trained.evaluation.gate == "unusable":
        return replace(asked, replaces=False, usable=False, reason="it is hardly better than guessing")
    if state.champion is None:
        return replace(asked, reason="it is the first one")
    old = versions.named(sandbox, state.key, state.champion)
    if old.configuration != state.configuration:
        return replace(asked, reason="the one before was of another goal")
    closed = format_date(newest.cutoff)
    if not new.cutoffs.by_time or old.as_of > newest.cutoff:
        return replace(asked, reason=f"the one before had seen what came after {closed}, so they were not compared")
    look()
    try:
        champion = versions.learnt(sandbox, old)
    except Damaged:
        return replace(asked, reason="the files of the one before are damaged")
    low, difference = _difference(data, newest, champion, state.seed)
    told = f"log-loss of the people at {closed}: {difference:+.4f} against version {old.number}"
    if low <= 0:
        return replace(asked, reason=f"not worse; {told}")
    said = (
        f"The model was trained anew, and the new version {asked.number} is worse than version {old.number} ({told}): "
        "that one stays in use, the new one is kept as a candidate."
    )
    return replace(asked, replaces=False, reason=f"worse; {told}", warnings=(*warnings, said))


def so_far(kept: Checkpoints, state: State, status: Status) -> Run:
    """Return a run as far as it is, with the version that it trained once that was decided on."""
    run = state.run(status)
    if FILE not in kept:
        return run
    decision = kept.get(FILE, Decision)
    return replace(run, trained=decision.number, version=decision.number if decision.replaces else run.version)


def _interval(new: Learnt) -> tuple[float, float, float]:
    auc = new.trained.evaluation.pooled.auc
    middle = 0.5 if auc.value is None else auc.value
    return middle, middle if auc.low is None else auc.low, middle if auc.high is None else auc.high


def _difference(data: Data, newest: Newest, champion: Learnt, seed: int) -> tuple[float, float]:
    """Return the lower end and the middle of the difference of the log-loss, challenger less champion.

    What the challenger predicted is that of its test there, for which it had learnt from earlier windows only.
    """
    from coterie.prediction import odds
    from coterie.prediction.modelling import measures

    people = BitMap(newest.people.astype(np.uint32))
    frame = data.store(champion.vocabulary).build([newest.cutoff], people)
    place = np.searchsorted(newest.people, frame.people)
    label, weight = newest.label[place], newest.weight[place]
    mine = odds.log_loss(odds.log_odds(newest.probability[place]), label)
    difference = mine - odds.log_loss(champion.trained.log_odds(frame), label)
    drawn = [float(draw @ difference) / float(draw.sum()) for draw in measures.draws(frame.people, weight, DRAWS, seed)]
    return float(np.quantile(drawn, 0.025)), float(weight @ difference / weight.sum())
