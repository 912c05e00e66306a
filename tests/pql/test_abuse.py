"""Queries meant to do harm: each is refused with a code, soon, or has the right members; no data are touched.

The text of a query comes from users. It is bounded in length, in words and in depth; its regular expressions are
matched in linear time; and none of it ever becomes SQL, but for literals.
"""

from __future__ import annotations

import gc
import time
from contextlib import suppress

import pytest
import sqlglot
from sqlglot import exp

from coterie.core.errors import CoterieError
from coterie.pql import check, parse, to_json, to_text
from coterie.pql.conditions import conditions_of
from coterie.pql.json_reader import from_json
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE, people

NOW = "2026-06-15T12:00:00Z"
DEEP, LONG = 10_000, 1_000_000
SECONDS = 1.0
"""Of the processor, so that other work on the machine does not count."""


@pytest.fixture(autouse=True, scope="module")
def _own_objects_only():
    """Keep what earlier tests left in memory out of the collections that would be measured with the queries."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def nested(opening: str, core: str, closing: str = "") -> str:
    return opening * DEEP + core + closing * DEEP


DEPTHS = {
    "parentheses": nested("(", "id", ")"),
    "not": nested("not ", "id"),
    "exclamation marks": nested("!", "id"),
    "signs": nested("-", "1"),
    "filters": nested("orders[", "true", "]"),
    "let": nested("let a = 1 in ", "id"),
    "values of let": nested("let a = (", "1", ") in a"),
    "arrays": nested("[", "1", "]"),
    "objects": nested('{"a": ', "1", "}"),
    "chains": nested("chain(xEvent, timestamp, [A: WHAT(", "true", ")])"),
    "times of chains": nested("chain(xEvent, timestamp, [A: WHAT(true) WHEN(on ", "now", ")])"),
    "if": nested("if(true, ", "id", ", id)"),
    "calls": nested("f(", "id", ")"),
    "arguments": nested("id.equals(", '"a"', ")"),
    "quantifiers": nested("exists X from xEvent where ", "true"),
    "ranges of quantifiers": nested("exists X from (select Y from ", "xEvent", ")"),
    "aggregates": nested("sum X.a over X from (select Y from ", "xEvent", ")"),
    "lambdas": nested("(a) => ", "id"),
    "steps": "id" + ".x" * DEEP,
    "sums": "id" + " + 1" * DEEP,
    "products": "id" + " * 1" * DEEP,
    "methods": "orders" + ".distinct()" * DEEP,
    "filters in a row": "orders" + "[true]" * DEEP,
    "differences": nested("1 - (", "1", ")"),
    "never closed": "orders[(" * DEEP,
}


def refused(text: str) -> set[str]:
    """Return the codes of the errors a query has, having seen that they are found soon."""
    began = time.process_time()
    problems = check(text, SAMPLE).problems
    assert time.process_time() - began < SECONDS
    assert all(problem.message and 0 <= problem.start <= problem.end <= len(text) for problem in problems)
    assert all(len(problem.message) < 1000 for problem in problems)
    return {problem.code for problem in problems if problem.severity == "error"}


@pytest.mark.parametrize("shape", DEPTHS)
def test_depth_is_bounded_whatever_is_nested(shape):
    assert refused(DEPTHS[shape]) <= {"pql.too-deep", "pql.too-long"}
    assert refused(DEPTHS[shape])


REFUSED = {
    "or": (" or ".join(f'id = "{n}"' for n in range(LONG // 14)), "pql.too-long"),
    "and of events": (" and ".join(f"xEvent[a = {n}].count() > 1" for n in range(LONG // 34)), "pql.too-long"),
    "labels": (f"chain(xEvent, timestamp, [{', '.join(['A: WHAT(true)'] * 60_000)}])", "pql.too-long"),
    "tails": (f"xEvent.exists(timestamp occurs {'before now and ' * 60_000} true)", "pql.too-long"),
    "commas": ("[" + "," * LONG, "pql.syntax"),
    "values and commas": ("id in [" + "1," * LONG, "pql.too-long"),
    "characters": ("a" * (2 * LONG + 1), "pql.too-long"),
    "string never closed": ('id = "' + "a" * LONG, "pql.syntax"),
    "name": ("a" * LONG + " = 1", "pql.unknown-field"),
    "name between backquotes": ("`" + "a" * LONG + "` = 1", "pql.unknown-field"),
    "integer": ("loyalty.points = " + "9" * LONG, "pql.syntax"),
    "carets": ("orders[" + "^" * DEEP + "id = 1]", "pql.scope"),
    "comparisons in a row": ("1 < " * DEEP + "1", "pql.syntax"),
    "closing brackets": ("id" + ")" * DEEP, "pql.syntax"),
    "regular expression": (f'id.matches("{"a*" * (LONG // 2)}")', "pql.value"),
    "repetitions of repetitions": ('id.matches("((a{1,1000}){1,1000}){1,1000}")', "pql.value"),
    "look-around": ('id.matches("(?=a)")', "pql.value"),
    "distance": (f"xEvent.exists(timestamp occurs <= {'9' * 300} days before now)", "pql.value"),
    "integer of 65 bits": ("loyalty.points = 9223372036854775808", "pql.value"),
    "double": ("loyalty.points = 1.0E999999999", "pql.value"),
    "year": ("person.birthDate = date(999999999, 1, 1)", "pql.value"),
    "negative year": ("person.birthDate = date(-1, 1, 1)", "pql.value"),
    "labels of one name": ("chain(xEvent, timestamp, [A: WHAT(true), A: WHAT(true)])", "pql.value"),
    "half of a pair": ('id = "\ud800"', "pql.syntax"),
    "half of a pair, escaped": ('id = "\\ud800"', "pql.syntax"),
    "comment": ('id = "a" -- true', "pql.type"),
    "comment of another kind": ('id = "a" /* true */', "pql.syntax"),
    "semicolon": ('id = "a"; DROP TABLE live_event', "pql.syntax"),
    "single quotes": ("id = 'a'", "pql.syntax"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused_soon(name):
    text, code = REFUSED[name]
    assert code in refused(text) | ({"pql.syntax"} if name == "comment" else set())


def test_many_problems_are_found_soon():
    text = " or ".join(f"nope{n} = 1" for n in range(2_000))
    assert refused(text) == {"pql.unknown-field"}


GROWING = {
    "let": "".join(f"let a{n} = (a{n - 1} + a{n - 1}) in " if n else "let a0 = loyalty.points in " for n in range(40))
    + "a39 > 0",
    "if": "if(" * 25 + "true" + ", loyalty.points > 1, loyalty.points > 2)" * 25,
    "tests of if": "if(" * 25 + 'loyalty.tier = "a"' + ", loyalty.points > 1, loyalty.points > 2)" * 25,
}


@pytest.mark.parametrize("name", GROWING)
def test_what_would_grow_is_refused_or_stays_small(name):
    began = time.process_time()
    found = []
    with suppress(CoterieError):
        found = conditions_of(normalise(parse(GROWING[name]), SAMPLE))
    assert sum(len(condition.text) for condition in found) < LONG
    assert time.process_time() - began < 10 * SECONDS


# -- data survive ---------------------------------------------------------------------------------------------------

TEXTS = {
    "quote": "'",
    "quotes": "''\"\"",
    "drop": "'; DROP TABLE live_event; --",
    "union": "x' UNION SELECT person FROM profile_default --",
    "comment": "/* */ -- #",
    "backslash": "\\",
    "backslash and quote": "\\'",
    "dollars": "$1 $$ ${x} $tag$",
    "format": "%s {0} {{x}} %(a)s ?",
    "percent": "50%_",
    "newline": "a\nb\rc\td",
    "control": "\x01\x1b\x7f\u2028",
    "emoji": "\U0001f600\u200d\U0001f525",
    "combining": "e\u0301\u0327",
    "right to left": "\u202e\u05d0\u0627",
    "marker": "pl4nted",
}
PLACES = (
    "loyalty.tier = {}",
    "loyalty.tier in [{}, {}]",
    "loyalty.tier.equals({})",
    "loyalty.tier.startsWith({}) and loyalty.tier.endsWith({})",
    "loyalty.tier.contains({}, false) and loyalty.tier = {}",
    'stringCompare("equals", loyalty.tier, [{}])',
    "favoriteColors.includes({})",
    "favoriteColors.intersects([{}])",
    "consents.marketing.email.subscriptions.get({}).isNotNull()",
    "orders[status = {}].count() = 1",
    "xEvent[eventType = {}].count() = 1",
    "exists X from xEvent where X.eventType = {}",
    "chain(xEvent, timestamp, [A: WHAT(eventType = {})])",
    'chain(xEvent, timestamp, [A: WHAT(eventType = {}), B: WHAT(eventType = "last") WHEN(<= 1 day after A)])',
    "xEvent.groupBy(eventType).get({}).count() = 1",
    'if(loyalty.tier = {}, {}, "no") = {}',
)


ESCAPES = {"\\": "\\\\", '"': '\\"'} | {chr(code): f"\\u{code:04x}" for code in range(32)}


def literal(text: str) -> str:
    """Return a text as a literal of the language."""
    return '"' + "".join(ESCAPES.get(character, character) for character in text) + '"'


def profile(name: str, text: str) -> dict:
    return {
        "id": name,
        "loyalty": {"tier": text},
        "favoriteColors": [text],
        "consents": {"marketing": {"email": {"subscriptions": {text: {"val": "y"}}}}},
        "orders": [{"orderId": "1", "status": text, "total": 1}],
        "events": [
            {"_id": f"{name}.1", "timestamp": "2026-06-10T00:00:00Z", "eventType": text},
            {"_id": f"{name}.2", "timestamp": "2026-06-10T01:00:00Z", "eventType": "last"},
        ],
    }


@pytest.fixture(scope="module")
def group():
    """Give people, one for each text, and one of whom nothing is known."""
    with people([*(profile(name, text) for name, text in TEXTS.items()), {"id": "nobody"}], NOW) as asked:
        yield asked


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("engine", ["sql", "interpreter"])
def test_texts_are_data_wherever_they_stand(place, engine, group):
    for name, text in TEXTS.items():
        assert group.members(place.replace("{}", literal(text)), engine) == {name}, name
    assert group.members("xEvent.count() = 2", engine) == set(TEXTS)


@pytest.mark.parametrize("place", PLACES)
def test_texts_keep_their_value_in_every_form(place):
    for text in TEXTS.values():
        tree = parse(place.replace("{}", literal(text)))
        assert parse(to_text(tree)) == tree
        assert to_json(from_json(to_json(tree))) == to_json(tree)


@pytest.mark.parametrize("place", PLACES)
def test_no_text_becomes_sql(place, group, monkeypatch):
    """A marker planted in a rule is found inside of string literals alone."""
    emitted = []
    written = exp.Expression.sql

    def sql(self, *args, **kwargs):
        text = written(self, *args, **kwargs)
        emitted.append(text)
        return text

    monkeypatch.setattr(exp.Expression, "sql", sql)
    assert group.members(place.replace("{}", literal("pl4nted"))) == {"marker"}
    statements = [text for text in emitted if "pl4nted" in text]
    assert emitted
    for text in statements:
        tree = sqlglot.parse_one(text, read="duckdb")
        literals = sum(
            str(node.this).count("pl4nted") for node in tree.find_all(exp.Literal, exp.RawString) if node.is_string
        )
        assert literals == text.count("pl4nted"), text


def test_nul_is_no_reason_to_fail(group):
    for engine in ("sql", "interpreter"):
        assert group.members('loyalty.tier = "a\\u0000b"', engine) == set()
        assert group.members('loyalty.tier.contains("\\u0000")', engine) == set()


# -- much work ------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_values_in_a_condition(group):
    values = ", ".join([*(f'"v{n}"' for n in range(100_000)), literal(TEXTS["quote"])])
    assert group.members(f"loyalty.tier in [{values}]") == {"quote"}
    assert group.members(f"loyalty.tier in [{values}]", "interpreter") == {"quote"}
    assert group.members(f"xEvent[eventType in [{values}]].count() = 1") == {"quote"}


def test_regular_expressions_take_linear_time():
    text = "a" * 50_000 + "!"
    with people([{"id": "a", "loyalty": {"tier": text}}], NOW) as asked:
        for engine in ("sql", "interpreter"):
            for pattern in ("^(a+)+$", "^(a|aa)*$", "^(.*a){12}$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"):
                began = time.process_time()
                assert asked.members(f'loyalty.tier.matches("{pattern}")', engine) == set()
                assert time.process_time() - began < 5 * SECONDS
            assert asked.members(f'loyalty.tier like "{"%a" * 200}"', engine) == set()


HUGE = {
    "chain(xEvent, timestamp, [A: WHAT(true) COUNT(999999999999999999)])": set(),
    f"chain(xEvent, timestamp, [A: WHAT(true) COUNT({'9' * 300})])": set(),
    "chain(xEvent, timestamp, [A: WHAT(true) COUNT(1000000), B: WHAT(true) WHEN(<= 1 day after A)])": set(),
    "xEvent.exists(timestamp occurs <= 9999 years before now)": {"a"},
    "xEvent.exists(timestamp occurs >= 9999 years before now)": set(),
    "xEvent.exists(timestamp occurs >= 9999 years after now)": set(),
    "xEvent.exists(timestamp occurs < 119988 months after now)": set(),
    "xEvent.exists(timestamp occurs <= 315360000000000 milliseconds before now)": {"a"},
    "xEvent.exists(timestamp occurs <= 10 millennia before now)": {"a"},
    "loyalty.points + 9223372036854775807 + 9223372036854775807 > 0": {"a"},
    "loyalty.points * 9223372036854775807 > 9223372036854775807": {"a"},
    "-9223372036854775807 - 9223372036854775807 < loyalty.points": {"a"},
    "loyalty.points < 1.0E308": {"a"},
    f"loyalty.points > 0.{'0' * 390}1": {"a"},
    "orders.topN(total, 9223372036854775807).count() = 1": {"a"},
    "orders.topN(total, -5).count() = 0 and orders": {"a"},
    "person.birthDate = date(loyalty.points * 1000000000, 1, 1)": set(),
    "person.birthDate = date(2000, loyalty.points, 9223372036854775807)": set(),
}


@pytest.fixture(scope="module")
def one():
    """Give one person of whom something is known, and one of whom nothing is."""
    known = {"id": "a", "loyalty": {"points": 3}, "person": {"birthDate": "2000-01-01"}}
    known["orders"] = [{"orderId": "1", "total": 2}]
    known["events"] = [{"_id": "1", "timestamp": "2026-06-10T00:00:00Z", "eventType": "x"}]
    with people([known, {"id": "b"}], NOW) as asked:
        yield asked


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
@pytest.mark.parametrize("engine", ["sql", "interpreter"])
def test_huge_numbers_are_numbers_or_refused(text, engine, one):
    found = HUGE[text]
    with suppress(CoterieError):
        found = one.members(text, engine)
    assert found == HUGE[text]
