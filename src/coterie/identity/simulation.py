"""What graphs a few records give, without storing anything. Pure; clusters as production does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from coterie.core.errors import Invalid, NotFound, Unsupported
from coterie.core.ids import Identity
from coterie.identity.cluster import components, ends
from coterie.identity.namespaces import MAX_IDENTITIES, NamespaceType
from coterie.ingest.identities import BLOCKED, LONGEST

GRAPH_LIMIT = 50
"""Most identities of a graph; beyond it some would have to go."""


class Rule(msgspec.Struct, frozen=True):
    """A namespace as a simulation sees it; `priority` 1 is the highest."""

    code: str
    type: NamespaceType
    unique: bool = False
    priority: int | None = None


def simulate(rules: Iterable[Rule], algorithm: str, records: Iterable[Sequence[Identity]]) -> list[list[Identity]]:
    """Return the graphs of two or more identities that records give.

    Parameters
    ----------
    rules : iterable of Rule
        The namespaces.
    algorithm : {"none", "optimized"}
        ``none`` joins all that is linked.
    records : iterable of sequences of Identity
        The identities of each record.

    Returns
    -------
    list of list of Identity
        Graphs and their identities, sorted.

    Raises
    ------
    Unsupported
        ``identity.linking-rules`` for ``optimized``; ``identity.graph-limit`` when a graph has more than 50 identities.
    """
    if algorithm == "optimized":
        raise Unsupported(
            "identity.linking-rules",
            "the optimized algorithm, which keeps unique namespaces unique, cannot be simulated yet.",
            hint="Use the algorithm none.",
        )
    if algorithm != "none":
        raise Invalid(
            "identity.algorithm", f"{algorithm!r} is not an algorithm.", hint="Algorithms are none and optimized."
        )
    known = {rule.code: rule for rule in rules}
    numbers: dict[Identity, int] = {}
    a, b = ends(
        [numbers.setdefault(identity, len(numbers)) for identity in _linkable(record, known)] for record in records
    )
    founders = components(len(numbers), a, b)
    graphs: dict[int, list[Identity]] = {}
    for identity, founder in zip(numbers, founders.tolist(), strict=True):
        graphs.setdefault(founder, []).append(identity)
    if any(len(graph) > GRAPH_LIMIT for graph in graphs.values()):
        raise Unsupported(
            "identity.graph-limit",
            f"a graph has more than {GRAPH_LIMIT} identities, and which of them go cannot be simulated yet.",
            hint="Simulate fewer records.",
        )
    return sorted(sorted(graph) for graph in graphs.values() if len(graph) > 1)


def _linkable(record: Sequence[Identity], known: Mapping[str, Rule]) -> list[Identity]:
    """Return the identities of a record that are linked with each other; none when the record is not taken."""
    usable: dict[Identity, None] = {}
    for identity in record:
        rule = known.get(identity.namespace)
        if rule is None:
            raise NotFound.named("namespace", identity.namespace, known)
        if rule.type.links and identity.value.strip().lower() not in BLOCKED:
            usable[identity] = None
    unique = [identity.namespace for identity in usable if known[identity.namespace].unique]
    taken = (
        len(usable) <= MAX_IDENTITIES
        and len(unique) == len(set(unique))
        and all(len(identity.value) <= LONGEST for identity in usable)
    )
    return list(usable) if taken and len(usable) > 1 else []
