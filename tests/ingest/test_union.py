"""The union schema as a tree: who contributes which field, and which fields are identities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coterie.core.schema import (
    CLASS_FIELDS,
    Field,
    IdentityDescriptor,
    Schema,
    SchemaClass,
    leaves,
    read_fields,
    union_of,
)
from coterie.ingest.dataset import Dataset
from coterie.ingest.union import UnionField, UnionTree, tree


def schemas() -> list[Schema]:
    def fields(class_: SchemaClass, spec: dict[str, Any]) -> dict[str, Field]:
        return CLASS_FIELDS[class_] | read_fields(spec, "test")

    profile, event = SchemaClass.PROFILE, SchemaClass.EVENT
    crm = {"crm.id": "string", "person.name": {"type": "string", "title": "Name"}, "consents{}": "boolean"}
    mail = {"person.name": "string", "person.email": "string"}
    web = {"items[].price": {"type": "number", "decimals": 2}}
    return [
        Schema("crm", profile, fields(profile, crm), (IdentityDescriptor("crm.id", "CRMID", primary=True),)),
        Schema("mail", profile, fields(profile, mail), (IdentityDescriptor("person.email", "Email", primary=True),)),
        Schema("web", event, fields(event, web), identity_map=True),
    ]


def made() -> UnionTree:
    known = schemas()
    places = [Dataset("crm1", "crm"), Dataset("crm2", "crm"), Dataset("mail", "mail"), Dataset("web", "web")]
    return tree(union_of(known), known, places)


def below(fields: tuple[UnionField, ...]) -> Iterator[UnionField]:
    for field in fields:
        yield field
        yield from below(field.fields)


def test_every_field_says_who_contributes_it() -> None:
    found = {field.path: field for field in below(made().profile)}
    assert found["person"].schemas == ("crm", "mail")
    assert found["person.name"].schemas == ("crm", "mail")
    assert found["person.name"].datasets == ("crm1", "crm2", "mail")
    assert found["person.name"].title == "Name"
    assert (found["person.email"].schemas, found["person.email"].identities) == (("mail",), ("Email",))
    assert (found["crm.id"].datasets, found["crm.id"].identities) == (("crm1", "crm2"), ("CRMID",))
    assert (found["consents{}"].type, found["consents{}"].name) == ("boolean", "consents")
    assert found["segmentMembership{}{}"].schemas == ()


def test_fields_of_events_come_from_every_schema_of_events() -> None:
    found = {field.path: field for field in below(made().event)}
    assert found["timestamp"].schemas == ("web",)
    assert (found["items[].price"].decimals, found["items[].price"].schemas) == (2, ("web",))


def test_the_tree_has_every_leaf_of_the_union() -> None:
    union = union_of(schemas())
    for fields, root in ((made().profile, union.profile), (made().event, union.event)):
        plain = {field.path.replace("[]", "").replace("{}", "") for field in below(fields) if not field.fields}
        expected = {leaf.path.removesuffix(".$value") for leaf in leaves(root) if not leaf.path.endswith(".$key")}
        assert plain == {path.replace(".$value", "") for path in expected}
