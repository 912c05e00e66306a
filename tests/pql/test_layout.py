"""Laid-out text says the same as text on one line."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.pql import parse, to_text
from coterie.pql.layout import layout

from .cases import QUERIES
from .trees import trees


@pytest.mark.parametrize("width", [1, 20, 60])
def test_a_laid_out_rule_parses_to_the_same_tree(width):
    for rule in QUERIES.values():
        tree = parse(rule)
        assert parse(layout(tree, width)) == tree, rule


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(trees, st.integers(1, 120))
def test_any_tree_is_laid_out_as_itself(tree, width):
    again = parse(to_text(tree))
    assert parse(layout(again, width)) == again


def test_what_fits_stays_on_one_line():
    rule = 'loyalty.tier = "gold" and loyalty.points > 9'
    assert layout(parse(rule)) == rule


def test_long_rules_break_where_people_would():
    rule = (
        'xEvent[search.query.contains("sneakers", false) and timestamp occurs <= 30 days before now].count() >= 1 '
        'and not chain(xEvent, timestamp, [A: WHAT(eventType = "view") COUNT(2), B: WHAT(eventType = "buy") '
        'WHEN(<= 3 days after A)]) and exists O from orders where O.status = "returned" and O.total > 250, '
        "L from O.items where L.qty >= 3"
    )
    assert layout(parse(rule), 80).splitlines() == [
        "xEvent[",
        '    search.query.contains("sneakers", false)',
        "    and timestamp occurs <= 30 days before now",
        "].count() >= 1",
        "and not chain(xEvent, timestamp, [",
        '    A: WHAT(eventType = "view") COUNT(2),',
        '    B: WHAT(eventType = "buy") WHEN(<= 3 days after A)',
        "])",
        "and (",
        "    exists",
        "        O from orders where",
        '            O.status = "returned" and O.total > 250,',
        "        L from O.items where",
        "            L.qty >= 3",
        ")",
    ]
