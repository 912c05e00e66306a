"""Whether identities may be merged: asked of graphs as they are, and as they will be after merges chosen before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from coterie.core.errors import Conflict
from coterie.core.ids import Identity
from coterie.identity import decisions, graph
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.settings import unlinked
from coterie.pipeline.definitions import Definitions
from coterie.store.sandbox import Sandbox


class Merging:
    """Merges that are chosen one after the other and decided together.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    identities : iterable of Identity
        All that any of the merges names.
    """

    def __init__(self, sandbox: Sandbox, identities: Iterable[Identity]) -> None:
        con, definitions = sandbox.history.con, Definitions(sandbox.catalog)
        self._settings = definitions.identity_settings()
        self._never = unlinked(self._settings, definitions.namespaces())
        self._graphs = graph.graphs_of(con, identities)
        self._decisions: defaultdict[Identity, list[Decision]] = defaultdict(list)
        for item in decisions.every(con):
            for identity in item.identities if item.withdrawn_at is None else ():
                self._decisions[identity].append(item)

    def choose(self, identities: Sequence[Identity]) -> None:
        """Take a merge for chosen: what comes after it finds its graphs put together.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        Conflict
            ``identity.merge-refused`` when the merge would not give one graph, saying what keeps its identities apart.
        """
        for identity in identities:
            if identity not in self._graphs:
                raise graph.unknown(identity)
        named = " and ".join(map(str, identities))
        together = frozenset().union(*(self._graphs[identity] for identity in identities))
        self._check(identities, together, named)
        self._graphs |= dict.fromkeys(together, together)

    def _check(self, identities: Sequence[Identity], together: frozenset[Identity], named: str) -> None:
        settings = self._settings
        for identity in identities:
            code = identity.namespace
            if code in self._never:
                raise _refused(
                    str(identity),
                    f"identities of {code} are never linked, because of its type or the identity settings",
                    "Merge other identities of the person.",
                    namespace=code,
                )
        if together == self._graphs[identities[0]]:
            raise _refused(named, "they are one person already", "Nothing needs to be decided.")
        # without rules a graph may hold several, but a record or a merge that names two of them links nobody
        held = sorted(together if settings.optimized else identities)
        where = "in a graph, and theirs would hold" if settings.optimized else "in a record, and they are"
        for code in settings.unique:
            values = [str(identity) for identity in held if identity.namespace == code]
            if len(values) > 1:
                raise _refused(
                    named,
                    f"{code} is unique {where} {', '.join(values[:5])}",
                    "Merge identities of one person, or change the identity settings.",
                    namespace=code,
                )
        self._check_decisions(identities, together, named)
        if 0 < settings.graph_limit < len(together):
            raise _refused(
                named,
                f"their graph would have {len(together)} identities, and {settings.graph_limit} is the most",
                "Raise the limit in the identity settings.",
            )

    def _check_decisions(self, identities: Sequence[Identity], together: frozenset[Identity], named: str) -> None:
        concerned = {item.decision: item for identity in together for item in self._decisions.get(identity, ())}
        for _, other in sorted(concerned.items()):
            apart = other.kind is DecisionKind.SPLIT and together.issuperset(other.identities)
            if apart or (other.kind is DecisionKind.NEVER and other.identities[0] in identities):
                what = "is never linked" if other.kind is DecisionKind.NEVER else "are kept apart"
                raise _refused(
                    named,
                    f"decision {other.decision} says that {' and '.join(map(str, other.identities))} {what}",
                    f"Undo it first: coterie identity undo {other.decision}",
                    decision=other.decision,
                )


def _refused(named: str, why: str, hint: str, **where: object) -> Conflict:
    return Conflict("identity.merge-refused", f"{named} cannot be merged: {why}.", hint=hint, where=where)
