"""Definitions from their written form: what stands in a YAML or JSON file becomes a schema or a field group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from coterie.core.errors import Invalid, suggestion
from coterie.core.faults import fault, spelt
from coterie.core.schema import (
    CLASS_FIELDS,
    FieldGroup,
    IdentityDescriptor,
    Schema,
    SchemaClass,
    merge_fields,
    read_fields,
)

T = TypeVar("T")


def read_schema(spec: Mapping[str, Any], group_of: Callable[[str], FieldGroup]) -> Schema:
    """Build a schema from its written form, with the fields of its class and of its field groups folded in."""
    name = str(spec.get("name", ""))
    where = f"schema {name or '(without a name)'}"
    known = {"name", "class", "fields", "identities", "field_groups", "identity_map", "title", "description"}
    for key in spec.keys() - known:
        raise Invalid("schema.spec", f"{where}: unknown key {key!r}.", hint=suggestion(key, known))
    try:
        class_ = SchemaClass(spec.get("class", ""))
    except ValueError as error:
        raise Invalid(
            "schema.spec", f"{where}: class {spec.get('class')!r}.", hint=f"Classes are {', '.join(SchemaClass)}."
        ) from error
    if not name:
        raise Invalid("schema.spec", f"{where}: a schema needs a name.", hint="Add `name: …`.")
    fields = dict(CLASS_FIELDS[class_])
    for group_name in spec.get("field_groups", ()):
        group = group_of(group_name)
        if class_ not in group.classes:
            raise Invalid("schema.spec", f"{where}: field group {group_name} does not fit class {class_}.")
        fields = merge_fields(fields, group.fields, where)
    fields = merge_fields(fields, read_fields(spec.get("fields", {}), where), where)
    identities = tuple(
        convert(item, IdentityDescriptor, "schema.identity", f"{where}: identities[{place}]")
        for place, item in enumerate(spec.get("identities", ()))
    )
    return Schema(
        name=name,
        class_=class_,
        fields=fields,
        identities=identities,
        identity_map=bool(spec.get("identity_map", False)),
        field_groups=tuple(spec.get("field_groups", ())),
        title=str(spec.get("title", "")),
        description=str(spec.get("description", "")),
    )


def read_group(spec: Mapping[str, Any]) -> FieldGroup:
    """Build a field group from its written form: `name`, `classes` and `fields`."""
    where = f"field group {spec.get('name')}"
    fields = read_fields(spec.get("fields", {}), where)
    rest = {key: value for key, value in spec.items() if key != "fields"}
    return convert({**rest, "fields": msgspec.to_builtins(fields)}, FieldGroup, "schema.spec", where)


def convert(spec: Mapping[str, Any], type_: type[T], code: str, where: str) -> T:
    """Return a definition of a type; raises `code` with what is wrong."""
    try:
        return msgspec.convert(dict(spec) if isinstance(spec, Mapping) else spec, type_)
    except msgspec.ValidationError as error:
        found = fault(error, spec, type_)
        place = {"field": spelt(found.path)} if found.path else None
        raise Invalid(code, f"{where}: {found.message}.", hint=found.hint, where=place) from error
