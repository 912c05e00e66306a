"""What can be asked of models, runs and versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from coterie.core.clock import parse_instant, to_datetime
from coterie.core.errors import Invalid, NotFound
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import checking, ended, folders, models, output, people, publishing, runs, versions
from coterie.pipeline.predictions.data import Data
from coterie.prediction import goal as goals
from coterie.prediction.definition import Model
from coterie.prediction.modelling.evaluation import Evaluation
from coterie.prediction.problems import Problem
from coterie.prediction.run import ModelView, Run, ScoredPerson, ScoresFile, ScoresPage, Version
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.drift import Drift
from coterie.prediction.trust.value import Gains, Value, worth
from coterie.prediction.why.insights import Insights, Migration
from coterie.store.sandbox import Sandbox

T = TypeVar("T", Insights, Drift, Migration)

_FILES: dict[type, str] = {kind: name for name, kind in publishing.KEPT.items()}


def view(sandbox: Sandbox, model: Model) -> ModelView:
    """Return a model with what became of it."""
    definitions = Definitions(sandbox.catalog)
    champion = versions.champion(definitions, model.key)
    return ModelView(
        key=model.key,
        name=model.name,
        propensity=model.propensity,
        description=model.description,
        goal=goals.words(model.goal),
        schedule=model.schedule.score,
        draft=model.draft,
        publish=model.publish,
        configuration_version=definitions.version(Model, model.key),
        version=None if champion is None else champion.number,
        last=next(iter(runs.listed(sandbox, model.key)), None),
        next_at=runs.next_at(sandbox, model),
        labels=models.labels_of(definitions, model),
    )


def check(sandbox: Sandbox, model: str | Mapping[str, Any] | Model, at: int | None) -> Check:
    """Return what a dry run finds of a saved model, or of one that is not saved."""
    definitions = Definitions(sandbox.catalog)
    stated = models.model_named(definitions, model) if isinstance(model, str) else models.read(model)
    models.require_sound(definitions, stated)
    instant = sandbox.clock.now() if at is None else at
    return checking.examine(Data.of(sandbox, stated), instant, fixed=at is not None).check


def advice(sandbox: Sandbox, key: str) -> tuple[Problem, ...]:
    """Return what is to be known of a saved model as it is stated."""
    stated = models.model_named(Definitions(sandbox.catalog), key)
    return checking.advice(Data.of(sandbox, stated), sandbox.clock.now())


def last_scored(sandbox: Sandbox, key: str) -> Run | None:
    """Return the last run that scored people."""
    return next(iter(ended.scored(Definitions(sandbox.catalog), key)), None)


def kept(sandbox: Sandbox, key: str, run: str, type_: type[T]) -> T:
    """Return what is kept of a run."""
    found = runs.named(sandbox, key, run)
    path = folders.run(sandbox.path, key, found.number) / _FILES[type_]
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except FileNotFoundError:
        raise NotFound(
            "model.not-kept",
            f"run {found.id} {found.status.replace('_', ' ')}: nothing of the kind is kept of it.",
            hint=f"`coterie ai runs {key}` shows which runs scored people.",
            where={"run": found.id},
        ) from None


def migration(sandbox: Sandbox, key: str, run: str, before: str | None) -> Migration:
    """Return who moved between buckets to a run from another one."""
    if before is None:
        return kept(sandbox, key, run, Migration)
    model = models.model_named(Definitions(sandbox.catalog), key)
    sides = [
        output.previous(sandbox.history.con, key, runs.batch_of(sandbox, runs.named(sandbox, key, name)), model.view)
        for name in (before, run)
    ]
    return sides[0].migration(sides[1].people, sides[1].bucket)


def value(sandbox: Sandbox, key: str, run: str, contact_cost: float, value_per_success: float) -> Value:
    """Return the profit of contacting the likeliest people of a run first."""
    found = runs.named(sandbox, key, run)
    told = evaluation(versions.named(sandbox, key, found.version))
    return worth(Gains(told.gains, found.scored, found.mean_probability or 0.0), contact_cost, value_per_success)


def evaluation(version: Version) -> Evaluation:
    """Return the evaluation of a version."""
    return msgspec.convert(version.evaluation, Evaluation)


def card(version: Version) -> Card:
    """Return the card of a version."""
    return msgspec.convert(version.card, Card)


def counted(sandbox: Sandbox, year: int | None) -> int:
    """Return how many scores were given in a calendar year."""
    chosen = to_datetime(sandbox.clock.now()).year if year is None else year
    start, end = (parse_instant(f"{each:04d}-01-01") for each in (chosen, chosen + 1))
    return runs.scored_between(sandbox, start, end)


def page(sandbox: Sandbox, key: str, run: str, limit: int, after: str | None) -> ScoresPage:
    """Return some of the scores of a run, the likeliest first, those after a cursor."""
    if after is not None and not (after.isascii() and after.isdecimal()):
        raise Invalid(
            "model.cursor",
            f"{after!r} is not a cursor of a page of scores.",
            hint="Pass on the `next` of an earlier answer.",
            where={"model": key},
        )
    found = runs.named(sandbox, key, run)
    batch = runs.batch_of(sandbox, found)
    rows = output.page(sandbox.history.con, key, batch, limit + 1, int(after or 0))
    items = tuple(_scored(row) for row in rows[:limit])
    return ScoresPage(found.id, found.as_of, items, str(items[-1].rank) if len(rows) > limit else None)


def _scored(row: Mapping[str, Any]) -> ScoredPerson:
    names = (name for name in ScoredPerson.__struct_fields__ if not name.startswith("factors"))
    low, high = row["interval"]
    factors = {side: tuple(map(people.factor_of, row[side])) for side in ("factors", "factors_against")}
    return ScoredPerson(**{name: row[name] for name in names} | {"interval": (low, high)} | factors)


def scores(sandbox: Sandbox, key: str, run: str, format_: str | None, path: Path | None) -> ScoresFile:
    """Write the scores of a run to a file."""
    found = runs.named(sandbox, key, run)
    batch = runs.batch_of(sandbox, found)
    name = format_ or ("parquet" if path is None else output.format_of(path))
    target = path or sandbox.exports / f"scores-{key}-{found.number}.{name}"
    rows = output.export(sandbox.history.con, key, batch, target, name)
    return ScoresFile(str(target), found.id, name, rows)
