"""The documented identity cases: by simulation, and by the way that a load takes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from coterie import testing
from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import Identity
from coterie.identity.settings import Algorithm, IdentitySettings, NamespaceRule
from coterie.identity.simulation import rules_of, simulate

from .loading import NAMESPACES as NAMESPACES_OF_LOADS
from .loading import Load, schema

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "identity-examples.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
PLAIN = [case for case in CASES if case["algorithm"] == "none"]
NAMESPACES = [
    {"code": "CRM", "type": "CROSS_DEVICE"},
    {"code": "Web", "type": "cookie"},
    {"code": "SKU", "type": "NON_PEOPLE"},
]


def as_sets(graphs: Any) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((code, value) for code, value in graph) for graph in graphs}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_graphs_are_as_documented(case: dict[str, Any]) -> None:
    found = testing.clusters(case["namespaces"], case["algorithm"], case["events"])
    assert as_sets(found) == as_sets(case["expectClusters"])


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case["id"])
def test_a_load_gives_the_same_graphs(load: Load, case: dict[str, Any]) -> None:
    for event in case["events"]:
        load(
            schema(identity_map=True), [(event["t"], [], [(code, value, False) for code, value in event["identities"]])]
        )
    assert graphs_of(load) == as_sets(case["expectClusters"])


@pytest.mark.parametrize("seed", range(6))
def test_loads_under_any_settings_give_what_is_simulated(load: Load, seed: int) -> None:
    chance = random.Random(seed)
    kinds = (("CRMID", 4, 0.5), ("Email", 4, 0.4), ("Phone", 3, 0.3), ("FPID", 6, 0.6), ("AAID", 2, 0.2))
    load.settings = settings = IdentitySettings(
        Algorithm.OPTIMIZED if seed % 2 else Algorithm.NONE,
        (NamespaceRule("CRMID", unique=True), NamespaceRule("Email", unique=seed > 3), NamespaceRule("FPID")),
        graph_limit=chance.choice([0, 4, 6]),
        blocked_namespaces=chance.choice([("AAID",), ("Phone", "AAID")]),
    )
    records: list[tuple[int, list[Identity]]] = []
    for _ in range(3):  # loads, some records of each late
        rows = []
        for _ in range(8):
            named = {
                Identity(code, str(chance.randint(1, count)))
                for code, count, share in kinds
                for _ in range(chance.choice([1, 1, 2]))
                if chance.random() < share
            }
            if chance.random() < 0.05:
                named |= {Identity("FPID", str(number)) for number in range(20)}
            when = chance.randint(1, 200) if chance.random() < 0.4 else 10 * len(records)
            rows.append((when, sorted(named) or [Identity("FPID", "1")]))
            records.append(rows[-1])
        load(schema(identity_map=True), [(at, [], [(*item, False) for item in named]) for at, named in rows])
    found = simulate(
        rules_of(settings, NAMESPACES_OF_LOADS),
        settings.algorithm,
        [named for _, named in records],
        times=[at for at, _ in records],
        limit=settings.graph_limit,
        blocked=settings.blocked_namespaces,
    )
    assert graphs_of(load) == as_sets(found.graphs)


def graphs_of(load: Load) -> set[frozenset[tuple[str, str]]]:
    """Return the graphs of two or more identities."""
    names = {number: (code, value) for number, code, value, _ in load.identities()}
    graphs: dict[int, set[tuple[str, str]]] = {}
    for identity, person in load.persons().items():
        graphs.setdefault(person, set()).add(names[identity])
    return {frozenset(graph) for graph in graphs.values() if len(graph) > 1}


def test_there_are_cases_of_both_kinds() -> None:
    assert (len(PLAIN), len(CASES)) == (3, 32)


def graphs(*records: list[list[str]], namespaces: Any = NAMESPACES) -> Any:
    return testing.clusters(namespaces, "none", [{"t": t, "identities": record} for t, record in enumerate(records)])


@pytest.mark.parametrize("value", ["", "  ", "null", "NULL", "anonymous", " Invalid "])
def test_values_that_name_nobody_link_nobody(value: str) -> None:
    assert graphs([["CRM", "1"], ["Web", value]], [["CRM", "2"], ["Web", value]]) == []


def test_things_and_partners_link_nobody() -> None:
    assert graphs([["CRM", "1"], ["SKU", "9"]]) == []


def test_a_record_with_too_many_identities_is_not_linked() -> None:
    crowd = [["Web", str(n)] for n in range(21)]
    assert graphs(crowd) == []
    assert len(graphs(crowd[:20])[0]) == 20
    assert len(graphs([*crowd[:20], ["Web", "0"]])[0]) == 20


def test_a_record_with_too_long_a_value_is_not_linked() -> None:
    assert graphs([["CRM", "1"], ["Web", "x" * 1025]]) == []
    assert len(graphs([["CRM", "1"], ["Web", "x" * 1024]])) == 1


def test_two_values_of_a_unique_namespace_refuse_the_record() -> None:
    unique = [{"code": "CRM", "type": "CROSS_DEVICE", "unique": True}, {"code": "Web", "type": "COOKIE"}]
    assert graphs([["CRM", "1"], ["CRM", "2"], ["Web", "7"]], namespaces=unique) == []


def test_a_graph_beyond_the_limit_loses_its_oldest() -> None:
    chain = [[["Web", f"{n:02}"], ["Web", f"{n + 1:02}"]] for n in range(50)]
    assert len(graphs(*chain[:49])[0]) == 50
    assert graphs(*chain) == [[("Web", f"{n:02}") for n in range(1, 51)]]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(NotFound) as unknown:
        graphs([["Crm", "1"], ["Web", "2"]])
    assert unknown.value.hint == "Known: CRM, SKU, Web."
    with pytest.raises(Invalid, match=r"identity\.algorithm"):
        testing.clusters(NAMESPACES, "optimised", [])
