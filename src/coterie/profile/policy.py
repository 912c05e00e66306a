"""Merge policies and views: how profiles are stitched together and which source wins."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class AttributeMerge(StrEnum):
    """How two values of one attribute are settled."""

    TIMESTAMP_ORDERED = "timestampOrdered"
    DATASET_PRECEDENCE = "dataSetPrecedence"


class IdentityGraph(StrEnum):
    """Which identities a profile is gathered from: the given one alone, or all of its graph."""

    NONE = "none"
    PDG = "pdg"


class MergePolicy(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """A merge policy.

    `order` names datasets, best first, and matters to ``dataSetPrecedence`` only. `event_datasets` are those whose
    events there are under the policy; None for all.
    """

    attribute_merge: AttributeMerge = AttributeMerge.TIMESTAMP_ORDERED
    identity_graph: IdentityGraph = IdentityGraph.PDG
    order: tuple[str, ...] = ()
    event_datasets: tuple[str, ...] | None = None

    @property
    def attribute_datasets(self) -> tuple[str, ...] | None:
        """The datasets that contribute attributes; None for all."""
        return None if self.attribute_merge is AttributeMerge.TIMESTAMP_ORDERED else self.order


class View(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A merge policy with a name: one way of looking at the same facts. One view of a sandbox is its default."""

    name: str
    policy: MergePolicy = MergePolicy()
    description: str = ""
    default: bool = False

    @property
    def stitched(self) -> bool:
        """Whether linked identities are one person."""
        return self.policy.identity_graph is IdentityGraph.PDG


STITCHED = View("default", description="Follows the identity graph; of two values the one taken in last wins")
UNSTITCHED = View(
    "unstitched",
    MergePolicy(identity_graph=IdentityGraph.NONE),
    "Each identity is a person of its own; of two values the one taken in last wins",
)
VIEWS: tuple[View, ...] = (STITCHED, UNSTITCHED)
"""The views that every sandbox has; the first is the default one as long as no other is."""
