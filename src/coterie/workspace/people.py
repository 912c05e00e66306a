"""Identities and profiles."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from coterie.audience.definition import Audience
from coterie.core.errors import NotFound
from coterie.identity import graph
from coterie.identity.namespaces import Namespace
from coterie.pipeline import define, status
from coterie.pipeline.definitions import profile_leaves
from coterie.pipeline.effects.evaluations import everyone
from coterie.profile import lookup
from coterie.profile.lookup import ProfileView
from coterie.workspace.room import Room


class Identities(Room):
    """Namespaces and identity graphs."""

    def namespaces(self) -> builtins.list[Namespace]:
        """Return the standard namespaces and the sandbox's own."""
        return list(self._definitions.namespaces().values())

    def put_namespace(self, spec: Mapping[str, Any]) -> Namespace:
        """Save a namespace; code and type are fixed for ever."""
        return define.put_namespace(self._sandbox, spec)

    def graph(self, namespace: str, value: str, view: str = "default") -> graph.Graph:
        """Return the identity graph that holds an identity; raises ``identity.not-found``."""
        self._definitions.view(view)
        found = graph.graph(self._con, view, namespace, value)
        if found is None:
            raise _unknown_identity(namespace, value)
        return found

    def stats(self, view: str = "default") -> status.IdentityStats:
        """Return counts of identities by namespace, of links, and of graphs by size."""
        self._definitions.view(view)
        return status.identities(self._sandbox, view)


class Profiles(Room):
    """Merged profiles."""

    def get(
        self, namespace: str, value: str, view: str = "default", *, events: int = 100, before: str | None = None
    ) -> ProfileView:
        """Return the profile found by an identity.

        Parameters
        ----------
        namespace, value : str
            Any identity of the person (in a view without stitching, a primary one).
        view : str
            Which view of the profile.
        events : int
            How many events, newest first.
        before : str, optional
            The cursor of an earlier answer: events older than those.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        """
        self._definitions.view(view)
        found = lookup.get(
            self._con,
            namespace,
            value,
            view,
            leaves=profile_leaves(self._definitions),
            event_union=self._definitions.union().event,
            events=events,
            before=before,
            audiences=[item.name for item in self._definitions.list(Audience) if item.view == view],
        )
        if found is None:
            raise _unknown_identity(namespace, value)
        return found

    def count(self, view: str = "default") -> int:
        """Return the number of profiles of a view."""
        self._definitions.view(view)
        return len(everyone(self._sandbox, view))

    def sample(self, n: int = 20, view: str = "default") -> builtins.list[lookup.ProfileSummary]:
        """Return up to `n` profiles: those with the most identities first."""
        self._definitions.view(view)
        return lookup.sample(self._con, view, n, leaves=profile_leaves(self._definitions))


def _unknown_identity(namespace: str, value: str) -> NotFound:
    return NotFound(
        "identity.not-found",
        f"no profile has the identity {namespace}:{value}.",
        hint="Namespace codes are case-sensitive; `coterie identity stats` lists those in use.",
        where={"namespace": namespace, "value": value},
    )
