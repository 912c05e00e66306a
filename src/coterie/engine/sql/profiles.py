"""Predicates on the merged profile as a statement: its row, and what lies outside it, joined by person.

Aggregates of events, lists of events, identities and memberships are joined as they are met, with the columns that are
read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from coterie.core.schema import COMPUTED, KEY, VALUE
from coterie.engine.sql import gathering
from coterie.engine.sql.aggregates import or_zero
from coterie.engine.sql.constructs import NULL, Sql, build, cast, column, part, present, subquery, table
from coterie.engine.sql.gathering import Gathered
from coterie.engine.sql.terms import Terms
from coterie.engine.sql.values import Many, Record, Row, Scalar
from coterie.pql.ast import Expr
from coterie.pql.conditions import Function
from coterie.pql.printer import to_text

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements

_IDENTITIES: Final = {f"identityMap.{KEY}": "codes", f"identityMap.{VALUE}.id": "ids"}
_NOT_KEPT: Final = {
    f"identityMap.{VALUE}.primary": "BOOLEAN[][]",
    f"identityMap.{VALUE}.authenticatedState": "VARCHAR[][]",
}
"""What the identity graph does not hold of an entry."""
_MEMBERSHIPS: Final = {
    f"segmentMembership.{KEY}": "namespaces",
    f"segmentMembership.{VALUE}.{KEY}": "audiences",
    f"segmentMembership.{VALUE}.status": "statuses",
    f"segmentMembership.{VALUE}.lastQualificationTime": "entered",
    f"segmentMembership.{VALUE}.validUntil": "ends",
    f"segmentMembership.{VALUE}.version": "versions",
}


@dataclass
class Profiles:
    """The statement of a predicate on profiles."""

    statements: Statements
    aggregates: dict[str, tuple[exp.Select, Scalar]] = field(default_factory=dict)
    gathered: dict[str, Gathered] = field(default_factory=dict)
    ends: dict[str, tuple[str, exp.Select]] = field(default_factory=dict)
    maps: dict[str, exp.Select] = field(default_factory=dict)
    audiences: dict[str, str] = field(default_factory=dict)

    def aggregate(self, function: Function, where: Expr | None, operand: Expr | None, expr: Expr) -> Scalar | None:
        """Return an aggregate of the events of the profile's person, or None when a list of them is needed."""
        if self.statements.is_wide(operand, expr):
            return None
        key = to_text(expr) + function
        if key not in self.aggregates:
            alias = f"a{len(self.aggregates)}"
            self.aggregates[key] = self.statements.grouped(function, where, operand, expr, alias)
        value = self.aggregates[key][1]
        return or_zero(value) if function in ("count", "distinct", "sum") else value

    def end(self, where: Expr | None, path: Expr, *, last: bool) -> Scalar | None:
        """Return a value of the first or last event of the profile's person, or None when it is no single one."""
        value = self.statements.terms().value(path, (self.statements.event,))
        if not isinstance(value, Scalar):
            return None
        key = f"{'' if where is None else to_text(where)} {to_text(path)} {last}"
        if key not in self.ends:
            self.ends[key] = (f"f{len(self.ends)}", gathering.end(self.statements, where, value.sql, last=last))
        return replace(value, sql=part(column(self.ends[key][0], gathering.END), "v"), constant=None, named=None)

    def events(self, where: Expr | None) -> Many:
        """Return the events of the profile's person that satisfy a condition on the event alone, in order of time."""
        key = "" if where is None else to_text(where)
        if key not in self.gathered:
            self.gathered[key] = Gathered(f"e{len(self.gathered)}", where)
        return self.gathered[key].events(self.statements.union.event, self.statements.zone)

    def member(self, audience: str) -> Sql:
        """Return that the person is in an audience, whose members are lent to the statement as a table."""
        name = self.audiences.setdefault(audience, f"coterie_members_{len(self.audiences)}")
        self.maps[name] = exp.select(column("m", "person")).from_(table(name, "m"))
        return present(column(name, "person"))

    def row(self) -> Row:
        """Return the row of the profile. Its identities are those of the graph, its memberships those of the ledger."""

        def leaf(path: str) -> Sql:
            if path in _IDENTITIES:
                self.maps["i"] = gathering.identities(self.statements.persons)
                return column("i", _IDENTITIES[path])
            if path in _MEMBERSHIPS:
                self.maps["s"] = gathering.memberships(self.statements.at, self.statements.audiences)
                return column("s", _MEMBERSHIPS[path])
            return cast(NULL, _NOT_KEPT[path]) if path in _NOT_KEPT else column("r", path)

        def known(path: str) -> bool:
            return path not in _NOT_KEPT and not path.startswith(f"{COMPUTED}.")

        return Row(leaf, known, zone=self.statements.zone)

    def truth(self, expr: Expr) -> Sql:
        """Return a predicate on the row of a profile, under the alias ``r``, and on what is joined to it."""
        return self.terms().truth(expr, (self.record(),))

    def terms(self) -> Terms:
        """Return the compiler of expressions on the row of a profile and what is joined to it."""
        return Terms(self.statements.union, self.statements.at, self.statements.zone, self)

    def record(self) -> Record:
        """Return the profile as expressions see it."""
        return Record(self.row(), "", self.statements.union.profile)

    @property
    def reads_more(self) -> bool:
        """Whether the predicates so far read more than the rows of profiles."""
        return bool(self.aggregates or self.gathered or self.ends or self.maps or self.audiences)

    def query(self) -> exp.Select:
        """Return the query for all persons asked about, joined with what the predicates so far read."""
        statements = self.statements
        joined = {f"a{place}": query for place, (query, _) in enumerate(self.aggregates.values())}
        joined |= {found.alias: found.select(statements) for found in self.gathered.values()}
        joined |= dict(self.ends.values())
        query = statements.from_profiles()
        for alias, below in (joined | self.maps).items():
            same = build("=", column(alias, "person"), column("r", "person"))
            query = query.join(subquery(below, alias), on=same, join_type="left")
        return query

    def select(self, expr: Expr) -> exp.Select:
        """Return the query for the persons whose profile satisfies `expr`."""
        truth = self.truth(expr)
        return self.query().where(truth)
