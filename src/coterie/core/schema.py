"""Schemas: what fields records have, which of them are identities, and the union of all schemas.

A **field path** (`loyalty.tier`, `productListItems.SKU`) has one type across a sandbox. A **leaf** is a path that
holds a value; leaves are what the stores keep as columns. Arrays and maps add one list level to every leaf below
them; a map is an array of entries whose key is the leaf ``<path>.$key``. The items of parallel leaves are aligned:
position *i* of `productListItems.SKU` and of `productListItems.quantity` is the same item (docs/adr/0001).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from coterie.core.errors import Invalid
from coterie.core.faults import fault


class FieldType(StrEnum):
    """Types of fields. The first six are scalar."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "date-time"
    OBJECT = "object"
    ARRAY = "array"
    MAP = "map"


class SchemaClass(StrEnum):
    """Behaviour of a schema: attributes of people, dated events, or look-up records."""

    PROFILE = "profile"
    EVENT = "event"
    RECORD = "record"


SCALARS = frozenset(FieldType) - {FieldType.OBJECT, FieldType.ARRAY, FieldType.MAP}
KEY = "$key"
VALUE = "$value"
MAX_DECIMALS = 9
_NAME = re.compile(r"[^.\s$`\"\[\]]+")


class Field(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A field and what lies below it.

    `decimals` makes a number exact: it is kept as an integer scaled by ten to that power (docs/adr/0002).
    A number without it is a binary double. `items` is the element of an array or the value of a map. `labels` say how
    the data may be used, here and below.
    """

    type: FieldType
    title: str = ""
    description: str = ""
    properties: dict[str, Field] = {}
    items: Field | None = None
    decimals: int | None = None
    enum: tuple[str, ...] = ()
    suggested: bool = False
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    required: bool = False
    labels: tuple[str, ...] = ()

    @property
    def scalar(self) -> bool:
        """Whether the field holds a single value."""
        return self.type in SCALARS


class Leaf(msgspec.Struct, frozen=True):
    """A path that holds a value: `path` is also the column name, `depth` the number of list levels around it.

    `levels` are the paths of the arrays and maps that make those levels, outermost first.
    """

    path: str
    field: Field
    depth: int = 0
    levels: tuple[str, ...] = ()


class IdentityDescriptor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Marks a string field as an identity of a namespace; at most one is primary."""

    path: str
    namespace: str
    primary: bool = False


class Schema(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A class with its fields, expanded; field groups are folded in when the schema is built."""

    name: str
    class_: SchemaClass = msgspec.field(name="class")
    fields: dict[str, Field] = {}
    identities: tuple[IdentityDescriptor, ...] = ()
    identity_map: bool = False
    field_groups: tuple[str, ...] = ()
    title: str = ""
    description: str = ""

    @property
    def root(self) -> Field:
        """The schema as one object field."""
        return Field(FieldType.OBJECT, properties=self.fields)

    def leaves(self) -> dict[str, Leaf]:
        """Return the stored leaves by path, in the order of definition."""
        return {leaf.path: leaf for leaf in leaves(self.root)}


class FieldGroup(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A reusable set of fields for one or more classes."""

    name: str
    classes: tuple[SchemaClass, ...]
    fields: dict[str, Field]
    title: str = ""
    description: str = ""


COMPUTED = "computedAttributes"
"""The field of a profile under which its computed attributes are named."""

PREDICTED, VALID_UNTIL = "customerAI", "valid_until"
"""The field of a profile under which the scores of each model are, and the field of scores that says until when they
count."""


class Union(msgspec.Struct, frozen=True):
    """The union of all schemas: one object for profiles, one for events.

    `computed` holds the expressions, in PQL, of the computed attributes that the profile has under `COMPUTED`.
    """

    profile: Field
    event: Field
    computed: dict[str, str] = {}


IDENTITY_MAP = Field(
    FieldType.MAP,
    title="Identity map",
    items=Field(
        FieldType.ARRAY,
        items=Field(
            FieldType.OBJECT,
            properties={
                "id": Field(FieldType.STRING),
                "primary": Field(FieldType.BOOLEAN),
                "authenticatedState": Field(FieldType.STRING),
            },
        ),
    ),
)
SEGMENT_MEMBERSHIP = Field(
    FieldType.MAP,
    title="Audience memberships",
    items=Field(
        FieldType.MAP,
        items=Field(
            FieldType.OBJECT,
            properties={
                "status": Field(FieldType.STRING, enum=("realized", "exited")),
                "lastQualificationTime": Field(FieldType.DATETIME),
                "validUntil": Field(FieldType.DATETIME),
                "version": Field(FieldType.STRING),
            },
        ),
    ),
)
CLASS_FIELDS: dict[SchemaClass, dict[str, Field]] = {
    SchemaClass.PROFILE: {},
    SchemaClass.EVENT: {
        "_id": Field(FieldType.STRING, required=True, title="Event id"),
        "timestamp": Field(FieldType.DATETIME, required=True, title="Time of the event"),
        "eventType": Field(FieldType.STRING, title="Event type"),
        "producedBy": Field(FieldType.STRING),
    },
    SchemaClass.RECORD: {},
}


def leaves(field: Field, path: str = "", levels: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield the leaves below `field`, in the order of definition."""
    match field.type:
        case FieldType.OBJECT:
            for name, child in field.properties.items():
                yield from leaves(child, f"{path}.{name}" if path else name, levels)
        case FieldType.ARRAY:
            assert field.items is not None
            yield from leaves(field.items, path, (*levels, path))
        case FieldType.MAP:
            assert field.items is not None
            inside = (*levels, path)
            yield Leaf(f"{path}.{KEY}", Field(FieldType.STRING), len(inside), inside)
            below = f"{path}.{VALUE}" if field.items.type is not FieldType.OBJECT else path
            yield from leaves(field.items, below, inside)
        case _:
            yield Leaf(path, field, len(levels), levels)


def read_fields(spec: Mapping[str, Any], where: str) -> dict[str, Field]:
    """Build fields from their written form.

    Keys may be dotted paths with ``[]`` for arrays and ``{}`` for maps; values a type name or a field object.

    Examples
    --------
    >>> fields = read_fields({"cart.lines[].price": {"type": "number", "decimals": 2}}, "schema shop")
    >>> fields["cart"].properties["lines"].items.properties["price"].decimals
    2
    """
    tree: dict[str, Any] = {}
    for key, value in spec.items():
        body = {"type": value} if isinstance(value, str) else value
        _place(tree, key, body, where)
    return {name: _field(name, body, where) for name, body in tree.items()}


_STEP = re.compile(r"(?P<name>[^.\[\]{}]+)(?P<nest>(?:\[\]|\{\})*)")


def _place(tree: dict[str, Any], key: str, body: Any, where: str) -> None:
    steps = key.split(".")
    level = tree
    for position, step in enumerate(steps):
        match = _STEP.fullmatch(step)
        if match is None:
            raise _bad(where, key, "a path of names, with [] after arrays and {} after maps")
        node = level.setdefault(match["name"], {})
        if not isinstance(node, dict):
            raise _bad(where, key, "an object above it, not a scalar")
        for nest in re.findall(r"\[\]|\{\}", match["nest"]):
            node.setdefault("type", "array" if nest == "[]" else "map")
            node = node.setdefault("items", {})
        if position == len(steps) - 1:
            if not isinstance(body, Mapping):
                raise _bad(where, key, "a type name or a mapping with a type")
            node.update(body)
        else:
            node.setdefault("type", "object")
            level = node.setdefault("properties", {})


def _field(path: str, body: Any, where: str) -> Field:
    if isinstance(body, str):
        body = {"type": body}
    if not isinstance(body, Mapping) or "type" not in body:
        raise _bad(where, path, "a type name or a mapping with a type")
    name = path.rsplit(".", 1)[-1]
    if not _NAME.fullmatch(name):
        raise _bad(where, path, "a name without blanks, dots, quotes, brackets or $")
    rest = {key: value for key, value in body.items() if key not in ("properties", "items")}
    try:
        field = msgspec.convert(rest, Field)
    except msgspec.ValidationError as error:
        found = fault(error, rest, Field)
        raise Invalid(
            "schema.field", f"{where}: field {path}: {found.message}.", hint=found.hint, where={"field": path}
        ) from error
    if field.decimals is not None and (field.type is not FieldType.NUMBER or not 0 <= field.decimals <= MAX_DECIMALS):
        raise _bad(where, path, f"decimals between 0 and {MAX_DECIMALS}, on a number")
    properties = {key: _field(f"{path}.{key}", value, where) for key, value in body.get("properties", {}).items()}
    items = _field(path, body["items"], where) if body.get("items") else None
    if (field.type in (FieldType.ARRAY, FieldType.MAP)) != (items is not None):
        raise _bad(where, path, "items for an array or a map, and only there")
    if (field.type is FieldType.OBJECT) != bool(properties):
        raise _bad(where, path, "properties for an object, and only there")
    return msgspec.structs.replace(field, properties=properties, items=items)


def _bad(where: str, path: str, expected: str) -> Invalid:
    return Invalid("schema.field", f"{where}: field {path}: expected {expected}.", where={"field": path})


def merge_fields(left: Mapping[str, Field], right: Mapping[str, Field], where: str, path: str = "") -> dict[str, Field]:
    """Return the union of two sets of fields; raises ``schema.conflict`` where one path has two types."""
    merged = dict(left)
    folded = {name.casefold(): name for name in merged}
    for name, field in right.items():
        full = f"{path}.{name}" if path else name
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            raise _conflict(where, full, f"differs from {twin} only by letter case")
        merged[name] = _merge_field(merged[name], field, where, full) if name in merged else field
    return merged


def _merge_field(left: Field, right: Field, where: str, path: str) -> Field:
    if left.type is not right.type or left.decimals != right.decimals:
        raise _conflict(where, path, f"is {_described(left)} elsewhere and {_described(right)} here")
    if right.labels:
        left = msgspec.structs.replace(left, labels=tuple(dict.fromkeys((*left.labels, *right.labels))))
    if left.type is FieldType.OBJECT:
        return msgspec.structs.replace(left, properties=merge_fields(left.properties, right.properties, where, path))
    if left.items is not None and right.items is not None:
        return msgspec.structs.replace(left, items=_merge_field(left.items, right.items, where, path))
    return left


def _described(field: Field) -> str:
    return field.type if field.decimals is None else f"{field.type} with {field.decimals} decimals"


def _conflict(where: str, path: str, what: str) -> Invalid:
    return Invalid(
        "schema.conflict",
        f"{where}: field {path} {what}; a path has one type across a sandbox.",
        hint="Rename the field, or give it the same type.",
        where={"field": path},
    )


def union_of(schemas: Iterable[Schema]) -> Union:
    """Return the union of the given schemas, with the fields that the system itself keeps on every profile."""
    profile: dict[str, Field] = {}
    event: dict[str, Field] = dict(CLASS_FIELDS[SchemaClass.EVENT])
    for schema in schemas:
        if schema.class_ is SchemaClass.PROFILE:
            profile = merge_fields(profile, schema.fields, f"schema {schema.name}")
        elif schema.class_ is SchemaClass.EVENT:
            event = merge_fields(event, schema.fields, f"schema {schema.name}")
    profile |= {"identityMap": IDENTITY_MAP, "segmentMembership": SEGMENT_MEMBERSHIP}
    return Union(Field(FieldType.OBJECT, properties=profile), Field(FieldType.OBJECT, properties=event))


def lookup(root: Field, path: str) -> Field | None:
    """Return the field at a dotted path, passing through arrays and maps, or None."""
    field = root
    for name in path.split("."):
        while field.items is not None:
            field = field.items
        found = field.properties.get(name)
        if found is None:
            return None
        field = found
    return field


def evolution_faults(old: Mapping[str, Field], new: Mapping[str, Field], path: str = "") -> list[str]:
    """Return why `new` does not merely add to `old`: removed or retyped fields and narrowed values.

    Allowed are new fields, fewer constraints and new words (profile schemas evolve additively once they hold data).
    """
    faults: list[str] = []
    for name, before in old.items():
        full = f"{path}.{name}" if path else name
        after = new.get(name)
        if after is None:
            faults.append(f"{full} is gone")
            continue
        faults += _field_faults(before, after, full)
    return faults


def _field_faults(before: Field, after: Field, path: str) -> list[str]:
    if before.type is not after.type or before.decimals != after.decimals:
        return [f"{path} was {_described(before)} and would be {_described(after)}"]
    faults = evolution_faults(before.properties, after.properties, path)
    if before.items is not None and after.items is not None:
        faults += _field_faults(before.items, after.items, path)
    if after.enum and not after.suggested and not (before.enum and set(before.enum) <= set(after.enum)):
        faults.append(f"{path} would allow fewer values")
    if after.pattern is not None and after.pattern != before.pattern:
        faults.append(f"{path} would have another pattern")
    for bound, narrower in (("minimum", max), ("min_length", max), ("maximum", min), ("max_length", min)):
        was, becomes = getattr(before, bound), getattr(after, bound)
        if becomes is not None and (was is None or narrower(was, becomes) != was):
            faults.append(f"{path} would have a narrower {bound}")
    return faults
