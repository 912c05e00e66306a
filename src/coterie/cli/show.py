"""How results look on a terminal: tables, facts and errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coterie.core.clock import format_instant
from coterie.core.errors import CoterieError

WIDE = 110
"""Columns from which on there is room for whole instants and names."""

_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}
"""Characters by which data could speak to the terminal."""


def words(value: Any) -> str:
    """Return a value as a person writes it: thousands apart, nothing as a dash, lists with commas."""
    match value:
        case None | "":
            return "-"
        case list() | dict() if not value:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() | Decimal():
            return f"{value:,}"
        case list():
            return ", ".join(map(words, value))
        case dict():
            return ", ".join(f"{key}: {words(item)}" for key, item in value.items())
        case _:
            return str(value).translate(_CONTROLS)


def instant(at: int | str | None) -> str:
    """Return an instant as ISO text, or a dash."""
    return format_instant(at) if isinstance(at, int) else words(at)


def day(out: Console, at: int | str | None) -> str:
    """Return an instant, or its day alone where there is little room."""
    text = instant(at)
    return text if out.width >= WIDE else text[:10]


def table(
    out: Console, title: str, rows: Iterable[Sequence[Any]], columns: Sequence[str], *, empty: str = "None yet."
) -> None:
    """Print rows under a title; numbers are set to the right. A column named ``*name`` takes the room that is left."""
    rows = [list(row) for row in rows]
    if not rows:
        out.print(Text(title, style="bold"))
        out.print(Text(empty))
        return
    shown = Table(title=Text(title, style="bold"), title_justify="left", header_style="bold")
    for position, name in enumerate(columns):
        numeric = all(_is_number(row[position]) for row in rows)
        shown.add_column(
            Text(name.removeprefix("*")),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=not name.startswith("*"),
        )
    for row in rows:
        shown.add_row(*(Text(words(value)) for value in row))
    out.print(shown)


def _is_number(value: Any) -> bool:
    return (isinstance(value, int | Decimal | None) and not isinstance(value, bool)) or str(value).endswith(" %")


def bar(share: float | Decimal, width: int = 16) -> str:
    """Return a bar as long as the share of `width` characters; anything more than nothing shows."""
    eighths = max(round(float(share) * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1 : eighths % 8]


def facts(out: Console, title: str, pairs: Mapping[str, Any]) -> None:
    """Print names and values under a title, those without a value left out."""
    if title:
        out.print(Text(title, style="bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", [], {}):
            grid.add_row(Text(name), Text(words(value)))
    out.print(grid)


def structure(out: Console, title: str, value: Mapping[str, Any]) -> None:
    """Print nested data as an indented outline."""
    out.print(Text(title, style="bold"))
    out.print(_outline(value))


def _outline(value: Any) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in pairs:
        nested = isinstance(item, Mapping) or (isinstance(item, list) and any(isinstance(x, dict | list) for x in item))
        grid.add_row(Text(str(name)), _outline(item) if nested and item else Text(words(item)))
    return grid


def error(out: Console, failure: CoterieError, *, json: bool, text: str | None = None) -> None:
    """Print an error: for a program the body that HTTP gives, for a person code, message, place and hint."""
    body = failure.as_dict()
    if json:
        sys.stderr.write(msgspec.json.format(msgspec.json.encode({"error": body}), indent=2).decode() + "\n")
        return
    out.print(Text.assemble((failure.code, "bold red"), "  ", failure.message))
    if body.get("problems"):
        for found in body["problems"]:
            problem(out, found, text)
        return
    place = {name: value for name, value in failure.where.items() if value not in (None, "")}
    if place:
        out.print(Text("  at    " + ", ".join(f"{name} {value}" for name, value in place.items()), style="dim"))
    if text is not None and isinstance(start := failure.where.get("start"), int):
        pointed(out, text, start, int(failure.where.get("end", start)))
    if failure.hint:
        out.print(Text(f"  hint  {failure.hint}"))


def problem(out: Console, found: Mapping[str, Any], text: str | None) -> None:
    """Print a problem of a rule, with a line under what is meant."""
    style = "bold red" if found["severity"] == "error" else "bold yellow"
    out.print(Text.assemble((found["code"], style), f"  {found['message']} ", (_column(found), "dim")))
    if text is not None:
        pointed(out, text, found["start"], found["end"])
    if found.get("hint"):
        out.print(Text(f"  hint  {found['hint']}"))


def _column(found: Mapping[str, Any]) -> str:
    return f"(line {found['line']}, column {found['column']})"


def pointed(out: Console, text: str, start: int, end: int) -> None:
    """Print the line of `text` that holds an offset, and carets under the range."""
    start = min(start, len(text))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    line = text[first : len(text) if last < 0 else last]
    width = max(1, min(end, first + len(line)) - start)
    # Long rules are cut to what stands around the range.
    room = max(40, out.width - 4)
    left = max(0, start - first - room // 2) if len(line) > room else 0
    out.print(Text(f"  {line[left : left + room]}"), soft_wrap=True)
    out.print(Text(f"  {' ' * (start - first - left)}{'^' * min(width, room)}", style="red"), soft_wrap=True)
