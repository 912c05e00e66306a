"""Audiences: rules asked, explained and compared, members and history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from annotated_types import Ge, Le

from coterie.api.reading import Limit, Name, Names, Query, get, post
from coterie.audience.analysis import Analysed
from coterie.audience.difference import Difference
from coterie.audience.explanation import Explanation
from coterie.audience.export import Member
from coterie.audience.funnel import Counted
from coterie.audience.ledger import Change
from coterie.audience.overlap import Overlap
from coterie.governance.consent import Consent
from coterie.pipeline.audiences import AudienceView
from coterie.pql import Problem

if TYPE_CHECKING:
    from coterie.workspace import Workspace


class Members(msgspec.Struct, frozen=True):
    """A page of members; `next` is the cursor of the page after it, null on the last one."""

    items: list[Member]
    next: str | None


@get("/api/audiences")
def audiences(ws: Workspace) -> list[AudienceView]:
    """List the audiences."""
    return ws.audiences.describe_all()


@post("/api/audiences:count")
def count(
    ws: Workspace,
    pql: Query,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
    channels: Names | None = None,
    purposes: Names | None = None,
    unknown: Literal["yes", "no"] = "no",
    exclude_opt_out: bool = True,
) -> Counted:
    """Count the people that a rule holds for, exactly, those that each of its conditions leaves, and those withheld."""
    consent = Consent(tuple(channels or ()), tuple(purposes or ()), unknown) if channels or purposes else None
    return ws.audiences.count(pql, view, at, zone, consent=consent, exclude_opt_out=exclude_opt_out)


@post("/api/audiences:overlap")
def overlap(ws: Workspace, names: Names | None = None, fresh: bool = False, at: Name | None = None) -> Overlap:
    """Compare audiences in pairs: how many people two have in common, and what that says."""
    return ws.audiences.overlap(names, fresh=fresh, at=at)


@post("/api/audiences:analyse")
def analyse(ws: Workspace, pql: Query, view: Name | None = None, zone: Name = "UTC") -> Analysed:
    """Tell what a rule reads, how involved it is, which methods can evaluate it, and what that costs."""
    return ws.audiences.analyse(pql, view, zone)


@post("/api/audiences:diff")
def diff(
    ws: Workspace,
    old: Query,
    new: Query,
    view: Name | None = None,
    zone: Name | None = None,
    at: Name | None = None,
    sample: Annotated[int, Ge(0), Le(1_000)] = 10,
) -> Difference:
    """Tell who would enter and who would leave if a rule, or a saved audience's, were replaced by another one."""
    return ws.audiences.diff(old, new, view=view, zone=zone, at=at, sample=sample)


@post("/api/audiences:explain")
def explain(
    ws: Workspace,
    person: Name,
    name: Name | None = None,
    pql: Query | None = None,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
) -> Explanation:
    """Tell why a person is in an audience, or satisfies a rule, or does not, and what would change that."""
    return ws.audiences.explain(person, name, pql=pql, view=view, zone=zone, at=at)


@post("/api/audiences:check")
def check(ws: Workspace, pql: Query) -> list[Problem]:
    """List what is wrong with a rule; empty when nothing is."""
    return ws.audiences.check(pql)


@get("/api/audiences/{name}")
def audience(ws: Workspace, name: Name) -> AudienceView:
    """Show an audience."""
    return ws.audiences.describe(name)


@get("/api/audiences/{name}/members")
def members(ws: Workspace, name: Name, limit: Limit = 100, after: Name | None = None) -> Members:
    """List the members of an audience, with their identities."""
    found = ws.audiences.members(name, limit + 1, after)
    return Members(found[:limit], found[limit - 1].person if len(found) > limit else None)


@get("/api/audiences/{name}/history")
def history(ws: Workspace, name: Name, limit: Limit = 100) -> list[Change]:
    """List how an audience changed: how many entered and left, by instant and cause, newest first."""
    return ws.audiences.history(name, limit)
