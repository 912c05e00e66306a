"""Rules as algebra on bitmaps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import assert_never

from pyroaring import BitMap

from coterie.pql.conditions import And, Constant, Leaf, Not, Or, Rule


def fold(rule: Rule, bitmaps: Mapping[str, BitMap], universe: BitMap) -> BitMap:
    """Return the persons for whom a rule holds.

    Parameters
    ----------
    rule : Rule
        Algebra over conditions.
    bitmaps : mapping of str to BitMap
        The persons of each condition, by its key.
    universe : BitMap
        All persons asked about; what is not in it is never a member.

    Returns
    -------
    BitMap
        A new bitmap.
    """
    match rule:
        case Constant(value):
            return BitMap(universe) if value else BitMap()
        case Leaf(condition):
            return bitmaps[condition.key] & universe
        case Not(operand):
            return universe - fold(operand, bitmaps, universe)
        case And(operands):
            return reduce(and_, (fold(operand, bitmaps, universe) for operand in operands))
        case Or(operands):
            return reduce(or_, (fold(operand, bitmaps, universe) for operand in operands))
        case _:
            assert_never(rule)
