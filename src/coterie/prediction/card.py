"""The model card: what a version was made for, from what, how well it does, and what it must not be used for.

After Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from msgspec import Struct


class Line(Struct, frozen=True):
    """A fact of a card: what is told, and what it is."""

    name: str
    value: str


class Table(Struct, frozen=True):
    """Rows under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(Struct, frozen=True, omit_defaults=True):
    """A part of a card: facts, then a table, then sentences."""

    title: str
    lines: tuple[Line, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()


class Card(Struct, frozen=True):
    """The card of a model version; `markdown` has it to be read."""

    model: str
    name: str
    version: int
    made_at: int
    sections: tuple[Section, ...]
    markdown: str
