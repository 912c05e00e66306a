"""The reference of mappings says what is so."""

import json
import re
from decimal import Decimal
from pathlib import Path

import msgspec

from coterie.core.clock import parse_instant
from coterie.ingest.mapping import Mapping, Rule
from coterie.ingest.source import SourceFormat

from .shop import column, run

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "ingest.md").read_text(encoding="utf-8")


def test_the_example_works(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    path = tmp_path / "rows.jsonl"
    row = {
        "basket": "b1", "line": 2, "bought": "15.06.2026 12:30", "customer": "c7", "labels": "new;sale",
        "items": [{"sku": "s1", "paid": "1.234,50"}], "settings": {"sms": True}, "mail": "a@example.org",
    }  # fmt: skip
    path.write_text(json.dumps(row) + "\n")
    fields = {
        "crm": "string",
        "productListItems[].SKU": "string",
        "productListItems[].priceTotal": {"type": "number", "decimals": 2},
        "tags[]": "string",
        "prefs{}": "boolean",
    }
    con, staged, _ = run(path, fields, Mapping.from_yaml(example).to_dict(), identity_map=True)
    assert staged.errors == {}
    found = {name: column(con, name)[0] for name in ("_id", "timestamp", "tags", "productListItems.priceTotal")}
    assert found == {
        "_id": "b1-2",
        "timestamp": parse_instant("2026-06-15T10:30:00Z"),
        "tags": ["new", "sale"],
        "productListItems.priceTotal": [Decimal("1234.50")],
    }
    assert column(con, "$identityMap")[0] == [{"namespace": "Email", "id": "a@example.org", "primary": True}]


def test_every_key_is_described():
    keys = {*Rule.__struct_fields__, *SourceFormat.__struct_fields__, *Mapping.__struct_fields__}
    assert {key for key in keys if f"`{key}`" not in TEXT and f"`{key}:" not in TEXT and f"{key}:" not in TEXT} == set()
    assert msgspec.convert({"kind": "csv"}, SourceFormat).header is True
