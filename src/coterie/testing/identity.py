"""Identity cases: records with identities, and the graphs they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from coterie.core.ids import Identity
from coterie.identity.simulation import Rule, simulate


def clusters(
    namespaces: Iterable[Mapping[str, Any]], algorithm: str, events: Iterable[Mapping[str, Any]]
) -> list[list[tuple[str, str]]]:
    """Return the identity graphs that events give.

    Parameters
    ----------
    namespaces : iterable of mapping
        Each with `code`, `type`, `unique` and `priority` (1 is the highest).
    algorithm : {"none", "optimized"}
        ``none`` joins all that is linked; ``optimized`` keeps unique namespaces unique.
    events : iterable of mapping
        Each with `t`, its time, and `identities`, a list of [code, value].

    Returns
    -------
    list of list of (code, value)
        The graphs of two or more identities, sorted.

    Examples
    --------
    >>> namespaces = [{"code": "CRM", "type": "CROSS_DEVICE"}, {"code": "Web", "type": "COOKIE"}]
    >>> clusters(namespaces, "none", [{"t": 1, "identities": [["CRM", "Ann"], ["Web", "7"]]}])
    [[('CRM', 'Ann'), ('Web', '7')]]
    """
    rules = [msgspec.convert(namespace, Rule) for namespace in namespaces]
    given = list(events)
    records = [[Identity(code, value) for code, value in event["identities"]] for event in given]
    found = simulate(rules, algorithm, records, times=[event["t"] for event in given])
    return [[(code, value) for code, value in graph] for graph in found.graphs]
