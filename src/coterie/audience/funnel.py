"""How many people a rule holds for, and how many each of its conditions leaves or adds, in the order it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from operator import and_, or_
from typing import Literal as Choice

import msgspec
from pyroaring import BitMap

from coterie.audience.definition import Withheld
from coterie.core.shares import share
from coterie.pql.ast import Binary, Expr, Lambda, Let
from coterie.pql.logic import operands_of
from coterie.pql.printer import to_text


class Step(msgspec.Struct, frozen=True):
    """One of the conditions that must all hold.

    `alone` people satisfy it by itself; `left` satisfy it and all before it: the share `of_previous` of those left
    before, `of_all` of everyone. `withheld` people would be in but for this condition.
    """

    text: str
    alone: int
    left: int
    of_previous: float
    of_all: float
    withheld: int


class Branch(msgspec.Struct, frozen=True):
    """One of the alternatives of which one suffices.

    `alone` people satisfy it, `adds` of them none of those before it. `together` satisfy it or one before it: the share
    `of_all` of everyone. `only` people are in by this alternative and no other.
    """

    text: str
    alone: int
    adds: int
    together: int
    of_all: float
    only: int


class Counted(msgspec.Struct, frozen=True):
    """An exact count with its funnel: `steps` of a rule joined by *and*, `branches` of one joined by *or*.

    The rule holds for `count` people; without those `withheld` they are the `members` that an audience would have.
    `memberships` tells how many members each audience has that the rule reads, by the ledger.
    """

    count: int
    members: int
    withheld: Withheld
    people: int
    share: float
    view: str
    zone: str
    at: int
    steps: tuple[Step, ...]
    branches: tuple[Branch, ...]
    memberships: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Part:
    """An operand at the top of a rule, as it is spelled, and as a rule of its own."""

    text: str
    expr: Expr


def divide(text: str, expr: Expr) -> tuple[Choice["and", "or"], list[Part]]:
    """Divide a rule at the operands of its outermost *and* or *or*, in written order.

    Parameters
    ----------
    text : str
        The rule as it is written, to which the offsets of the tree refer.
    expr : Expr
        Its tree. What names the profile or a value around the rule goes with every part.
    """
    match expr:
        case Lambda(_, body) | Let(_, _, body):
            op, parts = divide(text, body)
            return op, [replace(part, expr=replace(expr, body=part.expr)) for part in parts]
        case Binary("or"):
            return "or", [Part(_spelled(text, part), part) for part in operands_of("or", expr)]
        case _:
            return "and", [Part(_spelled(text, part), part) for part in operands_of("and", expr)]


def _spelled(text: str, expr: Expr) -> str:
    spelled = text[expr.span.start : expr.span.end]
    return to_text(expr) if "\n" in spelled else spelled


def steps(texts: Sequence[str], sets: Sequence[BitMap], universe: BitMap) -> tuple[Step, ...]:
    """Return what is left after each of the conditions that must all hold.

    Parameters
    ----------
    texts : sequence of str
        How the conditions are spelled, in order.
    sets : sequence of BitMap
        The persons of each.
    universe : BitMap
        Everyone.
    """
    before = [*accumulate(sets, and_, initial=universe)]
    after = [*accumulate(reversed(sets), and_, initial=universe)][::-1]
    found = []
    for place, (text, mine) in enumerate(zip(texts, sets, strict=True)):
        left = len(before[place + 1])
        others = before[place].intersection_cardinality(after[place + 1])
        found.append(
            Step(
                text,
                alone=mine.intersection_cardinality(universe),
                left=left,
                of_previous=share(left, len(before[place])),
                of_all=share(left, len(universe)),
                withheld=others - len(before[-1]),
            )
        )
    return tuple(found)


def branches(texts: Sequence[str], sets: Sequence[BitMap], universe: BitMap) -> tuple[Branch, ...]:
    """Return what each of the alternatives adds; the parameters are those of `steps`."""
    sets = [mine & universe for mine in sets]
    before = [*accumulate(sets, or_, initial=BitMap())]
    after = [*accumulate(reversed(sets), or_, initial=BitMap())][::-1]
    return tuple(
        Branch(
            text,
            alone=len(mine),
            adds=mine.difference_cardinality(before[place]),
            together=len(before[place + 1]),
            of_all=share(len(before[place + 1]), len(universe)),
            only=mine.difference_cardinality(before[place] | after[place + 1]),
        )
        for place, (text, mine) in enumerate(zip(texts, sets, strict=True))
    )


def together(op: Choice["and", "or"], sets: Sequence[BitMap], universe: BitMap) -> BitMap:
    """Return the persons of all the sets, or of any."""
    return reduce(and_, sets, universe) if op == "and" else reduce(or_, sets, BitMap()) & universe
