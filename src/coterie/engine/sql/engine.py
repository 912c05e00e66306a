"""The SQL engine: one statement a distinct condition, run on a DuckDB connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import duckdb
from pyroaring import BitMap

from coterie.core.errors import NotFound
from coterie.core.schema import Union
from coterie.engine import people as persons
from coterie.engine.sql.statements import PEOPLE, Statement, Statements
from coterie.pql.conditions import Condition, Membership


class SqlEngine:
    """Evaluates conditions by SQL over the tables of the history.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, union: Union) -> None:
        self.con = con
        self.union = union

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds; see `Engine`."""
        statements = Statements(self.union, view, at, restricted=people is not None)
        planned = [
            (condition, None if isinstance(condition.shape, Membership) else statements.statement(condition))
            for condition in conditions
        ]
        with nullcontext() if people is None else persons.lent(self.con, PEOPLE, people):
            universe = self.persons(statements.universe())
            found: dict[str, BitMap] = {}
            for condition, statement in planned:
                if statement is None:
                    found[condition.key] = _members(condition, memberships) & universe
                else:
                    holds = self.persons(statement)
                    found[condition.key] = universe - holds if statement.complement else universe & holds
        return found

    def explain(self, condition: Condition, view: str, at: int) -> str:
        """Return the SQL of a condition that is no membership; raises `Unsupported` without running anything."""
        return Statements(self.union, view, at).statement(condition).sql

    def persons(self, statement: Statement) -> BitMap:
        """Run a statement and return its persons."""
        return persons.read(self.con, statement.sql)


def _members(condition: Condition, memberships: Mapping[str, BitMap]) -> BitMap:
    assert isinstance(condition.shape, Membership)
    name = condition.shape.audience
    if name not in memberships:
        raise NotFound.named("audience", name, memberships)
    return memberships[name]
