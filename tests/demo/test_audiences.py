"""Every sample audience has exactly the members that independent SQL finds in the raw files."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from coterie.demo.world import DemoReport
from coterie.workspace import Workspace

from .expected import EXPECTED
from .oracle import Oracle

Loaded = tuple[Workspace, DemoReport]


def test_every_audience_has_a_check_and_there_are_enough(loaded: Loaded) -> None:
    ws, report = loaded
    assert {row.audience for row in report.audiences} == {item.name for item in ws.audiences.list()} == set(EXPECTED)
    assert len(EXPECTED) >= 15


@pytest.mark.parametrize("name", EXPECTED)
def test_members(name: str, loaded: Loaded, oracle: Oracle) -> None:
    ws, report = loaded
    expected = oracle.persons(EXPECTED[name])
    found = set()
    for member in ws.audiences.members(name, limit=10_000):
        (person,) = {
            oracle.person_of.get(f"{namespace}:{value}", f"{namespace}:{value}")
            for namespace, values in member.identities.items()
            for value in values
        }
        found.add(person)
    assert found == expected
    (row,) = (row for row in report.audiences if row.audience == name)
    assert row.members == ws.audiences.size(name) == ws.audiences.count(row.pql).count == len(expected)
    assert 0 < len(expected) < report.persons / 2


@pytest.mark.parametrize(
    ("name", "reader"),
    [("searched-not-bought", "read_csv"), ("high-spenders", "read_json"), ("coupon-lovers", "read_parquet")],
)
def test_exports(name: str, reader: str, loaded: Loaded, oracle: Oracle) -> None:
    _, report = loaded
    (export,) = (export for export in report.exports if export.audience == name)
    path = Path(export.path)
    assert export.bytes == path.stat().st_size
    options = ", all_varchar = true" if reader == "read_csv" else ""
    households = '"HouseholdID"' if reader != "read_csv" else "string_split(\"HouseholdID\", ';')"
    rows = duckdb.sql(f"select person, {households} from {reader}('{path}'{options})").fetchall()
    named = {
        min(oracle.person_of.get(f"HouseholdID:{value}", f"HouseholdID:{value}") for value in values)
        for _, values in rows
        if values
    }
    expected = oracle.persons(EXPECTED[name])
    assert named == {person for person in expected if person.startswith("HouseholdID")}
    assert export.members == len(rows) == len({person for person, _ in rows}) == len(expected)
