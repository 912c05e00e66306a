"""Objects, arrays, maps and identity maps; and names matched without a written mapping."""

import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.errors import Invalid, NotFound, Unsupported
from coterie.core.schema import Schema, SchemaClass, read_fields
from coterie.ingest.mapping import Mapping, default_mapping
from coterie.ingest.shape import Shape
from coterie.ingest.source import resolve
from coterie.ingest.stage import stage

from .shop import column, connect, errors, run, schema

BASE = {"_id": "_id", "timestamp": "timestamp", "crm": "crm"}
FIELDS = {
    "crm": "string",
    "productListItems[].SKU": "string",
    "productListItems[].quantity": "integer",
    "tags[]": "string",
    "grid[].cells[].value": "integer",
    "prefs{}": "boolean",
    "subscriptions{}.since": "date",
    "address.city": "string",
}
ROWS = [
    {
        "_id": "1",
        "timestamp": "2026-01-01",
        "crm": "c",
        "items": [{"sku": "a", "n": 2}, {"sku": "b"}],
        "tags": ["x", "y"],
        "grid": [{"cells": [{"value": 1}, {"value": 2}]}, {"cells": []}],
        "prefs": {"sms": True, "email": False},
        "subscriptions": {"news": {"since": "2026-01-02"}},
        "home": {"city": "Ghent"},
    },
    {"_id": "2", "timestamp": "2026-01-01", "crm": "c", "items": [], "tags": None},
]
RULES = BASE | {
    "productListItems.SKU": "items[].sku",
    "productListItems.quantity": "items[].n",
    "tags": "tags",
    "grid": "grid",
    "prefs": "prefs",
    "subscriptions": "subscriptions",
    "address": "home",
}
EXPECTED = {
    "productListItems.SKU": [["a", "b"], []],
    "productListItems.quantity": [[2, None], []],
    "tags": [["x", "y"], None],
    "grid.cells.value": [[[1, 2], []], None],
    "prefs.$key": [["sms", "email"], None],
    "prefs.$value": [[True, False], None],
    "subscriptions.$key": [["news"], None],
    "subscriptions.since": [[1767312000000], None],
    "address.city": ["Ghent", None],
}


def test_json_documents(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    con, staged, _ = run(path, FIELDS, {"fields": RULES})
    assert staged.errors == {}
    assert {path: column(con, path) for path in EXPECTED} == EXPECTED


def test_nested_parquet(tmp_path):
    item = pa.struct({"sku": pa.string(), "n": pa.int32()})
    table = pa.table(
        {
            "_id": ["1", "2"],
            "timestamp": ["2026-01-01"] * 2,
            "crm": ["c"] * 2,
            "items": pa.array([row["items"] for row in ROWS], pa.list_(item)),
            "tags": pa.array([row["tags"] for row in ROWS], pa.list_(pa.string())),
            "grid": [row.get("grid") for row in ROWS],
            "prefs": pa.array([[("sms", True), ("email", False)], None], pa.map_(pa.string(), pa.bool_())),
            "subscriptions": [row.get("subscriptions") for row in ROWS],
            "home": [row.get("home") for row in ROWS],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    con, staged, _ = run(tmp_path / "rows.parquet", FIELDS, {"fields": RULES})
    assert staged.errors == {}
    assert {path: column(con, path) for path in EXPECTED} == EXPECTED


def test_flat_rows_become_single_items_and_texts_are_split(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text(
        "_id,timestamp,crm,sku,n,tags\n1,2026-01-01,c,a,2,x; y;;z\n2,2026-01-01,c,,3,\n3,2026-01-01,c,,,w\n"
    )
    rules = BASE | {
        "productListItems.SKU": "sku",
        "productListItems[].quantity": "n",
        "tags": {"source": "tags", "split": ";"},
    }
    con, staged, _ = run(path, FIELDS, {"fields": rules})
    assert staged.errors == {}
    assert column(con, "productListItems.SKU") == [["a"], [None], None]
    assert column(con, "productListItems.quantity") == [[2], [3], None]
    assert column(con, "tags") == [["x", "y", "z"], None, ["w"]]


def test_lists_from_two_sources_must_be_of_one_length(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("_id,timestamp,crm,skus,ns\n1,2026-01-01,c,a;b,1;2\n2,2026-01-01,c,a;b,1\n")
    rules = BASE | {
        "productListItems.SKU": {"source": "skus", "split": ";"},
        "productListItems.quantity": {"source": "ns", "split": ";"},
    }
    con, _, _ = run(path, FIELDS, {"fields": rules})
    assert errors(con) == [(3, "productListItems.quantity", "value.items")]


def test_constants_and_single_values_are_given_to_every_item(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0] | {"n": 7}) + "\n")
    fields = {"crm": "string", "lines[].sku": "string", "lines[].unit": "string", "lines[].rank": "integer"}
    rules = BASE | {"lines.sku": "items[].sku", "lines.unit": {"constant": "piece"}, "lines.rank": "n"}
    con, _, _ = run(path, fields, {"fields": rules})
    assert column(con, "lines.unit") == [["piece", "piece"]]
    assert column(con, "lines.rank") == [[7, 7]]


def test_containers_of_the_wrong_kind(tmp_path):
    path = tmp_path / "rows.jsonl"
    bad = [
        {"items": {"sku": "a"}},
        {"items": [1]},
        {"prefs": [True]},
        {"home": "Ghent"},
        {"crm": {"id": 1}},
        {"tags": [["x"]]},
    ]
    path.write_text("".join(json.dumps(ROWS[1] | row) + "\n" for row in bad))
    con, _, _ = run(path, FIELDS, {"fields": RULES})
    found = [(line, field, code) for line, field, code in errors(con) if code != "identity.missing"]
    assert found == [
        (1, "items", "value.type.array"),
        (2, "items[]", "value.type.object"),
        (3, "prefs", "value.type.object"),
        (4, "home", "value.type.object"),
        (5, "crm", "value.type.scalar"),
        (6, "tags[]", "value.type.scalar"),
    ]


def test_text_that_begins_like_json_is_text(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0] | {"tags": ["[promo]", "{x}"], "home": {"city": "[Ghent]"}}) + "\n")
    con, staged, _ = run(path, FIELDS, {"fields": RULES})
    assert staged.accepted == 1
    assert column(con, "tags") == [["[promo]", "{x}"]]
    assert column(con, "address.city") == ["[Ghent]"]


IDENTITY_MAP = [
    {"Email": [{"id": "a@example.org", "primary": True}, {"id": " "}], "CRMID": [{"id": "7"}]},
    {"SKU": [{"id": "s1"}], "Email": [{"id": "anonymous"}]},
    {"Email": [{"id": "b@example.org"}], "Fax": [{"id": "1"}]},
    {"Email": [{"id": "x" * 1025}]},
]


def entries(con):
    found = con.execute(
        'SELECT "$row", i.namespace, i.id, i."primary" FROM (SELECT "$row", unnest("$identityMap") AS i FROM stage)'
    ).fetchall()
    return sorted(found)


def test_identity_map_of_json(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(
            json.dumps({"_id": str(n), "timestamp": "2026-01-01", "identityMap": m}) + "\n"
            for n, m in enumerate(IDENTITY_MAP)
        )
    )
    rules = {"_id": "_id", "timestamp": "timestamp", "identityMap": "identityMap"}
    con, _, _ = run(path, {}, {"fields": rules}, identities=(), identity_map=True)
    assert entries(con) == [(0, "CRMID", "7", False), (0, "Email", "a@example.org", True)]
    assert errors(con) == [
        (2, "identityMap", "identity.missing"),
        (3, "identityMap", "identity.namespace"),
        (4, "identityMap", "identity.length"),
    ]


def test_identity_map_of_parquet_and_of_columns(tmp_path):
    entry = pa.struct({"id": pa.string(), "primary": pa.bool_()})
    table = pa.table(
        {
            "_id": ["1"],
            "timestamp": ["2026-01-01"],
            "identityMap": pa.array([list(IDENTITY_MAP[0].items())], pa.map_(pa.string(), pa.list_(entry))),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    rules = {"_id": "_id", "timestamp": "timestamp"}
    con, _, _ = run(
        tmp_path / "rows.parquet",
        {},
        {"fields": rules | {"identityMap": "identityMap"}},
        identities=(),
        identity_map=True,
    )
    assert entries(con) == [(0, "CRMID", "7", False), (0, "Email", "a@example.org", True)]
    path = tmp_path / "rows.csv"
    path.write_text("_id,timestamp,mail,customer\n1,2026-01-01,a@example.org,7\n2,2026-01-01,,8\n")
    own = {"identityMap.Email": {"source": "mail", "primary": True}, "identityMap.CRMID": "customer"}
    con, _, _ = run(path, {}, {"fields": rules | own}, identities=(), identity_map=True)
    assert entries(con) == [(0, "CRMID", "7", False), (0, "Email", "a@example.org", True), (1, "CRMID", "8", False)]


@pytest.mark.parametrize("value", ["", "  ", "null", "Anonymous", "INVALID"])
def test_blocked_values_are_no_identities(tmp_path, value):
    path = tmp_path / "rows.csv"
    path.write_text(f"_id,timestamp,crm,mail\n1,2026-01-01,{value},a@example.org\n2,2026-01-01,{value},\n")
    identities = (("crm", "CRMID", True), ("mail", "Email"))
    con, _, _ = run(
        path, {"crm": "string", "mail": "string"}, {"fields": BASE | {"mail": "mail"}}, identities=identities
    )
    assert con.execute('SELECT "$id0", "$id1" FROM stage').fetchall() == [(None, "a@example.org")]
    assert errors(con) == [(3, "crm", "identity.missing")]


def test_a_profile_record_needs_its_primary_identity(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("crm,mail\n,a@example.org\nc,\n")
    identities = (("mail", "Email"), ("crm", "CRMID", True))
    con, _, _ = run(
        path, {"crm": "string", "mail": "string"}, {"fields": {"crm": "crm", "mail": "mail"}},
        class_="profile", identities=identities,
    )  # fmt: skip
    assert errors(con) == [(2, "crm", "identity.missing")]
    assert con.execute('SELECT "$id0", "$id1" FROM stage').fetchall() == [(None, "c")]


def test_namespaces_that_link_nobody_and_ecids(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"_id,timestamp,crm,sku,ecid\n1,2026-01-01,c,s,{'1' * 38}\n2,2026-01-01,c,s,111\n")
    fields = {"crm": "string", "sku": "string", "ecid": "string"}
    identities = (("crm", "CRMID", True), ("sku", "SKU"), ("ecid", "ECID"))
    con, _, _ = run(path, fields, {"fields": BASE | {"sku": "sku", "ecid": "ecid"}}, identities=identities)
    assert con.execute('SELECT "$id1", "$id2", sku FROM stage').fetchall() == [(None, "1" * 38, "s")]
    assert errors(con) == [(3, "ecid", "identity.ecid")]


def test_schemas_without_owners_are_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("_id,timestamp,crm\n1,2026-01-01,c\n")
    with pytest.raises(Invalid) as raised:
        run(path, {"crm": "string"}, {"fields": BASE}, identities=())
    assert raised.value.code == "schema.no-identity"
    with pytest.raises(NotFound) as missing:
        run(path, {"crm": "string"}, {"fields": BASE}, identities=(("crm", "CRMId", True),))
    assert (missing.value.code, missing.value.hint) == ("namespace.not-found", "Did you mean CRMID?")
    _con, staged, _ = run(path, {"crm": "string"}, {"fields": {"crm": "crm"}}, class_="record", identities=())
    assert staged.accepted == 1


def test_same_names_are_matched(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("_ID,TimeStamp,address_city,Crm,tags,other\n1,2026-01-01,Ghent,c,x,1\n")
    mapping = default_mapping(schema(FIELDS), resolve([path]).describe(connect()))
    assert {name: rule.source for name, rule in mapping.fields.items()} == {
        "_id": "_ID",
        "timestamp": "TimeStamp",
        "crm": "Crm",
        "tags": "tags",
        "address.city": "address_city",
    }


def test_same_names_are_matched_inside_documents_and_nested_parquet(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {key: value for key, value in ROWS[0].items() if key not in ("items", "home")}
    path.write_text(json.dumps(row | {"productListItems": [{"SKU": "a"}], "address": {"city": "Ghent"}}) + "\n")
    mapping = default_mapping(schema(FIELDS), resolve([path]).describe(connect()))
    con, staged, _ = run(path, FIELDS, mapping.to_dict())
    assert staged.errors == {}
    wanted = ("productListItems.SKU", "address.city", "prefs.$key", "grid.cells.value")
    assert [column(con, path)[0] for path in wanted] == [["a"], "Ghent", ["sms", "email"], [[1, 2], []]]
    path.write_text('{"_ID": "1", "Timestamp": "2026-01-01", "CRM": "c", "address_city": "Ghent"}\n')
    rules = default_mapping(schema(FIELDS), resolve([path]).describe(connect())).fields
    assert [rules[name].source for name in ("_id", "timestamp", "crm", "address.city")] == [
        "_ID",
        "Timestamp",
        "CRM",
        "address_city",
    ]
    assert rules["productListItems.SKU"].source == "productListItems[].SKU"
    items = Shape("list", item=Shape("struct", {"sku": Shape("text")}))
    columns = {"_id": Shape("text"), "prefs": Shape("struct", {"sms": Shape("boolean")}), "productListItems": items}
    rules = default_mapping(schema(FIELDS), columns).fields
    assert {name: rule.source for name, rule in rules.items()} == {
        "_id": "_id",
        "prefs.$key": "prefs{}.$key",
        "prefs.$value": "prefs{}.$value",
        "productListItems.SKU": "productListItems[].sku",
    }


@pytest.mark.parametrize(
    ("rules", "code", "hint"),
    [
        ({"productListItems.SKUs": "sku"}, "mapping.unknown-field", "Did you mean productListItems.SKU?"),
        ({"address.city": "citty"}, "mapping.unknown-source", "Did you mean city?"),
        ({"identityMap": "city"}, "mapping.unknown-field", None),
        ({"address": {"constant": 1}}, "mapping.unknown-field", None),
    ],
)
def test_unknown_names(tmp_path, rules, code, hint):
    path = tmp_path / "rows.csv"
    path.write_text("_id,timestamp,crm,city,sku\n1,2026-01-01,c,Ghent,s\n")
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, {"fields": BASE | rules})
    assert raised.value.code == code
    assert hint is None or raised.value.hint == hint


def test_depths_and_kinds_that_cannot_fit(tmp_path):
    table = pa.table({"_id": ["1"], "timestamp": [True], "crm": ["c"], "tags": [["x"]]})
    pq.write_table(table, tmp_path / "rows.parquet")
    for rules, code in (
        (BASE, "mapping.type"),
        (BASE | {"timestamp": {"constant": "2026-01-01"}, "address.city": "tags[]"}, "mapping.depth"),
        (BASE | {"timestamp": {"constant": "2026-01-01"}, "address.city": "tags"}, "mapping.type"),
    ):
        with pytest.raises(Invalid) as raised:
            run(tmp_path / "rows.parquet", FIELDS, {"fields": rules})
        assert raised.value.code == code
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    with pytest.raises(Unsupported) as refused:
        run(
            path,
            {"crm": "string", "a[].b": {"type": "object", "required": True, "properties": {"c": "string"}}},
            {"fields": BASE},
        )
    assert refused.value.code == "ingest.required"


def test_required_objects_arrays_and_items(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"o": {"x": 1}, "a": [{"y": 1}]}, {"o": {}, "a": []}, {"o": {"x": 2}}, {"o": {"x": 2}, "a": [{"y": None}]}]
    path.write_text(
        "".join(
            json.dumps({"_id": str(n), "timestamp": "2026-01-01", "crm": "c"} | row) + "\n"
            for n, row in enumerate(rows)
        )
    )
    fields = {
        "crm": "string",
        "o": {"type": "object", "required": True, "properties": {"x": "integer"}},
        "a": {
            "type": "array",
            "required": True,
            "items": {"type": "object", "properties": {"y": {"type": "integer", "required": True}}},
        },
    }
    con, _, _ = run(path, fields, {"fields": BASE | {"o": "o", "a": "a"}})
    assert errors(con) == [
        (2, "o", "field.required"),
        (3, "a", "field.required"),
        (4, "a.y", "field.required"),
    ]


def test_arrays_of_the_wrong_size_and_arrays_missing_from_items(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"tags": ["a"], "grid": [{"cells": [1, 2]}]},
        {"tags": ["a", "b", "c"]},
        {"tags": [], "grid": [{"cells": [1, 2]}, {"cells": [1]}]},
        {"grid": [{"cells": [1, 2]}, {}]},
    ]
    base = {"_id": "1", "timestamp": "2026-01-01", "crm": "c"}
    path.write_text("".join(json.dumps(base | row) + "\n" for row in rows))
    cells = {"type": "array", "items": {"type": "integer"}, "min_length": 2, "required": True}
    fields = {
        "crm": "string",
        "tags": {"type": "array", "items": {"type": "string"}, "min_length": 1, "max_length": 2},
        "grid[].cells": cells,
    }
    con, _, _ = run(path, fields, {"fields": BASE | {"tags": "tags", "grid": "grid"}})
    assert errors(con) == [
        (2, "tags", "value.length"),
        (3, "grid.cells", "value.length"),
        (3, "tags", "value.length"),
        (4, "grid.cells", "field.required"),
    ]


def test_mappings_keep_their_meaning_when_written():
    written = {"fields": {"crm": "id", "at": {"source": "t", "zone": "Europe/Paris"}}, "decimal_comma": True}
    mapping = Mapping.read(written)
    assert Mapping.read(mapping.to_dict()) == mapping
    assert mapping.to_dict()["fields"] == written["fields"]
    assert Mapping.from_yaml("fields: {crm: id, at: {source: t, zone: Europe/Paris}}\ndecimal_comma: true") == mapping


def test_fields_may_be_called_like_anything_the_reader_calls_its_own(tmp_path):
    """Names of lambda parameters once hid the entries of identity maps behind fields called i and e."""
    path = tmp_path / "rows.parquet"
    row = {"i": {"id": "wrong"}, "e": {"value": "x"}, "identityMap": {"Email": [{"id": "a@b.c"}]}}
    pq.write_table(pa.Table.from_pylist([row]), path)
    schema = Schema(
        "t", SchemaClass.PROFILE, read_fields({"i.id": "string", "e.value": "string"}, "t"), identity_map=True
    )
    with duckdb.connect() as con:
        source = resolve([path])
        stage(con, source, default_mapping(schema, source.describe(con)), schema, namespaces={"Email": "EMAIL"})
        rows = con.execute('SELECT "i.id", "$identityMap" FROM stage').fetchall()
    assert rows == [("wrong", [{"namespace": "Email", "id": "a@b.c", "primary": False}])]
