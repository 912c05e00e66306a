"""Why a person is in an audience, or is not: the record fetched, the rule found, the answer explained."""

from __future__ import annotations

from collections.abc import Mapping

from coterie.audience import plan
from coterie.audience.asking import Asking, moment_of
from coterie.audience.definition import Audience
from coterie.audience.explain import explain
from coterie.audience.explanation import Explanation
from coterie.audience.gate import gate_of
from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import person_id
from coterie.core.schema import Union
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.pipeline.evaluate import past
from coterie.pql import check, parse
from coterie.pql.analysis import audiences_read
from coterie.pql.ast import Expr
from coterie.profile import lookup
from coterie.profile.record import find_person, records
from coterie.profile.timeline import Page
from coterie.store.sandbox import Sandbox


def why(
    sandbox: Sandbox, person: str, audience: str | None, pql: str | None, view: str | None, zone: str, at: int | None
) -> Explanation:
    """Explain the verdict of a saved audience, or of a rule, for a person; see `Audiences.explain`."""
    definitions, con = Definitions(sandbox.catalog), sandbox.history.con
    union = definitions.union()
    asked = _asked(definitions, audience, pql, view, zone)
    definitions.view(asked.view)
    expr = _tree(definitions, union, asked, saved=audience is not None)
    number = find_person(con, asked.view, person)
    if number is None:
        raise NotFound(
            "identity.not-found",
            f"nobody in the view {asked.view} is called {person}.",
            hint="Name an identity as Namespace:value, such as Email:anna@example.com, or the id of a person, p-….",
            where={"person": person, "view": asked.view},
        )
    instant = sandbox.clock.now() if at is None else at
    until = past(sandbox, at)
    mine = [item.name for item in definitions.list(Audience) if item.view == asked.view]
    found = dict(records(con, union, asked.view, [number], audiences=mine))
    if number not in found:
        raise NotFound(
            "identity.not-found",
            f"nothing is kept of {person} in the view {asked.view}.",
            where={"person": person, "view": asked.view},
        )
    record, notes = found[number], list[str]()
    if until is not None:
        (then,) = records(con, union, asked.view, [number], events=False, until=until, audiences=mine)
        kept = [event for event in record["events"] if moment_of(event) <= until]
        left = len(record["events"]) - len(kept)
        record = {**then[1], "events": kept}
        notes.append(
            f"As of that instant: {left} later event{'' if left == 1 else 's'} left out. "
            "Attributes and identities are the present ones."
        )
    if audiences_read(expr):
        whose = "those that the last evaluation left" if until is None else "those of that instant, by the ledger"
        notes.append(f"Memberships that the rule reads are {whose}.")
    (founder,) = con.execute(
        "SELECT n.code, i.value FROM identity i JOIN namespace n ON n.namespace = i.namespace WHERE i.identity = $1",
        [number],
    ).fetchall()
    return explain(
        expr,
        Asking(record, union, instant, asked.zone, _sources(definitions, sandbox, union, founder, asked.view)),
        person=person_id(*founder),
        audience=audience,
        pql=asked.pql,
        view=asked.view,
        notes=tuple(notes),
        gate=gate_of(asked, union),
    )


def _asked(definitions: Definitions, audience: str | None, pql: str | None, view: str | None, zone: str) -> Audience:
    """Return the saved audience, or the rule as one."""
    if (audience is None) == (pql is None):
        raise Invalid("audience.rule", "expected the name of an audience or a rule, and only one of them.")
    if pql is not None:
        return Audience("rule", pql, view=definitions.view(view).name, zone=zone)
    saved = definitions.get(Audience, audience or "")
    plan.require_view(view or saved.view, [saved.name], {saved.name: saved})
    return saved


def _tree(definitions: Definitions, union: Union, asked: Audience, *, saved: bool) -> Expr:
    if saved:
        return parse(asked.pql)
    audiences = {item.name: item for item in definitions.list(Audience)}
    expr = check(asked.pql, union, audiences).require()
    plan.require_view(asked.view, audiences_read(expr), audiences)
    return expr


def _sources(
    definitions: Definitions, sandbox: Sandbox, union: Union, founder: tuple[str, str], view: str
) -> Mapping[str, str]:
    """Return the dataset that each attribute of a person comes from."""
    profile = lookup.get(
        sandbox.history.con,
        *founder,
        definitions.view(view),
        leaves=profile_leaves(definitions),
        event_union=union.event,
        page=Page(0),
    )
    return {} if profile is None else {path: found.winner.dataset for path, found in profile.provenance.items()}
