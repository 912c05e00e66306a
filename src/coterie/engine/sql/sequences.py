"""Sequences of events as statements over all persons at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from coterie.engine.sql.constructs import build, column, present, subquery, table, whole
from coterie.engine.sql.terms import Terms
from coterie.engine.sql.values import Record
from coterie.pql.conditions import Sequence
from coterie.pql.scopes import levels_of

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements


def sequence(statements: Statements, shape: Sequence) -> exp.Select:
    """Take each step as early as it can be; no other choice lets a later step succeed that this one does not."""
    terms = Terms(statements.union, statements.at)
    timestamp, identity = column("e", "timestamp"), column("e", "$identity")
    query: exp.Select | None = None
    for step in shape.steps:
        profile = Record(statements.profile_row(step.where), "", statements.union.profile)
        moment = build("min", timestamp)
        if step.count > 1:
            moment = build("element", build("smallest", timestamp, whole(step.count)), whole(step.count))
        events = statements.join_persons(exp.select(column("p", "person")).from_(table("live_event", "e")), identity)
        if levels_of(step.where) - {0}:
            events = events.join(
                table(statements.profiles, "r"), on=build("=", column("r", "person"), column("p", "person"))
            )
        if query is not None:
            later = exp.And(
                this=build("=", column("s", "person"), column("p", "person")),
                expression=build(">", timestamp, column("s", "moment")),
            )
            events = events.join(subquery(query, "s"), on=later)
        events = events.select(moment.as_("moment")).where(terms.truth(step.where, (profile, statements.event)))
        if statements.restricted:
            events = events.where(statements.of_people(identity))
        query = events.group_by(column("p", "person"))
    assert query is not None
    last = exp.select(column("s", "person")).from_(subquery(query, "s"))
    return last.where(present(column("s", "moment")))
