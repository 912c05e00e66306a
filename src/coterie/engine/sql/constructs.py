"""The table of SQL constructs: one row a construct, one column a dialect.

The compiler builds trees in which a construct is a node of its own, whatever the dialect; the last step replaces these
nodes by the form the table has for the dialect, and writes the text. A row is proved by running both forms on the same
data.
"""

from __future__ import annotations

from typing import ClassVar
from typing import Literal as Choice

from sqlglot import exp

from coterie.engine.sql import shapes
from coterie.engine.sql.doubles import SUM_DOUBLES
from coterie.engine.sql.spark import forms, sums
from coterie.engine.sql.trees import (
    FALSE,
    NULL,
    TRUE,
    Builder,
    Sql,
    among,
    binary,
    both,
    calls,
    cast,
    choose,
    column,
    decimal,
    defined,
    either,
    function,
    no,
    or_default,
    or_null,
    pairs,
    part,
    present,
    read,
    subquery,
    table,
    text,
    variable,
    whole,
    wrapped,
)

__all__ = [
    "CONSTRUCTS",
    "FALSE",
    "NULL",
    "TRUE",
    "Construct",
    "Dialect",
    "Sql",
    "among",
    "binary",
    "both",
    "build",
    "cast",
    "choose",
    "column",
    "decimal",
    "defined",
    "either",
    "function",
    "no",
    "or_default",
    "or_null",
    "pairs",
    "part",
    "present",
    "read",
    "render",
    "subquery",
    "table",
    "text",
    "variable",
    "whole",
    "wrapped",
]

Dialect = Choice["duckdb", "spark"]


class Construct(exp.Expression, exp.Condition):
    """A construct of the table over its operands, in no dialect yet."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


def _same(builder: Builder) -> dict[Dialect, Builder]:
    return {"duckdb": builder, "spark": builder}


def _infix(kind: type[exp.Binary]) -> Builder:
    def build(left: Sql, right: Sql) -> Sql:
        return kind(this=wrapped(left), expression=wrapped(right))

    return build


def _aggregate(name: str, *, distinct: bool = False) -> Builder:
    def build(*args: Sql) -> Sql:
        operands: list[Sql] = [exp.Distinct(expressions=list(args))] if distinct else list(args)
        return exp.Anonymous(this=name, expressions=operands)

    return build


def _like(left: Sql, pattern: Sql) -> Sql:
    return exp.Escape(this=exp.Like(this=wrapped(left), expression=pattern), expression=text("\\"))


def _calendar(part: str) -> Builder:
    return lambda at: calls(part)(calls("epoch_ms")(at))


def _add_months(at: Sql, months: Sql) -> Sql:
    moved = exp.Add(this=calls("epoch_ms")(at), expression=calls("to_months")(months))
    return calls("epoch_ms")(moved)


def _date(year: Sql, month: Sql, of_month: Sql) -> Sql:
    parts = (cast(part, "BIGINT") for part in (year, month, of_month))
    start = calls("try")(calls("epoch_ms")(calls("make_date")(*parts)))
    return choose(exp.Between(this=wrapped(year), low=whole(1), high=whole(9999)), start, NULL)


def _regex_group(value: Sql, expression: Sql, group: Sql) -> Sql:
    """Return a group of the first match; of all matches, because then a group that took no part is null, not empty."""
    return calls("list_extract")(calls("regexp_extract_all")(value, expression, group), whole(1))


CONSTRUCTS: dict[str, dict[Dialect, Builder]] = {
    # comparison
    "=": _same(_infix(exp.EQ)),
    "!=": _same(_infix(exp.NEQ)),
    "<": _same(_infix(exp.LT)),
    "<=": _same(_infix(exp.LTE)),
    ">": _same(_infix(exp.GT)),
    ">=": _same(_infix(exp.GTE)),
    # arithmetic
    "+": _same(_infix(exp.Add)),
    "-": _same(_infix(exp.Sub)),
    "*": _same(_infix(exp.Mul)),
    "/": _same(_infix(exp.Div)),
    "%": _same(_infix(exp.Mod)),
    # text
    "lower": {"duckdb": calls("lower"), "spark": forms.lower},
    "contains": _same(calls("contains")),
    "starts_with": {"duckdb": calls("starts_with"), "spark": calls("startswith")},
    "ends_with": {"duckdb": calls("ends_with"), "spark": calls("endswith")},
    "like": _same(_like),
    "matches": {"duckdb": calls("regexp_matches"), "spark": forms.matches},
    "regex_group": {"duckdb": _regex_group, "spark": forms.regex_group},
    # time, instants in ms
    "year": {"duckdb": _calendar("year"), "spark": forms.calendar("year")},
    "month": {"duckdb": _calendar("month"), "spark": forms.calendar("month")},
    "day_of_month": {"duckdb": _calendar("day"), "spark": forms.calendar("day")},
    "add_months": {"duckdb": _add_months, "spark": forms.add_months},
    "date": {"duckdb": _date, "spark": forms.date},
    "local_time": {"duckdb": shapes.local_time, "spark": forms.local_time},
    "instant_of_local": {"duckdb": shapes.instant_of_local, "spark": forms.instant_of_local},
    # lists
    "element": {"duckdb": calls("list_extract"), "spark": forms.element},
    "size": {"duckdb": calls("len"), "spark": calls("array_size")},
    "count_present": {"duckdb": calls("list_count"), "spark": forms.count_present},
    "greatest": _same(calls("greatest")),
    "up_to": {
        "duckdb": lambda size: calls("range")(whole(1), exp.Add(this=size, expression=whole(1))),
        "spark": forms.up_to,
    },
    "joined_items": {"duckdb": calls("flatten"), "spark": forms.joined_items},
    "keep": {"duckdb": calls("list_filter"), "spark": calls("filter")},
    "each": {"duckdb": calls("list_transform"), "spark": calls("transform")},
    "distinct_items": {"duckdb": calls("list_distinct"), "spark": forms.distinct_items},
    "sum_items": {"duckdb": lambda items, _scale: calls("list_sum")(items), "spark": forms.sum_items},
    "min_items": {"duckdb": calls("list_min"), "spark": calls("array_min")},
    "max_items": {"duckdb": calls("list_max"), "spark": calls("array_max")},
    "has_item": {"duckdb": calls("list_contains"), "spark": forms.has_item},
    "has_any": {"duckdb": calls("list_has_any"), "spark": forms.has_any},
    "has_all": {"duckdb": calls("list_has_all"), "spark": forms.has_all},
    "common_items": {"duckdb": calls("list_intersect"), "spark": forms.common_items},
    "position": {"duckdb": calls("list_position"), "spark": forms.position},
    "first_items": {
        "duckdb": lambda items, count: calls("list_slice")(items, whole(1), count),
        "spark": forms.first_items,
    },
    "sorted_items": {"duckdb": calls("list_sort"), "spark": calls("array_sort")},
    "sorted_down": {"duckdb": calls("list_reverse_sort"), "spark": forms.sorted_down},
    "distinct_in_order": {"duckdb": shapes.distinct_in_order, "spark": forms.distinct_items},
    "sum_doubles": {"duckdb": calls(SUM_DOUBLES), "spark": sums.sum_doubles},
    # what no data may make fail
    "attempt": {"duckdb": calls("try"), "spark": forms.attempt},
    "escaped_pattern": {"duckdb": shapes.escaped_pattern, "spark": forms.escaped_pattern},
    "read_instant": {"duckdb": shapes.read_instant, "spark": forms.read_instant},
    # aggregates
    "listed": {"duckdb": shapes.listed, "spark": forms.listed},
    "count": _same(_aggregate("count")),
    "count_distinct": _same(_aggregate("count", distinct=True)),
    "sum": {"duckdb": _aggregate("sum"), "spark": forms.total},
    "min": _same(_aggregate("min")),
    "max": _same(_aggregate("max")),
    "smallest": {"duckdb": calls("min"), "spark": forms.smallest},
}


def build(name: str, *args: Sql) -> Sql:
    """Return the construct `name` of the table over its operands."""
    if name not in CONSTRUCTS:
        raise KeyError(name)
    return Construct(this=name, expressions=list(args))


def render(tree: Sql, dialect: Dialect) -> str:
    """Return the text of a tree in a dialect, the variables of functions numbered in order of appearance."""
    found = _in_dialect(tree, dialect)
    nodes = list({id(node): node for node in found.find_all(exp.Lambda, exp.Identifier)}.values())
    names: dict[str, str] = {}
    for anonymous in nodes:
        if isinstance(anonymous, exp.Lambda):
            for parameter in anonymous.expressions:
                names.setdefault(parameter.name, f"v{len(names)}")
    for identifier in nodes:
        if isinstance(identifier, exp.Identifier) and not identifier.args.get("quoted") and identifier.name in names:
            identifier.set("this", names[identifier.name])
    return found.sql(dialect=dialect, copy=False)


def _in_dialect(tree: Sql, dialect: Dialect) -> Sql:
    """Return a copy of the tree with the forms of a dialect for its constructs, operands before what is over them."""
    root = exp.Paren(this=tree.copy())
    for node in reversed(list(root.walk(bfs=False))):
        if isinstance(node, Construct):
            form = CONSTRUCTS[node.name][dialect](*node.expressions)
            around = node.parent
            if isinstance(around, exp.Paren) and around is not root and wrapped(form) is form:
                around.replace(form)
            else:
                node.replace(wrapped(form) if isinstance(around, exp.Dot) else form)
    found: Sql = root.this
    return found
