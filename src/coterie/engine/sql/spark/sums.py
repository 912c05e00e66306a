"""The correctly rounded sum of binary doubles in Spark's own functions, as `coterie.engine.sql.doubles` has it.

The exact sum is kept as doubles that do not overlap (Shewchuk 1997). It is rounded once, from the greatest down; where
what is left over is exactly half a unit, the sign of the next double tells which way.
"""

from __future__ import annotations

from functools import cache

from sqlglot import exp, parse_one

from coterie.engine.sql.spark.forms import once
from coterie.engine.sql.trees import Sql

_NONE = "CAST(array() AS ARRAY<DOUBLE>)"
_ALL = "filter(listed, given -> given IS NOT NULL)"
_ROUGH = f"aggregate({_ALL}, 0D, (rough, addend) -> rough + addend)"
_HIGH = "(grown.more + one)"
_LOW = f"((grown.more - ({_HIGH} - ({_HIGH} - grown.more))) + (one - ({_HIGH} - grown.more)))"
_GROWN = (
    f"named_struct('more', {_HIGH}, 'kept', CASE WHEN {_LOW} = 0 THEN grown.kept ELSE array_append(grown.kept, {_LOW})"
    " END)"
)
_PARTIALS = (
    f"aggregate({_ALL}, {_NONE}, (partials, item) -> aggregate(partials,"
    f" named_struct('more', item, 'kept', {_NONE}), (grown, one) -> {_GROWN},"
    " ended -> array_append(ended.kept, ended.more)))"
)
_STEP = (
    "CASE state.stage"
    " WHEN 0 THEN named_struct('high', part, 'low', 0D, 'beyond', 0D, 'stage', 1)"
    " WHEN 1 THEN named_struct('high', state.high + part, 'low', part - ((state.high + part) - state.high),"
    " 'beyond', 0D, 'stage', CASE WHEN part - ((state.high + part) - state.high) = 0 THEN 1 ELSE 2 END)"
    " WHEN 2 THEN named_struct('high', state.high, 'low', state.low, 'beyond', part, 'stage', 3)"
    " ELSE state END"
)
_ROUNDED = (
    "CASE WHEN sum.low * sign(sum.beyond) > 0 AND sum.low * 2 = (sum.high + sum.low * 2) - sum.high"
    " THEN sum.high + sum.low * 2 ELSE sum.high END"
)
_EXACT = (
    f"aggregate(reverse({_PARTIALS}), named_struct('high', 0D, 'low', 0D, 'beyond', 0D, 'stage', 0),"
    f" (state, part) -> {_STEP}, sum -> {_ROUNDED})"
)
_ODD = "exists(listed, odd -> isnan(odd) OR abs(odd) = CAST('Infinity' AS DOUBLE))"
_TEXT = f"CASE WHEN {_ODD} THEN {_ROUGH} WHEN isnan({_EXACT}) THEN {_ROUGH} ELSE {_EXACT} END"


def sum_doubles(items: Sql) -> Sql:
    """Return the double nearest to the sum of a list of doubles."""
    return once(items, _sum)


def _sum(items: Sql) -> Sql:
    tree = _parsed().copy()
    for found in list(tree.find_all(exp.Column)):
        if found.name == "listed" and not found.table:
            found.replace(items.copy())
    return tree


@cache
def _parsed() -> Sql:
    return parse_one(_TEXT, dialect="spark")
