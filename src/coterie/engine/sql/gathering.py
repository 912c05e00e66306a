"""What belongs to a person as lists in one row: events in order of time, identities, memberships."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from coterie.core.schema import Field
from coterie.engine.sql.constructs import (
    FALSE,
    Sql,
    among,
    build,
    cast,
    choose,
    column,
    either,
    no,
    or_default,
    pairs,
    part,
    present,
    subquery,
    table,
    text,
    whole,
)
from coterie.engine.sql.values import Many, Record, Row, Value
from coterie.pql.ast import Expr

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements

PLACE: Final = ("$batch", "$row")
"""The columns that tell events apart."""
_ORDER: Final = ("timestamp", "_id", *PLACE)
_EVENTS: Final = "$events"
END: Final = "$end"
OWN_NAMESPACE: Final = "ups"
"""The namespace of the system's own audiences in ``segmentMembership``."""


@dataclass
class Gathered:
    """The events of each person that satisfy a condition, as a list of structs of those of their leaves that are read.

    A function over the list then needs no other column: DuckDB copies those that it takes from outside for every item.
    """

    alias: str
    where: Expr | None
    leaves: dict[str, str] = field(default_factory=dict)

    def events(self, event: Field, zone: str) -> Many:
        """Return the events as an array of objects; a person without events has an empty one."""

        def element(cursor: Sql) -> Value:
            def leaf(path: str) -> Sql:
                return part(cursor, self.leaves.setdefault(path, f"x{len(self.leaves)}"))

            place = tuple(part(cursor, f"p{number}") for number in range(len(PLACE)))
            return Record(Row(leaf, place=place, zone=zone), "", event)

        empty = exp.Array(expressions=[])
        return Many(or_default(column(self.alias, _EVENTS), empty), element)

    def select(self, statements: Statements) -> exp.Select:
        """Return the query for the list of each person who has such events."""
        identity = column("e", "$identity")
        query = statements.join_persons(exp.select(column("p", "person")).from_(statements.events()), identity)
        if self.where is not None:
            query = query.where(statements.terms().truth(self.where, (statements.event,)))
        if statements.restricted:
            query = query.where(statements.of_people(identity))
        places = {f"p{number}": column("e", name) for number, name in enumerate(PLACE)}
        read = pairs(**places, **{name: column("e", path) for path, name in self.leaves.items()})
        listed = build("listed", read, *(column("e", name) for name in _ORDER))
        return query.select(listed.as_(_EVENTS, quoted=True)).group_by(column("p", "person"))


def end(statements: Statements, where: Expr | None, value: Sql, *, last: bool) -> exp.Select:
    """Return a query for each person who has events that satisfy a condition, and a value of the first or last of them.

    Of events at one instant it is the first. The value is the part ``v`` of the column `END`: with a list of events for
    each person, DuckDB takes eight times as long.
    """
    at, identity = column("e", "timestamp"), column("e", "$identity")
    order = [build("-", whole(0), at) if last else at, *(column("e", name) for name in _ORDER[1:])]
    ranked = pairs(**{f"k{place}": key for place, key in enumerate(order)}, v=value)
    inner = exp.select(exp.alias_(identity, "identity"), build("min", ranked).as_("value")).from_(statements.events())
    if where is not None:
        inner = inner.where(statements.terms().truth(where, (statements.event,)))
    if statements.restricted:
        inner = inner.where(statements.of_people(identity))
    inner = inner.group_by(identity)
    query = exp.select(column("p", "person"), build("min", column("a", "value")).as_(END, quoted=True))
    query = statements.join_persons(query.from_(subquery(inner, "a")), column("a", "identity"))
    return query.group_by(column("p", "person"))


def identities(persons: str) -> exp.Select:
    """Return a query for the namespaces of each person and, aligned with them, the lists of identity values."""
    code, ids = column("g", "code"), column("g", "ids")
    each = (
        exp.select(
            column("p", "person"),
            column("n", "code"),
            build("listed", column("i", "value"), column("i", "identity")).as_("ids"),
        )
        .from_(table(persons, "p"))
        .join(table("identity", "i"), on=build("=", column("i", "identity"), column("p", "identity")))
        .join(table("namespace", "n"), on=build("=", column("n", "namespace"), column("i", "namespace")))
        .group_by(column("p", "person"), column("n", "code"))
    )
    lists = [build("listed", code, code).as_("codes"), build("listed", ids, code).as_("ids")]
    return _by_person(each, lists)


def memberships(at: int, audiences: Collection[str] | None) -> exp.Select:
    """Return a query for the map of memberships of each person at an instant, by the ledger.

    The status is that of the last interval which had begun. `audiences` are those of the system's own whose memberships
    count, default all.
    """
    entered, exited, audience = (column("m", name) for name in ("entered_at", "exited_at", "audience"))
    namespace = column("m", "namespace")
    holds = either([no(present(exited)), build("<", whole(at), exited)])
    each = (
        exp.select(
            column("m", "person"),
            namespace,
            audience,
            build("max", entered).as_("entered"),
            build("max", choose(holds, whole(1), whole(0))).as_("holds"),
            build("max", column("m", "version")).as_("version"),
            build("max", column("m", "valid_until")).as_("valid_until"),
        )
        .from_(table("membership", "m"))
        .where(build("<=", entered, whole(at)))
        .group_by(column("m", "person"), namespace, audience)
    )
    if audiences is not None:
        listed = among(audience, [text(name) for name in sorted(audiences)]) if audiences else FALSE
        each = each.where(either([build("!=", namespace, text(OWN_NAMESPACE)), listed]))
    status = choose(build("=", column("g", "holds"), whole(1)), text("realized"), text("exited"))
    of_audience = {
        "audiences": column("g", "audience"),
        "statuses": status,
        "entered": column("g", "entered"),
        "ends": column("g", "valid_until"),
        "versions": cast(column("g", "version"), "VARCHAR"),
    }
    lists = [build("listed", value, column("g", "audience")).as_(name) for name, value in of_audience.items()]
    of_namespace = exp.select(column("g", "person"), column("g", "namespace"), *lists).from_(subquery(each, "g"))
    of_namespace = of_namespace.group_by(column("g", "person"), column("g", "namespace"))
    key = column("g", "namespace")
    nested = [build("listed", column("g", name), key).as_(name) for name in of_audience]
    return _by_person(of_namespace, [build("listed", key, key).as_("namespaces"), *nested])


def _by_person(each: exp.Select, lists: Sequence[Sql]) -> exp.Select:
    person = column("g", "person")
    return exp.select(person, *lists).from_(subquery(each, "g")).group_by(person)
