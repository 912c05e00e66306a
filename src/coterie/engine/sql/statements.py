"""A statement for each condition: the persons for whom it holds.

Events are filtered and aggregated by their primary identity, joined to the persons of the view and aggregated again, so
that a merge of persons changes no event. A predicate on profiles reads merged ones, with aggregates of events joined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from sqlglot import exp, parse_one

from coterie.core.errors import Unsupported
from coterie.core.schema import KEY, VALUE, Union
from coterie.engine.sql import numbers
from coterie.engine.sql.arrays import MANY, summed
from coterie.engine.sql.constructs import (
    Dialect,
    Sql,
    build,
    column,
    or_default,
    render,
    subquery,
    table,
    text,
    whole,
)
from coterie.engine.sql.profiles import Profiles
from coterie.engine.sql.sequences import sequence
from coterie.engine.sql.terms import Terms
from coterie.engine.sql.values import NUMBERS, TIMES, Kind, Record, Row, Scalar, table_row
from coterie.pql.ast import Expr
from coterie.pql.conditions import Aggregate, Attribute, Computed, Condition, Function, Presence, Sequence
from coterie.pql.predicates import INVERSE
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported
from coterie.pql.scopes import levels_of

PEOPLE = "coterie_people"
"""Name under which the persons asked about are known to the connection."""

_IDENTITY_LEAVES = {f"identityMap.{KEY}": "codes", f"identityMap.{VALUE}.id": "ids"}


@dataclass(frozen=True)
class Statement:
    """A query for a column `person`; with `complement` it gives the persons for whom the condition does not hold."""

    query: exp.Select
    complement: bool = False

    @property
    def sql(self) -> str:
        """Return the text for DuckDB."""
        return self.text("duckdb")

    def text(self, dialect: Dialect) -> str:
        """Return the text in a dialect."""
        return render(self.query, dialect)


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
    """

    def __init__(self, union: Union, view: str, at: int, *, restricted: bool = False) -> None:
        self.union = union
        self.at = at
        self.restricted = restricted
        self.persons = f"person_of_{view}"
        self.profiles = f"profile_{view}"
        self.event = Record(table_row("e"), "", union.event)

    def statement(self, condition: Condition) -> Statement:
        """Return the statement of a condition that is no membership; the error that refuses it says where it stands."""
        try:
            return self._statement(condition)
        except RecursionError:
            raise unsupported(condition.expr, "a condition nested so deep") from None
        except Unsupported as error:
            if not error.where.get("end"):
                error.where |= {"start": condition.expr.span.start, "end": condition.expr.span.end}
            raise

    def _statement(self, condition: Condition) -> Statement:
        match condition.shape:
            case Aggregate() as aggregate:
                return self._aggregate(aggregate, condition.expr)
            case Sequence() as shape:
                return Statement(sequence(self, shape))
            case Presence(namespace):
                return Statement(self._presence(namespace))
            case Attribute() | Computed():
                return Statement(Profiles(self).select(condition.expr))
            case _:
                raise unsupported(condition.expr, condition.text)

    def universe(self) -> Statement:
        """Return the statement for all persons of the view."""
        return Statement(self.from_profiles())

    def from_profiles(self) -> exp.Select:
        """Return a query over the profiles asked about, under the alias ``r``."""
        query = exp.select(column("r", "person")).from_(table(self.profiles, "r"))
        return query.where(among_people(column("r", "person"))) if self.restricted else query

    # -- aggregates -------------------------------------------------------------------------------------------------

    def _aggregate(self, shape: Aggregate, expr: Expr) -> Statement:
        """Compare an aggregate with a literal; where nothing satisfies it too, ask for the others."""
        op = shape.op
        at_nothing = shape.function in ("count", "distinct", "sum") and isinstance(shape.value.value, int | str)
        complement = (
            at_nothing
            and shape.value.kind in ("integer", "double")
            and numbers.holds(op, Decimal(0), Decimal(str(shape.value.value)))
        )
        grouped, value = self.grouped(shape.function, shape.where, shape.operand, expr)
        truth = numbers.compare(INVERSE[op] if complement else op, value, numbers.literal(shape.value), expr)
        query = exp.select(column("g", "person")).from_(subquery(grouped, "g")).where(truth)
        return Statement(query, complement)

    def grouped(
        self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr, alias: str = "g"
    ) -> tuple[exp.Select, Scalar]:
        """Return a query for `person` and an aggregate of the person's events, and the aggregate as a value of `alias`.

        Persons without such events have no row.
        """
        terms = Terms(self.union, self.at)
        profile = Record(self.profile_row(expr), "", self.union.profile)
        scopes = (profile, self.event)
        correlated = any(part is not None and levels_of(part) - {0} for part in (where, operand))
        events = exp.select().from_(table("live_event", "e"))
        identity = column("e", "$identity")
        if where is not None:
            events = events.where(terms.truth(where, scopes))
        if self.restricted:
            events = events.where(self.of_people(identity))
        sample = terms.scalar(operand, scopes, expr) if operand is not None else Scalar(whole(1), Kind.EXACT)
        parts = _parts(function, sample, expr)
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
        return query.group_by(column("p", "person")), _result(function, sample, alias, expr)

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

    def profile_row(self, expr: Expr, used: set[str] | None = None) -> Row:
        """Return the row of a profile. Its identities are those of the graph; `used` learns when they are read."""

        def leaf(path: str) -> Sql:
            if path in _IDENTITY_LEAVES and used is not None:
                used.add("identityMap")
                return column("i", _IDENTITY_LEAVES[path])
            if path.startswith(("identityMap.", "segmentMembership.")):
                raise unsupported(expr, f"{path} in {to_text(expr)}", "Use inSegment or identityMap.get(…).")
            return column("r", path)

        def known(path: str) -> bool:
            return not path.startswith("identityMap.") or path in _IDENTITY_LEAVES

        return Row(leaf, known)

    def identities(self) -> exp.Select:
        """Return a query for the namespaces of each person and, aligned with them, the lists of identity values."""
        query = parse_one(
            "SELECT g.person AS person, list(g.code ORDER BY g.code) AS codes, list(g.ids ORDER BY g.code) AS ids "
            "FROM (SELECT p.person AS person, n.code AS code, list(i.value ORDER BY i.identity) AS ids "
            "FROM persons AS p JOIN identity AS i ON i.identity = p.identity "
            "JOIN namespace AS n ON n.namespace = i.namespace GROUP BY p.person, n.code) AS g GROUP BY g.person",
            dialect="duckdb",
        )
        assert isinstance(query, exp.Select)
        for found in query.find_all(exp.Table):
            if found.name == "persons":
                found.set("this", exp.to_identifier(self.persons, quoted=True))
        return query


@dataclass(frozen=True)
class _Part:
    """A column of a grouped query: aggregated from events, and again from the aggregates of identities."""

    name: str
    direct: Sql
    again: Sql


def _parts(function: Function, sample: Scalar, expr: Expr) -> list[_Part]:
    again = column("a", "value")
    match function:
        case "count":
            return [_Part("value", build("count", exp.Star()), build("sum", again))]
        case "distinct":
            return [_Part("value", build("count_distinct", sample.sql), again)]
        case "min" | "max":
            if sample.kind not in (*NUMBERS, *TIMES):
                raise unsupported(expr, f"{function} of this type in {to_text(expr)}")
            return [_Part("value", build(function, sample.sql), build(function, again))]
        case _:
            total = summed(sample, sample.sql, expr)
            parts = [_Part("value", build("sum", total.sql), build("sum", again))]
            if function == "average":
                parts.append(_Part("number", build("count", sample.sql), build("sum", column("a", "number"))))
            return parts


def _result(function: Function, sample: Scalar, alias: str, expr: Expr) -> Scalar:
    """Return the aggregate as a value of the grouped query."""
    value = column(alias, "value")
    match function:
        case "count" | "distinct":
            return Scalar(value, Kind.EXACT, whole=MANY)
        case "min" | "max":
            return replace(sample, sql=value, constant=None)
        case "sum":
            return replace(summed(sample, value, expr), sql=or_default(value, whole(0)))
        case _:
            number = Scalar(column(alias, "number"), Kind.EXACT, whole=MANY)
            return Scalar(numbers.ratio(summed(sample, value, expr), number, expr), Kind.BINARY)


def among_people(person: Sql) -> Sql:
    """Return that a person is one of those asked about."""
    people = exp.select(column("k", "person")).from_(table(PEOPLE, "k"))
    return exp.In(this=person, query=exp.Subquery(this=people))
