"""The model card: what a version was made for, from what, how well it does, and what it must not be used for.

After Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from coterie.core.clock import format_instant

_SIGNS = re.compile(r"[\\|*_<>]")


class Line(Struct, frozen=True):
    """A fact of a card: what is told, and what it is."""

    name: str
    value: str


class Table(Struct, frozen=True):
    """Rows under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(Struct, frozen=True, omit_defaults=True):
    """A part of a card: facts, then tables, then sentences."""

    title: str
    lines: tuple[Line, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


class Card(Struct, frozen=True):
    """The card of a model version; `markdown` has it to be read."""

    model: str
    name: str
    version: int
    made_at: int
    sections: tuple[Section, ...]
    markdown: str


def made(model: str, name: str, version: int, made_at: int, sections: Sequence[Section]) -> Card:
    """Return a card of sections, with its Markdown."""
    head = [f"# {_text(name)}", "", f"Model card of version {version} of `{model}`, {format_instant(made_at)}."]
    body = [line for section in sections for line in _section(section)]
    return Card(model, name, version, made_at, tuple(sections), "\n".join([*head, *body]) + "\n")


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {section.title}")
    if section.lines:
        yield ""
        yield from (f"- **{line.name}:** {_text(line.value)}" for line in section.lines)
    for table in section.tables:
        yield ""
        yield _row(table.headings)
        yield _row(["---"] * len(table.headings))
        yield from map(_row, table.rows)
    if section.notes:
        yield ""
        yield from (f"- {_text(note)}" for note in section.notes)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_text(cell) if cell != '---' else cell for cell in cells)} |"


def _text(words: str) -> str:
    """Return words that Markdown shows as they are; what stands between backticks is code."""
    parts = " ".join(words.split()).split("`")
    return "`".join(
        part.replace("|", "\\|") if place % 2 else _SIGNS.sub(r"\\\g<0>", part) for place, part in enumerate(parts)
    )
