"""Checking against the sample schema: every code, every position, every name in the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.pql import PqlError, ast, check, parse, to_text
from coterie.pql.environment import Binding
from coterie.pql.functions import ALL, FUNCTIONS, METHODS
from coterie.pql.tree import walk
from coterie.pql.types import BOOLEAN, INTEGER, STRING, Array
from coterie.testing import SAMPLE
from coterie.testing import check as problems_of

from .cases import QUERIES, cases
from .trees import trees

ERRORS = {row["id"]: row for row in cases("pql-errors")}
MEANINGS = {row["id"]: row["pql"] for row in cases("pql-semantics")}
KINDS = {"type": "pql.type", "value": "pql.value", "arity": "pql.arity", "reference": "pql.scope"}


def errors_of(text, **options):
    return [problem for problem in check(text, SAMPLE, **options).problems if problem.severity == "error"]


@pytest.mark.parametrize("case", ERRORS)
def test_published_errors(case):
    row = ERRORS[case]
    (problem,) = errors_of(row["pql"])
    assert row["pql"][problem.start : problem.end] == problem.token
    if row["kind"] == "syntax":
        low, high = row["error"]["position"]
        assert problem.code == "pql.syntax"
        assert low <= problem.start <= high
    else:
        assert problem.code == KINDS[row["kind"]]
        assert any(name in problem.message for name in row["error"]["names_any_of"])


@pytest.mark.parametrize("case", MEANINGS)
def test_published_queries_are_fine(case):
    checked = check(MEANINGS[case], SAMPLE)
    assert checked.ok
    assert all(id(node) in checked.types for node in walk(checked.require()) if isinstance(node, ast.Expr))
    assert [problem.code for problem in checked.problems] == ["pql.not-boolean"] * (checked.type != BOOLEAN)
    again = check(checked.require(), SAMPLE)
    assert [problem.code for problem in again.problems] == [problem.code for problem in checked.problems]


# query, code, token at the place, part of the message
TABLE = [
    # names
    ('loyality.tier = "x"', "pql.unknown-field", "loyality", "loyality"),
    ('loyalty.teir = "x"', "pql.unknown-field", "teir", "teir"),
    ('loyalty.tier.name = "x"', "pql.unknown-field", "name", "loyalty.tier"),
    ('orders.state = "x"', "pql.unknown-field", "state", "orders"),
    ('orders[state = "x"]', "pql.unknown-field", "state", "the item"),
    ('xEvent[homeAddress.city = "x"]', "pql.unknown-field", "homeAddress", "the event"),
    ("identityMap.Email.isNotNull()", "pql.unknown-field", "Email", "identityMap"),
    ("`a b` = 1", "pql.unknown-field", "`a b`", "a b"),
    ("orders[^.points > 1]", "pql.unknown-field", "^.points", "points"),
    ("chain(xEvent, time, [A: WHAT(eventType = \"a\")])", "pql.unknown-field", "time", "time"),
    ("X.timestamp occurs today", "pql.unknown-name", "X", "X"),
    ("exists A from B.items, B from orders", "pql.unknown-name", "B", "B"),
    ("(exists A from orders) and A.total > 1", "pql.unknown-name", "A", "A"),
    ("exists x from orders where y.total > 1", "pql.unknown-name", "y", "y"),
    ("chain(xEvent, timestamp, [A: WHAT(true) WHEN(after B), B: WHAT(true)])", "pql.unknown-name", "B", "B"),
    ("chain(xEvent, timestamp, [A: WHAT(true) WHEN(after Z)])", "pql.unknown-name", "Z", "Z"),
    ("chain(xEvent, timestamp, [N: EXCLUDE(true), A: WHAT(true) WHEN(after N)])", "pql.unknown-name", "N", "N"),
    ("chain(xEvent, timestamp, [A: WHAT(A.timestamp occurs today)])", "pql.unknown-name", "A", "A"),
    ("$2.id = 1", "pql.unknown-name", "$2", "$2"),
    # scopes
    ("^.id = \"x\"", "pql.scope", "^.id", "^.id"),
    ("orders[items[^^^.id = sku]]", "pql.scope", "^^^.id", "^^^.id"),
    ("chain(xEvent, timestamp, [A: WHAT(true) WHERE(^.id = \"x\")])", "pql.scope", "^.id", "^.id"),
    # functions
    ("orders.cuont() = 1", "pql.unknown-function", "cuont", "cuont"),
    ("orders.Sum(total) = 1", "pql.unknown-function", "Sum", "Sum"),
    ("iff(true, 1, 2) = 1", "pql.unknown-function", "iff", "iff"),
    ("head(orders).status = \"x\"", "pql.unknown-function", "head", "head"),
    ("orders.count(status) = 1", "pql.arity", "orders.count(status)", "count"),
    ("orders.exists()", "pql.arity", "orders.exists()", "exists"),
    ("loyalty.tier.equals()", "pql.arity", "loyalty.tier.equals()", "equals"),
    ("if(true, 1) = 1", "pql.arity", "if(true, 1)", "if"),
    ("date(2020) = person.birthDate", "pql.arity", "date(2020)", "date"),
    ("loyalty.tier.startsWith(\"a\", true, 1)", "pql.arity", None, "startsWith"),
    ("(a, b) => true", "pql.arity", "(a, b) => true", "(a, b)"),
    ("orders.groupBy(status).map((K) => 1).count() = 1", "pql.arity", "(K) => 1", "map"),
    # types: comparison
    ("loyalty.points = \"many\"", "pql.type", None, "loyalty.points"),
    ("loyalty.tier = 5", "pql.type", None, "loyalty.tier"),
    ("\"12\" = loyalty.points", "pql.type", None, "\"12\""),
    ("loyalty.tier < \"b\"", "pql.type", "loyalty.tier", "loyalty.tier"),
    ("true < false", "pql.type", "true", "true"),
    ("loyalty.points = true", "pql.type", None, "loyalty.points"),
    ("favoriteColors = \"red\"", "pql.type", None, "favoriteColors"),
    ("orders.status = [\"open\"]", "pql.type", None, "orders.status"),
    ("loyalty.tier = [\"open\"]", "pql.type", None, "loyalty.tier"),
    ("person.birthDate > 5", "pql.type", None, "person.birthDate"),
    ("person.birthDate = \"soon\"", "pql.type", None, "person.birthDate"),
    ("exists A from orders, B from xEvent where A = B", "pql.type", "A = B", "A"),
    ("identityMap = segmentMembership", "pql.type", None, "identityMap"),
    # types: membership, patterns, arithmetic
    ("loyalty.tier in \"gold\"", "pql.type", "\"gold\"", "loyalty.tier"),
    ("loyalty.tier in [1]", "pql.type", "1", "loyalty.tier"),
    ("loyalty.points in [\"1\", \"x\"]", "pql.type", "\"x\"", "loyalty.points"),
    ("favoriteColors in [\"red\"]", "pql.type", "favoriteColors", "favoriteColors"),
    ("loyalty.points in favoriteColors and [1, \"a\"].count() = 2", "pql.type", "\"a\"", "\"a\""),
    ("loyalty.points like \"1%\"", "pql.type", "loyalty.points", "loyalty.points"),
    ("loyalty.tier like 5", "pql.type", "5", "loyalty.tier"),
    ("loyalty.points matches \"1\"", "pql.type", "loyalty.points", "loyalty.points"),
    ("loyalty.tier + 1 = 2", "pql.type", "loyalty.tier", "loyalty.tier"),
    ("1 + loyalty.tier = 2", "pql.type", "loyalty.tier", "1 +"),
    ("orders.total * 2 > 1", "pql.type", "orders.total", "orders.total"),
    ("-loyalty.tier = 2", "pql.type", "loyalty.tier", "loyalty.tier"),
    # types: functions
    ("loyalty.points.contains(\"1\")", "pql.type", None, "contains"),
    ("favoriteColors.contains(\"r\")", "pql.type", None, "favoriteColors"),
    ("loyalty.tier.contains(5)", "pql.type", "5", "contains"),
    ("loyalty.tier.contains(\"a\", \"b\")", "pql.type", "\"b\"", "contains"),
    ("loyalty.tier.equals(\"a\", 5)", "pql.type", "5", "equals"),
    ("loyalty.tier.equals([1])", "pql.type", "[1]", "equals"),
    ("orders.sum(status) > 1", "pql.type", "status", "sum"),
    ("orders.sum() > 1", "pql.type", None, "sum"),
    ("favoriteColors.max() = 1", "pql.type", None, "max"),
    ("orders.sum(items.price) > 1", "pql.type", "items.price", "sum"),
    ("orders.max(status) = 1", "pql.type", "status", "max"),
    ("orders.topN(status, 1).count() = 1", "pql.type", "status", "topN"),
    ("orders.topN(total, 1.5).count() = 1", "pql.type", "1.5", "topN"),
    ("orders.groupBy(items).count() = 1", "pql.type", "items", "groupBy"),
    ("person.filter(gender = \"x\").count() = 1", "pql.type", None, "person"),
    ("identityMap.count() = 1", "pql.type", None, "identityMap"),
    ("favoriteColors.includes(5)", "pql.type", "5", "includes"),
    ("favoriteColors.intersects([\"a\", 5].distinct())", "pql.type", "5", "5"),
    ("favoriteColors.intersects([5])", "pql.type", "5", "intersects"),
    ("favoriteColors.subsetOf(\"red\")", "pql.type", "\"red\"", "subsetOf"),
    ("identityMap.get(5).isNull()", "pql.type", "5", "get"),
    ("if(true, 1, \"a\") = 1", "pql.type", None, "if"),
    ("loyalty.tier.getMonth() = 1", "pql.type", None, "getMonth"),
    ("date(\"2020\", 1, 1) = person.birthDate", "pql.type", "\"2020\"", "date"),
    ("inSegment(id)", "pql.type", "id", "inSegment"),
    ("inSegment(5)", "pql.type", "5", "inSegment"),
    ("stringCompare(id, id, [\"a\"])", "pql.type", "id", "stringCompare"),
    ("stringCompare(\"equals\", id, [5])", "pql.type", "[5]", "stringCompare"),
    ("mapEntry(\"a\", 1).isNull()", "pql.type", None, "mapEntry"),
    ("orders.map(mapEntry(orderId, 1)).isNull()", "pql.type", None, "mapEntry"),
    ("orders.exists((O) => O.total > 1)", "pql.type", "(O) => O.total > 1", "lambda"),
    # types: ranges and times
    ("exists X from loyalty.tier", "pql.type", "loyalty.tier", "loyalty.tier"),
    ("forall X from identityMap : true", "pql.type", "identityMap", "identityMap"),
    ("(sum X.status over X from orders) > 1", "pql.type", "X.status", "X.status"),
    ("(sum X from favoriteColors) > 1", "pql.type", "X from favoriteColors", "sum"),
    ("loyalty.tier[true]", "pql.type", "loyalty.tier", "loyalty.tier"),
    ("orders[-1].isNull()", "pql.type", "-1", "orders"),
    ("orders[1.5].isNull()", "pql.type", "1.5", "orders"),
    ("loyalty.points occurs today", "pql.type", "loyalty.points", "loyalty.points"),
    ("person.birthDate occurs before loyalty.tier", "pql.type", "loyalty.tier", "loyalty.tier"),
    ("person.birthDate occurs between now and orders.head()", "pql.type", "orders.head()", "orders.head()"),
    ("chain(loyalty, timestamp, [A: WHAT(true)])", "pql.type", "loyalty", "loyalty"),
    ("chain(xEvent, eventType, [A: WHAT(true)])", "pql.type", "eventType", "eventType"),
    # values
    ("person.birthDate = date(2025, 2, 29)", "pql.value", "date(2025, 2, 29)", "date"),
    ("person.birthDate = date(0, 1, 1)", "pql.value", "date(0, 1, 1)", "date"),
    ("person.birthDate = date(currentYear(), 13, 1)", "pql.value", None, "date"),
    ("person.birthDate = date(currentYear(), currentMonth(), 32)", "pql.value", None, "date"),
    ("id.matches(\"(a\")", "pql.value", "\"(a\"", "matches"),
    ("id matches \"(?=a)\"", "pql.value", "\"(?=a)\"", "matches"),
    ("id.regexGroup(\"a(b)\", 2) = \"b\"", "pql.value", "2", "regexGroup"),
    ("id.regexGroup(\"ab\") = \"b\"", "pql.value", "\"ab\"", "regexGroup"),
    ("id.regexGroup(\"a(b)\", -1) = \"b\"", "pql.value", "-1", "regexGroup"),
    ("stringCompare(\"begins\", id, [\"a\"])", "pql.value", "\"begins\"", "stringCompare"),
    ("chain(xEvent, timestamp, [A: WHAT(true) COUNT(0)])", "pql.value", "A: WHAT(true) COUNT(0)", "COUNT(0)"),
    ("chain(xEvent, timestamp, [A: WHAT(true), A: WHAT(true)])", "pql.value", "A: WHAT(true)", "A"),
    ("chain(xEvent, timestamp, [A: EXCLUDE(true)])", "pql.value", None, "chain"),
    ("chain(xEvent, timestamp, [A: WHAT(true), N: EXCLUDE(true) COUNT(2)])", "pql.value", None, "COUNT"),
    ("loyalty.points = 9223372036854775808", "pql.value", "9223372036854775808", "9223372036854775808"),
    ("loyalty.points = 1.0E999", "pql.value", "1.0E999", "1.0E999"),
    ("person.birthDate occurs < 20000 years before now", "pql.value", None, "20000"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "token", "named"), TABLE, ids=[row[0] for row in TABLE])
def test_each_problem(text, code, token, named):
    (problem,) = errors_of(text)
    assert problem.code == code
    assert named in problem.message
    assert text[problem.start : problem.end] == problem.token
    assert token is None or problem.token == token


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ('loyality.tier = "x"', "loyalty"),
        ('loyalty.teir = "x"', "tier"),
        ('homeaddress.city = "x"', "homeAddress"),
        ('city = "x"', "homeAddress.city"),
        ('orders[loyalty.tier = "x"]', "^.loyalty"),
        ('orders[items[loyalty.tier = "x"]]', "^^.loyalty"),
        ('exists X from orders where status = "x"', "X.status"),
        ("orders.cuont() = 1", "count"),
        ("Orders.total > 1", "orders"),
        ("xevent.count() > 1", "xEvent"),
        ('stringCompare("startWith", id, ["a"])', "startsWith"),
        ("$2.id = 1", "$1"),
    ],
)
def test_suggestions(text, suggestion):
    (problem,) = errors_of(text)
    assert problem.suggestion == suggestion


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("(?<!a)b", "look-around"),
        (r"(a)\\1", "back-references"),
        ("a++", "possessive"),
        (r"\\p{Alpha}", "[[:alpha:]]"),
        (r"\\P{Digit}", "[[:^digit:]]"),
        (r"a\\Z", r"\z"),
    ],
)
def test_advice_on_expressions(pattern, hint):
    (problem,) = errors_of(f'id.matches("{pattern}")')
    assert problem.code == "pql.value"
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        'loyalty.points = "12" and loyalty.points < "1.5"',
        "homeAddress.postalCode = loyalty.points",
        "loyalty.points in favoriteColors",
        'orders.head().isNull() = "true"',
        'person.birthDate > "2000-01-01"',
        "loyalty.tier = null",
        "orders.status.contains(loyalty.tier)",
        "xEvent.timestamp occurs today and xEvent.timestamp.getMonth() = 3",
        "person.birthDate occurs before xEvent.head()",
        "favoriteColors.exists(this = \"red\") and favoriteColors.count() = [].count()",
        "orders[items[qty > ^.total and sku = ^^.id and sku = $1.id]].count() > 1",
        "(P) => P.xEvent.count() = P.orders.count()",
        "orders.groupBy(status).map(this.count()).max() > 1",
        "orders.groupBy(status).map((S, G) => mapEntry(S, G.count())).keys().includes(\"a\")",
        "orders.map((O) => O.total).sum() > 1",
        "(select A from orders, B from A.items).B.price > 2",
        "loyalty.tier.equals([\"a\", \"b\"], false) and loyalty.tier.equals(\"a\", \"b\")",
        "let N = orders in N.count() > 1",
        "chain(xEvent, timestamp, [A: WHAT($1.id = search.query), B: WHAT(^.id = A.search.query) WHERE(id = B._id)])",
        "chain(xEvent, timestamp, [A: WHAT(true), B: WHAT(true) WHEN(after A and <= 1 day after A.timestamp)])",
        "today.getMonth() = 3 and now > person.birthDate",
        "not 1",
        "if(orders, 1, 2.5) > 1",
    ],
)  # fmt: skip
def test_what_is_fine(text):
    assert problems_of(text) == []


def test_all_problems_are_found_once():
    text = 'lyoalty.tier = "x" and orders.sum(status) > 1 and person.birthDate = date(2025, 2, 30) and f(lyoalty.tier)'
    found = [(problem.code, problem.token) for problem in errors_of(text)]
    assert found == [
        ("pql.unknown-field", "lyoalty"),
        ("pql.type", "status"),
        ("pql.value", "date(2025, 2, 30)"),
        ("pql.unknown-function", "f"),
        ("pql.unknown-field", "lyoalty"),
    ]


def test_audiences():
    text = 'inSegment("golden")'
    assert errors_of(text) == []
    assert errors_of(text, audiences=["golden"]) == []
    (problem,) = errors_of(text, audiences=["gold"])
    assert (problem.code, problem.token, problem.suggestion) == ("pql.unknown-audience", '"golden"', "gold")
    (problem,) = check(text, SAMPLE, ["gold"], draft=True).problems
    assert (problem.code, problem.severity) == ("pql.unknown-audience", "warning")


def test_not_boolean_is_a_warning():
    checked = check("orders.sum(total)", SAMPLE)
    assert [(problem.code, problem.severity) for problem in checked.problems] == [("pql.not-boolean", "warning")]
    assert checked.ok
    assert checked.require() == checked.expr
    with pytest.raises(PqlError):
        check("orders.sum(tolal)", SAMPLE).require()
    with pytest.raises(PqlError):
        check("orders.sum(", SAMPLE).require()


def test_types_and_bindings():
    checked = check('let N = loyalty.points in orders[total > N and ^.id = orderId and xEvent and $1.id = "x"]', SAMPLE)
    tree = checked.require()
    assert isinstance(tree, ast.Let)
    filter_ = tree.body
    found = {to_text(node): checked.bindings[id(node)] for node in walk(tree) if id(node) in checked.bindings}
    assert {name: (binding.kind, binding.levels) for name, binding in found.items()} == {
        "loyalty": ("property", 0),
        "orders": ("property", 0),
        "total": ("property", 0),
        "N": ("variable", 0),
        "^.id": ("property", 1),
        "orderId": ("property", 0),
        "xEvent": ("events", 0),
        "$1": ("object", 1),
    }
    assert found["N"] == Binding("variable", "N", INTEGER, origin=tree)
    assert found["total"].origin is filter_
    assert found["^.id"].origin is None
    assert found["^.id"].type == STRING
    assert checked.types[id(tree.value)] == INTEGER
    assert isinstance(checked.type, Array)


def test_a_tree_is_checked_against_its_canonical_text():
    tree = parse("  loyalty . teir  =  1")
    checked = check(tree, SAMPLE)
    assert checked.text == "loyalty.teir = 1"
    assert checked.expr is tree
    assert id(tree) in checked.types
    assert [(problem.token, problem.start) for problem in checked.problems] == [("teir", 8)]


def test_every_function_is_known_by_form():
    assert {row.name for row in ALL} == set(METHODS) | set(FUNCTIONS)
    assert METHODS["equals"].form == "s.equals(v…[, cs])"
    assert METHODS["sum"].form == "a.sum([e])"


DEEP = ["-" * 140 + "1", "1" + " + 1" * 140, "id" + ".x" * 140, "not " * 140 + "id", "(" * 58 + "id" + ")" * 58]
DEEP += ["orders[" * 58 + "id" + "]" * 58, "orders.exists(" * 58 + "id" + ")" * 58, "let a = 1 in " * 58 + "a"]


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_deep_queries_are_checked(text):
    assert check(text, SAMPLE).type


def test_long_queries_are_checked():
    values = ", ".join(f'"v{number}"' for number in range(20_000))
    assert problems_of(f"loyalty.tier in [{values}]") == []
    assert problems_of(" or ".join(f'loyalty.tier = "v{number}"' for number in range(5000))) == []


SAMPLE_WORDS = [
    "orders",
    "total",
    "items",
    "loyalty",
    "points",
    "tier",
    "xEvent",
    "timestamp",
    "identityMap",
    "id",
    "X",
]


@given(trees, st.lists(st.sampled_from([*SAMPLE_WORDS, *METHODS, *FUNCTIONS]), min_size=1, max_size=20))
def test_any_tree_is_checked(tree, words):
    text = to_text(tree)
    for old, new in zip(["a", "X", "orders", "_id", "sum", "now", "é"], words, strict=False):
        text = text.replace(old, new)
    try:
        parse(text)
    except PqlError:
        return
    checked = check(text, SAMPLE)
    for problem in checked.problems:
        assert text[problem.start : problem.end] == problem.token
    assert len({(problem.code, problem.start, problem.end, problem.message) for problem in checked.problems}) == len(
        checked.problems
    )


@pytest.mark.parametrize("case", QUERIES)
def test_a_tree_and_its_text_have_the_same_problems(case):
    text = QUERIES[case]
    by_text = [(problem.code, problem.severity) for problem in check(text, SAMPLE).problems]
    assert [(problem.code, problem.severity) for problem in check(parse(text), SAMPLE).problems] == by_text
