"""The JSON form: text to JSON to text gives an equivalent query, and the same JSON again."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coterie.pql import PqlError, ast, from_json, parse, to_json, to_text
from coterie.pql.tree import walk

from .cases import QUERIES
from .trees import trees


@pytest.mark.parametrize("case", QUERIES)
def test_published_queries(case):
    tree = parse(QUERIES[case])
    written = json.loads(json.dumps(to_json(tree)))
    again = from_json(written)
    assert to_json(again) == written
    assert from_json(json.dumps(written)) == again
    other_spelling = ("$1", "(Profile)", ".filter(", "matches")
    assert again == tree or any(part in QUERIES[case] for part in other_spelling)


@given(trees)
def test_random_trees(tree):
    assume(not any(_lambda_for_item(node) for node in walk(tree)))
    assume(len(list(walk(tree))) < 50)
    written = json.loads(json.dumps(to_json(tree)))
    again = from_json(written)
    assert to_json(again) == written
    assert to_json(parse(to_text(again))) == written


def _lambda_for_item(node):
    """Whether an explicit lambda stands where only an expression of the item may."""
    args = node.args if isinstance(node, ast.Method) else (node.condition,) if isinstance(node, ast.Filter) else ()
    whats = [element.what for element in node.elements] if isinstance(node, ast.Chain) else []
    return any(isinstance(arg, ast.Lambda) for arg in (*args, *whats))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a = 1", {"fnName": "=", "params": [{"fieldName": "a", "object": {"position": 1}}, {"value": 1}]}),
        ("orders[status = ^.x]", {"fnName": "filter", "params": [{}, {"body": {"params": [
            {"fieldName": "status", "object": {"nodeType": "implicitReference", "levels": 0}},
            {"fieldName": "x", "object": {"nodeType": "implicitReference", "levels": 1}}]}}]}),
        ("orders[xEvent]", {"params": [{}, {"body": {"fieldName": "xEvent", "object": {"position": 1}}}]}),
        ("(P) => P.a", {"nodeType": "lambda", "varNames": ["P"], "body": {"object": {"nodeType": "varRef"}}}),
        ("t occurs <= 3 days before last week", {"fnName": "occurs", "params": [{}, {
            "form": "distance", "op": "<=", "count": 3, "unit": "day", "time": {"relative": "last", "unit": "week"}}]}),
        ("t occurs now", {"params": [{}, {"form": "on", "time": "now"}]}),
        ("1.50", {"literalType": "Double", "value": 1.5}),
        ("0.12345678901234567890", {"value": "0.12345678901234567890"}),
        ("[1]", {"literalType": "List", "value": [{"literalType": "Integer", "value": 1}]}),
        ("let N = a in N", {"fnName": "let", "params": [{}, {"varNames": ["N"], "body": {"varName": "N"}}]}),
        ("exists X from a where X.b", {"fnName": "exists", "params": [{"nodeType": "varDecl", "varName": "X"}]}),
        ("chain(xEvent, timestamp, [A: WHAT(b) WHEN(today) COUNT(2), N: EXCLUDE(c)])", {
            "timestampField": {"nodeType": "lambda", "body": {"fieldName": "timestamp"}},
            "elements": [{"label": "A", "kind": "what", "count": 2, "when": [{"form": "on", "time": "today"}]},
                         {"kind": "exclude"}]}),
    ],
)  # fmt: skip
def test_what_is_written(text, written):
    node = to_json(parse(text))
    assert _holds(node, written), node
    assert to_json(from_json(node)) == node


def _holds(node, part):
    if isinstance(part, dict):
        return isinstance(node, dict) and all(_holds(node.get(key), value) for key, value in part.items())
    if isinstance(part, list):
        return len(node) == len(part) and all(map(_holds, node, part))
    return node == part


PROFILE = {"nodeType": "parameterReference", "position": 1}


def lookup(name, object_):
    return {"nodeType": "fieldLookup", "fieldName": name, "object": object_}


def apply(name, *params):
    return {"nodeType": "fnApply", "fnName": name, "params": list(params)}


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (apply("=", lookup("a", PROFILE), lookup("b", PROFILE)), "a = b"),
        (lookup("a", {"nodeType": "literal", "literalType": "XDMObject", "value": "profile"}), "$1.a"),
        (apply("and", *(lookup(name, PROFILE) for name in "abc")), "a and b and c"),
        (apply("exists", lookup("orders", PROFILE), {"nodeType": "lambda", "varNames": ["o"],
         "body": apply("exists", lookup("items", {"nodeType": "varRef", "varName": "o"}), {
             "nodeType": "fnCreate", "params": ["i"], "body": apply("=", lookup("sku", {
                 "nodeType": "varRef", "varName": "i"}), lookup("code", {"nodeType": "varRef", "varName": "o"}))})}),
         "orders.exists(items.exists(sku = ^.code))"),
        ({"nodeType": "literal", "literalType": "Integer", "value": -5}, "-5"),
        ({"nodeType": "literal", "literalType": "Double", "value": 1e300}, "1.0E300"),
        ({"nodeType": "literal", "literalType": "Double", "value": 3}, "3.0"),
        ({"nodeType": "literal", "literalType": "Double", "value": -0.00001}, "-0.00001"),
        (apply("occurs", lookup("t", PROFILE), {"form": "on", "time": {"now": True}}), "t occurs on now"),
        (apply("startsWith", lookup("a", PROFILE), {"nodeType": "literal", "literalType": "String", "value": "x"}),
         'a.startsWith("x")'),
    ],
)  # fmt: skip
def test_what_others_write(node, text):
    assert to_text(from_json(node)) == text


@pytest.mark.parametrize(
    "node",
    [
        "{", "[]", "5", "{}", b"\xff",
        {"nodeType": "set"},
        {"nodeType": "literal", "literalType": "Integer", "value": "x"},
        {"nodeType": "literal", "literalType": "Integer", "value": True},
        {"nodeType": "literal", "literalType": "Double", "value": float("nan")},
        {"nodeType": "literal", "literalType": "Double", "value": "x"},
        {"nodeType": "parameterReference", "position": "1"},
        {"nodeType": "implicitReference", "levels": 2},
        {"nodeType": "varRef", "varName": "a`b"},
        {"nodeType": "fnApply", "fnName": "let", "params": [PROFILE, PROFILE]},
        {"nodeType": "fnApply", "fnName": "occurs", "params": [PROFILE, {"form": "sometimes"}]},
        {"nodeType": "fnApply", "fnName": "occurs", "params": [PROFILE, {"form": "distance", "op": "~"}]},
        apply("count", {"nodeType": "varDecl", "varName": "X", "array": PROFILE}),
        {"nodeType": "chain", "array": PROFILE, "timestampField": PROFILE, "elements": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_query(node):
    with pytest.raises(PqlError) as raised:
        from_json(node)
    assert raised.value.problems[0].code in ("pql.json", "pql.syntax")


def test_depth_is_bounded():
    node = PROFILE
    for _ in range(100_000):
        node = {"nodeType": "fnApply", "fnName": "not", "params": [node]}
    with pytest.raises(PqlError) as raised:
        from_json(node)
    assert raised.value.problems[0].code == "pql.too-deep"
    with pytest.raises(PqlError):
        from_json('{"nodeType":"fnApply","fnName":"not","params":[' * 100_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["nodeType", "fnName", "params", "value", "varName", "body", "object"]), inner
        )
    ),
    max_leaves=10,
)
KINDS = ["fnApply", "fieldLookup", "lambda", "literal", "chain", "varDecl", "varRef", "implicitReference"]
NAMES = ["a", "not", "and", "occurs", "let", "map", "exists", "sum", "List", "XDMObject", "filter", "-"]


def _anything(kind, name, several, one):
    keys = {"nodeType": kind, "levels": 0, "position": 1, "varNames": [name]}
    keys |= dict.fromkeys(("fnName", "fieldName", "varName", "literalType"), name)
    keys |= dict.fromkeys(("params", "value", "elements"), several)
    return keys | dict.fromkeys(("object", "body", "array", "timestampField"), one)


nodes = st.recursive(
    st.just(PROFILE) | json_values,
    lambda inner: st.builds(
        _anything, st.sampled_from(KINDS), st.sampled_from(NAMES), st.lists(inner, max_size=3), inner
    ),
    max_leaves=12,
)


@given(nodes)
def test_any_json_is_read_or_refused(node):
    try:
        expr = from_json(node)
    except PqlError:
        return
    assert parse(to_text(expr)) == expr
