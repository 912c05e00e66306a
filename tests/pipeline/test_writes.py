"""What writes do to records, through the real intake: replacing, changing, removing; and the order of a date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import CoterieError
from coterie.workspace import Workspace

SCHEMA = {
    "name": "customer",
    "class": "profile",
    "fields": {
        "id": "string",
        "name.first": {"type": "string", "required": True},
        "name.last": "string",
        "tags[]": "string",
        "visits[].day": "integer",
        "visits[].what": "string",
        "shops{}.days[]": "integer",
        "top": {"type": "array", "items": {"type": "string"}, "max_length": 2},
        "best{}.of": {"type": "array", "items": {"type": "string"}, "max_length": 2},
        "consents{}": "boolean",
        "seen": "date-time",
    },
    "identities": [{"path": "id", "namespace": "Email", "primary": True}],
}
CLICKS = {
    "name": "click",
    "class": "event",
    "fields": {"browser": "string"},
    "identities": [{"path": "browser", "namespace": "ECID", "primary": True}],
}


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock("2026-06-15T12:00:00Z")) as ws:
        ws.schemas.put(SCHEMA)
        ws.schemas.put(CLICKS)
        ws.datasets.put("crm", "customer")
        ws.datasets.put("upserts", "customer", upsert=True)
        ws.datasets.put("dated", "customer", ordered_by="seen")
        ws.datasets.put("clicks", "click")
        yield ws


def load(ws: Workspace, dataset: str, *rows: dict[str, Any], **options: Any) -> Any:
    file = ws.sandbox.path.parent / f"rows{len(ws.ingest.batches())}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return ws.ingest.load(dataset, file, evaluate=False, threshold=1, **options)


def attributes(ws: Workspace, value: str = "1") -> Any:
    """Return the attributes of a profile; the stored ones and those of the look-up must be the same."""
    found = ws.profiles.get("Email", value).attributes
    assert found == next(item.attributes for item in ws.profiles.sample(100) if item.value == value)
    return {name: item for name, item in found.items() if name != "id"}


ANN = {"id": "1", "name": {"first": "Ann", "last": "Lee"}, "tags": ["a", "b"], "consents": {"post": True, "sms": True}}


def test_a_create_replaces_and_a_merge_changes_what_it_gives(ws: Workspace) -> None:
    load(ws, "crm", ANN)
    merged = load(
        ws, "crm", {"id": "1", "name": {"last": "Poe"}, "tags": ["c"], "consents": {"sms": False}}, operation="merge"
    )
    assert merged.quarantined == 0  # what is required need not be in a merge
    assert attributes(ws) == {
        "name": {"first": "Ann", "last": "Poe"},
        "tags": ["c"],
        "consents": {"post": True, "sms": False},
    }
    load(ws, "crm", {"id": "1", "name": {"first": "Bea"}})
    assert attributes(ws) == {"name": {"first": "Bea"}}
    ws.ingest.revert(ws.ingest.batches()[-1].id)
    ws.ingest.revert(merged.batch)
    assert attributes(ws) == {name: value for name, value in ANN.items() if name != "id"}


def test_a_delete_removes_and_a_merge_makes_anew(ws: Workspace) -> None:
    load(ws, "crm", ANN, {"id": "2", "name": {"first": "Bob"}})
    gone = load(ws, "crm", {"id": "1"}, operation="delete")
    assert gone.accepted == 1
    assert ws.profiles.count() == 1
    with pytest.raises(CoterieError, match="Email:1"):
        ws.profiles.get("Email", "1")
    load(ws, "crm", {"id": "1", "name": {"last": "Poe"}}, operation="merge")
    assert attributes(ws) == {"name": {"last": "Poe"}}
    ws.ingest.revert(gone.batch)
    assert attributes(ws) == {name: value for name, value in ANN.items() if name not in ("id", "name")} | {
        "name": {"first": "Ann", "last": "Poe"}
    }


def test_an_append_adds_to_the_arrays_of_the_record(ws: Workspace) -> None:
    load(ws, "crm", ANN | {"visits": [{"day": 1, "what": "a"}], "shops": {"x": {"days": [1]}}})
    more = {"id": "1", "name": {"last": "Poe"}, "tags": ["c"], "shops": {"x": {"days": [2]}, "y": {"days": [3]}}}
    added = load(ws, "crm", more | {"visits": [{"day": 2}, {}]}, operation="append")
    assert added.quarantined == 0  # what is required need not be in an append
    load(ws, "crm", {"id": "1", "tags": ["d"], "visits": [{"what": "b"}]}, operation="append")
    assert attributes(ws) == {
        "name": {"first": "Ann", "last": "Poe"},
        "tags": ["a", "b", "c", "d"],
        "consents": {"post": True, "sms": True},
        "visits": [{"day": 1, "what": "a"}, {"day": 2}, {}, {"what": "b"}],
        "shops": {"x": {"days": [1, 2]}, "y": {"days": [3]}},
    }
    why = ws.profiles.why("Email", "1", "tags")
    assert (why.writes, [item.operation for item in why.history]) == (3, ["create", "append", "append"])
    ws.ingest.revert(added.batch)
    found = attributes(ws)
    assert (found["tags"], found["name"]["last"]) == (["a", "b", "d"], "Lee")
    assert found["visits"] == [{"day": 1, "what": "a"}, {"what": "b"}]
    assert found["shops"] == {"x": {"days": [1]}}


def test_what_stood_before_an_append_is_known(ws: Workspace) -> None:
    load(ws, "crm", ANN)
    clock = ws.sandbox.clock
    assert isinstance(clock, FixedClock)
    clock.at += 1000
    load(ws, "crm", {"id": "1", "tags": ["c"]}, operation="append")
    assert ws.profiles.get("Email", "1", known=clock.at - 500).attributes["tags"] == ["a", "b"]
    assert attributes(ws)["tags"] == ["a", "b", "c"]


def test_an_append_starts_anew_after_what_replaced_or_took_away(ws: Workspace) -> None:
    load(ws, "upserts", ANN)
    load(ws, "upserts", {"id": "1", "tags": ["c"]}, operation="append")
    replaced = load(ws, "upserts", {"id": "1", "tags": ["d"]})
    load(ws, "upserts", {"id": "1", "tags": ["e"]}, operation="append")
    assert attributes(ws)["tags"] == ["d", "e"]
    taken = load(ws, "upserts", {"id": "1", "tags": ["f"]}, operation="append", unset=["tags"])
    assert attributes(ws)["tags"] == ["f"]
    gone = load(ws, "upserts", {"id": "1"}, operation="delete")
    load(ws, "upserts", {"id": "1", "tags": ["g"]}, operation="append")
    assert attributes(ws) == {"tags": ["g"]}
    for batch in (gone, taken, replaced):
        ws.ingest.revert(batch.batch)
    assert attributes(ws)["tags"] == ["a", "b", "c", "e", "g"]


def test_an_older_append_is_passed_over(ws: Workspace) -> None:
    def row(day: int) -> dict[str, Any]:
        return {"id": "1", "tags": [str(day)], "seen": f"2026-01-{day:02d}T00:00:00Z"}

    newest = load(ws, "dated", row(1), row(3), operation="append")
    late = load(ws, "dated", row(2), row(4), operation="append")
    assert late.warnings == {"record.older": 1}
    assert attributes(ws)["tags"] == ["1", "3", "4"]
    ws.ingest.revert(newest.batch)
    assert attributes(ws)["tags"] == ["2", "4"]


def test_arrays_with_a_longest_length_are_not_appended_to(ws: Workspace) -> None:
    load(ws, "crm", ANN | {"top": ["a", "b"], "best": {"x": {"of": ["a"]}}})
    refused = load(
        ws,
        "crm",
        {"id": "1", "top": ["c"]},
        {"id": "1", "best": {"x": {"of": ["b"]}}},
        {"id": "1", "tags": ["c"]},
        operation="append",
    )
    assert [(row.line, row.field, row.code) for row in ws.ingest.quarantine(refused.batch)] == [
        (1, "top", "value.append"),
        (2, "best.of", "value.append"),
    ]
    load(ws, "crm", {"id": "1", "top": ["c"]}, operation="merge")
    found = attributes(ws)
    assert (found["top"], found["best"], found["tags"]) == (["c"], {"x": {"of": ["a"]}}, ["a", "b", "c"])


def test_a_dataset_of_upserts_merges_unless_told(ws: Workspace) -> None:
    load(ws, "upserts", ANN)
    load(ws, "upserts", {"id": "1", "tags": []})
    assert attributes(ws)["name"] == {"first": "Ann", "last": "Lee"}
    load(ws, "upserts", {"id": "1", "name": {"first": "Eve"}}, operation="create")
    assert attributes(ws) == {"name": {"first": "Eve"}}


def test_a_merge_takes_attributes_away(ws: Workspace) -> None:
    load(ws, "crm", ANN)
    taken = load(ws, "crm", {"id": "1"}, operation="merge", unset=["name.last", "consents"])
    assert attributes(ws) == {"name": {"first": "Ann"}, "tags": ["a", "b"]}
    ws.ingest.revert(taken.batch)
    assert attributes(ws)["consents"] == {"post": True, "sms": True}


def test_each_row_may_say_what_it_does(ws: Workspace) -> None:
    load(ws, "crm", ANN, {"id": "2", "name": {"first": "Bob"}}, {"id": "3", "name": {"first": "Cy"}})
    fields = {"id": "id", "name.first": "first", "name.last": "last", "tags": "tags", "$operation": "act"}
    report = load(
        ws,
        "crm",
        {"id": "1", "last": "Poe", "act": "merge"},
        {"id": "2", "act": "delete"},
        {"id": "3", "last": "Young"},
        {"id": "3", "first": "Cyd", "act": None},
        {"id": "1", "act": "forget"},
        {"id": "3", "tags": ["new"], "act": "append"},
        mapping={"fields": fields},
    )
    assert report.errors == {"field.required": 1, "value.enum": 1}
    assert [(row.line, row.field) for row in ws.ingest.quarantine(report.batch)] == [
        (3, "name.first"),
        (5, "$operation"),
    ]
    assert attributes(ws)["name"] == {"first": "Ann", "last": "Poe"}
    assert attributes(ws, "3") == {"name": {"first": "Cyd"}, "tags": ["new"]}
    assert ws.profiles.count() == 2


def test_an_older_row_is_passed_over_and_counted(ws: Workspace) -> None:
    def row(day: int, first: str) -> dict[str, Any]:
        return {"id": "1", "name": {"first": first}, "seen": f"2026-01-{day:02d}T00:00:00Z"}

    load(ws, "dated", row(5, "five"))
    newer = load(ws, "dated", row(9, "nine"), row(9, "same"), row(7, "seven"))
    assert newer.warnings == {"record.older": 2}
    assert ws.ingest.batch(newer.batch).metrics["older"] == 2
    late = load(ws, "dated", row(8, "eight"))
    assert late.warnings == {"record.older": 1}
    assert attributes(ws)["name"] == {"first": "nine"}
    ws.ingest.revert(newer.batch)
    assert attributes(ws)["name"] == {"first": "eight"}
    undated = load(ws, "dated", {"id": "1", "name": {"first": "when"}})
    assert undated.errors == {"record.no-time": 1}
    gone = load(ws, "dated", {"id": "1", "seen": "2026-02-01T00:00:00Z"}, operation="delete")
    assert load(ws, "dated", row(20, "late")).warnings == {"record.older": 1}
    assert ws.profiles.count() == 0
    ws.ingest.revert(gone.batch)
    assert attributes(ws)["name"] == {"first": "late"}


def test_what_writes_did_is_rebuilt(ws: Workspace, tmp_path: Path) -> None:
    load(ws, "crm", ANN)
    load(ws, "crm", {"id": "1", "name": {"last": "Poe"}}, operation="merge", unset=["tags"])
    load(ws, "upserts", {"id": "1", "consents": {"mail": True}})
    load(ws, "dated", {"id": "2", "name": {"first": "x"}, "seen": "2026-01-01T00:00:00Z"})
    load(ws, "dated", {"id": "2", "name": {"first": "y"}, "seen": "2025-01-01T00:00:00Z"})
    load(ws, "crm", {"id": "3"}, operation="delete")
    load(ws, "crm", {"id": "1", "tags": ["c"]}, {"id": "1", "tags": ["d"]}, operation="append", unset=["name.last"])
    rebuilt = ws.rebuild(tmp_path / "again")
    assert [table.table for table in rebuilt.tables if not table.same] == []


def test_the_same_file_does_other_things_by_another_operation(ws: Workspace) -> None:
    load(ws, "crm", ANN)
    file = ws.sandbox.path.parent / "again.jsonl"
    file.write_text('{"id": "1"}\n', encoding="utf-8")
    assert ws.ingest.load("crm", file, operation="merge").status == "active"
    assert ws.ingest.load("crm", file, operation="merge").status == "unchanged"
    assert ws.ingest.load("crm", file, operation="delete").status == "active"
    assert ws.profiles.count() == 0


@pytest.mark.parametrize(
    ("dataset", "options", "code"),
    [
        ("clicks", {"operation": "merge"}, "ingest.operation"),
        ("clicks", {"operation": "append"}, "ingest.operation"),
        ("clicks", {"mapping": {"fields": {"browser": "b", "$operation": "op"}}}, "ingest.operation"),
        ("crm", {"operation": "replace"}, "ingest.operation"),
        ("crm", {"unset": ["tags"]}, "ingest.unset"),
        ("upserts", {"unset": ["colour"]}, "ingest.unset"),
        ("upserts", {"unset": ["consents.$key"]}, "ingest.unset"),
        ("upserts", {"unset": ["id"]}, "ingest.unset"),
    ],
)
def test_operations_that_cannot_be_are_refused(ws: Workspace, dataset: str, options: Any, code: str) -> None:
    with pytest.raises(CoterieError) as caught:
        load(ws, dataset, {"id": "1", "browser": "b"}, **options)
    assert caught.value.code == code
    assert [batch for batch in ws.ingest.batches() if batch.status == "active"] == []


def test_datasets_that_cannot_be_are_refused(ws: Workspace) -> None:
    for code, spec in {
        "dataset.records-only": {"name": "more", "schema": "click", "upsert": True},
        "dataset.ordered-by": {"name": "more", "schema": "customer", "ordered_by": "name.first"},
    }.items():
        with pytest.raises(CoterieError) as caught:
            ws.datasets.put(**spec)
        assert caught.value.code == code
    ws.datasets.put("crm", "customer", ordered_by="seen")
    ws.datasets.put("crm", "customer")
    load(ws, "crm", ANN)
    with pytest.raises(CoterieError) as caught:
        ws.datasets.put("crm", "customer", ordered_by="seen")
    assert caught.value.code == "dataset.ordered-by"
