"""Questions to profiles: one looked at whole, now or from the past; all of them counted and compared."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import msgspec

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience
from coterie.computed.values import values_of
from coterie.core.schema import PREDICTED, Union
from coterie.engine import people
from coterie.identity import earlier
from coterie.identity.graph import Graph, find, graph
from coterie.identity.past import Moment, PastGraph, graph_as_of
from coterie.ingest.dataset import Dataset
from coterie.ingest.sql import literals
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.pql.interpreter import events_where
from coterie.pql.normal import event_form
from coterie.profile import lookup
from coterie.profile.comparison import Comparison, compare
from coterie.profile.conflicts import Conflicts, conflicts
from coterie.profile.fragments import folded, settled
from coterie.profile.lookup import ProfileSummary, ProfileView
from coterie.profile.policy import View
from coterie.profile.record import record_of
from coterie.profile.report import ProfileReport, report
from coterie.profile.timeline import Page
from coterie.profile.validity import expired, lasting
from coterie.profile.why import AttributeView, why
from coterie.profile.writes import writes
from coterie.store.sandbox import Sandbox

MOST_EVENTS = 1_000_000
"""Events of a person that are looked at, for computed attributes and for conditions: more than anybody has."""


@dataclass
class Look:
    """A look at profiles of one view, from one moment.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    view : str, optional
        Name of the view; default that of the sandbox.
    moment : Moment
        When; definitions are those known then.
    """

    sandbox: Sandbox
    view: str | None = None
    moment: Moment = field(default_factory=Moment)

    def __post_init__(self) -> None:
        self.definitions = Definitions(self.sandbox.catalog, self.moment.known)
        self.policy: View = self.definitions.view(self.view)
        self.con = self.sandbox.history.con

    def profile(self, namespace: str, value: str, page: Page, where: str | None = None) -> ProfileView | None:
        """Return the profile that an identity belongs to, with its computed attributes, or None.

        Parameters
        ----------
        namespace, value : str
            The identity.
        page : Page
            Which events.
        where : str, optional
            A condition on one event, in PQL, as in a filter of `xEvent`: only events for which it holds.

        Raises
        ------
        NotFound
            ``dataset.not-found`` when the page asks for events of a dataset that there is not.
        PqlError
            With all problems of the condition.
        """
        for dataset in page.datasets or ():
            self.definitions.get(Dataset, dataset)
        union = self.definitions.union()
        condition = None if where is None else event_form(where, union)
        if condition is None and not union.computed:
            return self._found(namespace, value, union, page)
        whole = self._found(namespace, value, union, Page(MOST_EVENTS, oldest_first=True))
        if whole is None:
            return None
        record = record_of(whole)
        if condition is not None:
            held = {id(event) for event in events_where(condition, record, self._instant, union)}
            only = tuple((item.dataset, item.event["_id"]) for item in whole.events if id(item.event) in held)
            page = msgspec.structs.replace(page, only=only)
        found = self._found(namespace, value, union, page)
        assert found is not None
        return msgspec.structs.replace(found, computed=values_of(record, union, self._instant))

    @property
    def _instant(self) -> int:
        """The instant that profiles are looked at from."""
        moments = (self.moment.at, self.moment.known, self.sandbox.clock.now())
        return next(instant for instant in moments if instant is not None)

    def _found(self, namespace: str, value: str, union: Union, page: Page) -> ProfileView | None:
        """Return a profile without scores that have expired."""
        found = self._stored(namespace, value, union, page)
        gone = frozenset[str]() if found is None else expired(found.attributes, self._instant)
        if found is None or not gone:
            return found
        kept = {
            path: told
            for path, told in found.provenance.items()
            if not any(path.startswith(f"{PREDICTED}.{key}.") for key in gone)
        }
        attributes = lasting(found.attributes, self._instant)
        return msgspec.structs.replace(found, attributes=attributes, provenance=kept)

    def _stored(self, namespace: str, value: str, union: Union, page: Page) -> ProfileView | None:
        return lookup.get(
            self.con,
            namespace,
            value,
            self.policy,
            leaves=profile_leaves(self.definitions),
            event_union=union.event,
            page=page,
            audiences=self.definitions.audiences(self.policy.name),
            moment=self.moment,
            graph=self._graph(namespace, value),
        )

    def sample(self, n: int, audience: str | None = None) -> list[ProfileSummary]:
        """Return up to `n` profiles, those with the most identities first: of all, or of the members of an audience."""
        leaves = profile_leaves(self.definitions)
        if audience is None:
            found = lookup.sample(self.con, self.policy.name, n, leaves=leaves)
        else:
            with self._members_lent(audience) as among:
                found = lookup.sample(self.con, self.policy.name, n, leaves=leaves, among=among)
        return [msgspec.structs.replace(item, attributes=lasting(item.attributes, self._instant)) for item in found]

    def why(self, namespace: str, value: str, path: str) -> AttributeView | None:
        """Return one attribute of a profile whole, or None when there is no such profile."""
        profile = self._found(namespace, value, self.definitions.union(), Page(0))
        if profile is None:
            return None
        mine = [find(self.con, item.namespace, item.value) for item in profile.identities]
        history = writes(
            self.con, [number for number in mine if number is not None], profile_leaves(self.definitions), self.moment
        )
        return why(profile.person, self.policy.name, history, self.policy.policy, path)

    def graph(self, namespace: str, value: str) -> Graph | None:
        """Return the identity graph that holds an identity, or None when no record shows it."""
        past = self._graph(namespace, value)
        if past is None:
            return graph(self.con, self.policy.name, namespace, value)
        return earlier.graph(self.con, self.policy.name, past, self.moment) if past.members else None

    def conflicts(self, audience: str | None = None, samples: int = 3) -> Conflicts:
        """Return where the records of people contradict each other: of everybody, or of the members of an audience."""
        leaves = profile_leaves(self.definitions)
        if audience is None:
            return conflicts(self.con, self.policy, leaves, samples=samples)
        with self._members_lent(audience) as among:
            return conflicts(self.con, self.policy, leaves, among, samples)

    def compare(self, other: str, samples: int = 5) -> Comparison:
        """Return who has another profile in another view, and in what."""
        return compare(self.con, self.policy, self.definitions.view(other), profile_leaves(self.definitions), samples)

    def report(self) -> ProfileReport:
        """Return the profiles, counted."""
        listed = self.policy.policy.attribute_datasets
        records = settled("live_record", [], folded(self.con))
        if listed is not None:
            records = (
                f'SELECT * FROM ({records}) WHERE "$dataset" IN (SELECT dataset FROM dataset '
                f"WHERE list_contains([{literals(listed)}]::VARCHAR[], id))"
            )
        return report(self.con, self.policy, records, self.sandbox.clock.now())

    def _members_lent(self, audience: str) -> AbstractContextManager[str]:
        """Let a table hold the members of an audience of this view, while it is asked about them."""
        known = {audience: self.definitions.get(Audience, audience)}
        plan.require_view(self.policy.name, known, known)
        return people.lent(self.con, "coterie_among", ledger.members(self.con, audience))

    def _graph(self, namespace: str, value: str) -> PastGraph | None:
        """Return the graph of an identity as it was; None when the present one is meant."""
        if self.moment.present:
            return None
        identity = find(self.con, namespace, value)
        if identity is None:
            return PastGraph(())
        if not self.policy.stitched:
            return PastGraph((identity,))
        settings = self.definitions.identity_settings()
        # the type of a namespace never changes, and one made later moves none of those there were
        namespaces = Definitions(self.sandbox.catalog).namespaces()
        return graph_as_of(self.con, identity, self.moment, settings, namespaces)
