"""The check of a model before anything is trained: what its data give, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import models
from coterie.pipeline.predictions.data import Data
from coterie.prediction.definition import Model
from coterie.prediction.problems import Problem
from coterie.prediction.run import RunKind

if TYPE_CHECKING:
    from coterie.prediction.examination import Examined
    from coterie.prediction.vocabulary import Vocabulary

_OF_SCORING = frozenset({"model.no-scoring-data", "model.no-recent-data", "model.data-stale", "model.policy"})
"""Codes that concern a run which only scores."""


def concerning(found: Iterable[Problem], kind: RunKind) -> tuple[Problem, ...]:
    """Return the problems that concern a run: one that only scores needs nothing to learn from."""
    return tuple(item for item in found if kind == "train+score" or item.code in _OF_SCORING)


def examine(data: Data, at: int, *, fixed: bool, scores_with: Vocabulary | None = None) -> Examined:
    """Return what a dry run finds as of an instant.

    `fixed` when it is to be that one even if the data are older; `scores_with` is the vocabulary of the version that is
    to score people, where nothing is to be trained.
    """
    from coterie.prediction import examination

    definitions = Definitions(data.sandbox.catalog)
    others = [item for item in definitions.list(Model) if item.key != data.model.key]

    return examination.examine(
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
