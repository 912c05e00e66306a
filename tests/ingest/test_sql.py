"""Literals: no text of a person becomes SQL."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from coterie.ingest.sql import literal, literals

CON = duckdb.connect()


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.sampled_from(["';--", "\\'", "{x}"])
)
def test_texts_come_back_as_they_were(text):
    assert CON.execute(f"SELECT {literal(text)}").fetchone() == (text,)


@given(st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1))
def test_numbers_and_truths_come_back_as_they_were(value):
    assert CON.execute(f"SELECT {literal(value)}").fetchone() == (value,)


def test_lists():
    listed = literals(["a", "b'"])
    assert CON.execute(f"SELECT 'b''' IN ({listed})").fetchone() == (True,)
