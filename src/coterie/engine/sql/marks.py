"""Events with a truth for each of many conditions: one scan, read by what counts events in its own way."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from coterie.engine.sql.constructs import TRUE, column, defined
from coterie.engine.sql.statements import Statements, among_people
from coterie.pql.ast import Expr

SYSTEM = {"happened": "timestamp", "dataset": "$dataset", "batch": "$batch", "row": "$row"}
"""Columns that every event has, by the names under which they are given."""


def marks(statements: Statements, conditions: Mapping[str, Expr | None], leaves: Mapping[str, str]) -> exp.Select:
    """Return the query for events: `person`, the columns of `SYSTEM`, a truth for each condition, and leaves.

    Parameters
    ----------
    statements : Statements
        What writes the statements of a view.
    conditions : mapping of str to Expr or None
        Canonical core trees of conditions on one event, by the name of their column; None is always true.
    leaves : mapping of str to str
        Paths of events that are given as they are stored, by the name of their column.
    """
    terms = statements.terms()
    identity = column("e", "$identity")
    query = exp.select(column("p", "person")).from_(statements.events())
    query = statements.join_persons(query, identity)
    if statements.restricted:
        # of the persons, not of the identities: the join then skips events of others as it reads them
        query = query.where(among_people(column("p", "person")))
    for name, leaf in SYSTEM.items():
        query = query.select(exp.alias_(column("e", leaf), name, quoted=True), copy=False)
    for name, condition in conditions.items():
        truth = TRUE if condition is None else terms.truth(condition, (statements.event,))
        query = query.select(exp.alias_(defined(truth), name, quoted=True), copy=False)
    for name, path in leaves.items():
        query = query.select(exp.alias_(column("e", path), name, quoted=True), copy=False)
    return query
