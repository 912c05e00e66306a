"""Events with a truth for each of many conditions: one scan, read by what counts events in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never

from sqlglot import exp

from coterie.engine.sql.constructs import TRUE, column, defined, table
from coterie.engine.sql.statements import Statements, among_people
from coterie.pql.ast import Expr

SYSTEM = {"happened": "timestamp", "dataset": "$dataset", "batch": "$batch", "row": "$row"}
"""Columns that every event has, by the names under which they are given."""


Whose = Literal["everybody", "lent", "few"]
"""Whose events are asked for: everybody's, those of people who are lent, or those that `FEW` holds."""
FEW = "coterie_few"
"""Name of the relation with the columns of events, and the `person` of each, for a few people."""


def marks(
    statements: Statements, conditions: Mapping[str, Expr | None], leaves: Mapping[str, str], whose: Whose = "everybody"
) -> exp.Select:
    """Return the query for events: `person`, the columns of `SYSTEM`, a truth for each condition, and leaves.

    Parameters
    ----------
    statements : Statements
        What writes the statements of a view.
    conditions : mapping of str to Expr or None
        Canonical core trees of conditions on one event, by the name of their column; None is always true.
    leaves : mapping of str to str
        Paths of events that are given as they are stored, by the name of their column.
    whose : str
        Whose events.
    """
    terms = statements.terms()
    identity = column("e", "$identity")
    query = exp.select().from_(statements.events())
    match whose:
        case "few":
            query = exp.select(column("e", "person")).from_(table(FEW, "e"))
        case "lent":
            # of the persons, not of the identities: the join then skips events of others as it reads them
            query = statements.join_persons(query.select(column("p", "person")), identity)
            query = query.where(among_people(column("p", "person")))
        case "everybody":
            query = statements.join_persons(query.select(column("p", "person")), identity)
        case _:
            assert_never(whose)
    for name, leaf in SYSTEM.items():
        query = query.select(exp.alias_(column("e", leaf), name, quoted=True), copy=False)
    for name, condition in conditions.items():
        truth = TRUE if condition is None else terms.truth(condition, (statements.event,))
        query = query.select(exp.alias_(defined(truth), name, quoted=True), copy=False)
    for name, path in leaves.items():
        query = query.select(exp.alias_(column("e", path), name, quoted=True), copy=False)
    return query


def columns_read(query: exp.Select) -> tuple[str, ...]:
    """Return the columns of events that a query for those of few people reads, sorted."""
    read = {found.name for found in query.find_all(exp.Column) if found.table == "e"}
    return tuple(sorted(read - {"person"}))
