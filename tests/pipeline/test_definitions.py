"""Saving schemas, datasets, namespaces and audiences: what is refused, and what a new version may change."""

import pytest

from coterie.core.errors import Conflict, CoterieError, Invalid, NotFound, Unsupported
from coterie.pql import PqlError

IDENTITY = [{"path": "u", "namespace": "CRMID", "primary": True}]


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ({"name": "x", "klass": "event"}, "schema.spec", "class"),
        ({"name": "x", "class": "evnet"}, "schema.spec", "event"),
        ({"class": "event"}, "schema.spec", "name"),
        ({"name": "x", "class": "profile", "fields": {"u": "strnig"}}, "schema.field", "string"),
        (
            {"name": "x", "class": "profile", "fields": {"u": {"type": "string", "patern": "a"}}},
            "schema.field",
            "u: patern is not known",
        ),
        (
            {"name": "x", "class": "profile", "fields": {"u": {"type": "string", "enum": 5}}},
            "schema.field",
            "enum cannot be 5",
        ),
        (
            {"name": "x", "class": "event", "identities": [{"path": "w"}]},
            "schema.identity",
            "identities[0]: namespace is missing",
        ),
        ({"name": "x", "class": "event", "identities": ["w"]}, "schema.identity", "Give a mapping with path"),
        ({"name": "x", "class": "profile", "fields": {"person": "string"}}, "schema.reserved", "person"),
        ({"name": "x", "class": "event", "fields": {"timestamp": "string"}}, "schema.conflict", "timestamp"),
        ({"name": "x", "class": "profile", "fields": {"order.total": "integer"}}, None, ""),
        ({"name": "x", "class": "event", "fields": {"order.total": "integer"}}, "schema.conflict", "order.total"),
        (
            {"name": "x", "class": "event", "fields": {"u": "string"}, "identities": [{"path": "w", "namespace": "A"}]},
            "schema.identity",
            "w",
        ),
        (
            {"name": "x", "class": "event", "fields": {"u": "string"}, "identities": [{"path": "u", "namespace": "A"}]},
            "namespace.not-found",
            "A",
        ),
    ],
)
def test_a_schema_that_cannot_be_is_refused_with_what_to_do(ws, spec, code, says):
    before = ws.status().position
    if code is None:
        assert ws.schemas.put(spec).name == "x"
        return
    with pytest.raises(CoterieError) as caught:
        ws.schemas.put(spec)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert ws.status().position == before


def test_field_groups_are_shared_and_schemas_only_grow(ws):
    ws.schemas.put_group({"name": "commerce", "classes": ["event"], "fields": {"cart.size": "integer"}})
    spec = {"name": "x", "class": "event", "field_groups": ["commerce"], "fields": {"u": "string"}}
    assert "cart.size" in ws.schemas.put({**spec, "identities": IDENTITY}).leaves()
    with pytest.raises(Conflict, match="cart is gone") as caught:
        ws.schemas.put({**spec, "field_groups": [], "identities": IDENTITY})
    assert caught.value.code == "schema.not-additive"
    with pytest.raises(Conflict, match="primary identity"):
        ws.schemas.put({**spec, "identities": [{**IDENTITY[0], "primary": False}]})
    grown = ws.schemas.put({**spec, "fields": {"u": "string", "tags[]": "string"}, "identities": IDENTITY})
    assert grown == ws.schemas.get("x")
    assert ws.audiences.count('xEvent[tags.includes("a")].count() > 0').count == 0
    with pytest.raises(Invalid, match="does not fit"):
        ws.schemas.put({"name": "y", "class": "profile", "field_groups": ["commerce"]})


def test_saving_what_is_there_already_changes_nothing(ws):
    before = ws.status().position
    ws.schemas.put(ws.schemas.get("web"))
    ws.audiences.put("lyon", ws.audiences.get("lyon").pql)
    assert ws.status().position == before


def test_look_up_records_are_refused_by_name(ws):
    ws.schemas.put({"name": "product", "class": "record", "fields": {"sku": "string"}})
    with pytest.raises(Unsupported) as caught:
        ws.datasets.put("products", "product")
    assert caught.value.code == "dataset.record-class"


def test_a_dataset_keeps_its_schema(ws):
    with pytest.raises(Conflict) as caught:
        ws.datasets.put("web", "crm")
    assert caught.value.code == "dataset.schema"
    with pytest.raises(NotFound, match="crn"):
        ws.datasets.put("other", "crn")


def test_the_type_of_a_namespace_is_fixed(ws):
    assert ws.identities.put_namespace({"code": "WebID", "type": "cookie", "description": "new words"}).custom
    with pytest.raises(Conflict) as caught:
        ws.identities.put_namespace({"code": "WebID", "type": "DEVICE"})
    assert caught.value.code == "namespace.fixed"
    assert "WebID" in {namespace.code for namespace in ws.identities.namespaces()}


@pytest.mark.parametrize(
    ("pql", "error", "code"),
    [
        ('homeAddress.town = "Lyon"', PqlError, "pql.invalid"),
        ('inSegment("nobody")', PqlError, "pql.invalid"),
        ('inSegment("gold-or-lyon")', Invalid, "pql.cycle"),
    ],
)
def test_an_audience_that_cannot_be_evaluated_is_not_saved(ws, pql, error, code):
    before = ws.audiences.get("lyon")
    with pytest.raises(error) as caught:
        ws.audiences.put("lyon", pql)
    assert caught.value.code == code
    assert ws.audiences.get("lyon") == before


def test_deleting_an_audience_ends_its_memberships(loaded):
    with pytest.raises(Conflict, match="gold-or-lyon"):
        loaded.audiences.delete("lyon")
    loaded.audiences.delete("gold-or-lyon")
    assert "gold-or-lyon" not in {item.audience for item in loaded.profiles.get("CRMID", "1").memberships}
    open_now = loaded.sandbox.history.con.execute(
        "SELECT count(*) FROM membership WHERE audience = 'gold-or-lyon' AND exited_at IS NULL"
    )
    assert open_now.fetchall() == [(0,)]
    loaded.audiences.delete("lyon")
    with pytest.raises(NotFound):
        loaded.audiences.get("lyon")
