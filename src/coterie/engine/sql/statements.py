"""A statement for each condition: the persons for whom it holds.

Events are filtered and aggregated by their primary identity, joined to the persons of the view and aggregated again, so
that a merge of persons changes no event. A predicate on profiles reads merged ones, with aggregates of events joined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import assert_never

from pyroaring import BitMap
from sqlglot import exp

from coterie.core.errors import Unsupported
from coterie.core.schema import Union
from coterie.engine.sql.constructs import (
    Dialect,
    Sql,
    build,
    column,
    render,
    subquery,
    table,
    text,
    whole,
)
from coterie.engine.sql.measures import compared, parts_of, result
from coterie.engine.sql.profiles import Profiles
from coterie.engine.sql.sequences import sequence
from coterie.engine.sql.terms import Terms
from coterie.engine.sql.values import Kind, Record, Row, Scalar, table_row
from coterie.pql.ast import Binary, Call, Expr, Unary
from coterie.pql.conditions import Aggregate, Attribute, Computed, Condition, Function, Membership, Presence, Sequence
from coterie.pql.local import UTC
from coterie.pql.resolve import unsupported
from coterie.pql.scopes import levels_of

PEOPLE = "coterie_people"
"""Name under which the persons asked about are known to the connection."""


@dataclass(frozen=True)
class Statement:
    """A query for a column `person`; with `complement` it gives the persons for whom the condition does not hold.

    `audiences` are those whose members must be lent to it, each with the name of its table.
    """

    query: exp.Select
    complement: bool = False
    audiences: Mapping[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """Return the text for DuckDB."""
        return self.text("duckdb")

    def text(self, dialect: Dialect) -> str:
        """Return the text in a dialect."""
        return render(self.query, dialect)

    def among(self, universe: BitMap, found: BitMap) -> BitMap:
        """Return the persons of a universe for whom the condition holds, from those that the query found."""
        return _among(universe, found, self.complement)


def _among(universe: BitMap, found: BitMap, complement: bool) -> BitMap:
    return universe - found if complement else universe & found


@dataclass(frozen=True)
class Answer:
    """What a truth tells: for whom the condition of a key holds or, with `complement`, for whom it does not."""

    key: str
    complement: bool = False


@dataclass(frozen=True)
class Pass:
    """A query for many conditions: columns ``group``, ``person``, ``t0``, ``t1``, …; each group has its own answers."""

    query: exp.Select
    answers: tuple[tuple[Answer, ...], ...]

    @property
    def sql(self) -> str:
        """Return the text for DuckDB."""
        return render(self.query, "duckdb")

    @property
    def widths(self) -> list[int]:
        """How many truths mean something in each group."""
        return [len(group) for group in self.answers]

    def among(self, universe: BitMap, read: Iterable[Iterable[BitMap]]) -> dict[str, BitMap]:
        """Return the persons of a universe for whom each condition holds, by its key, from what the query found."""
        return {
            answer.key: _among(universe, found, answer.complement)
            for answers, holding in zip(self.answers, read, strict=True)
            for answer, found in zip(answers, holding, strict=True)
        }


@contextmanager
def refusals(condition: Condition) -> Iterator[None]:
    """Let the error that refuses a condition say where it stands."""
    try:
        yield
    except RecursionError:
        raise unsupported(condition.expr, "a condition nested so deep") from None
    except Unsupported as error:
        if not error.where.get("end"):
            error.where |= {"start": condition.expr.span.start, "end": condition.expr.span.end}
        raise


class Statements:
    """Writes statements for one view at one instant.

    Parameters
    ----------
    union : Union
        The fields there are.
    view : str
        The view.
    at : int
        The evaluation instant, ms.
    restricted : bool
        Whether only the persons of the table `PEOPLE` are asked about.
    audiences : collection of str, optional
        The audiences of the view, whose memberships ``segmentMembership`` holds; default all there are.
    until : int, optional
        An instant, ms: events after it are left out.
    """

    def __init__(
        self,
        union: Union,
        view: str,
        at: int,
        *,
        restricted: bool = False,
        audiences: Collection[str] | None = None,
        until: int | None = None,
    ) -> None:
        self.union = union
        self.at = at
        self.until = until
        self.zone = UTC
        self.restricted = restricted
        self.audiences = audiences
        self.persons = f"person_of_{view}"
        self.profiles = f"profile_{view}"
        self.happened = f"event_of_{view}"
        self.event = Record(table_row("e"), "", union.event)

    def statement(self, condition: Condition) -> Statement:
        """Return the statement of a condition that is no membership; the error that refuses it says where it stands."""
        with refusals(condition):
            return self.in_zone(condition.zone)._statement(condition)

    def in_zone(self, zone: str) -> Statements:
        """Return what writes statements that mean the calendar of a time zone."""
        if zone == self.zone:
            return self
        zoned = copy(self)
        zoned.zone = zone
        zoned.event = Record(table_row("e", zone), "", self.union.event)
        return zoned

    def terms(self) -> Terms:
        """Return the compiler of conditions that read one row alone."""
        return Terms(self.union, self.at, self.zone)

    def _statement(self, condition: Condition) -> Statement:
        match condition.shape:
            case Aggregate() as aggregate if not self.is_wide(aggregate.operand, condition.expr):
                return self._aggregate(aggregate, condition.expr)
            case Sequence() as shape:
                return Statement(sequence(self, shape))
            case Presence(namespace):
                return Statement(self._presence(namespace))
            case Attribute() | Computed() | Aggregate():
                profiles = Profiles(self)
                query = profiles.select(condition.expr)
                return Statement(query, audiences=profiles.audiences)
            case Membership():
                raise AssertionError("a membership is known without a statement")
            case _:
                assert_never(condition.shape)

    def universe(self) -> Statement:
        """Return the statement for all persons of the view."""
        return Statement(self.from_profiles())

    def events(self) -> Sql:
        """Return the events that had happened, under the alias ``e``."""
        if self.until is None:
            return table(self.happened, "e")
        known = exp.select("*").from_(table(self.happened, "e"))
        return subquery(known.where(build("<=", column("e", "timestamp"), whole(self.until))), "e")

    def from_profiles(self) -> exp.Select:
        """Return a query over the profiles asked about, under the alias ``r``."""
        query = exp.select(column("r", "person")).from_(table(self.profiles, "r"))
        return query.where(among_people(column("r", "person"))) if self.restricted else query

    # -- aggregates -------------------------------------------------------------------------------------------------

    def _aggregate(self, shape: Aggregate, expr: Expr) -> Statement:
        """Compare an aggregate with a literal; where nothing satisfies it too, ask for the others."""
        grouped, value = self.grouped(shape.function, shape.where, shape.operand, expr)
        truth, complement = compared(shape, value, expr)
        query = exp.select(column("g", "person")).from_(subquery(grouped, "g")).where(truth)
        return Statement(query, complement)

    def is_wide(self, operand: Expr | None, expr: Expr) -> bool:
        """Whether what is aggregated of events may have more digits than a column can keep."""
        if operand is None or not isinstance(operand, Binary | Unary | Call):
            return False
        scopes = (Record(self.profile_row(), "", self.union.profile), self.event)
        return self.terms().scalar(operand, scopes, expr).rough is not None

    def grouped(
        self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr, alias: str = "g"
    ) -> tuple[exp.Select, Scalar]:
        """Return a query for `person` and an aggregate of the person's events, and the aggregate as a value of `alias`.

        Persons without such events have no row.
        """
        terms = self.terms()
        profile = Record(self.profile_row(), "", self.union.profile)
        scopes = (profile, self.event)
        correlated = any(part is not None and levels_of(part) - {0} for part in (where, operand))
        events = exp.select().from_(self.events())
        identity = column("e", "$identity")
        if where is not None:
            events = events.where(terms.truth(where, scopes))
        if self.restricted:
            events = events.where(self.of_people(identity))
        sample = terms.scalar(operand, scopes, expr) if operand is not None else Scalar(whole(1), Kind.EXACT)
        parts = parts_of(function, sample, expr)
        if correlated or function == "distinct":
            query = self.join_persons(events, identity)
            if correlated:
                query = query.join(
                    table(self.profiles, "r"), on=build("=", column("r", "person"), column("p", "person"))
                )
            columns = [part.direct.as_(part.name) for part in parts]
            query = query.select(column("p", "person"), *columns)
        else:
            inner = events.select(exp.alias_(identity, "identity"), *(part.direct.as_(part.name) for part in parts))
            inner = inner.group_by(identity)
            query = self.join_persons(
                exp.select(column("p", "person"), *(part.again.as_(part.name) for part in parts)).from_(
                    subquery(inner, "a")
                ),
                column("a", "identity"),
            )
        return query.group_by(column("p", "person")), result(function, sample, lambda name: column(alias, name), expr)

    def join_persons(self, query: exp.Select, identity: Sql) -> exp.Select:
        """Return the query joined to the persons of its identities, under the alias ``p``."""
        return query.join(table(self.persons, "p"), on=build("=", column("p", "identity"), identity))

    def of_people(self, identity: Sql) -> Sql:
        """Return that an identity is one of the persons asked about."""
        persons = exp.select(column("q", "identity")).from_(table(self.persons, "q"))
        return exp.In(this=identity, query=exp.Subquery(this=persons.where(among_people(column("q", "person")))))

    # -- profiles and identities ------------------------------------------------------------------------------------

    def _presence(self, namespace: str) -> exp.Select:
        query = exp.select(column("p", "person")).distinct().from_(table("identity", "i"))
        query = query.join(table("namespace", "n"), on=build("=", column("n", "namespace"), column("i", "namespace")))
        query = self.join_persons(query, column("i", "identity")).where(
            build("=", column("n", "code"), text(namespace))
        )
        return query.where(among_people(column("p", "person"))) if self.restricted else query

    def profile_row(self) -> Row:
        """Return the row of a profile that events are joined with."""
        return table_row("r", self.zone)


def among_people(person: Sql) -> Sql:
    """Return that a person is one of those asked about."""
    people = exp.select(column("k", "person")).from_(table(PEOPLE, "k"))
    return exp.In(this=person, query=exp.Subquery(this=people))
