"""The grammar: every published query is read, and every fault is found where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.pql import PqlError, ast, parse, to_text
from coterie.pql.parser import MAX_LENGTH

from .cases import QUERIES, cases

SYNTAX = {row["id"]: row for row in cases("pql-errors") if row["kind"] == "syntax"}


@pytest.mark.parametrize("case", QUERIES)
def test_published_queries_are_read(case):
    tree = parse(QUERIES[case])
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize("case", SYNTAX)
def test_faults_are_found_where_they_are(case):
    row = SYNTAX[case]
    with pytest.raises(PqlError) as raised:
        parse(row["pql"])
    (problem,) = raised.value.problems
    low, high = row["error"]["position"]
    assert problem.code == "pql.syntax"
    assert low <= problem.start <= high
    assert problem.token == row["pql"][problem.start : problem.end]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a or b and c", "a or (b and c)"),
        ("not a = b and c", "(not (a = b)) and c"),
        ("!a = b", "(!a) = b"),
        ("not not a", "not (not a)"),
        ("a + b * c - d", "(a + (b * c)) - d"),
        ("-a.b", "-(a.b)"),
        ("-a * b", "(-a) * b"),
        ("a = b + 1 and c", "(a = (b + 1)) and c"),
        ("exists X from A where X.a or X.b", "exists X from A where (X.a or X.b)"),
        ("exists X from A : X.a", "exists X from A where X.a"),
        ("c and exists X from A", "c and (exists X from A)"),
        ("let N = a in N > 1 and b", "let N = a in (N > 1 and b)"),
        ("let N = exists X from A where X.f in N", "let N = (exists X from A where X.f) in N"),
        ("(P) => P.a and b", "(P) => (P.a and b)"),
        ("t occurs between now and today and b", "(t occurs between now and today) and b"),
        ("t occurs today", "t occurs on today"),
        ("t occurs THIS Month", "t occurs this months"),
        ("^a.b", "(^.a).b"),
        ("^^.a", "^^a"),
        ("sum X from A", "sum X from (A)"),
        ("f(exists A from x, b)", "f((exists A from x), b)"),
        ("SELECT X FROM a WHERE NOT X.b NOTIN c", "select X from a where not (X.b notIn c)"),
        ("IF(TRUE, 1, 2)", "if(true, 1, 2)"),
        ('"\\u0041\\q\\n"', '"Aq\n"'),
        ('"\\ud83d\\ude00"', '"😀"'),
        ("x occurs < 1 century after now", "x occurs < 1 centuries after now"),
    ],
)
def test_readings(text, same):
    assert parse(text) == parse(same)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("orders.sum(total)", "sum"),
        ("X.from", "from"),
        ("a.not", "not"),
        ("a.`b-c`", "b-c"),
        ("a.true", "true"),
    ],
)
def test_after_a_dot_every_word_is_a_name(text, name):
    node = parse(text)
    assert isinstance(node, ast.Property | ast.Method)
    assert node.name == name


@pytest.mark.parametrize(
    "word", ["sum", "exists", "select", "chain", "let", "this", "last", "on", "from", "count", "day"]
)
def test_contextual_words_are_names_elsewhere(word):
    assert parse(f"{word} = 1") == ast.Binary("=", ast.Name(word), ast.Literal(1, "integer"))


@pytest.mark.parametrize("word", ["and", "or", "in", "notIn", "like", "matches", "occurs", "where", "over"])
def test_operator_words_are_no_names(word):
    with pytest.raises(PqlError) as raised:
        parse(f"1 + {word}")
    assert raised.value.problems[0].token == word
    assert parse(f"`{word}`") == ast.Name(word)


@pytest.mark.parametrize(
    ("text", "start", "hint"),
    [
        ("a == b", 2, "="),
        ("a <> b", 2, "!="),
        ("a && b", 2, "and"),
        ("a || b", 2, "or"),
        ("a;", 1, "one expression"),
        ("a = \u2018b\u2019", 4, "double quotes"),
        ("a not in b", 2, "notIn"),
        ("exists orders where a", 7, "exists X from orders"),
        ("sum orders where a", 11, None),
        ("a = b = c", 6, "do not chain"),
        ("a in b in c", 7, "do not chain"),
        ("$0", 0, "$1"),
        ("a[", 2, None),
        ("a[]", 2, None),
        ("{}", 1, None),
        ("f(a,)", 4, None),
        ("t occurs < 1.5 days before now", 11, None),
        ("t occurs < 3 moons before now", 13, None),
        ("t occurs < 3 days ago", 18, None),
        ("chain(xEvent, timestamp, [])", 26, None),
        ("chain(xEvent, timestamp, [A: WHAT(a) WHEN(today) WHEN(today)])", 49, None),
        ("chain(xEvent, timestamp, [A: WHEN(today)])", 29, None),
        ("let in = 1 in 2", 7, None),
        ("exists X from a where X, Y where 1", 23, None),
        ('"a" "b"', 4, None),
        ("(a) => ", 7, None),
        ("``", 0, None),
        ("a # b", 2, None),
    ],
)
def test_advice(text, start, hint):
    with pytest.raises(PqlError) as raised:
        parse(text)
    (problem,) = raised.value.problems
    assert (problem.code, problem.start) == ("pql.syntax", start)
    assert hint is None or hint in (problem.hint or "")


def test_place_in_lines():
    with pytest.raises(PqlError) as raised:
        parse("a\n  and\n  or b")
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.token) == (3, 3, "or")
    assert raised.value.as_dict()["problems"][0]["code"] == "pql.syntax"


def test_the_end_is_where_the_last_word_ends():
    for text in ("orders[qty = 1", "orders[qty = 1\n", "orders[qty = 1\r\n\n"):
        with pytest.raises(PqlError) as caught:
            parse(text)
        (problem,) = caught.value.problems
        assert (problem.start, problem.line, problem.column) == (14, 1, 15)


def test_spans_cover_what_was_written():
    text = " (a + b) * f( c ) and x.y[ z ]"
    node = parse(text)
    assert isinstance(node, ast.Binary)
    written = [text[part.span.start : part.span.end] for part in (node, node.left, node.right)]
    assert written == [text.strip(), "(a + b) * f( c )", "x.y[ z ]"]


def test_count_of_an_excluded_element():
    with pytest.raises(PqlError) as raised:
        parse("chain(xEvent, timestamp, [A: WHAT(a), N: EXCLUDE(b) COUNT(1)])")
    assert [problem.code for problem in raised.value.problems] == ["pql.value"]


DEEP = {
    "parentheses": "(" * 5000 + "a" + ")" * 5000,
    "open": "(" * 5000,
    "filters": "a[" * 5000,
    "calls": "f(" * 5000,
    "arrays": "[" * 5000,
    "lets": "let a = 1 in " * 5000,
    "lambdas": "(a) => " * 5000,
    "quantifiers": "exists a from " * 5000,
    "not": "not " * 5000 + "a",
    "minus": "-" * 5000 + "a",
    "path": "a" + ".b" * 5000,
    "sum": "1" + " + 1" * 5000,
    "chains": "chain(" * 5000,
    "aggregates": "sum a + " * 5000,
}


@pytest.mark.parametrize("shape", DEEP)
def test_depth_is_bounded(shape):
    with pytest.raises(PqlError) as raised:
        parse(DEEP[shape])
    assert raised.value.problems[0].code == "pql.too-deep"


def test_length_is_bounded():
    with pytest.raises(PqlError) as raised:
        parse("a" * (MAX_LENGTH + 1))
    assert raised.value.problems[0].code == "pql.too-long"


@pytest.mark.parametrize("op", ["and", "or"])
def test_long_chains_stay_shallow_and_stable(op):
    node = parse(f" {op} ".join(f"f{number}" for number in range(3000)))
    assert parse(to_text(node)) == node
    assert to_text(parse(to_text(node))) == to_text(node)


WORDS = (
    'a X `b c` é 1 2.5 "s" $1 and or not in occurs before now last month days between select exists from where sum '
    "over let if( chain( WHAT( WHEN( COUNT( true null matches => <= !="
)
PIECES = st.sampled_from([*WORDS.split(" "), *"()[]{},.:=<>+-*/%!^\"`$\\;' \n", "\ud800"])


@given(st.text() | st.lists(PIECES, max_size=30).map(" ".join) | st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_read_or_refused(text):
    try:
        node = parse(text)
    except PqlError as error:
        for problem in error.problems:
            assert 0 <= problem.start <= problem.end <= len(text)
            assert text[problem.start : problem.end] == problem.token
    else:
        assert parse(to_text(node)) == node
