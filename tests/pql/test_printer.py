"""Canonical text: whatever tree is written, reading it gives the same tree."""

from __future__ import annotations

import pytest
from hypothesis import given

from coterie.pql import parse, to_text

from .trees import trees


@given(trees)
def test_what_is_written_reads_the_same(tree):
    text = to_text(tree)
    assert parse(text) == tree
    assert to_text(parse(text)) == text


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("((a))  AND NOT(b)", "a and not b"),
        ("a and(b and c)", "a and (b and c)"),
        ("(a=b)=c", "(a = b) = c"),
        ("!(a = 1)", "not a = 1"),
        ("t occurs <= 1 days before NOW", "t occurs <= 1 day before now"),
        ("t occurs yesterday", "t occurs on yesterday"),
        ("t occurs (`today`)", "t occurs on `today`"),
        ("`where`.`a b`.in", "`where`.`a b`.in"),
        ("^name", "^.name"),
        ("Chain(xEvent, timestamp, [A: what(a) count(1) when(today AND before now)])",
         "chain(xEvent, timestamp, [A: WHAT(a) WHEN(on today and before now)])"),
        ("forall L from orders : L.total < 1", "forall L from orders where L.total < 1"),
        ('{"k" : [1,2.50]}', '{"k": [1, 2.50]}'),
    ],
)  # fmt: skip
def test_canonical_text(written, canonical):
    assert to_text(parse(written)) == canonical
