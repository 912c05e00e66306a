"""Merge cases: writes of records, and the profile they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from coterie.core.clock import parse_instant
from coterie.core.ids import Identity
from coterie.identity.cluster import components, ends
from coterie.profile.merge import Fragment, Operation, Source, Write, settle
from coterie.profile.merge import merge as merge_fragments
from coterie.profile.policy import IdentityGraph, MergePolicy


def merge(
    policy: Mapping[str, Any], fragments: Iterable[Mapping[str, Any]], lookup: Sequence[str]
) -> dict[str, Any] | None:
    """Return the attributes of the profile that an identity finds.

    Parameters
    ----------
    policy : mapping
        `attributeMerge` (``timestampOrdered``, ``dataSetPrecedence``), `order` and `identityGraph` (``none``, ``pdg``).
    fragments : iterable of mapping
        Writes, each with `dataset`, `identity` [code, value], `links` [[code, value], …], `ingestedAt`, `attributes`
        and perhaps `op` (``create``, ``merge``, ``append``, ``delete``). At equal times the later one counts as the
        later.
    lookup : [code, value]
        The identity to look up.

    Returns
    -------
    dict or None
        The merged attributes; None when nothing is found.

    Examples
    --------
    >>> write = {"dataset": "crm", "identity": ["CRM", "1"], "links": [["Email", "a@x"]],
    ...          "ingestedAt": "2026-01-01T00:00:00Z", "attributes": {"city": "Lyon"}}
    >>> merge({"attributeMerge": "timestampOrdered", "identityGraph": "pdg"}, [write], ["Email", "a@x"])
    {'city': 'Lyon'}
    """
    rules = msgspec.convert(policy, MergePolicy)
    writes = list(fragments)
    wanted = Identity(*lookup)
    found = {wanted}
    if rules.identity_graph is IdentityGraph.PDG:
        found |= _graph_of(wanted, [[Identity(*pair) for pair in (w["identity"], *w["links"])] for w in writes])
    kept = settle(_write(place, write) for place, write in enumerate(writes))
    mine = [item for item in kept if Identity(item.source.namespace, item.source.value) in found]
    merged = merge_fragments(mine, rules)
    return None if merged is None else merged.attributes


def _write(place: int, write: Mapping[str, Any]) -> Write:
    namespace, value = write["identity"]
    source = Source(write["dataset"], namespace, value, parse_instant(write["ingestedAt"]))
    return Write(Fragment(source, write["attributes"], (place,)), Operation(write.get("op", "create")))


def _graph_of(wanted: Identity, records: Sequence[Sequence[Identity]]) -> set[Identity]:
    numbers = {identity: place for place, identity in enumerate(dict.fromkeys(chain([wanted], *records)))}
    a, b = ends([numbers[identity] for identity in record] for record in records)
    founders = components(len(numbers), a, b)
    return {identity for identity, place in numbers.items() if founders[place] == founders[0]}
