"""Merge policies: how profiles are put together, under names of their own."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from coterie.pipeline import policies
from coterie.pipeline.policies import Policy
from coterie.pipeline.written import convert
from coterie.profile.policy import STITCHED, MergePolicy, View
from coterie.workspace.room import Room


class Policies(Room):
    """Merge policies: which datasets count, who wins, and whether linked identities are one person."""

    def put(
        self,
        name: str,
        policy: Mapping[str, Any] | MergePolicy = STITCHED.policy,
        *,
        description: str = "",
        default: bool = False,
    ) -> Policy:
        """Save a merge policy; profiles are merged by it at once, and its audiences evaluated.

        Parameters
        ----------
        name : str
            Lower-case letters, digits and underscores.
        policy : mapping or MergePolicy
            `attributeMerge` (``timestampOrdered`` or ``dataSetPrecedence``), `order` (datasets, best first),
            `identityGraph` (``pdg`` or ``none``) and `eventDatasets` (null for all).
        description : str
            Words for people.
        default : bool
            Make it the default policy of the sandbox, see `set_default`.
        """
        if not isinstance(policy, MergePolicy):
            policy = convert(policy, MergePolicy, "policy.spec", f"policy {name}")
        found = policies.put(self._sandbox, View(name, policy, description, default))
        self._workspace.audiences._after(f"policy {name}")
        return found

    def get(self, name: str | None = None) -> Policy:
        """Return a policy, by default the default one; raises ``view.not-found``."""
        return policies.shown(self._definitions, name)

    def list(self) -> builtins.list[Policy]:
        """Return all policies, the default one first, the others by name."""
        found = [self.get(name) for name in self._definitions.views()]
        return sorted(found, key=lambda policy: (not policy.default, policy.name))

    def set_default(self, name: str) -> Policy:
        """Make a policy the default one; audiences of the former default go over to it and are evaluated."""
        found = policies.set_default(self._sandbox, name)
        self._workspace.audiences._after(f"policy {name}")
        return found

    def delete(self, name: str) -> None:
        """Delete a policy that is not the default one and that no audience uses."""
        policies.delete(self._sandbox, name)
