"""The interpreter: the case files of the language's meaning, and what they leave open."""

from __future__ import annotations

import doctest
import json
from decimal import Decimal

import pytest
from tests.pql.cases import FOLDER

from coterie.core.clock import parse_instant
from coterie.pql import check, interpreter
from coterie.pql.interpreter import holds
from coterie.testing import SAMPLE


def rows(name):
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


CASES = [*rows("pql-semantics"), *rows("more-semantics")]


@pytest.mark.parametrize("row", CASES, ids=[row["id"] for row in CASES])
def test_the_members_are_those_of_the_case(row):
    at = parse_instant(row["now"])
    expr = check(row["pql"], SAMPLE).require()
    found = {profile["id"] for profile in row["profiles"] if holds(expr, profile, at, SAMPLE)}
    assert found == set(row["expect"]), row["why"]


def test_the_example_runs():
    assert doctest.testmod(interpreter).failed == 0
