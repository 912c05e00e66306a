"""Identity settings: which namespaces are unique, in which order they count, and how large a graph may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from coterie.core.errors import Invalid, NotFound
from coterie.identity.namespaces import Namespace

GRAPH_LIMIT = 50
"""Most identities of a graph unless the settings say otherwise."""

MOST = 2**31 - 1
"""The largest limit."""

USUAL_UNIQUE = 3
"""More unique namespaces than this are worth a warning, unless the settings say otherwise."""

SETTINGS = "default"
"""The id of the settings among the definitions: there is one of them."""

_STEP = 4096


class Algorithm(StrEnum):
    """How graphs come about."""

    NONE = "none"
    OPTIMIZED = "optimized"


class NamespaceRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A namespace in the order of priority, and whether a graph may hold only one identity of it."""

    code: str
    unique: bool = False


class IdentitySettings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What decides, besides the records, which identities are one person.

    Parameters
    ----------
    algorithm : {"none", "optimized"}
        ``none`` joins all that is linked; ``optimized`` keeps unique namespaces unique, and gives events the primary
        identity of the best namespace.
    namespaces : tuple of NamespaceRule
        Best priority first. Namespaces that are not named come after those of their kind: persons before devices.
    graph_limit : int
        Most identities of a graph; 0 for no limit.
    blocked_namespaces : tuple of str
        Codes of namespaces whose identities are never linked.
    usual_unique : int
        How many unique namespaces there may be without a warning.
    """

    algorithm: Algorithm = Algorithm.NONE
    namespaces: tuple[NamespaceRule, ...] = ()
    graph_limit: int = GRAPH_LIMIT
    blocked_namespaces: tuple[str, ...] = ("AAID",)
    usual_unique: int = USUAL_UNIQUE

    @property
    def optimized(self) -> bool:
        """Whether unique namespaces are kept unique."""
        return self.algorithm is Algorithm.OPTIMIZED

    @property
    def unique(self) -> tuple[str, ...]:
        """Codes of the unique namespaces, best priority first."""
        return tuple(rule.code for rule in self.namespaces if rule.unique)


def check(settings: IdentitySettings, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """Check settings against the namespaces there are, and return what is odd about them.

    Raises
    ------
    NotFound
        ``namespace.not-found``.
    Invalid
        ``identity.settings-twice``, ``identity.settings-type``, ``identity.settings-unique``,
        ``identity.settings-order``, ``identity.settings-limit``.
    """
    codes = [rule.code for rule in settings.namespaces]
    for code in (*codes, *settings.blocked_namespaces):
        if code not in namespaces:
            raise NotFound.named("namespace", code, namespaces)
    _check_limit(settings.graph_limit)
    devices: list[str] = []
    for place, rule in enumerate(settings.namespaces):
        kind = namespaces[rule.code].type
        where = {"namespace": rule.code}
        if rule.code in codes[:place]:
            raise Invalid(
                "identity.settings-twice", f"namespace {rule.code} stands twice in the order of priority.", where=where
            )
        if not kind.links:
            raise Invalid(
                "identity.settings-type",
                f"namespace {rule.code} is of type {kind}, which takes no part in linking.",
                hint="Leave it out.",
                where=where,
            )
        if rule.unique and not kind.person:
            raise Invalid(
                "identity.settings-unique",
                f"namespace {rule.code} is of type {kind} and cannot be unique: people have several browsers and"
                " devices.",
                hint="Make a namespace of people unique.",
                where=where,
            )
        if kind.person and devices:
            raise Invalid(
                "identity.settings-order",
                f"namespace {devices[0]} names browsers or devices and cannot stand before {rule.code}, which names"
                " people.",
                hint="Put the namespaces of people first.",
                where=where,
            )
        devices += [] if kind.person else [rule.code]
    return tuple(_oddities(settings))


def _check_limit(limit: int) -> None:
    if limit < 0 or limit == 1 or limit > MOST:
        raise Invalid(
            "identity.settings-limit",
            f"a graph cannot be limited to {limit} identities.",
            hint=f"A limit lies between 2 and {MOST}; 0 stands for none.",
        )


def _oddities(settings: IdentitySettings) -> Iterable[str]:
    unique = settings.unique
    if not settings.optimized:
        if unique:
            yield f"the algorithm is none, so {', '.join(unique)} is not kept unique"
        return
    if len(unique) > settings.usual_unique:
        yield f"{len(unique)} namespaces are unique, more than the usual {settings.usual_unique}"
    if not unique:
        yield "no namespace is unique, so no link is ever removed by a rule"
    elif not settings.namespaces[0].unique:
        yield f"the namespace of best priority, {settings.namespaces[0].code}, is not unique"
    for code in sorted(set(settings.blocked_namespaces) & {rule.code for rule in settings.namespaces}):
        yield f"namespace {code} stands in the order of priority and is blocked, so it links nobody"


def priorities(settings: IdentitySettings, namespaces: Mapping[str, Namespace]) -> dict[str, int]:
    """Return the priority of every namespace that can be linked, 1 or more; the lower, the better.

    Namespaces that the settings name stand in equal steps, and sums of two compare as sums of their places. The others
    lie in the gap after the last one of their kind in the order of their numbers, so that a namespace made later moves
    none of those there are.
    """
    named = [rule.code for rule in settings.namespaces]
    found = {code: (place + 1) * _STEP for place, code in enumerate(named)}
    rest = sorted(
        (item for item in namespaces.values() if item.type.links and item.code not in found),
        key=lambda item: (item.id is None, item.id or 0, item.code),
    )
    last_person = max((found[code] for code in named if namespaces[code].type.person), default=0)
    for last, person in ((last_person, True), (len(named) * _STEP, False)):
        mine = [item for item in rest if item.type.person is person]
        # without a named device both kinds share a gap: persons take its first half
        base = last if person else last + _STEP // 2
        found |= {item.code: base + place + 1 for place, item in enumerate(mine)}
    return found


def order(settings: IdentitySettings, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """Return the codes of all namespaces that can be linked, best priority first."""
    found = priorities(settings, namespaces)
    return tuple(sorted(found, key=found.__getitem__))


def unlinked(settings: IdentitySettings, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """Return the codes of the namespaces whose identities are never linked."""
    blocked = settings.blocked_namespaces
    return tuple(code for code, item in namespaces.items() if not item.type.links or code in blocked)
