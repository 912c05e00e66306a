"""The SQL itself: values stay values, numbers are exact, patterns mean what the language says."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap
from sqlglot import exp

from coterie.core.errors import Invalid, NotFound
from coterie.core.schema import Schema, SchemaClass, read_fields, union_of
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.constructs import CONSTRUCTS, Sql, build, column, function, render, text, variable
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .oracle import NOW, lower
from .world import World


def tiers(*values: str | None) -> World:
    people = [{"id": f"p{n}", "loyalty": {} if value is None else {"tier": value}} for n, value in enumerate(values)]
    return World(SAMPLE, people, NOW)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


HOSTILE = [
    "'; DROP TABLE identity; --",
    "\\' OR 1=1 --",
    '"',
    "$1",
    "?",
    "{x}",
    "a\0b",
    "%",
    "_",
    "é'",
    "\n",
    "''",
    "\\",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_text_of_users_stays_text(value):
    world = tiers(value, "other", None)
    literal = quoted(value)
    assert world.members(f"loyalty.tier = {literal}") == ["p0"]
    assert world.members(f'loyalty.tier in [{literal}, {literal}, "none"]') == ["p0"]
    assert world.members(f"loyalty.tier.contains({literal}, false)") == ["p0"]
    assert world.members(f"loyalty.tier.notEqualTo({literal}, false)") == ["p1"]
    assert world.con.execute("SELECT count(*) FROM identity").fetchall() == [(6,)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_literals_are_read_back_as_they_were(value):
    import duckdb

    with duckdb.connect() as con:
        assert con.execute(f"SELECT {text(value).sql(dialect='duckdb')}").fetchall() == [(value,)]


def colors_once(outer: str, inner: str) -> Sql:
    repeated = build("distinct_in_order", variable(inner))
    once = build("each", exp.Array(expressions=[variable(outer)]), function(inner, repeated))
    return build("each", column("r", "colors"), function(outer, once))


@pytest.mark.parametrize("taken", range(4))
def test_variables_are_renamed_once_whatever_they_were_called(taken):
    """The text does not depend on how many variables were made before."""
    written = render(colors_once(f"v{taken + 1}", f"v{taken}"), "duckdb")
    assert written == render(colors_once("outer", "inner"), "duckdb")


def test_names_are_quoted():
    union = union_of([Schema("odd", SchemaClass.PROFILE, read_fields({"a-b'c": "string"}, "a test"))])
    world = World(union, [{"id": "p0", "a-b'c": "x"}, {"id": "p1"}], NOW)
    assert world.members('`a-b\'c` = "x"') == ["p0"]


def test_lower_case_is_the_simple_one_of_unicode():
    """Every character is folded as the specification says, one to one."""
    import duckdb

    with duckdb.connect() as con:
        folded = con.execute(
            "SELECT i, lower(chr(i)) FROM (SELECT range::INTEGER AS i FROM range(1, 1114112)) "
            "WHERE i NOT BETWEEN 55296 AND 57343 AND lower(chr(i)) != chr(i)"
        ).fetchall()
    ours = {n: lower(chr(n)) for n in range(1, 0x110000) if not 0xD800 <= n <= 0xDFFF and lower(chr(n)) != chr(n)}
    differ = {chr(n) for n, _ in dict(folded).items() ^ ours.items()}
    # letters that one of the two Unicode versions does not know yet
    assert all(ord(char) > 0x1000 for char in differ), differ
    assert dict(folded)[0x130] == "i"
    assert len(folded) > 1300


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("a%", ["ab", "a%c", "a\\b", "a", "aéz"]),
        ("a_", ["ab"]),
        ("a\\\\%c", ["a%c"]),
        ("a\\\\\\\\b", ["a\\b"]),
        ("a__", ["a%c", "a\\b", "aéz"]),
        ("\\\\ab", ["ab"]),
        ("%\\\\", []),
    ],
)
def test_like(pattern, matching):
    values = ["ab", "a%c", "a\\b", "a", "aéz", "b"]
    found = tiers(*values).members(f'loyalty.tier like "{pattern}"')
    assert [values[int(name[1:])] for name in found] == matching


@pytest.mark.parametrize(
    ("expression", "matching"),
    [
        ("^a", ["abc", "a\nc"]),
        ("b", ["abc", "ABBA b"]),
        ("(?i)^AB", ["abc", "ABBA b"]),
        ("^\\\\w+$", ["abc"]),
        ("a.c", ["abc"]),
    ],
)
def test_matches(expression, matching):
    values = ["abc", "ABBA b", "a\nc"]
    found = tiers(*values).members(f'loyalty.tier.matches("{expression}")')
    assert [values[int(name[1:])] for name in found] == matching


def test_a_group_without_a_match_is_null():
    world = tiers("k=v", "k=", "none", None)
    assert world.members('loyalty.tier.regexGroup("=(.*)") = ""') == ["p1"]
    assert world.members('loyalty.tier.regexGroup("=(.*)").isNull()') == ["p2", "p3"]
    assert world.members('loyalty.tier.regexGroup("^k(=v)?").isNull()') == ["p1", "p2", "p3"]


def test_a_wrong_expression_is_the_users():
    with pytest.raises(Invalid) as refused:
        tiers("a").members('loyalty.tier.matches("(?=a)")')
    assert refused.value.code == "pql.value"


# -- numbers --------------------------------------------------------------------------------------------------------

MONEY = union_of(
    [
        Schema(
            "p",
            SchemaClass.PROFILE,
            read_fields({"n": "integer", "d": {"type": "number", "decimals": 2}, "b": "number"}, "t"),
        ),
        Schema(
            "e",
            SchemaClass.EVENT,
            read_fields({"n": "integer", "d": {"type": "number", "decimals": 9}, "b": "number"}, "t"),
        ),
    ]
)
OPS = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
NUMBERS = st.decimals(-1000, 1000, places=2) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20
)


@settings(max_examples=60)
@given(st.lists(st.decimals(-999, 999, places=2), min_size=1, max_size=4), st.lists(NUMBERS, min_size=1, max_size=4))
def test_comparisons_are_exact_with_any_number_of_digits(values, limits):
    world = World(MONEY, [{"id": f"p{n}", "d": value, "n": int(value)} for n, value in enumerate(values)], NOW)
    for limit in [*limits, *values]:
        for op, name in OPS.items():
            expected = [f"p{n}" for n, value in enumerate(values) if getattr(value, name)(limit)]
            assert world.members(f"d {op} {limit:f}") == expected
            expected = [f"p{n}" for n, value in enumerate(values) if getattr(Decimal(int(value)), name)(limit)]
            assert world.members(f"{limit:f} {_mirrored(op)} n") == expected


def _mirrored(op: str) -> str:
    return op.translate(str.maketrans("<>", "><"))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.decimals(-9, 9, places=9), st.integers(-(10**12), 10**12)), min_size=1, max_size=6))
def test_sums_and_products_are_exact(pairs):
    events = [{"_id": str(n), "timestamp": NOW, "d": d, "n": i} for n, (d, i) in enumerate(pairs)]
    world = World(MONEY, [{"id": "p0", "events": events}], NOW)
    total, product = sum(d for d, _ in pairs), sum(d * i for d, i in pairs)
    assert world.members(f"xEvent.sum(d) = {total:f}") == ["p0"]
    assert world.members(f"xEvent.sum(d * n) = {product:f}") == ["p0"]
    assert world.members(f"xEvent.sum(n) = {sum(i for _, i in pairs)}") == ["p0"]
    assert world.members(f"xEvent.sum(d) > {total:f}") == []
    least = min(d for d, _ in pairs)
    assert world.members(f"xEvent.min(d) - {total:f} = {least - total:f}") == ["p0"]


@pytest.mark.parametrize("digits", [29, 60, 390])
def test_literals_keep_all_their_digits(digits):
    world = World(MONEY, [{"id": "p0", "d": Decimal("0.1"), "n": 5}], NOW)
    just_over = "0.1" + "0" * digits + "1"
    assert world.members(f"d < {just_over}") == ["p0"]
    assert world.members(f"d >= {just_over}") == []
    assert world.members(f"d = 0.1{'0' * digits}") == ["p0"]
    assert world.members(f"n < 1{'0' * digits}") == ["p0"]
    assert world.members(f"n > -1{'0' * digits}.5") == ["p0"]


def test_quotients_are_the_nearest_double_and_division_by_zero_is_null():
    world = World(MONEY, [{"id": "p0", "d": Decimal("0.3"), "n": 0}, {"id": "p1", "d": Decimal("7"), "n": 2}], NOW)
    assert world.members("d / 0.1 = 3") == ["p0"]
    assert world.members("d / n = 3.5") == ["p1"]
    assert world.members("(d / n).isNull()") == ["p0"]
    assert world.members("(d % n).isNull()") == ["p0"]
    assert world.members("-d % 2 = -1") == ["p1"]
    assert world.members("0 - d % 2 = -1") == ["p1"]


def test_averages_of_ties_are_exact():
    prices = [Decimal(text) for text in ("0.1", "0.1", "0.1")]
    events = [{"_id": str(n), "timestamp": NOW, "d": price} for n, price in enumerate(prices)]
    world = World(MONEY, [{"id": "p0", "events": events}], NOW)
    assert world.members("xEvent.average(d) = 0.1") == ["p0"]
    assert world.members("xEvent.average(d) > 0.1") == []


def test_sums_of_binary_doubles_are_the_nearest_to_the_exact_sum():
    values = [0.1, 0.2, 0.3, 1e16, -1e16, 5e-324]
    events = [{"_id": str(n), "timestamp": NOW, "b": value} for n, value in enumerate(values)]
    world = World(MONEY, [{"id": "p0", "b": 0.5, "events": events}, {"id": "p1"}], NOW)
    exact = math.fsum(values)
    assert exact != sum(values)
    assert world.members(f"xEvent.sum(b) = {exact!r}") == ["p0"]
    assert world.members(f"xEvent.average(b) = {exact / len(values)!r}") == ["p0"]
    assert world.members("xEvent.sum(b) = 0") == ["p1"]
    assert world.members("xEvent.average(b).isNull()") == ["p1"]
    assert world.members(f"xEvent[b != $1.n or $1.n.isNull()].sum(b) = {exact!r}") == ["p0"]
    assert world.members("xEvent.max(b) = 1.0E16 and b = 0.5 and b + 0.25 > 0.7") == ["p0"]


# -- the engine -----------------------------------------------------------------------------------------------------


def test_an_audience_that_is_not_known_is_named():
    with pytest.raises(NotFound) as missing:
        tiers("a").members('inSegment("nobody")')
    assert missing.value.code == "audience.not-found"


def test_what_is_refused_is_refused_before_anything_runs():
    world = tiers("a")
    engine = SqlEngine(world.con, SAMPLE)
    world.con.close()
    (condition,) = conditions_of(normalise(parse('loyalty.tier matches "("'), SAMPLE))
    with pytest.raises(Invalid):
        engine.explain(condition, "default", NOW)


def test_a_statement_is_the_same_text_every_time():
    (condition,) = conditions_of(normalise(parse("xEvent[productListItems[quantity > 1].count() > 2]"), SAMPLE))
    engine = SqlEngine(tiers("a").con, SAMPLE)
    first = engine.explain(condition, "default", NOW)
    assert engine.explain(condition, "default", NOW) == first
    assert "LAMBDA v0 :" in first


def test_no_one_asked_about_is_no_one_found():
    world = tiers("a", "b")
    assert world.members("loyalty.tier", BitMap()) == []
    assert world.members("not xEvent", BitMap([2])) == ["p1"]
    assert world.con.execute("SELECT count(*) FROM duckdb_views() WHERE view_name = 'coterie_people'").fetchall() == [
        (0,)
    ]


ONLY_DUCKDB = {
    "sorted_down",
    "distinct_in_order",
    "sum_doubles",
    "attempt",
    "escaped_pattern",
    "local_time",
    "instant_of_local",
    "listed",
}
"""Constructs that Spark has no form for yet."""


def test_every_construct_has_a_form_in_both_dialects():
    missing = {name for name, row in CONSTRUCTS.items() if set(row) != {"duckdb", "spark"}}
    assert missing <= ONLY_DUCKDB
