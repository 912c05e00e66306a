"""Saving definitions: checked against what is there, then logged and applied."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.core.errors import Conflict, Invalid, NotFound, Unsupported, suggestion
from coterie.core.schema import (
    COMPUTED,
    FieldGroup,
    IdentityDescriptor,
    Schema,
    SchemaClass,
    evolution_faults,
    lookup,
    union_of,
)
from coterie.engine.sql import SqlEngine
from coterie.governance import labels
from coterie.governance.retention import days
from coterie.identity.namespaces import Namespace, check_change
from coterie.ingest.dataset import Dataset
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import KINDS, Definitions
from coterie.pipeline.written import convert, read_group, read_schema
from coterie.pql import check
from coterie.pql.conditions import Membership
from coterie.store.catalog import BatchStatus
from coterie.store.sandbox import Sandbox

T = TypeVar("T")


def save(sandbox: Sandbox, name: str, definition: T) -> T:
    """Commit a definition, unless it is what is in force already."""
    if Definitions(sandbox.catalog).find(type(definition), name) != definition:
        commit(sandbox, "definition.put", _body(name, definition))
    return definition


def save_made(sandbox: Sandbox, schema: Schema, dataset: Dataset) -> Dataset:
    """Commit a schema and a dataset of it that the program makes for itself, both or neither; raises as `put_schema`.

    What is in force already is not committed again.
    """
    definitions = Definitions(sandbox.catalog)
    made: list[tuple[str, Schema | Dataset]] = [(schema.name, sound(definitions, schema)), (dataset.name, dataset)]
    new = [_body(name, item) for name, item in made if definitions.find(type(item), name) != item]
    if new:
        commit(sandbox, "definitions.put", {"definitions": new})
    return dataset


def _body(name: str, definition: object) -> dict[str, Any]:
    return {"kind": KINDS[type(definition)], "id": name, "body": msgspec.to_builtins(definition)}


def put_schema(sandbox: Sandbox, spec: Mapping[str, Any] | Schema) -> Schema:
    """Save a schema.

    Parameters
    ----------
    spec : mapping or Schema
        Written form: `name`, `class`, `fields`, `identities`, `field_groups`, `identity_map`.

    Raises
    ------
    Invalid
        ``schema.field``, ``schema.identity``, ``schema.spec``; ``schema.conflict`` for a path with another type.
    Conflict
        ``schema.not-additive`` when a field would go or change its type.
    """
    definitions = Definitions(sandbox.catalog)
    schema = spec if isinstance(spec, Schema) else read_schema(spec, partial(_group, definitions))
    return save(sandbox, schema.name, sound(definitions, schema))


def sound(definitions: Definitions, schema: Schema) -> Schema:
    """Return a schema that can take its place among the others; raises as `put_schema`."""
    where = f"schema {schema.name}"
    labels.all_of(schema.fields, where)
    if COMPUTED in schema.fields and schema.class_ is SchemaClass.PROFILE:
        raise Invalid(
            "schema.reserved",
            f"{where}: no field can be called {COMPUTED}; computed attributes are named under it.",
            hint="Call it otherwise.",
            where={"field": COMPUTED},
        )
    if "person" in schema.leaves():
        raise Invalid(
            "schema.reserved",
            f"{where}: a single value cannot be called person; that name is taken in the tables of profiles.",
            hint="Call it otherwise, or make it an object, such as person.id.",
            where={"field": "person"},
        )
    for descriptor in schema.identities:
        _check_identity(schema, descriptor, definitions)
    if sum(descriptor.primary for descriptor in schema.identities) > 1:
        raise Invalid("schema.identity", f"{where}: more than one identity is primary.", hint="Keep one primary.")
    before = definitions.find(Schema, schema.name)
    if before is not None:
        faults = evolution_faults(before.fields, schema.fields)
        if before.class_ is not schema.class_:
            faults.append(f"its class was {before.class_}")
        if before.identities and _primary(before) != _primary(schema):
            faults.append("its primary identity would change")
        if faults:
            raise Conflict(
                "schema.not-additive",
                f"{where}: a schema may only grow, but {'; '.join(faults[:5])}.",
                hint="Make a new schema under another name.",
                where={"schema": schema.name},
            )
    union_of([*(item for item in definitions.list(Schema) if item.name != schema.name), schema])
    return schema


def _group(definitions: Definitions, name: str) -> FieldGroup:
    groups = definitions.groups()
    if name not in groups:
        raise NotFound.named("field_group", name, groups)
    return groups[name]


def _primary(schema: Schema) -> str | None:
    return next((descriptor.path for descriptor in schema.identities if descriptor.primary), None)


def _check_identity(schema: Schema, descriptor: IdentityDescriptor, definitions: Definitions) -> None:
    leaf = schema.leaves().get(descriptor.path)
    if leaf is None or leaf.depth or lookup(schema.root, descriptor.path) is None or leaf.field.type != "string":
        raise Invalid(
            "schema.identity",
            f"schema {schema.name}: identity {descriptor.path} is not a single string field of the schema.",
            hint=suggestion(descriptor.path, schema.leaves()),
            where={"field": descriptor.path},
        )
    namespaces = definitions.namespaces()
    if descriptor.namespace not in namespaces:
        raise NotFound.named("namespace", descriptor.namespace, namespaces)


def put_group(sandbox: Sandbox, spec: Mapping[str, Any] | FieldGroup) -> FieldGroup:
    """Save a field group, written as `name`, `classes` and `fields`."""
    group = spec if isinstance(spec, FieldGroup) else read_group(spec)
    labels.all_of(group.fields, f"field group {group.name}")
    return save(sandbox, group.name, group)


def put_dataset(sandbox: Sandbox, spec: Mapping[str, Any]) -> Dataset:
    """Save a dataset; its schema must exist and never changes."""
    definitions = Definitions(sandbox.catalog)
    where = f"dataset {spec.get('name')}"
    if spec.get("expire_events_after") is not None:
        spec = {**spec, "expire_events_after": days(spec["expire_events_after"], where)}
    dataset = convert(spec, Dataset, "dataset.spec", where)
    labels.checked(dataset.labels, where)
    schema = definitions.get(Schema, dataset.schema)
    if dataset.expire_events_after is not None and schema.class_ is not SchemaClass.EVENT:
        raise Invalid(
            "dataset.expiry",
            f"{where}: its records are no events, and do not expire.",
            hint="Only events have a time of their own to count from.",
            where={"dataset": dataset.name},
        )
    if schema.class_ is SchemaClass.RECORD:
        raise Unsupported(
            "dataset.record-class",
            f"dataset {dataset.name}: schema {schema.name} is for look-up records, which cannot be loaded yet.",
            hint="Datasets hold attributes of people (class profile) or events (class event).",
            where={"dataset": dataset.name},
        )
    before = definitions.find(Dataset, dataset.name)
    if dataset.system or (before is not None and before.system):
        raise Conflict(
            "dataset.system",
            f"dataset {dataset.name} is, or would be, one that Coterie fills itself.",
            hint="Give your dataset another name, and leave `system` out.",
            where={"dataset": dataset.name},
        )
    _check_writing(sandbox, dataset, schema, before)
    if before is not None and before.schema != dataset.schema:
        raise Conflict(
            "dataset.schema",
            f"dataset {dataset.name} has schema {before.schema}, which cannot become {dataset.schema}.",
            hint="Make a new dataset.",
            where={"dataset": dataset.name},
        )
    return save(sandbox, dataset.name, dataset)


def _check_writing(sandbox: Sandbox, dataset: Dataset, schema: Schema, before: Dataset | None) -> None:
    """Check what a dataset says of how its rows change the records that are there."""
    where = {"dataset": dataset.name}
    if schema.class_ is not SchemaClass.PROFILE and (dataset.upsert or dataset.ordered_by is not None):
        raise Invalid(
            "dataset.records-only",
            f"dataset {dataset.name} is for events, which are only ever added.",
            hint="`upsert` and `ordered_by` are for datasets of records.",
            where=where,
        )
    leaf = schema.leaves().get(dataset.ordered_by or "")
    if dataset.ordered_by is not None and (leaf is None or leaf.depth or leaf.field.type != "date-time"):
        dates = [path for path, leaf in schema.leaves().items() if leaf.field.type == "date-time" and not leaf.depth]
        raise Invalid(
            "dataset.ordered-by",
            f"dataset {dataset.name}: {dataset.ordered_by} is not a single date-time field of schema {schema.name}.",
            hint=f"It has {', '.join(dates)}." if dates else "It has no date-time field.",
            where=where | {"field": dataset.ordered_by},
        )
    ordered_by = before.ordered_by if before is not None else None
    if ordered_by != dataset.ordered_by and any(
        batch.status is BatchStatus.ACTIVE for batch in sandbox.catalog.batches(dataset.name)
    ):
        raise Conflict(
            "dataset.ordered-by",
            f"dataset {dataset.name} holds records already, so what orders them cannot change.",
            hint="Make a new dataset.",
            where=where,
        )


def put_namespace(sandbox: Sandbox, spec: Mapping[str, Any]) -> Namespace:
    """Save a custom namespace; raises when a standard one or another one has the code, or its type would change."""
    definitions = Definitions(sandbox.catalog)
    namespace = convert({**spec, "custom": True}, Namespace, "namespace.spec", f"namespace {spec.get('code')}")
    namespace = check_change(definitions.namespaces(), namespace)
    return save(sandbox, namespace.code, namespace)


def put_audience(sandbox: Sandbox, audience: Audience) -> Audience:
    """Save an audience whose rule has no problems and is one the engine takes; raises `PqlError`, ``pql.cycle``, …"""
    definitions = Definitions(sandbox.catalog)
    definitions.view(audience.view)
    others = [item for item in definitions.list(Audience) if item.name != audience.name]
    union = definitions.union()
    check(audience.pql, union, [audience.name, *(item.name for item in others)]).require()
    planned = plan.plan(audience, union)
    read = {audience.name: planned.reads, **{item.name: plan.reads(item) for item in others}}
    plan.in_order(read)
    plan.require_view(audience.view, planned.reads, {item.name: item for item in others})
    readers = {item.name: item for item in others if audience.name in read[item.name]}
    plan.require_view(audience.view, readers, readers)
    check_engine(SqlEngine(sandbox.history.con, union), planned)
    return save(sandbox, audience.name, audience)


def check_engine(engine: SqlEngine, planned: plan.Planned) -> None:
    """Raise ``engine.unsupported`` now for what an evaluation could not answer later."""
    for condition in planned.conditions:
        if not isinstance(condition.shape, Membership):
            engine.explain(condition, planned.audience.view, 0)


def delete_audience(sandbox: Sandbox, name: str) -> None:
    """Delete an audience; raises ``audience.in-use`` while others read it."""
    definitions = Definitions(sandbox.catalog)
    definitions.get(Audience, name)
    readers = [item.name for item in definitions.list(Audience) if name in plan.reads(item)]
    if readers:
        raise Conflict(
            "audience.in-use",
            f"audience {name} is read by {', '.join(readers)}.",
            hint="Delete or change those first.",
            where={"audience": name, "dependents": readers},
        )
    commit(sandbox, "definition.delete", {"kind": "audience", "id": name})
