"""Namespaces, identity graphs, decisions and identity settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coterie.api.reading import Name, Query, get, post
from coterie.core.ids import Identity
from coterie.identity.decisions import Decision
from coterie.identity.graph import Graph
from coterie.identity.joining import Joining
from coterie.identity.namespaces import Namespace
from coterie.identity.preview import SettingsPreview
from coterie.identity.simulation import Simulation
from coterie.pipeline.settings import SettingsInForce
from coterie.pipeline.status import IdentityStats

if TYPE_CHECKING:
    from coterie.workspace import Workspace


@get("/api/namespaces")
def namespaces(ws: Workspace) -> list[Namespace]:
    """List the identity namespaces."""
    return ws.identities.namespaces()


@get("/api/identities:stats")
def identity_stats(ws: Workspace, view: Name | None = None) -> IdentityStats:
    """Count identities, links and persons."""
    return ws.identities.stats(view)


@get("/api/identities:explain")
def explain_joining(ws: Workspace, a: Name, b: Name, view: Name | None = None) -> Joining:
    """Tell why two identities are one person, or are not: the chain of links between them, with their records."""
    return ws.identities.explain(Identity.read(a), Identity.read(b), view)


@get("/api/identities:decisions")
def decisions(ws: Workspace) -> list[Decision]:
    """List the decisions about identities, the undone ones too."""
    return ws.identities.decisions()


@post("/api/identities:simulate")
def simulate(
    ws: Workspace, text: Query | None = None, preset: Name | None = None, settings: dict[str, Any] | None = None
) -> Simulation:
    """Tell what graphs some events would give, and which links and identities would go; nothing is stored."""
    return ws.identities.simulate(text, preset=preset, settings=settings)


@get("/api/identities:settings")
def identity_settings(ws: Workspace) -> SettingsInForce:
    """Show the identity settings in force: linking rules, priorities, the limit of graphs."""
    return ws.identities.settings()


@post("/api/identities:preview-settings")
def preview_identity_settings(ws: Workspace, settings: dict[str, Any]) -> SettingsPreview:
    """Tell exactly what saving identity settings would change; nothing is stored."""
    return ws.identities.preview_settings(settings)


@get("/api/identities/{namespace}/{value:path}")
def graph(
    ws: Workspace,
    namespace: Name,
    value: Name,
    view: Name | None = None,
    at: Name | None = None,
    known: Name | None = None,
) -> Graph:
    """Show the identity graph that an identity belongs to, now or as it was."""
    return ws.identities.graph(namespace, value, view, at=at, known=known)
