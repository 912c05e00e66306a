"""The union schema as a tree: every field with the schemas and datasets that contribute it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from coterie.core.schema import CLASS_FIELDS, Field, FieldType, Schema, SchemaClass, Union, lookup
from coterie.ingest.dataset import Dataset


class UnionField(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of the union, and the fields below it.

    `path` has ``[]`` after arrays and ``{}`` after maps; `type` is that of the items there. A field without schemas is
    kept by the system itself. `identities` are the namespaces that the field is an identity of, in some schema.
    """

    name: str
    path: str
    type: FieldType
    schemas: tuple[str, ...]
    datasets: tuple[str, ...]
    decimals: int | None = None
    title: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    fields: tuple[UnionField, ...] = ()


class UnionTree(msgspec.Struct, frozen=True):
    """The union of the schemas of profiles, and that of the schemas of events."""

    profile: tuple[UnionField, ...]
    event: tuple[UnionField, ...]


def tree(union: Union, schemas: Iterable[Schema], datasets: Iterable[Dataset]) -> UnionTree:
    """Return the union of schemas as a tree.

    Parameters
    ----------
    union : Union
        The union.
    schemas : iterable of Schema
        The schemas it is made of.
    datasets : iterable of Dataset
        The datasets there are.
    """
    known = list(schemas)
    places: dict[str, list[str]] = {}
    for dataset in datasets:
        places.setdefault(dataset.schema, []).append(dataset.name)
    return UnionTree(
        *(
            _fields(root.properties, [item for item in known if item.class_ is class_], places, CLASS_FIELDS[class_])
            for class_, root in ((SchemaClass.PROFILE, union.profile), (SchemaClass.EVENT, union.event))
        )
    )


def _fields(
    fields: Mapping[str, Field],
    schemas: Sequence[Schema],
    places: Mapping[str, Sequence[str]],
    common: Mapping[str, Field],
    plain: str = "",
    shown: str = "",
) -> tuple[UnionField, ...]:
    """Return the fields of an object; `plain` is its path as schemas name it, `shown` as the tree does."""
    found: list[UnionField] = []
    for name, field in fields.items():
        path, nested = f"{plain}{name}", field
        marks, labels = "", field.labels
        while nested.items is not None:
            marks += "{}" if nested.type is FieldType.MAP else "[]"
            nested = nested.items
            labels = (*labels, *nested.labels)
        givers = [schema for schema in schemas if _gives(schema, path, common)]
        found.append(
            UnionField(
                name=name,
                path=f"{shown}{name}{marks}",
                type=nested.type,
                schemas=tuple(schema.name for schema in givers),
                datasets=tuple(dataset for schema in givers for dataset in places.get(schema.name, ())),
                decimals=nested.decimals,
                title=field.title or nested.title,
                description=field.description or nested.description,
                labels=tuple(dict.fromkeys(labels)),
                identities=tuple(
                    dict.fromkeys(
                        item.namespace for schema in givers for item in schema.identities if item.path == path
                    )
                ),
                fields=_fields(nested.properties, schemas, places, {}, f"{path}.", f"{shown}{name}{marks}."),
            )
        )
    return tuple(found)


def _gives(schema: Schema, path: str, common: Mapping[str, Field]) -> bool:
    if path in common or lookup(schema.root, path) is not None:
        return True
    return schema.identity_map and path.split(".")[0] == "identityMap"
