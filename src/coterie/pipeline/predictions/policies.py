"""What a model reads by its labels, and which data usage policies object."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from operator import or_

from coterie.audience.definition import Audience
from coterie.core.errors import Conflict
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.labels import Labels
from coterie.pipeline.predictions.models import kinds_of, population_of
from coterie.pipeline.reads import Reads
from coterie.pql.analysis import Analysis
from coterie.prediction.definition import Model
from coterie.prediction.policies import Objection, objections
from coterie.prediction.vocabulary import Vocabulary


def fields_of(
    definitions: Definitions, model: Model, vocabulary: Vocabulary | None = None
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields of profiles and of events that a model reads, with those that its vocabulary chose.

    Protected attributes are not among them: they are compared, never learnt from.
    """
    events = {test.field for kind in kinds_of(model) for test in kind.where}
    events |= {event.measure.sum for event in model.goal.events if event.measure is not None}
    events |= set(model.categories or ())
    profiles = {attribute.field for attribute in model.attributes}
    if vocabulary is not None:
        events |= {category.field for category in vocabulary.categories}
        events |= {amount.field for amount in vocabulary.amounts}
    if (rule := population_of(definitions, model).where) is not None:
        reads = reduce(or_, Reads(definitions.union()).of(Audience("population", rule, view=model.view)), Analysis())
        events |= reads.event_fields
        profiles |= reads.profile_fields
    return frozenset(profiles), frozenset(events)


def objections_of(
    definitions: Definitions, model: Model, vocabulary: Vocabulary | None = None
) -> tuple[Objection, ...]:
    """Return the data usage policies that object to a model, by the labels of what it reads."""
    profiles, events = fields_of(definitions, model, vocabulary)
    labels = Labels(definitions)
    carried: dict[str, set[str]] = defaultdict(set)
    everywhere = set(labels.of_paths((), ()))
    for label in everywhere:
        carried[label].add("all events")
    for path in profiles:
        for label in set(labels.of_paths((path,), ())) - everywhere:
            carried[label].add(path)
    for path in events:
        for label in labels.of_paths((), (path,)):
            carried[label].add(path)
    return objections(carried)


def require_allowed(definitions: Definitions, model: Model) -> None:
    """Raise ``model.policy`` when a data usage policy forbids to learn from a field that a model names."""
    blocking = [each for each in objections_of(definitions, model) if each.blocking]
    if blocking:
        listed = "; ".join(f"{', '.join(each.fields)} ({each.label}: {each.meaning})" for each in blocking)
        raise Conflict(
            "model.policy",
            f"model {model.key} reads fields that may not be learnt from: {listed}.",
            hint="Leave them out, or have the labels looked at by whoever set them.",
            where={"model": model.key, "policies": [each.policy for each in blocking]},
        )
