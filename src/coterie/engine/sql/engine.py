"""The SQL engine: few statements for many conditions, run on a DuckDB connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, nullcontext

import duckdb
import pyarrow as pa
from pyroaring import BitMap

from coterie.core.errors import NotFound
from coterie.core.schema import Union
from coterie.engine import people as persons
from coterie.engine.sql import doubles
from coterie.engine.sql.changes import next_change
from coterie.engine.sql.constructs import render
from coterie.engine.sql.marks import Whose, columns_read, marks
from coterie.engine.sql.plan import plan
from coterie.engine.sql.projection import projection
from coterie.engine.sql.statements import PEOPLE, Statement, Statements, refusals
from coterie.pql.ast import Expr
from coterie.pql.conditions import Condition, Membership
from coterie.pql.local import UTC


class SqlEngine:
    """Evaluates conditions by SQL over the tables of the history.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    audiences : collection of str, optional
        The audiences of the view, whose memberships ``segmentMembership`` holds; default all there are.
    until : int, optional
        An instant, ms: events after it are left out, as they had not happened by then.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        union: Union,
        audiences: Collection[str] | None = None,
        until: int | None = None,
    ) -> None:
        self.con = con
        self.union = union
        self.audiences = audiences
        self.until = until

    def _statements(self, view: str, at: int, people: BitMap | None = None) -> Statements:
        restricted = people is not None
        return Statements(self.union, view, at, restricted=restricted, audiences=self.audiences, until=self.until)

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds; see `Engine`."""
        statements = self._statements(view, at, people)
        known = {
            condition.key: members(condition, memberships)
            for condition in conditions
            if isinstance(condition.shape, Membership)
        }
        planned = plan(statements, [condition for condition in conditions if condition.key not in known])
        with nullcontext() if people is None else persons.lent(self.con, PEOPLE, people):
            universe = self.persons(statements.universe())
            found = {key: members & universe for key, members in known.items()}
            for many in planned.passes:
                found |= many.among(universe, persons.read_truths(self.con, self._ready(many.sql), many.widths))
            for key, statement in planned.singles.items():
                found[key] = statement.among(universe, self._holds(statement, memberships))
        return found

    def next_changes(
        self, conditions: Sequence[Condition], view: str, at: int, people: BitMap | None = None
    ) -> dict[str, persons.Instants]:
        """Return when, with no new data, the truth of each condition can next change, for the persons for whom it can.

        Parameters
        ----------
        conditions : sequence of Condition
            Distinct conditions. Those on memberships and identities never change by time alone.
        view : str
            The view.
        at : int
            The evaluation instant, ms.
        people : BitMap, optional
            The only persons asked about; default all of the view.

        Returns
        -------
        dict of str to Instants
            By the key of the condition. Before its instant the truth of a person is what it is at `at`; at the instant
            it may be another. It is exact for windows of fixed length up to now and for days of UTC, else not late.
        """
        statements = self._statements(view, at, people)
        found: dict[str, persons.Instants] = {}
        with nullcontext() if people is None else persons.lent(self.con, PEOPLE, people):
            for condition in conditions:
                with refusals(condition):
                    query = next_change(statements, condition)
                sql = None if query is None else self._ready(render(query, "duckdb"))
                found[condition.key] = persons.Instants() if sql is None else persons.read_instants(self.con, sql)
        return found

    def values(
        self, exprs: Mapping[str, Expr], view: str, at: int, people: BitMap | None = None, zone: str = UTC
    ) -> pa.Table:
        """Return the values of expressions for many persons at once, by one statement.

        Parameters
        ----------
        exprs : mapping of str to Expr
            Canonical core trees (see `value_form`) of single values or arrays of them, by the name of their column.
        view : str
            The view: whose persons, merged how.
        at : int
            The evaluation instant, ms.
        people : BitMap, optional
            The only persons asked about; default all of the view.
        zone : str
            IANA name of the time zone whose calendar is meant.

        Returns
        -------
        pyarrow.Table
            The column ``person``, then one for each expression; instants and days are ms, a day the start of its own in
            UTC. In no order.
        """
        with nullcontext() if people is None else persons.lent(self.con, PEOPLE, people):
            return persons.read_table(self.con, self.projection(exprs, view, at, people, zone))

    def projection(
        self, exprs: Mapping[str, Expr], view: str, at: int, people: BitMap | None = None, zone: str = UTC
    ) -> str:
        """Return the statement of `values`; for some people only, they must be lent when it is run."""
        statements = self._statements(view, at, people).in_zone(zone)
        return self._ready(render(projection(statements, exprs), "duckdb"))

    def marks(
        self,
        conditions: Mapping[str, Expr | None],
        leaves: Mapping[str, str],
        view: str,
        whose: Whose = "everybody",
    ) -> str:
        """Return the statement for the events of people, with a truth for each of many conditions.

        Parameters
        ----------
        conditions : mapping of str to Expr or None
            Canonical core trees of conditions on one event (see `event_form`), by the name of their column; None is
            always true. They read no profile and no instant of evaluation.
        leaves : mapping of str to str
            Paths of events that are given as they are stored, by the name of their column.
        view : str
            The view: whose persons, and which events.
        whose : {"everybody", "lent", "few"}
            Whose events: of everybody, of people who must be lent when it is run (`PEOPLE`), or of those whose
            events the relation `marks.FEW` holds.

        Returns
        -------
        str
            A query for ``person``, ``happened`` (ms), ``dataset``, ``batch``, ``row``, the truths and the leaves.
        """
        return self._ready(render(marks(self._statements(view, 0), conditions, leaves, whose), "duckdb"))

    def marks_read(
        self, conditions: Mapping[str, Expr | None], leaves: Mapping[str, str], view: str
    ) -> tuple[str, ...]:
        """Return the columns of events that such a statement for few people reads."""
        return columns_read(marks(self._statements(view, 0), conditions, leaves, "few"))

    def explain(self, condition: Condition, view: str, at: int) -> str:
        """Return the SQL of a condition that is no membership; raises `Unsupported` without running anything."""
        return self._statements(view, at).statement(condition).sql

    def _holds(self, statement: Statement, memberships: Mapping[str, BitMap]) -> BitMap:
        """Run a statement with the members of the audiences that it reads."""
        with ExitStack() as lent:
            for audience, name in statement.audiences.items():
                lent.enter_context(persons.lent(self.con, name, members_of(audience, memberships)))
            return self.persons(statement)

    def persons(self, statement: Statement) -> BitMap:
        """Run a statement and return its persons."""
        return persons.read(self.con, self._ready(statement.sql))

    def _ready(self, sql: str) -> str:
        """Return a statement, the functions it calls made known."""
        if doubles.SUM_DOUBLES in sql:
            doubles.known_to(self.con)
        return sql


def members(condition: Condition, memberships: Mapping[str, BitMap]) -> BitMap:
    """Return the members that a condition on a membership asks for; raises `NotFound` for an unknown audience."""
    assert isinstance(condition.shape, Membership)
    return members_of(condition.shape.audience, memberships)


def members_of(name: str, memberships: Mapping[str, BitMap]) -> BitMap:
    """Return the members of an audience; raises `NotFound` for an unknown one."""
    if name not in memberships:
        raise NotFound.named("audience", name, memberships)
    return memberships[name]
