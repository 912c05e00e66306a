"""Clauses of English: what a condition says of a person (“who …”) or of an item (“with …”), and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal as Choice

from coterie.core.schema import Field, FieldType, Union
from coterie.pql.ast import Expr, Filter, Method, Name, Property, Up
from coterie.pql.scopes import XEVENT, Scopes, field_of, item_field

Lead = Choice["", "who", "whose", "for whom", "with", "without", "for which", "when"]
"""How a clause is led in. ``when`` stands for nothing: the text is an adverb of time. So does the empty lead."""

NOTHING = Field(FieldType.OBJECT)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause; `loose` tells that more may not follow it without its own lead."""

    lead: Lead
    text: str
    loose: bool = False

    @property
    def full(self) -> str:
        """The clause with its lead."""
        return self.text if self.lead in ("", "when") else f"{self.lead} {self.text}"

    @property
    def statement(self) -> str:
        """The clause as a statement of its own."""
        match self.lead:
            case "who":
                return f"they {self.text}"
            case "whose":
                return f"their {self.text}"
            case "with" | "without" | "when":
                return f"it is {self.full}" if self.lead == "when" else f"it is one {self.full}"
            case _:
                return self.text


@dataclass(frozen=True)
class Around:
    """The objects around a place, outermost first: their fields, and the nouns they go by."""

    fields: Scopes
    nouns: tuple[str, ...]
    events: Field

    @classmethod
    def person(cls, union: Union) -> Around:
        """Return what is around a rule."""
        return cls((union.profile,), ("person",), union.event)

    @property
    def at_person(self) -> bool:
        """Whether the innermost object is the person."""
        return len(self.nouns) == 1

    @property
    def for_it(self) -> Lead:
        """The lead of a clause that does not begin with the innermost object."""
        return "for whom" if self.at_person else "for which"

    def field(self, expr: Expr) -> Field | None:
        """Return the field of an expression, if it is known."""
        return field_of(expr, self.fields, self.events)

    def item(self, array: Expr, noun: str) -> Around:
        """Return what is around a condition on the items of an array."""
        field = item_field(self.field(array)) or NOTHING
        return replace(self, fields=(*self.fields, field), nouns=(*self.nouns, noun))

    def level(self, expr: Expr) -> int | None:
        """Return how many scopes out the object lies with which an expression begins, or None."""
        match expr:
            case Name("xEvent"):
                return len(self.nouns) - 1
            case Name("now" | "today"):
                return None
            case Name():
                return 0
            case Up(levels, _):
                return levels
            case Property(owner, _) | Filter(owner, _) | Method(owner, _, _):
                return self.level(owner)
            case _:
                return None

    def owner(self, level: int) -> str:
        """Return the words for the owner of what lies `level` scopes out: none for the innermost object."""
        if level == 0:
            return ""
        outermost = level >= len(self.nouns) - 1
        return "the person's " if outermost else f"that {self.nouns[-1 - level]}'s "

    def is_array(self, expr: Expr) -> bool:
        """Whether an expression is known to be an array."""
        field = self.field(expr)
        return expr == XEVENT or (field is not None and field.type is FieldType.ARRAY)


def joined(word: Choice["and", "or"], clauses: Sequence[Clause], around: Around) -> Clause:
    """Return clauses joined by a word; several in a bracket of their own have no lead (see `bracketed`)."""
    if len(clauses) == 1:
        return clauses[0]
    return _of_person(word, clauses) if around.at_person else _of_item(word, clauses)


def bracketed(clause: Clause) -> Clause:
    """Return a clause of several parts as one part of another."""
    return Clause("", f"({clause.full})")


def _of_person(word: str, clauses: Sequence[Clause]) -> Clause:
    texts = [clauses[0].text]
    for before, clause in pairwise(clauses):
        again = clause.lead == before.lead == "who" and not before.loose
        texts.append(clause.text if again else clause.full)
    heavy = any(clause.loose or any(mark in clause.text for mark in (",", " and ", " or ")) for clause in clauses)
    if len(texts) > 2 and heavy:
        text = f"{'; '.join(texts[:-1])}; {word} {texts[-1]}"
    else:
        text = f"{', '.join(texts[:-1])}{',' if heavy else ''} {word} {texts[-1]}"
    return Clause(clauses[0].lead, text, heavy)


def _of_item(word: str, clauses: Sequence[Clause]) -> Clause:
    """Return facts, led in by one *with*, then times, then the rest; alternatives keep their leads, in brackets."""
    if word == "or":
        return Clause("", f"({' or '.join(clause.full for clause in clauses)})")
    facts = [clause for clause in clauses if clause.lead not in ("when", "for which")]
    text = ""
    for before, clause in zip([None, *facts], facts, strict=False):
        again = before is not None and before.lead == clause.lead == "with"
        text += (" and " if text else "") + (clause.text if again else clause.full)
    times = " and ".join(clause.text for clause in clauses if clause.lead == "when")
    others = " and ".join(clause.full for clause in clauses if clause.lead == "for which")
    said = " ".join(part for part in (text, times) if part)
    return Clause("", ", ".join(part for part in (said, others) if part))
