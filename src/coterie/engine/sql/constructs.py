"""The table of SQL constructs: one row a construct, one column a dialect.

The compiler builds trees in which a construct is a node of its own, whatever the dialect; the last step replaces these
nodes by the form the table has for the dialect, and writes the text. A row is proved by running both forms on the same
data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar
from typing import Literal as Choice

from sqlglot import exp

from coterie.engine.sql.trees import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    among,
    binary,
    both,
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

Builder = Callable[..., Sql]
Dialect = Choice["duckdb", "spark"]


class Construct(exp.Expression, exp.Condition):
    """A construct of the table over its operands, in no dialect yet."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


def _function(name: str) -> Builder:
    def build(*args: Sql) -> Sql:
        return exp.Anonymous(this=name, expressions=list(args))

    return build


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
    return lambda at: _function(part)(_function("epoch_ms")(at))


def _add_months(at: Sql, months: Sql) -> Sql:
    moved = exp.Add(this=_function("epoch_ms")(at), expression=_function("to_months")(months))
    return _function("epoch_ms")(moved)


def _date(year: Sql, month: Sql, of_month: Sql) -> Sql:
    parts = (cast(part, "BIGINT") for part in (year, month, of_month))
    start = _function("try")(_function("epoch_ms")(_function("make_date")(*parts)))
    return choose(exp.Between(this=wrapped(year), low=whole(1), high=whole(9999)), start, NULL)


def _regex_group(value: Sql, expression: Sql, group: Sql) -> Sql:
    """Return a group of the first match; of all matches, because then a group that took no part is null, not empty."""
    return _function("list_extract")(_function("regexp_extract_all")(value, expression, group), whole(1))


CONSTRUCTS: dict[str, dict[Dialect, Builder]] = {
    # comparison
    "=": {"duckdb": _infix(exp.EQ)},
    "!=": {"duckdb": _infix(exp.NEQ)},
    "<": {"duckdb": _infix(exp.LT)},
    "<=": {"duckdb": _infix(exp.LTE)},
    ">": {"duckdb": _infix(exp.GT)},
    ">=": {"duckdb": _infix(exp.GTE)},
    # arithmetic
    "+": {"duckdb": _infix(exp.Add)},
    "-": {"duckdb": _infix(exp.Sub)},
    "*": {"duckdb": _infix(exp.Mul)},
    "/": {"duckdb": _infix(exp.Div)},
    "%": {"duckdb": _infix(exp.Mod)},
    # text
    "lower": {"duckdb": _function("lower")},
    "contains": {"duckdb": _function("contains")},
    "starts_with": {"duckdb": _function("starts_with")},
    "ends_with": {"duckdb": _function("ends_with")},
    "like": {"duckdb": _like},
    "matches": {"duckdb": _function("regexp_matches")},
    "regex_group": {"duckdb": _regex_group},
    # time, instants in ms
    "year": {"duckdb": _calendar("year")},
    "month": {"duckdb": _calendar("month")},
    "day_of_month": {"duckdb": _calendar("day")},
    "add_months": {"duckdb": _add_months},
    "date": {"duckdb": _date},
    # lists
    "element": {"duckdb": _function("list_extract")},
    "size": {"duckdb": _function("len")},
    "count_present": {"duckdb": _function("list_count")},
    "greatest": {"duckdb": _function("greatest")},
    "up_to": {"duckdb": lambda size: _function("range")(whole(1), exp.Add(this=size, expression=whole(1)))},
    "joined_items": {"duckdb": _function("flatten")},
    "keep": {"duckdb": _function("list_filter")},
    "each": {"duckdb": _function("list_transform")},
    "distinct_items": {"duckdb": _function("list_distinct")},
    "sum_items": {"duckdb": _function("list_sum")},
    "min_items": {"duckdb": _function("list_min")},
    "max_items": {"duckdb": _function("list_max")},
    "has_item": {"duckdb": _function("list_contains")},
    "has_any": {"duckdb": _function("list_has_any")},
    "has_all": {"duckdb": _function("list_has_all")},
    "common_items": {"duckdb": _function("list_intersect")},
    "position": {"duckdb": _function("list_position")},
    "first_items": {"duckdb": lambda items, count: _function("list_slice")(items, whole(1), count)},
    "sorted_items": {"duckdb": _function("list_sort")},
    # aggregates
    "count": {"duckdb": _aggregate("count")},
    "count_distinct": {"duckdb": _aggregate("count", distinct=True)},
    "sum": {"duckdb": _aggregate("sum")},
    "min": {"duckdb": _aggregate("min")},
    "max": {"duckdb": _aggregate("max")},
    "smallest": {"duckdb": _function("min")},
}


def build(name: str, *args: Sql) -> Sql:
    """Return the construct `name` of the table over its operands."""
    if name not in CONSTRUCTS:
        raise KeyError(name)
    return Construct(this=name, expressions=list(args))


def render(tree: Sql, dialect: Dialect) -> str:
    """Return the text of a tree in a dialect, the variables of functions numbered in order of appearance."""
    found = _in_dialect(tree, dialect)
    names: dict[str, str] = {}
    for anonymous in found.find_all(exp.Lambda):
        for parameter in anonymous.expressions:
            names.setdefault(parameter.name, f"v{len(names)}")
    for identifier in found.find_all(exp.Identifier):
        if not identifier.args.get("quoted") and identifier.name in names:
            identifier.set("this", names[identifier.name])
    return found.sql(dialect=dialect)


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
