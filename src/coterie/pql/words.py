"""The words of PQL: which are reserved, which are units, which name times."""

from __future__ import annotations

from collections.abc import Mapping

from coterie.pql.ast import BinaryOp, Unit

OPERATOR_WORDS = frozenset({"and", "or", "not", "in", "notin", "like", "matches", "occurs", "where", "over"})
"""Words that are never read as a bare name."""

LITERAL_WORDS = frozenset({"true", "false", "null"})
RESERVED_WORDS = OPERATOR_WORDS | LITERAL_WORDS

TIME_WORDS = frozenset({"now", "today", "yesterday", "tomorrow"})
RELATIVE_WORDS = frozenset({"this", "last", "next"})
DIRECTIONS = frozenset({"before", "after", "from"})

QUANTIFIERS = frozenset({"select", "exists", "forall"})
AGGREGATES = frozenset({"sum", "average", "min", "max"})

UNITS: Mapping[str, Unit] = {
    "millisecond": "millisecond",
    "milliseconds": "millisecond",
    "second": "second",
    "seconds": "second",
    "minute": "minute",
    "minutes": "minute",
    "hour": "hour",
    "hours": "hour",
    "day": "day",
    "days": "day",
    "week": "week",
    "weeks": "week",
    "month": "month",
    "months": "month",
    "year": "year",
    "years": "year",
    "decade": "decade",
    "decades": "decade",
    "century": "century",
    "centuries": "century",
    "millennium": "millennium",
    "millennia": "millennium",
}
PLURALS: Mapping[Unit, str] = {unit: word for word, unit in UNITS.items() if word != unit}

COMPARISONS: Mapping[str, BinaryOp] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
RELATION_WORDS: Mapping[str, BinaryOp] = {"in": "in", "notin": "notIn", "like": "like", "matches": "matches"}
ADDITIVE: Mapping[str, BinaryOp] = {"+": "+", "-": "-"}
MULTIPLICATIVE: Mapping[str, BinaryOp] = {"*": "*", "/": "/", "%": "%"}
