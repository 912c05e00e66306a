"""Models: saved, changed as far as they may be, copied and deleted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.core.errors import Conflict, Invalid, NotFound, suggestion
from coterie.core.schema import COMPUTED, PREDICTED, Schema, Union, lookup
from coterie.governance import labels as words_of
from coterie.ingest.dataset import Dataset
from coterie.pipeline.apply import commit
from coterie.pipeline.define import save
from coterie.pipeline.definitions import KINDS, Definitions
from coterie.pipeline.labels import Labels
from coterie.pipeline.predictions import folders
from coterie.pipeline.reads import Reads
from coterie.pipeline.written import convert
from coterie.pql import check
from coterie.prediction import predicates, schedule
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model, Population
from coterie.prediction.run import Run, Version
from coterie.prediction.trust import policies
from coterie.store.catalog import BatchStatus
from coterie.store.sandbox import Sandbox

EDITABLE = ("name", "description", "schedule", "publish", "buckets", "draft")
"""What may be changed of a model that has been run, or could have been."""

SCORING = (schedule.ONCE, *schedule.WORDS)
RETRAINING = (schedule.AUTO, "monthly")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read(spec: Mapping[str, Any] | Model) -> Model:
    """Return a model from its written form; raises ``model.spec``."""
    if isinstance(spec, Model):
        return spec
    key = spec.get("key") if isinstance(spec, Mapping) else None
    return convert(spec, Model, "model.spec", f"model {key or '(without a key)'}")


def create(sandbox: Sandbox, spec: Mapping[str, Any] | Model) -> Model:
    """Save a new model.

    Raises
    ------
    Conflict
        ``model.exists``; ``model.policy`` when a data usage policy forbids what it reads.
    Invalid
        ``model.spec``, ``model.key``, ``model.schedule``, ``model.buckets``, ``model.unknown-field``, ``model.test``,
        ``model.population``.
    PqlError
        With the problems of the rule of the population.
    """
    model = read(spec)
    definitions = Definitions(sandbox.catalog)
    if definitions.find(Model, model.key) is not None:
        raise Conflict(
            "model.exists",
            f"there is a model {model.key} already.",
            hint="Choose another key, or copy that one under a new key: `coterie ai clone`.",
            where={"model": model.key},
        )
    require_sound(definitions, model)
    policies.require_allowed(model.key, policies.objections(carried(definitions, model)))
    return save(sandbox, model.key, model)


def edit(sandbox: Sandbox, key: str, changes: Mapping[str, Any]) -> Model:
    """Change what may be changed of a model: all of a draft, else its words, schedule, buckets and publication.

    Raises
    ------
    Conflict
        ``model.fixed`` for what a model learns from: that makes another model.
    """
    definitions = Definitions(sandbox.catalog)
    before = definitions.get(Model, key)
    unknown = [name for name in changes if name not in Model.__struct_fields__]
    if unknown:
        raise Invalid(
            "model.spec",
            f"model {key}: there is nothing called {unknown[0]!r} to change.",
            hint=suggestion(unknown[0], Model.__struct_fields__) or f"These may be changed: {', '.join(EDITABLE)}.",
            where={"model": key},
        )
    model = convert({**msgspec.to_builtins(before), **_plain(changes)}, Model, "model.spec", f"model {key}")
    fixed = [
        name
        for name in Model.__struct_fields__
        if getattr(model, name) != getattr(before, name) and (name == "key" or not (before.draft or name in EDITABLE))
    ]
    if fixed:
        raise Conflict(
            "model.fixed",
            f"model {key}: {', '.join(fixed)} cannot be changed any more: scores before and after would not be of the "
            "same thing.",
            hint=f"Copy the model under a new key: `coterie ai clone {key} NEW`. These may be changed: "
            f"{', '.join(EDITABLE)}.",
            where={"model": key, "fields": fixed},
        )
    if model.draft and not before.draft:
        raise Conflict(
            "model.fixed",
            f"model {key} is no draft any more, and cannot become one again.",
            hint="Set its schedule to once, so that it does not run by itself.",
            where={"model": key, "fields": ["draft"]},
        )
    require_sound(definitions, model)
    return save(sandbox, key, model)


def clone(sandbox: Sandbox, key: str, new: str, changes: Mapping[str, Any]) -> Model:
    """Save a copy of a model under a new key, with changes."""
    old = Definitions(sandbox.catalog).get(Model, key)
    spec = {**msgspec.to_builtins(old), "name": f"{old.name} (copy)", **_plain(changes), "key": new}
    return create(sandbox, convert(spec, Model, "model.spec", f"model {new}"))


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dict(changes))
    return plain


def delete(sandbox: Sandbox, key: str, *, keep_scores: bool = False) -> None:
    """Delete a model with its runs, versions and files, and its scores unless they are to be kept on profiles.

    Raises
    ------
    Conflict
        ``model.in-use`` while audiences read scores that are to go.
    """
    definitions = Definitions(sandbox.catalog)
    definitions.get(Model, key)
    gone: list[dict[str, str]] = []
    dataset = dataset_of(definitions, key)
    if not keep_scores and dataset is not None:
        readers = readers_of(definitions, key)
        if readers:
            raise Conflict(
                "model.in-use",
                f"the scores of model {key} are read by {', '.join(readers)}.",
                hint="Delete or change those first, or keep the scores on profiles: `--keep-scores`.",
                where={"model": key, "dependents": readers},
            )
        for batch in sandbox.catalog.batches(dataset.name):
            if batch.status is BatchStatus.ACTIVE:
                commit(sandbox, "batch.reverted", {"batch": batch.id, "reason": f"model {key} deleted"})
        gone += [{"kind": KINDS[Dataset], "id": dataset.name}, {"kind": KINDS[Schema], "id": dataset.schema}]
    gone += [{"kind": KINDS[kind], "id": item.id} for kind in (Run, Version) for item in _mine(definitions, kind, key)]
    gone.append({"kind": KINDS[Model], "id": key})
    commit(sandbox, "definitions.delete", {"definitions": gone})
    folders.discard(sandbox.path, key)


def _mine(definitions: Definitions, kind: type[Run] | type[Version], key: str) -> list[Run | Version]:
    return [item for item in definitions.list(kind) if item.key == key]


def dataset_of(definitions: Definitions, key: str) -> Dataset | None:
    """Return the dataset that holds the scores of a model; None before they were first published."""
    schemas = {
        schema.name
        for schema in definitions.list(Schema)
        if PREDICTED in schema.fields and key in schema.fields[PREDICTED].properties
    }
    return next((item for item in definitions.list(Dataset) if item.system and item.schema in schemas), None)


def readers_of(definitions: Definitions, key: str) -> list[str]:
    """Return the names of the audiences that read the scores of a model, directly or through computed attributes."""
    reads, prefix = Reads(definitions.union()), f"{PREDICTED}.{key}"
    return [
        audience.name
        for audience in definitions.list(Audience)
        if any(
            path == prefix or path.startswith(f"{prefix}.")
            for condition in reads.of(audience)
            for path in condition.profile_fields
        )
    ]


# -- what a model must be -------------------------------------------------------------------------------------------


def require_sound(definitions: Definitions, model: Model) -> None:
    """Raise the first error of a model as it is stated."""
    union = definitions.union()
    if not _KEY.fullmatch(model.key):
        raise Invalid(
            "model.key",
            f"{model.key!r} cannot be the key of a model.",
            hint="Use a lower-case letter, then lower-case letters, digits and _, at most 63; rules read its scores as "
            f"{PREDICTED}.<key>.score.",
            where={"model": model.key},
        )
    if not model.name.strip():
        raise Invalid(
            "model.spec",
            f"model {model.key} has no name.",
            hint="Say what is predicted: the name stands wherever the score is shown.",
            where={"model": model.key},
        )
    schedule.check(model.schedule.score, words=SCORING)
    schedule.check(model.schedule.retrain, words=RETRAINING)
    if model.buckets.medium >= model.buckets.high:
        raise Invalid(
            "model.buckets",
            f"model {model.key}: medium begins at {model.buckets.medium} and high at {model.buckets.high}.",
            hint="Let high begin above medium.",
            where={"model": model.key},
        )
    definitions.view(model.view)
    for kind in model.kinds:
        for fault in predicates.faults(kind, union):
            fault.where = {"model": model.key} | fault.where
            raise fault
    _require_names(model)
    for path in (*(item.field for item in model.attributes), *model.protected):
        _require_attribute(model, path, union)
    for path in model.categories or ():
        if path not in predicates.event_paths(union):
            raise _unknown(model, path, predicates.event_paths(union), "events")
        if path not in predicates.countable_paths(union):
            raise Invalid(
                "model.attribute",
                f"model {model.key}: the values of {path} cannot be counted one by one.",
                hint="Name fields of events that hold a text, or true or false.",
                where={"model": model.key, "field": path},
            )
    _require_population(definitions, model)


def _require_names(model: Model) -> None:
    """Raise when two kinds of events that are counted share a name: reasons would speak of both as one."""
    goal, others = model.goal.events, (*model.custom_events, *model.exposures)
    counted = Counter([*(event.name for event in goal), *(kind.name for kind in others)])
    for name, times in counted.items():
        if times > 1:
            raise Invalid(
                "model.test",
                f"model {model.key}: {times} kinds of events are called {name!r}.",
                hint="Give each of the goal's events, the custom events and the exposures a name of its own.",
                where={"model": model.key, "kind": name},
            )


def _require_attribute(model: Model, path: str, union: Union) -> None:
    if path.split(".")[0] in (PREDICTED, "segmentMembership", "identityMap"):
        raise Invalid(
            "model.attribute",
            f"model {model.key}: {path} cannot be learnt from: it is what is predicted or made of it, or tells who "
            "somebody is.",
            hint="Name fields that say something of the person.",
            where={"model": model.key, "field": path},
        )
    field = lookup(union.profile, path)
    if path.startswith(f"{COMPUTED}.") and path.removeprefix(f"{COMPUTED}.") in union.computed:
        return
    if field is None:
        raise _unknown(model, path, list(union.profile.properties), "profiles")
    if not field.scalar:
        raise Invalid(
            "model.attribute",
            f"model {model.key}: {path} holds no single value.",
            hint="Name a field below it, or one that is a text, a number, a date or true or false.",
            where={"model": model.key, "field": path},
        )


def _unknown(model: Model, path: str, known: list[str], whose: str) -> Invalid:
    return Invalid(
        "model.unknown-field",
        f"model {model.key}: {whose} have no field {path!r}.",
        hint=suggestion(path, known) or "`coterie schema union` lists the fields there are.",
        where={"model": model.key, "field": path},
    )


def _require_population(definitions: Definitions, model: Model) -> None:
    population = model.population
    if population.where is not None and population.audience is not None:
        raise Invalid(
            "model.population",
            f"model {model.key}: the population has a rule and an audience.",
            hint="Give one of the two.",
            where={"model": model.key},
        )
    if population.audience is not None:
        audience = definitions.get(Audience, population.audience)
        plan.require_view(model.view, [audience.name], {audience.name: audience})
    rule = population_of(definitions, model).where
    if rule is None:
        return
    check(rule, definitions.union(), [item.name for item in definitions.list(Audience)]).require()
    if f"{PREDICTED}." in rule:
        raise Invalid(
            "model.population",
            f"model {model.key}: its population is chosen by scores.",
            hint="Choose it by what people did or are: scores of the past are not kept for every instant.",
            where={"model": model.key},
        )


def population_of(definitions: Definitions, model: Model) -> Population:
    """Return the population of a model, an audience replaced by its rule."""
    found = model.population
    if found.audience is None:
        return found
    return Population(definitions.get(Audience, found.audience).pql, None, found.lookback_days)


def carried(definitions: Definitions, model: Model, vocabulary: Vocabulary | None = None) -> dict[str, list[str]]:
    """Return the fields that a model reads by the labels that they carry."""
    found: dict[str, list[str]] = {}
    labels = Labels(definitions)
    attributes, events = read_fields_of(definitions, model)
    if vocabulary is not None:
        attributes |= {item.field for item in vocabulary.attributes}
        events |= {item.field for item in vocabulary.categories} | {item.field for item in vocabulary.amounts}
    asked = [(path, labels.of_paths({path}, None)) for path in sorted(attributes)]
    asked += [(path, labels.of_paths(None, {path})) for path in sorted(events)]
    for path, carries in asked:
        for label in carries:
            found.setdefault(label, []).append(path)
    return found


def read_fields_of(definitions: Definitions, model: Model) -> tuple[set[str], set[str]]:
    """Return the paths of profiles and of events that a model learns from; what it protects is only compared."""
    events = {test.field for kind in model.kinds for test in kind.where}
    events |= {*model.goal.measured, *(model.categories or ())}
    attributes = {item.field for item in model.attributes}
    rule = population_of(definitions, model).where
    if rule is not None:
        for condition in Reads(definitions.union()).of(Audience("population", rule, view=model.view)):
            attributes |= condition.profile_fields
            events |= condition.event_fields
    return attributes, events


def forbidden(definitions: Definitions) -> frozenset[str]:
    """Return the paths of the fields of events that no model may learn from, by the labels they carry."""
    labels = Labels(definitions)
    return frozenset(
        path
        for path in predicates.event_paths(definitions.union())
        if not policies.FORBIDDING.keys().isdisjoint(labels.of_paths(None, {path}))
    )


def labels_of(definitions: Definitions, model: Model, vocabulary: Vocabulary | None = None) -> tuple[str, ...]:
    """Return the labels of the fields that a model reads, by itself or with a vocabulary: its scores carry them."""
    return words_of.in_order(carried(definitions, model, vocabulary))


def model_named(definitions: Definitions, key: str) -> Model:
    """Return a model; raises ``model.not-found`` with a suggestion, and says how to make the first one."""
    found = definitions.find(Model, key)
    if found is None:
        known = [item.key for item in definitions.list(Model)]
        error = NotFound.named("model", key, known)
        error.hint = error.hint or "Make one with `coterie ai create`."
        raise error
    return found
