"""Merge policies and views: how profiles are stitched together and which source wins."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from coterie.core.errors import Unsupported


class AttributeMerge(StrEnum):
    """How two values of one attribute are settled."""

    TIMESTAMP_ORDERED = "timestampOrdered"
    DATASET_PRECEDENCE = "dataSetPrecedence"


class IdentityGraph(StrEnum):
    """Which identities a profile is gathered from: the given one alone, or all of its graph."""

    NONE = "none"
    PDG = "pdg"


class MergePolicy(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """A merge policy; `order` names datasets, best first, and matters to ``dataSetPrecedence`` only."""

    attribute_merge: AttributeMerge = AttributeMerge.TIMESTAMP_ORDERED
    identity_graph: IdentityGraph = IdentityGraph.PDG
    order: tuple[str, ...] = ()


class View(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A stitching mode with a merge policy: one way of looking at the same facts."""

    name: str
    policy: MergePolicy = MergePolicy()
    description: str = ""

    @property
    def stitched(self) -> bool:
        """Whether linked identities are one person."""
        return self.policy.identity_graph is IdentityGraph.PDG


VIEWS: tuple[View, ...] = (
    View("default", description="Follows the identity graph; of two values the one taken in last wins"),
    View(
        "unstitched",
        MergePolicy(identity_graph=IdentityGraph.NONE),
        "Each identity is a person of its own; of two values the one taken in last wins",
    ),
)
"""The views that every sandbox has."""


def check(view: View) -> View:
    """Return `view` when profiles can be kept under it; raises ``view.dataset-precedence``."""
    if view.policy.attribute_merge is AttributeMerge.DATASET_PRECEDENCE:
        raise Unsupported(
            "view.dataset-precedence",
            f"view {view.name}: profiles cannot be kept by dataSetPrecedence yet.",
            hint="Use timestampOrdered; a single merge can be tried with coterie.testing.merge.",
            where={"view": view.name},
        )
    return view
