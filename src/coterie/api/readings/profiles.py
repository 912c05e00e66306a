"""Profiles: one looked at, and many counted and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from annotated_types import Ge, Le

from coterie.api.reading import Name, get
from coterie.profile.comparison import Comparison
from coterie.profile.conflicts import Conflicts
from coterie.profile.lookup import ProfileSummary, ProfileView
from coterie.profile.report import ProfileReport
from coterie.profile.why import AttributeView

if TYPE_CHECKING:
    from coterie.workspace import Workspace


class Count(msgspec.Struct, frozen=True):
    """How many there are."""

    count: int


@get("/api/profiles")
def sample(
    ws: Workspace,
    limit: Annotated[int, Ge(1), Le(100)] = 10,
    view: Name | None = None,
    audience: Name | None = None,
) -> list[ProfileSummary]:
    """Show some profiles, of everybody or of the members of an audience."""
    return ws.profiles.sample(limit, view, audience)


@get("/api/profiles:count")
def count_profiles(ws: Workspace, view: Name | None = None) -> Count:
    """Count the profiles."""
    return Count(ws.profiles.count(view))


@get("/api/profiles:why")
def profile_why(
    ws: Workspace,
    namespace: Name,
    value: Name,
    attribute: Name,
    view: Name | None = None,
    at: Name | None = None,
    known: Name | None = None,
) -> AttributeView:
    """Tell all that is said of one attribute of a profile: who won and why, who lost, what was written over time."""
    return ws.profiles.why(namespace, value, attribute, view, at=at, known=known)


@get("/api/profiles:conflicts")
def profile_conflicts(
    ws: Workspace, view: Name | None = None, audience: Name | None = None, samples: Annotated[int, Ge(0), Le(100)] = 3
) -> Conflicts:
    """Tell where the records of people contradict each other, attribute by attribute."""
    return ws.profiles.conflicts(view, audience, samples=samples)


@get("/api/policies:compare")
def compare_views(ws: Workspace, left: Name, right: Name, samples: Annotated[int, Ge(0), Le(100)] = 5) -> Comparison:
    """Compare the profiles of two views: who differs, and in what."""
    return ws.profiles.compare(left, right, samples=samples)


@get("/api/profiles:report")
def profile_report(ws: Workspace, view: Name | None = None) -> ProfileReport:
    """Count profiles by namespace, by dataset and by how little is known of them."""
    return ws.profiles.report(view)


@get("/api/profiles/{namespace}/{value:path}")
def profile(
    ws: Workspace,
    namespace: Name,
    value: Name,
    view: Name | None = None,
    events: Annotated[int, Ge(0), Le(10_000)] = 100,
    before: Name | None = None,
    types: Name | None = None,
    datasets: Name | None = None,
    since: Name | None = None,
    until: Name | None = None,
    where: str | None = None,
    oldest_first: bool = False,
    at: Name | None = None,
    known: Name | None = None,
) -> ProfileView:
    """Show the profile that an identity belongs to: attributes, where each came from, identities, audiences, events."""
    return ws.profiles.get(
        namespace,
        value,
        view,
        events=events,
        before=before,
        types=_listed(types),
        datasets=_listed(datasets),
        since=since,
        until=until,
        where=where,
        oldest_first=oldest_first,
        at=at,
        known=known,
    )


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]
