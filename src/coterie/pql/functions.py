"""The functions and methods of the language: one row each, with what it takes, gives, and does with null.

The checker, the JSON form and the reference in the documentation read this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as Choice
from typing import cast, get_args

from coterie.pql.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    STRING,
    UNKNOWN,
    Array,
    Entry,
    Groups,
    Map,
    Type,
    unify,
)

Receiver = Choice["any", "array", "countable", "map", "text", "time"]
"""What a method is called on; *countable* is an array, or groups; *map* a map, or groups."""

Takes = Choice[
    "any",  # whatever there is
    "array",  # an array whose items are comparable with those of the receiver
    "boolean",
    "integer",
    "name",  # a text literal
    "test",  # anything, read as true or false
    "text",
    "texts",  # a text, or an array of texts
    "value",  # something comparable with an item, or a key, of the receiver
    "condition",  # evaluated on each item of the receiver, with the item as implicit object; so are all below
    "key",
    "mapping",
    "number",
    "order",  # a number or a time
]
"""What a parameter takes."""

NullRule = Choice["false", "null", "0", "never null", "else"]
Result = Type | Choice["branch", "entry", "extreme", "groups", "item", "items", "keys", "mapped", "value", "values"]

PER_ITEM = frozenset({"condition", "key", "mapping", "number", "order"})


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter; `many` if it may be repeated."""

    name: str
    takes: Takes
    optional: bool = False
    many: bool = False

    @property
    def per_item(self) -> bool:
        """Whether the argument is evaluated on each item."""
        return self.takes in PER_ITEM


@dataclass(frozen=True, slots=True)
class Function:
    """A function (`receiver` is None) or a method, with the section of the language it belongs to."""

    name: str
    receiver: Receiver | None
    params: tuple[Param, ...]
    result: Result
    null: NullRule
    section: str
    summary: str

    @property
    def fewest(self) -> int:
        """The least number of arguments."""
        return sum(not param.optional for param in self.params)

    @property
    def most(self) -> int | None:
        """The greatest number of arguments, or None if there is no limit."""
        return None if any(param.many for param in self.params) else len(self.params)

    def param(self, position: int, count: int) -> Param | None:
        """Return the parameter that takes the argument at `position` of `count`; None when there are too many.

        Of a repeated parameter followed by another, the last argument of several may be either; the checker decides.
        """
        repeated = next((index for index, param in enumerate(self.params) if param.many), None)
        if repeated is not None and repeated <= position < count:
            return self.params[repeated]
        return self.params[position] if position < len(self.params) else None

    @property
    def form(self) -> str:
        """How it is written."""
        text = ""
        for param in self.params:
            name = f"{param.name}…" if param.many else param.name
            comma = ", " if text else ""
            text += f"[{comma}{name}]" if param.optional else f"{comma}{name}"
        before = {None: "", "any": "x.", "array": "a.", "countable": "a.", "map": "m.", "text": "s.", "time": "t."}
        return f"{before[self.receiver]}{self.name}({text})"


_Row = tuple[str, Receiver | None, str, Result, NullRule, str]
_ROWS: tuple[_Row, ...] = (
    ("logic", None, "if(test: test, x: any, y: any)", "branch", "else", "x if the test is true, else y"),
    ("arrays", "array", "intersects(b: array)", BOOLEAN, "false", "some item is in both"),
    ("arrays", "array", "intersection(b: array)", "items", "null", "the items in both; null when there are none"),
    ("arrays", "array", "subsetOf(b: array)", BOOLEAN, "false", "every item of a is in b"),
    ("arrays", "array", "supersetOf(b: array)", BOOLEAN, "false", "every item of b is in a"),
    ("arrays", "array", "includes(x: value)", BOOLEAN, "false", "x is an item"),
    ("arrays", "array", "distinct()", "items", "null", "the first of each equal item"),
    ("arrays", "array", "groupBy(k: key)", "groups", "null", "the items with equal k, by k"),
    ("arrays", "array", "filter(c: condition)", "items", "null", "the items that satisfy c"),
    ("arrays", "countable", "map(e: mapping)", "mapped", "null", "e of each item, or group"),
    (
        "arrays",
        "array",
        "topN(e: order, n: integer)",
        "items",
        "null",
        "the n items with the greatest e, in that order",
    ),
    (
        "arrays",
        "array",
        "bottomN(e: order, n: integer)",
        "items",
        "null",
        "the n items with the smallest e, in that order",
    ),
    ("arrays", "array", "head()", "item", "null", "the first item"),
    ("arrays", "array", "exists(c: condition)", BOOLEAN, "false", "some item satisfies c"),
    (
        "arrays",
        "array",
        "forall(c: condition)",
        BOOLEAN,
        "never null",
        "every item satisfies c; true of a missing array",
    ),
    ("arrays", None, "mapEntry(k: any, v: any)", "entry", "never null", "an entry of a map, inside map over groups"),
    ("aggregation", "countable", "count()", INTEGER, "0", "the number of items, or groups"),
    ("aggregation", "array", "sum(e?: number)", "extreme", "0", "the total of e, or of the items themselves"),
    ("aggregation", "array", "average(e?: number)", DOUBLE, "null", "the mean of e"),
    ("aggregation", "array", "min(e?: order)", "extreme", "null", "the smallest e"),
    ("aggregation", "array", "max(e?: order)", "extreme", "null", "the greatest e"),
    ("maps", "map", "get(k: value)", "value", "null", "the value of a key"),
    ("maps", "map", "keys()", "keys", "null", "the keys"),
    ("maps", "map", "values()", "values", "null", "the values, in the order of the keys"),
    ("objects", "any", "isNull()", BOOLEAN, "never null", "the value does not exist"),
    ("objects", "any", "isNotNull()", BOOLEAN, "never null", "the value exists"),
    ("text", "text", "startsWith(p: text, cs?: boolean)", BOOLEAN, "false", "the text begins with p"),
    ("text", "text", "doesNotStartWith(p: text, cs?: boolean)", BOOLEAN, "false", "the text does not begin with p"),
    ("text", "text", "endsWith(p: text, cs?: boolean)", BOOLEAN, "false", "the text ends with p"),
    ("text", "text", "doesNotEndWith(p: text, cs?: boolean)", BOOLEAN, "false", "the text does not end with p"),
    ("text", "text", "contains(p: text, cs?: boolean)", BOOLEAN, "false", "p occurs in the text"),
    ("text", "text", "doesNotContain(p: text, cs?: boolean)", BOOLEAN, "false", "p does not occur in the text"),
    ("text", "text", "equals(v*: texts, cs?: boolean)", BOOLEAN, "false", "the text is one of the values"),
    ("text", "text", "notEqualTo(v*: texts, cs?: boolean)", BOOLEAN, "false", "the text is none of the values"),
    ("text", "text", "matches(re: text)", BOOLEAN, "false", "some part of the text matches the expression (RE2)"),
    (
        "text",
        "text",
        "regexGroup(re: text, n?: integer)",
        STRING,
        "null",
        "group n (if left out, 1) of the first match",
    ),
    (
        "text",
        None,
        "stringCompare(op: name, s: text, values: array, cs?: boolean)",
        BOOLEAN,
        "false",
        "the test called op against any of the values; if it is a negated one, against all",
    ),
    ("time", None, "date(year: integer, month: integer, day: integer)", DATE, "null", "a day of the calendar"),
    ("time", None, "currentYear()", INTEGER, "never null", "the year of the evaluation"),
    ("time", None, "currentMonth()", INTEGER, "never null", "its month, 1 to 12"),
    ("time", None, "currentDayOfMonth()", INTEGER, "never null", "its day of the month"),
    ("time", "time", "getYear()", INTEGER, "null", "the year"),
    ("time", "time", "getMonth()", INTEGER, "null", "the month, 1 to 12"),
    ("time", "time", "getDayOfMonth()", INTEGER, "null", "the day of the month"),
    ("membership", None, "inSegment(id: name)", BOOLEAN, "never null", "the profile is a member of that audience"),
)

TEXT_TESTS = (
    "startsWith",
    "doesNotStartWith",
    "endsWith",
    "doesNotEndWith",
    "contains",
    "doesNotContain",
    "equals",
    "notEqualTo",
)
"""The tests that `stringCompare` knows."""


def _function(row: _Row) -> Function:
    section, receiver, signature, result, null, summary = row
    name, _, written = signature.rstrip(")").partition("(")
    params = tuple(map(_param, filter(None, written.split(", "))))
    return Function(name, receiver, params, result, null, section, summary)


def _param(written: str) -> Param:
    match = re.fullmatch(r"(\w+)([?*]?): (\w+)", written)
    assert match is not None, written
    name, mark, takes = match.groups()
    assert takes in get_args(Takes), takes
    return Param(name, cast(Takes, takes), optional=mark == "?", many=mark == "*")


ALL: tuple[Function, ...] = tuple(map(_function, _ROWS))
METHODS: Mapping[str, Function] = {row.name: row for row in ALL if row.receiver is not None}
FUNCTIONS: Mapping[str, Function] = {row.name: row for row in ALL if row.receiver is None}


def is_per_item(method: str, position: int) -> bool:
    """Whether the argument at `position` of a method is evaluated on each item of its receiver."""
    row = METHODS.get(method)
    param = row.param(position, position + 1) if row else None
    return param is not None and param.per_item


def result_of(function: Function, receiver: Type, args: Sequence[Type]) -> Type:
    """Return the type that a call gives, from the types of its receiver and arguments."""
    item = receiver.item if isinstance(receiver, Array | Groups) else UNKNOWN
    first = args[0] if args else item
    match function.result:
        case "branch":
            return (unify(args[1], args[2]) if len(args) == 3 else None) or UNKNOWN
        case "entry":
            return Entry(args[1] if len(args) == 2 else UNKNOWN)
        case "extreme":
            return first
        case "groups":
            return Groups(first, item)
        case "item":
            return item
        case "items":
            return Array(item)
        case "keys":
            return Array(receiver.key if isinstance(receiver, Groups) else STRING)
        case "mapped":
            return Map(first.value) if isinstance(first, Entry) else Array(first)
        case "value":
            return receiver.value if isinstance(receiver, Map) else Array(item)
        case "values":
            return Array(receiver.value if isinstance(receiver, Map) else Array(item))
        case fixed:
            return fixed
