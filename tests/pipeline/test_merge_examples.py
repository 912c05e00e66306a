"""The documented merge cases through the real intake: every write a load of its own, at its own time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie import testing
from coterie.core.clock import DAY, parse_instant
from coterie.core.errors import NotFound
from coterie.workspace import Workspace

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "merge-examples.jsonl").read_text(encoding="utf-8").splitlines()
]
NEWEST = {"attributeMerge": "timestampOrdered", "order": [], "identityGraph": "pdg"}
FIRST_B = {"attributeMerge": "dataSetPrecedence", "order": ["b", "a"], "identityGraph": "pdg"}


def write(day: int, dataset: str, attributes: Any, op: str = "create", value: str = "1", **rest: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "identity": ["CRMID", value],
        "links": [],
        "ingestedAt": f"2026-01-{day:02d}T00:00:00Z",
        "attributes": attributes,
        "op": op,
    } | rest


def own(name: str, policy: Any, expect: Any, *writes: Any) -> dict[str, Any]:
    return {"id": name, "policy": policy, "fragments": writes, "lookup": ["CRMID", "1"], "expect": expect}


OWN = [
    own("nothing-after-a-delete", NEWEST, None, write(1, "a", {"x": "1"}), write(2, "a", {}, "delete")),
    own(
        "a-delete-lets-another-dataset-show",
        FIRST_B,
        {"x": "a", "n": {"p": 2}},
        write(1, "b", {"x": "b", "n": {"p": 1, "q": 1}}),
        write(2, "a", {"x": "a", "n": {"p": 2}}),
        write(3, "b", {}, "delete"),
    ),
    own(
        "a-merge-after-a-delete-starts-anew",
        NEWEST,
        {"n": {"q": 2}},
        write(1, "a", {"x": "1", "n": {"p": 1}}),
        write(2, "a", {}, "delete"),
        write(3, "a", {"n": {"q": 2}}, "merge"),
    ),
    own(
        "a-merge-makes-the-whole-record-new",
        NEWEST,
        {"x": "a", "y": "a"},
        write(1, "a", {"x": "a"}),
        write(2, "b", {"x": "b"}),
        write(3, "a", {"y": "a"}, "merge"),
    ),
    own(
        "an-array-is-one-value",
        NEWEST,
        {"tags": ["c"], "x": "1"},
        write(1, "a", {"tags": ["a", "b"], "x": "1"}),
        write(2, "a", {"tags": ["c"]}, "merge"),
    ),
    own(
        "two-records-of-the-best-dataset",
        FIRST_B,
        {"x": "new", "y": "a", "z": "old"},
        write(1, "b", {"x": "old", "z": "old"}, value="2", links=[["Email", "m"]]),
        write(2, "b", {"x": "new"}, links=[["Email", "m"]]),
        write(3, "a", {"x": "a", "y": "a"}),
    ),
    own(
        "the-later-of-one-instant",
        NEWEST,
        {"x": "second", "y": "first"},
        write(1, "a", {"x": "first", "y": "first"}, value="2", links=[["Email", "m"]]),
        write(1, "a", {"x": "second"}, links=[["Email", "m"]]),
    ),
]

ALL = [*CASES, *OWN]


class Time:
    """A clock that is set."""

    at = parse_instant("2020-01-01T00:00:00Z")

    def now(self) -> int:
        return self.at


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """All cases share a workspace, each with its own datasets, fields, identities and years."""
    with coterie.open(tmp_path_factory.mktemp("root") / "ws", create=True, clock=Time()) as ws:
        for code in sorted({pair[0] for case in ALL for item in case["fragments"] for pair in identities(item)}):
            if code not in {namespace.code for namespace in ws.identities.namespaces()}:
                ws.identities.put_namespace({"code": code, "type": "CROSS_DEVICE"})
        yield ws


def identities(item: Mapping[str, Any]) -> list[list[str]]:
    return [item["identity"], *item["links"]]


def fields(attributes: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in attributes.items():
        match value:
            case dict():
                yield from fields(value, f"{above}{name}.")
            case list():
                yield f"{above}{name}[]", kind(value[0])
            case _:
                yield f"{above}{name}", kind(value)


def kind(value: Any) -> str:
    return {str: "string", bool: "boolean", int: "integer", float: "number"}[type(value)]


def named(number: int, code: str, value: str) -> str:
    return f"{number:02d}{value:0>36}" if code == "ECID" else f"{number}-{value}"


def taken_in(ws: Workspace, number: int, case: Mapping[str, Any]) -> None:
    """Load every write by itself, at the time it was written."""
    writes = sorted(case["fragments"], key=lambda write: write["ingestedAt"])
    there = {f"c{number}.{name}": kind for item in writes for name, kind in fields(item["attributes"])}
    ws.schemas.put({"name": f"case{number}", "class": "profile", "fields": there, "identity_map": True})
    for dataset in sorted({item["dataset"] for item in writes} | set(case["policy"].get("order", ()))):
        ws.datasets.put(f"{dataset}{number}", f"case{number}")
    for place, item in enumerate(writes):
        row: dict[str, Any] = {f"c{number}": item["attributes"], "identityMap": {}}
        for first, (code, value) in enumerate(identities(item)):
            entry = {"id": named(number, code, value), "primary": first == 0}
            row["identityMap"].setdefault(code, []).append(entry)
        file = ws.sandbox.path.parent / f"case{number}-{place}.jsonl"
        file.write_text(json.dumps(row) + "\n", encoding="utf-8")
        ws.sandbox.clock.at = parse_instant(item["ingestedAt"]) + number * 500 * DAY
        report = ws.ingest.load(f"{item['dataset']}{number}", file, operation=item.get("op", "create"), evaluate=False)
        assert (report.status, report.accepted) == ("active", 1)


@pytest.mark.parametrize("number", range(len(ALL)), ids=lambda number: ALL[number]["id"])
def test_a_documented_case_is_taken_in_and_looked_up(ws: Workspace, number: int) -> None:
    case = ALL[number]
    assert testing.merge(case["policy"], case["fragments"], case["lookup"]) == case["expect"]
    taken_in(ws, number, case)
    order = [f"{dataset}{number}" for dataset in case["policy"]["order"]]
    ws.policies.put("asked", case["policy"] | {"order": order})
    code, value = case["lookup"]
    stored = [item.attributes.get(f"c{number}") for item in ws.profiles.sample(1000, "asked")]
    try:
        found = ws.profiles.get(code, named(number, code, value), "asked").attributes[f"c{number}"]
    except NotFound:
        found = None
    ws.policies.delete("asked")
    assert found == case["expect"]
    assert found is None or found in stored
