"""How values, tables and faults look."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from coterie.cli import show
from coterie.core.errors import Invalid


def printed(call: Any, *arguments: Any, width: int = 100, **options: Any) -> str:
    out = io.StringIO()
    call(Console(file=out, width=width), *arguments, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        ("a\x1b[31mb\nc", "a\N{REPLACEMENT CHARACTER}[31mb\nc"),
        ({}, "-"),
        (0, "0"),
        (False, "no"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (Decimal("0.00"), "0.00"),
        (Decimal("1234.50"), "1,234.50"),
        (["a", 1], "a, 1"),
        ({"a": {"b": None}, "c": []}, "a: b: -, c: -"),
    ],
)
def test_values_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert show.words(value) == text


def test_text_of_users_is_never_markup() -> None:
    shown = printed(show.table, "[red]t[/]", [["[bold]x[/]", 1]], ["name", "n"])
    assert "[red]t[/]" in shown
    assert "[bold]x[/]" in shown
    assert "[bold]x[/]" in printed(show.facts, "", {"a": "[bold]x[/]"})
    failure = Invalid("a.b", "no [bold]x[/]", hint="[i]h[/]", where={"field": "[u]f[/]"})
    shown = printed(show.error, failure, json=False)
    assert all(part in shown for part in ("no [bold]x[/]", "[i]h[/]", "[u]f[/]"))


def test_an_empty_table_says_so() -> None:
    assert "None yet." in printed(show.table, "Things", [], ["a"])


@given(st.text(alphabet="ab \n", max_size=300), st.integers(0, 310), st.integers(0, 20))
def test_carets_stand_under_the_range(text: str, start: int, length: int) -> None:
    shown = printed(show.pointed, text, start, start + length, width=60).split("\n")
    line, carets = shown[0], shown[1]
    assert set(carets) <= {" ", "^"}
    assert "^" in carets
    position = min(start, len(text))
    first = carets.index("^")
    if position < len(text) and text[position] != "\n":
        assert line[first] == text[position]


def test_a_deep_structure_is_an_outline() -> None:
    shown = printed(show.structure, "Thing", {"a": {"b": [1, 2], "c": [{"d": "e"}]}, "f": None})
    assert [line.split() for line in shown.splitlines()][:1] == [["Thing"]]
    assert "1, 2" in shown
