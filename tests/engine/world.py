"""Profiles of the case files as the tables of the history, made directly, so that these tests need no upper floor."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from pyroaring import BitMap

from coterie.core.clock import parse_instant
from coterie.core.schema import Field, FieldType, Leaf, Union, leaves
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise

CASES = Path(__file__).parents[1] / "cases" / "pql-semantics.jsonl"
AUDIENCES = ("seg-a", "seg-b")


def read_cases() -> dict[str, dict[str, Any]]:
    lines = CASES.read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in (json.loads(line, parse_float=Decimal) for line in lines)}


def column_type(leaf: Leaf) -> str:
    scalar = {
        FieldType.STRING: "VARCHAR",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.NUMBER: "DOUBLE" if leaf.field.decimals is None else f"DECIMAL(18, {leaf.field.decimals})",
    }.get(leaf.field.type, "BIGINT")
    return scalar + "[]" * leaf.depth


def flat(field: Field, value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of a nested value, parallel lists for arrays and maps."""
    if field.type is FieldType.OBJECT:
        found: dict[str, Any] = {}
        for name, child in field.properties.items():
            found |= flat(child, None if value is None else value.get(name), f"{path}.{name}" if path else name)
        return found
    if field.type in (FieldType.ARRAY, FieldType.MAP):
        below = field.items
        inner = path if field.type is FieldType.ARRAY or below.type is FieldType.OBJECT else f"{path}.$value"
        items = value if field.type is FieldType.ARRAY or value is None else list(value.values())
        rows = None if items is None else [flat(below, item, inner) for item in items]
        lists = {leaf.path: None if rows is None else [row[leaf.path] for row in rows] for leaf in leaves(below, inner)}
        if field.type is FieldType.MAP:
            lists[f"{path}.$key"] = None if value is None else list(value)
        return lists
    if value is not None and field.type in (FieldType.DATE, FieldType.DATETIME) and isinstance(value, str):
        return {path: parse_instant(value)}
    return {path: value}


class World:
    """Persons with events in DuckDB. Each has two identities in its graph, and events with either as the primary."""

    def __init__(self, union: Union, profiles: list[dict[str, Any]], at: int = 0) -> None:
        self.union, self.at = union, at
        self.con = duckdb.connect()
        self.names: dict[int, str] = {}
        self.memberships = defaultdict(BitMap, {name: BitMap() for name in AUDIENCES})
        # namespace 0 has no code: the identities that make every profile a person show up in no identity map
        self.con.execute(
            "CREATE TABLE namespace (namespace INTEGER, code VARCHAR);"
            "CREATE TABLE identity (identity INTEGER, namespace INTEGER, value VARCHAR, batch INTEGER);"
            "CREATE TABLE person_of_default (identity INTEGER, person INTEGER);"
            "CREATE TABLE membership (audience VARCHAR, person INTEGER, entered_at BIGINT, exited_at BIGINT,"
            " version INTEGER, namespace VARCHAR DEFAULT 'ups', valid_until BIGINT)"
        )
        events = self._table(
            "event_of_default", {"$identity": "INTEGER", "$batch": "INTEGER", "$row": "BIGINT"}, union.event
        )
        people = self._table("profile_default", {"person": "INTEGER"}, union.profile)
        identities, namespaces = 0, {}
        rows: dict[str, list[list[Any]]] = defaultdict(list)
        for profile in profiles:
            person = identities
            self.names[person] = profile["id"]
            values = [(0, f"{profile['id']}-a"), (0, f"{profile['id']}-b")]
            for code, listed in profile.get("identityMap", {}).items():
                number = namespaces.setdefault(code, len(namespaces) + 1)
                values += [(number, item["id"]) for item in listed]
            for number, value in values:
                rows["identity"].append([identities, number, value, 0])
                rows["person_of_default"].append([identities, person])
                identities += 1
            row = {"person": person} | flat(union.profile, profile)
            rows["profile_default"].append([row.get(name) for name in people])
            for place, event in enumerate(profile.get("events", ())):
                row = {"$identity": person + place % 2, "$batch": 0, "$row": place} | flat(union.event, event)
                rows["event_of_default"].append([row.get(name) for name in events])
            for name, entry in profile.get("segmentMembership", {}).get("ups", {}).items():
                until = entry.get("validUntil")
                entered = parse_instant(entry.get("lastQualificationTime", "1970-01-01"))
                left = None if entry["status"] in ("realized", "existing") else entered
                rows["membership"].append([name, person, entered, left, 1, "ups", until and parse_instant(until)])
                if entry["status"] in ("realized", "existing") and (until is None or at < parse_instant(until)):
                    self.memberships[name].add(person)
        rows["namespace"] = [[number, code] for code, number in namespaces.items()]
        for name, listed in rows.items():
            self._insert(name, listed)

    def _table(self, name: str, system: dict[str, str], field: Field) -> list[str]:
        hidden = ("identityMap.", "segmentMembership.")
        found = system | {leaf.path: column_type(leaf) for leaf in leaves(field) if not leaf.path.startswith(hidden)}
        columns = [f'"{path}" {kind}' for path, kind in found.items()]
        self.con.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        return list(found)

    def _insert(self, table: str, rows: list[list[Any]]) -> None:
        if rows:
            marks = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
            self.con.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row])

    def members(self, pql: str, people: BitMap | None = None) -> list[str]:
        """Return the names of the members of an audience."""
        rule = normalise(parse(pql), self.union)
        engine = SqlEngine(self.con, self.union)
        found = engine.evaluate(conditions_of(rule), "default", self.at, self.memberships, people)
        universe = BitMap(self.names) if people is None else people
        return sorted(self.names[person] for person in fold(rule, found, universe))
