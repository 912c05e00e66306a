"""Windows over the rows of a person in the order of a key, said so that every dialect understands."""

from __future__ import annotations

from typing import Literal as Choice

from sqlglot import exp

from coterie.engine.sql.constructs import NULL, Sql, choose, whole

Limit = int | Choice["first", "last"]


def when(test: Sql, value: Sql) -> Sql:
    """Return the value where the test holds, null elsewhere."""
    return choose(test, value, NULL)


def over(
    aggregate: type[exp.AggFunc], value: Sql, person: Sql, order: Sql, first: Limit, last: Limit, kind: str
) -> Sql:
    """Return an aggregate over the rows of the person from one limit to another, both included.

    Parameters
    ----------
    aggregate : type
        ``exp.Min``, ``exp.Max`` or ``exp.Count``.
    value : Expr
        What is aggregated; nulls are left out.
    person, order : Expr
        The columns that divide and order the rows.
    first, last : int, "first" or "last"
        Where the frame begins and ends: ``"first"`` and ``"last"`` are the ends of the person's rows, a number is a
        distance from the row.
    kind : {"ROWS", "RANGE"}
        What distances count: rows, or the difference of the order.
    """
    begin, begin_side = _limit(first)
    end, end_side = _limit(last)
    return exp.Window(
        this=aggregate(this=value),
        partition_by=[person],
        order=exp.Order(expressions=[exp.Ordered(this=order)]),
        spec=exp.WindowSpec(kind=kind, start=begin, start_side=begin_side, end=end, end_side=end_side),
    )


def _limit(limit: Limit) -> tuple[Sql | str, str | None]:
    match limit:
        case "first":
            return "UNBOUNDED", "PRECEDING"
        case "last":
            return "UNBOUNDED", "FOLLOWING"
        case 0:
            return "CURRENT ROW", None
        case _:
            return whole(abs(limit)), "PRECEDING" if limit < 0 else "FOLLOWING"
