"""The predictions of the sample world: three models, trained and written to profiles, and an audience on them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from coterie.core.errors import Conflict
from coterie.core.progress import Progress
from coterie.prediction.run import BucketCounts, Prediction, Run, Status

if TYPE_CHECKING:
    from coterie.workspace import Workspace

AUDIENCE = "high-spenders-at-risk"
TITLE = "High spenders out of rhythm"
DESCRIPTION = (
    "Spent at least 2,500 dollars within a year, as every fourth household did, and are likelier to stop for a month "
    "than most, above all because they are out of their rhythm."
)
RULE = (
    'xEvent[eventType = "commerce.purchases" and timestamp occurs <= 1 year before now]'
    ".sum(commerce.line.paid) >= 2500.00\n"
    "and customerAI.stops_for_30_days.percentile > 50\n"
    'and customerAI.stops_for_30_days.factors.head().code.startsWith("rhythm:")'
)


class ModelRow(msgspec.Struct, frozen=True):
    """A model, how well it told who would, and how its scores are spread."""

    model: str
    name: str
    goal: str
    learner: str
    auc: float | None
    scored: int
    buckets: BucketCounts | None
    seconds: float


class Predicted(msgspec.Struct, frozen=True):
    """The models of the sample world, what they say of its household, and the audience that reads them."""

    models: tuple[ModelRow, ...]
    household: tuple[Prediction, ...]
    audience: str
    pql: str
    members: int


def load(ws: Workspace, household: str, progress: Progress) -> Predicted:
    """Save the models, train and publish those that have not been, and fill the audience.

    Parameters
    ----------
    ws : Workspace
        The loaded sample world.
    household : str
        An identity, ``Namespace:value``.
    progress : Progress
        Told what is going on.
    """
    rows = []
    known = {model.key: model for model in ws.predictions.list()}
    for key, stated in models().items():
        if key not in known:
            ws.predictions.create({"key": key, **stated})
        progress.report(f"Predicting: {stated['name']}")
        last = known[key].last if key in known else None
        run = last if last is not None and last.status is Status.SUCCEEDED else _run(ws, key)
        evaluation = ws.predictions.evaluation(key, run.version)
        rows.append(
            ModelRow(
                model=key,
                name=stated["name"],
                goal=ws.predictions.view(key).goal,
                learner=evaluation.algorithm,
                auc=evaluation.pooled.auc.value,
                scored=run.scored,
                buckets=run.buckets,
                seconds=run.seconds,
            )
        )
    if AUDIENCE not in {audience.name for audience in ws.audiences.list()}:
        ws.audiences.put(AUDIENCE, RULE, title=TITLE, description=DESCRIPTION)
    members = ws.audiences.evaluate([AUDIENCE]).audiences[-1].members
    return Predicted(tuple(rows), tuple(ws.predictions.predictions(household)), AUDIENCE, RULE, members)


def models() -> dict[str, dict[str, Any]]:
    """Return the models of the sample world, as a file states them, by key."""
    text = (files("coterie.demo") / "models.yaml").read_text(encoding="utf-8")
    read: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return read


def _run(ws: Workspace, key: str) -> Run:
    run = ws.predictions.run(key)
    if run.status is not Status.SUCCEEDED:
        why = run.error.message if run.error is not None else f"the run is {run.status}."
        raise Conflict("demo.prediction", f"the model {key} gave no scores: {why}", where={"model": key})
    return run
