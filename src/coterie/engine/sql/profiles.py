"""Predicates on the merged profile as a statement: its row, and the aggregates of events it is joined with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from coterie.engine.sql.constructs import build, column, or_default, subquery, whole
from coterie.engine.sql.terms import Terms
from coterie.engine.sql.values import Record, Scalar
from coterie.pql.ast import Expr
from coterie.pql.conditions import Function
from coterie.pql.printer import to_text

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements


class Profiles:
    """The statement of a predicate on profiles, to which aggregates of events are joined as they are met."""

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.joined: dict[str, tuple[exp.Select, Scalar]] = {}

    def aggregate(self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr) -> Scalar:
        """Return an aggregate of the events of the profile's person."""
        text_ = to_text(expr) + function
        if text_ not in self.joined:
            alias = f"a{len(self.joined)}"
            self.joined[text_] = self.statements.grouped(function, where, operand, expr, alias)
        value = self.joined[text_][1]
        if function in ("count", "distinct", "sum"):
            return replace(value, sql=or_default(value.sql, whole(0)))
        return value

    def select(self, expr: Expr) -> exp.Select:
        """Return the query for the persons whose profile satisfies `expr`."""
        used: set[str] = set()
        statements = self.statements
        profile = Record(statements.profile_row(expr, used), "", statements.union.profile)
        truth = Terms(statements.union, statements.at, self).truth(expr, (profile,))
        query = statements.from_profiles()
        person = column("r", "person")
        joined = [(grouped, f"a{place}") for place, (grouped, _) in enumerate(self.joined.values())]
        if used:
            joined.append((statements.identities(), "i"))
        for grouped, alias in joined:
            query = query.join(
                subquery(grouped, alias), on=build("=", column(alias, "person"), person), join_type="left"
            )
        return query.where(truth)
