"""Random trees of the language, as the parser would make them."""

from __future__ import annotations

from hypothesis import strategies as st

from coterie.pql import ast
from coterie.pql.words import UNITS

WORDS = [
    "a",
    "orders",
    "X",
    "é",
    "_id",
    "a-b",
    "in",
    "From",
    "now",
    "today",
    "last",
    "sum",
    "let",
    "exists",
    "chain",
    "if",
]
names = st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="`", exclude_categories=["Cs"]), min_size=1)
steps = names
binders = names
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
doubles = st.from_regex(r"[0-9]{0,3}\.[0-9]{1,3}([eE][+-]?[0-9]{1,2})?", fullmatch=True).filter(
    lambda text: text.isascii()
)
literals = st.one_of(
    st.builds(ast.Literal, strings, st.just("string")),
    st.builds(ast.Literal, st.integers(0, 10**20), st.just("integer")),
    st.builds(ast.Literal, doubles, st.just("double")),
    st.builds(ast.Literal, st.booleans(), st.just("boolean")),
    st.just(ast.Literal(None, "null")),
)
leaves = st.one_of(
    literals,
    st.builds(ast.Name, names),
    st.builds(ast.Positional, st.integers(1, 9999)),
    st.builds(ast.Up, st.integers(1, 3), steps),
)
units = st.sampled_from(sorted(set(UNITS.values())))
counts = st.integers(0, 10**6)
comparisons = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
directions = st.sampled_from(["before", "after", "from"])
operators = st.sampled_from(
    ["or", "and", "=", "!=", "<", "<=", ">", ">=", "in", "notIn", "like", "matches", "+", "-", "*", "/", "%"]
)


def _tuples(items, low=0, high=3):
    return st.lists(items, min_size=low, max_size=high).map(tuple)


def _larger(trees):
    times = st.one_of(
        st.builds(ast.TimeWord, st.sampled_from(["now", "today", "yesterday", "tomorrow"])),
        st.builds(ast.RelativeUnit, st.sampled_from(["this", "last", "next"]), units),
        trees,
    )
    tails = st.one_of(
        st.builds(ast.DistanceTail, comparisons, counts, units, directions, times),
        st.builds(ast.DirectionTail, directions, times),
        st.builds(ast.BetweenTail, times, times),
        st.builds(ast.OnTail, times),
    )
    declarations = st.builds(ast.Declaration, binders, trees, st.none() | trees)
    whats = st.builds(ast.Element, binders, st.just("what"), trees, _tuples(tails), counts, st.none() | trees)
    excludes = st.builds(ast.Element, binders, st.just("exclude"), trees, _tuples(tails), st.just(1), st.none() | trees)
    values = st.builds(ast.Name, names) | st.builds(ast.Property, st.builds(ast.Name, names), steps)
    aggregates = st.sampled_from(["sum", "average", "min", "max"])
    return st.one_of(
        st.builds(ast.ArrayLiteral, _tuples(trees)),
        st.builds(ast.ObjectLiteral, _tuples(st.tuples(strings, trees), 1)),
        st.builds(ast.Property, trees, steps),
        st.builds(ast.Call, names, _tuples(trees)),
        st.builds(ast.Method, trees, steps, _tuples(trees)),
        st.builds(ast.Filter, trees, trees),
        st.builds(ast.Unary, st.sampled_from(["-", "not"]), trees),
        st.builds(ast.Binary, operators, trees, trees),
        st.builds(ast.Lambda, _tuples(binders, 1), trees),
        st.builds(ast.Let, binders, trees, trees),
        st.builds(ast.Quantified, st.sampled_from(["select", "exists", "forall"]), _tuples(declarations, 1)),
        st.builds(ast.PrefixAggregate, aggregates, st.none(), _tuples(declarations, 1, 1)),
        st.builds(ast.PrefixAggregate, aggregates, values, _tuples(declarations, 1)),
        st.builds(ast.Occurs, trees, tails),
        st.builds(ast.Chain, trees, _tuples(steps, 1), _tuples(whats | excludes, 1)),
    )


trees = st.recursive(leaves, _larger, max_leaves=12)
