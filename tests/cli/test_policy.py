"""Merge policies and operations of writes on the command line."""

from __future__ import annotations

from pathlib import Path

from .conftest import coterie


def test_policies_are_saved_chosen_and_deleted(own: Path) -> None:
    saved = coterie(own, "policy", "put", "shop_only", "-d", "customers", "--no-events", "--json").data
    assert (saved["attribute_merge"], saved["order"]) == ("dataSetPrecedence", ["customers"])
    assert (saved["event_datasets"], saved["version"], saved["default"]) == ([], 1, False)
    assert coterie(own, "profile", "count", "--policy", "shop_only", "--json").data["count"] == 3
    assert coterie(own, "profile", "count", "--view", "default", "--json").data["count"] > 3

    assert coterie(own, "policy", "default", "shop_only").code == 0
    assert coterie(own, "profile", "count", "--json").data["count"] == 3
    listed = {item["name"]: item for item in coterie(own, "policy", "list", "--json").data}
    assert [name for name, item in listed.items() if item["default"]] == ["shop_only"]
    assert listed["shop_only"]["audiences"] == ["buyers", "gold"]
    shown = coterie(own, "policy", "show", "shop_only").out
    for words in ("by dataset: customers", "none", "gold"):
        assert words in shown

    refused = coterie(own, "policy", "delete", "shop_only", "--json")
    assert (refused.code, refused.error["code"]) == (4, "policy.default")
    assert coterie(own, "policy", "default", "default").code == 0
    assert coterie(own, "policy", "delete", "shop_only").out == "Deleted shop_only.\n"


def test_records_are_merged_and_deleted(own: Path, files: Path, tmp_path: Path) -> None:
    tier = tmp_path / "tier.csv"
    tier.write_text("id,tier\nc1,bronze\n", encoding="utf-8")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("fields: {customerID: id, loyalty.tier: tier}\n", encoding="utf-8")
    load = ("ingest", "load", "customers", str(tier), "-m", str(mapping))
    assert coterie(own, *load, "--operation", "merge", "--unset", "loyalty.since").code == 0
    ann = coterie(own, "profile", "show", "Email", "ann@example.org", "--json").data["attributes"]
    assert ann["loyalty"] == {"tier": "bronze", "spent": 120.5}
    assert coterie(own, *load, "--operation", "delete").code == 0
    assert "loyalty" not in coterie(own, "profile", "show", "CustomerID", "c1", "--json").data["attributes"]
    wrong = coterie(own, *load, "--operation", "forget", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "ingest.operation")
