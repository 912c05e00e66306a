"""Profiles of the case files come back from the history as they were put in."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from coterie.core.clock import format_date, format_instant, parse_instant
from coterie.core.schema import Field, FieldType
from coterie.profile.record import DERIVED, records
from coterie.testing import SAMPLE, people

CASES = Path(__file__).parents[1] / "cases"
ROWS = [
    json.loads(line, parse_float=Decimal)
    for name in ("pql-semantics", "more-semantics")
    for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]


def written(value: Any, field: Field) -> Any:
    """Return a value as it is written back: no nulls or empty objects, instants in one form, fields of the schema."""
    match field.type:
        case FieldType.OBJECT:
            kept = {name: written(value.get(name), child) for name, child in field.properties.items()} if value else {}
            return {name: item for name, item in kept.items() if item is not None} or None
        case _ if value is None:
            return None
        case FieldType.ARRAY:
            return (
                [written(item, field.items) or {} for item in value] if field.items.type is FieldType.OBJECT else value
            )
        case FieldType.MAP:
            kept = {key: written(item, field.items) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item is not None} or None
        case FieldType.DATE | FieldType.DATETIME:
            at = parse_instant(value) if isinstance(value, str) else value
            return format_date(at) if field.type is FieldType.DATE else format_instant(at)
        case _:
            return value


def expected(profile: dict[str, Any]) -> dict[str, Any]:
    attributes = written({key: item for key, item in profile.items() if key not in DERIVED}, SAMPLE.profile)
    events = [written(event, SAMPLE.event) for event in profile.get("events", ())]
    events = list({event["_id"]: event for event in reversed(events)}.values())
    found = {**(attributes or {}), "events": sorted(events, key=lambda e: (parse_instant(e["timestamp"]), e["_id"]))}
    if profile.get("identityMap"):
        found["identityMap"] = {
            code: [{"id": id_} for id_ in sorted(item["id"] for item in items)]
            for code, items in profile["identityMap"].items()
        }
    if profile.get("segmentMembership"):
        found["segmentMembership"] = {
            namespace: {name: membership(entry) for name, entry in entries.items()}
            for namespace, entries in profile["segmentMembership"].items()
        }
    return found


def membership(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a membership as the ledger holds it: in or out, since when, and until when it is valid."""
    kept = {
        "status": "realized" if entry["status"] in ("realized", "existing") else "exited",
        "lastQualificationTime": entry.get("lastQualificationTime", "1970-01-01T00:00:00Z"),
        "version": "1",
    }
    return kept | {name: entry[name] for name in ("validUntil",) if name in entry}


@pytest.mark.parametrize("start", range(0, len(ROWS), 40))
def test_round_trip(start: int) -> None:
    """Forty rows in one workspace: their profiles and events are given names of their own."""
    profiles = []
    for place, row in enumerate(ROWS[start : start + 40]):
        for profile in row["profiles"]:
            events = [
                {**event, "_id": f"{place}:{profile['id']}:{event['_id']}"} for event in profile.get("events", ())
            ]
            profiles.append({**profile, "id": f"{place}:{profile['id']}", "events": events})
    with people(profiles, "2026-06-15T12:00:00Z") as group:
        numbers = group._person
        found = dict(records(group._con, SAMPLE, "default", numbers.values()))
    for profile in profiles:
        for identities in found[numbers[profile["id"]]].get("identityMap", {}).values():
            identities.sort(key=itemgetter("id"))
        assert found[numbers[profile["id"]]] == expected(profile), profile
