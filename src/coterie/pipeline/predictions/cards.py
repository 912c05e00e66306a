"""The card of a version that a run trained, and how it does for each group of protected attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from coterie.engine.people import bitmap
from coterie.engine.sql import SqlEngine
from coterie.pipeline.predictions.data import Data
from coterie.prediction.problems import Problem
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.fairness import Fairness, by_group

if TYPE_CHECKING:
    from coterie.pipeline.predictions.training import Newest
    from coterie.pipeline.predictions.versions import Learnt
    from coterie.prediction.modelling.artefact import Manifest


class Told(msgspec.Struct, frozen=True):
    """What a training leaves for the card: what it had to say, and the groups of protected attributes."""

    problems: tuple[Problem, ...]
    fairness: tuple[Fairness, ...]


def fairness(data: Data, newest: Newest) -> tuple[Fairness, ...]:
    """Compare the groups of each protected attribute at the newest back-test, by the values of that time."""
    from coterie.prediction.data.features import attributes

    people, found = newest.people, []
    engine = SqlEngine(data.sandbox.history.con, data.union, until=newest.cutoff - 1)
    for field in data.model.protected:
        expr = attributes.read(field, data.union)[1]
        table = engine.values({"value": expr}, data.model.view, newest.cutoff, bitmap(people))
        values = dict(zip(table["person"].to_pylist(), table["value"].to_pylist(), strict=True))
        of_people = [values.get(person) for person in people.tolist()]
        found.append(by_group(field, newest.cutoff, of_people, newest.probability, newest.label, newest.weight))
    return tuple(found)


def card(number: int, made_at: int, check: Check, learnt: Learnt, manifest: Manifest, told: Told) -> Card:
    """Return the card of a version."""
    from coterie.prediction.learners.parameters import parameters_of
    from coterie.prediction.trust.card_writing import Facts
    from coterie.prediction.trust.card_writing import card as written

    trained = learnt.trained
    return written(
        Facts(
            model=learnt.model,
            version=number,
            made_at=made_at,
            check=check,
            cutoffs=learnt.cutoffs,
            vocabulary=learnt.vocabulary,
            features=trained.features,
            evaluation=trained.evaluation,
            windows=trained.interval.windows,
            scale=learnt.scale,
            parameters=parameters_of(trained.learner),
            libraries=manifest.libraries,
            seed=manifest.seed,
            data=manifest.data,
            problems=(*check.problems, *told.problems),
            fairness=told.fairness,
        )
    )


def last_rate(check: Check) -> float | None:
    """Return what really came about in the newest window that has closed."""
    return next((each.rate for each in check.cutoffs if each.rate is not None), None)
