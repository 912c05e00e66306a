"""Proposals: what is made of files, and that a person can correct and load them."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.errors import Invalid
from coterie.ingest.draft import Draft
from coterie.ingest.infer import infer
from coterie.ingest.source import resolve

from .shop import column, connect, run

PEOPLE = """\
Customer ID;E-Mail;Born;Spent;Postcode;Active;Joined at;Home phone;Nothing
1001;ada@example.org;31.12.1980;1.234,50;01234;yes;01.02.2020 10:00;+49 171 1234567;
1002;bob@example.org;01.02.1990;99,90;10115;no;05.06.2021 23:15;+49 30 9876543;
1003;;;;;;;;
"""


def types(draft):
    return {
        path: spec["type"] if "decimals" not in spec else f"{spec['type']} {spec['decimals']}"
        for path, spec in draft.schema["fields"].items()
    }


def load(paths, draft):
    """Stage files by a draft, as it is written."""
    spec = draft.schema
    return run(
        paths,
        spec["fields"],
        draft.mapping.to_dict(),
        class_=spec["class"],
        identities=tuple((item["path"], item["namespace"], item.get("primary", False)) for item in spec["identities"]),
        identity_map=spec.get("identity_map", False),
    )


def test_attributes_of_people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    draft = infer(connect(), resolve([path]))
    assert draft.schema["name"] == "people"
    assert draft.schema["class"] == "profile"
    assert types(draft) == {
        "Customer_ID": "string",
        "E_Mail": "string",
        "Born": "date",
        "Spent": "number 2",
        "Postcode": "string",
        "Active": "boolean",
        "Joined_at": "date-time",
        "Home_phone": "string",
    }
    assert draft.schema["identities"] == [
        {"path": "Customer_ID", "namespace": "CRMID", "primary": True},
        {"path": "E_Mail", "namespace": "Email"},
        {"path": "Home_phone", "namespace": "Phone"},
    ]
    assert draft.preview[0]["Born"] == "1980-12-31"
    assert draft.preview[0]["Spent"] == "1234.50"
    assert draft.preview[2] == {"Customer_ID": "1003"}
    assert any("UTC" in note and "Joined at" in note for note in draft.notes)
    assert any("Nothing" in note for note in draft.notes)
    again = Draft.from_yaml(draft.to_yaml())
    assert again == draft
    _, staged, _ = load(path, again)
    assert (staged.accepted, staged.errors) == (3, {})


def test_a_person_corrects_the_proposal(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    text = infer(connect(), resolve([path])).to_yaml()
    text = text.replace("format: '%d.%m.%Y %H:%M'", "format: '%d.%m.%Y %H:%M'\n      zone: Europe/Paris")
    con, _, _ = load(path, Draft.from_yaml(text))
    assert column(con, "Joined_at")[0] == int(datetime(2020, 2, 1, 9, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_events_with_items(tmp_path, kind):
    rows = [
        {
            "id": f"e{n}",
            "ts": 1_700_000_000_000 + n * 1000,
            "type": ["view", "buy"][n % 2],
            "user_id": 1000 + n % 30,
            "cookie": f"k{n % 40}",
            "items": [{"sku": f"s{k}", "price": 19.99, "n": k} for k in range(n % 3)],
            "geo": {"lat": 51.05342, "city": "Ghent"},
        }
        for n in range(200)
    ]
    path = tmp_path / f"web.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    draft = infer(connect(), resolve([path]))
    assert draft.schema["class"] == "event"
    assert types(draft) == {
        "user_id": "string",
        "cookie": "string",
        "items[].sku": "string",
        "items[].price": "number 2",
        "items[].n": "integer",
        "geo.lat": "number 5",
        "geo.city": "string",
    }
    assert [(item["path"], item["namespace"]) for item in draft.schema["identities"]] == [
        ("user_id", "CRMID"),
        ("cookie", "FPID"),
    ]
    rules = draft.mapping.fields
    assert rules["timestamp"].format == "epoch_ms"
    assert (rules["_id"].source, rules["eventType"].source) == ("id", "type")
    assert draft.preview[2]["items.price"] == ["19.99", "19.99"]
    assert Draft.from_yaml(draft.to_yaml()) == draft
    con, staged, _ = load(path, draft)
    assert (staged.accepted, staged.errors) == (200, {})
    assert column(con, "items.n")[2] == [0, 1]


def test_events_without_ids_types_and_identities(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("at,page\n2026-01-01T10:00:00Z,home\n2026-01-01T10:00:01Z,shop\n")
    draft = infer(connect(), resolve([path]), name="clicks")
    assert draft.mapping.fields["_id"].concat == ("at", "page")
    assert draft.mapping.fields["eventType"].constant == "clicks"
    assert any("no identity" in note for note in draft.notes)
    assert draft.schema["identities"] == []


def test_maps_and_identity_maps_and_odd_keys(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {
            "at": "2026-01-01T00:00:00Z",
            "identityMap": {"Email": [{"id": f"p{n}@example.org", "primary": True}]},
            "scores": {f"k{n}-{m}": m for m in range(40)},
            "a.b": 1,
            "mixed": [1, "x"][n % 2],
            "torn": [1, {"x": 1}][n % 2],
        }
        for n in range(4)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    draft = infer(connect(), resolve([path]))
    assert draft.schema["identity_map"] is True
    assert types(draft) == {"scores{}": "integer", "mixed": "string"}
    assert sum("'a.b'" in note or "for a map" in note or "torn" in note for note in draft.notes) == 3
    con, staged, _ = load(path, draft)
    assert staged.errors == {}
    assert column(con, "scores.$value")[0] == list(range(40))


def test_names_that_clash_get_numbers(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("email,Email,producedBy,at\na@example.org,b@example.org,x,2026-01-01T00:00:00Z\n")
    draft = infer(connect(), resolve([path]), class_="event")
    assert list(draft.schema["fields"]) == ["email", "Email_2", "producedBy_2"]
    _, staged, _ = load(path, draft)
    assert staged.errors == {}


@pytest.mark.parametrize(
    ("text", "class_", "code"),
    [
        ("a,b\n", None, "ingest.nothing-to-infer"),
        ("a,b\n1,2\n", "event", "ingest.no-time"),
        ("a,b\n1,2\n", "thing", "schema.class"),
    ],
)
def test_what_cannot_be_inferred(tmp_path, text, class_, code):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(Invalid) as raised:
        infer(connect(), resolve([path]), class_=class_)
    assert raised.value.code == code


@pytest.mark.parametrize("text", ["schema: [1]", "a: b: c", "schema: {}\nmapping: {fields: {}}\nformat: {kind: xml}"])
def test_drafts_that_are_none(text):
    with pytest.raises(Invalid) as raised:
        Draft.from_yaml(text)
    assert raised.value.code == "draft.spec"
