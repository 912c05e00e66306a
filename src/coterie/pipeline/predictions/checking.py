"""The check of a model before anything is trained: what its data give, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import models, output
from coterie.pipeline.predictions.data import Data
from coterie.prediction.definition import Model
from coterie.prediction.problems import Problem, ordered, scores_left_out
from coterie.prediction.run import RunKind

if TYPE_CHECKING:
    from coterie.prediction.data.vocabulary import Vocabulary
    from coterie.prediction.trust.examination import Examined

_OF_SCORING = frozenset(
    {
        "model.no-scoring-data",
        "model.no-recent-data",
        "model.data-stale",
        "model.policy",
        "model.scores-left-out",
    }
)
"""Codes that concern a run which only scores."""


def concerning(found: Iterable[Problem], kind: RunKind) -> tuple[Problem, ...]:
    """Return the problems that concern a run: one that only scores needs nothing to learn from."""
    return tuple(item for item in found if kind == "train+score" or item.code in _OF_SCORING)


def examine(data: Data, at: int, *, fixed: bool, scores_with: Vocabulary | None = None) -> Examined:
    """Return what a dry run finds as of an instant.

    `fixed` when it is to be that one even if the data are older; `scores_with` is the vocabulary of the version that is
    to score people, where nothing is to be trained.
    """
    from coterie.prediction.trust import examination

    definitions = Definitions(data.sandbox.catalog)
    others = [item for item in definitions.list(Model) if item.key != data.model.key]

    found = examination.examine(
        data.sandbox.history.con,
        data.union,
        data.model,
        at,
        policy=data.policy,
        fixed=fixed,
        scores_with=scores_with,
        others=others,
        carried=lambda vocabulary: models.carried(definitions, data.model, vocabulary),
        forbidden=models.forbidden(definitions),
    )
    problems = ordered((*found.check.problems, *_left_out(definitions, data)))
    return replace(found, check=msgspec.structs.replace(found.check, problems=problems))


def advice(data: Data, at: int) -> tuple[Problem, ...]:
    """Return what is to be known of a model as it is stated: what it is not for, and what has never happened.

    Nothing in it stops a model from being saved: events may still come.
    """
    from coterie.prediction import problems
    from coterie.prediction.trust import extent, unseen, warnings

    history, model = data.sandbox.history.con, data.model
    others = [item for item in Definitions(data.sandbox.catalog).list(Model) if item.key != model.key]
    seen = extent.extent(history, data.union, model, at)
    found = [*unseen.problems_of(history, data.union, model, seen)] if seen.events else [problems.no_input(model.view)]
    told = (msgspec.structs.replace(item, severity="warning") for item in found)
    return ordered((*told, *warnings.warnings_of(model, others)))


def _left_out(definitions: Definitions, data: Data) -> Iterator[Problem]:
    """Yield a warning when the merge policy of a model leaves out the dataset that its scores are written to."""
    order = data.policy.policy.attribute_datasets
    if order is None or not data.model.publish:
        return
    dataset = models.dataset_of(definitions, data.model.key)
    name = output.names(data.model)[0] if dataset is None else dataset.name
    if name not in order:
        yield scores_left_out(data.policy.name, name, there=dataset is not None)
