"""What can be asked of a workspace, each with its HTTP path. One table for the server and for the CLI.

A reading is a function of the workspace that changes nothing. The server makes a route of each; the CLI calls it
directly, or through the server that holds the workspace. So all three give the same answer by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from annotated_types import Ge, Le, MaxLen

from coterie.audience.analysis import Analysed
from coterie.audience.difference import Difference
from coterie.audience.explanation import Explanation
from coterie.audience.export import Member
from coterie.audience.funnel import Counted
from coterie.audience.ledger import Change
from coterie.audience.overlap import Overlap
from coterie.computed.definition import ComputedAttribute
from coterie.computed.preview import Preview as ComputedPreview
from coterie.core.ids import Identity
from coterie.core.schema import FieldGroup, Schema, Union
from coterie.governance.consent import Consent
from coterie.identity.decisions import Decision
from coterie.identity.graph import Graph
from coterie.identity.joining import Joining
from coterie.identity.namespaces import Namespace
from coterie.identity.preview import SettingsPreview
from coterie.identity.simulation import Simulation
from coterie.ingest.dataset import Dataset
from coterie.ingest.quarantine import QuarantinedRow
from coterie.ingest.union import UnionTree
from coterie.pipeline.audiences import AudienceView
from coterie.pipeline.effects.retention import Retained
from coterie.pipeline.policies import Policy
from coterie.pipeline.privacy.request import Erased, Preview
from coterie.pipeline.retention import RetentionView
from coterie.pipeline.settings import SettingsInForce
from coterie.pipeline.status import IdentityStats, Status
from coterie.pql import Problem
from coterie.profile.comparison import Comparison
from coterie.profile.conflicts import Conflicts
from coterie.profile.lookup import ProfileSummary, ProfileView
from coterie.profile.report import ProfileReport
from coterie.profile.why import AttributeView
from coterie.store import log, sandbox
from coterie.store.catalog import Batch, engine
from coterie.store.history import tables

if TYPE_CHECKING:
    from coterie.workspace import Workspace

Name = Annotated[str, MaxLen(1024)]
Query = Annotated[str, MaxLen(100_000)]
Names = Annotated[list[Name], MaxLen(1_000)]
Limit = Annotated[int, Ge(1), Le(10_000)]

PARAMETERS = {
    "a": "An identity as `Namespace:value`.",
    "attribute": "Path of an attribute, such as `person.name`.",
    "audience": "Only members of this audience.",
    "b": "Another identity as `Namespace:value`.",
    "after": "Continue after this cursor: the `next` of the page before.",
    "at": "Instant to ask at, ISO 8601; default now.",
    "batch": "Id of a batch.",
    "before": "Continue with events before this cursor: the `next` of the page before.",
    "channels": "Channels of marketing that members must have agreed to, such as `email`.",
    "dataset": "Name of a dataset.",
    "datasets": "Only events of these datasets, separated by commas.",
    "expand": "Take in all identities of the graphs; otherwise only those named.",
    "events": "How many events at most, newest first.",
    "exclude_opt_out": "Whether those are withheld who opted out of everything.",
    "form": "A function of events, instead of an expression.",
    "fresh": "Evaluate the audiences now, without saving; otherwise their members are those of the last evaluation.",
    "known": "What had been recorded by this instant, ISO 8601; batches reverted later count. Default now.",
    "left": "Name of a view.",
    "limit": "How many at most.",
    "name": "Name of the definition.",
    "names": "Names of audiences; null for all.",
    "namespace": "Code of an identity namespace, such as `Email`.",
    "new": "The new rule, in PQL.",
    "old": "A rule in PQL, or the name of a saved audience.",
    "oldest_first": "Whether events come in the order of time, instead of the newest first.",
    "person": "An identity as `Namespace:value`, or the id of a person.",
    "persons": "Identities as `Namespace:value`.",
    "pql": "A rule in PQL.",
    "preset": "Instead of events an example: `shared-device`, `non-unique-phone` or `bad-values`.",
    "right": "Name of the view to compare with.",
    "samples": "How many people to show.",
    "settings": "Identity settings; default the sandbox's.",
    "since": "Only events at or after this instant.",
    "text": "A line for each event: identities separated by commas, each as `Namespace: value`.",
    "purposes": "Purposes that members must have agreed to, such as `share`.",
    "sample": "How many persons to show of those who enter, and of those who leave.",
    "types": "Only events of these types, separated by commas.",
    "unknown": "What it means when nothing is known of somebody's choice.",
    "until": "Only events before this instant.",
    "value": "Value of the identity.",
    "view": "Name of a merge policy: how profiles are stitched and merged; default that of the sandbox.",
    "zone": "IANA name of the time zone whose calendar the rule means.",
}


@dataclass(frozen=True)
class Reading:
    """A question with its HTTP method and path; call it with a workspace and the arguments of its path and query."""

    method: Literal["GET", "POST"]
    path: str
    call: Callable[..., Any]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.call.__name__

    @property
    def summary(self) -> str:
        """What is asked, in a line."""
        return (self.call.__doc__ or "").strip()

    def __call__(self, workspace: Workspace, **arguments: Any) -> bytes:
        """Return the answer as JSON."""
        return encode(self.call(workspace, **arguments))


class Count(msgspec.Struct, frozen=True):
    """How many there are."""

    count: int


class Members(msgspec.Struct, frozen=True):
    """A page of members; `next` is the cursor of the page after it, null on the last one."""

    items: list[Member]
    next: str | None


class Positions(msgspec.Struct, frozen=True):
    """Last entry of the log, and how far the stores that follow it are."""

    log: int
    catalog: int
    history: int


class Formats(msgspec.Struct, frozen=True):
    """Format versions of the stores."""

    workspace: int
    log: int
    catalog: str
    history: int


class Health(msgspec.Struct, frozen=True):
    """That the server is up, and what it serves."""

    status: str
    version: str
    sandbox: str
    formats: Formats
    positions: Positions


_encoder = msgspec.json.Encoder(decimal_format="number")
READINGS: dict[str, Reading] = {}


def encode(answer: Any) -> bytes:
    """Return any result of the façade as JSON; exact decimals stay exact."""
    return _encoder.encode(answer)


def _get(path: str) -> Callable[[Callable[..., Any]], Reading]:
    return lambda call: _add(Reading("GET", path, call))


def _post(path: str) -> Callable[[Callable[..., Any]], Reading]:
    return lambda call: _add(Reading("POST", path, call))


def _add(reading: Reading) -> Reading:
    READINGS[reading.name] = reading
    return reading


# -- definitions ------------------------------------------------------------------------------------------------------


@_get("/health")
def health(ws: Workspace) -> Health:
    """Say that the server is up, and what it serves."""
    box = ws.sandbox
    positions = Positions(box.log.last, box.catalog.position, box.history.position)
    formats = Formats(sandbox.FORMAT, log.FORMAT, engine.HEAD, tables.FORMAT)
    return Health("ok", version("coterie"), box.path.name, formats, positions)


@_get("/api/status")
def status(ws: Workspace) -> Status:
    """Count everything in the workspace."""
    return ws.status()


@_get("/api/schemas")
def schemas(ws: Workspace) -> list[Schema]:
    """List the schemas."""
    return ws.schemas.list()


@_get("/api/field-groups")
def field_groups(ws: Workspace) -> list[FieldGroup]:
    """List the field groups: those that come with the program, and those saved here."""
    return ws.schemas.groups()


@_get("/api/schemas/{name}")
def schema(ws: Workspace, name: Name) -> Schema:
    """Show a schema."""
    return ws.schemas.get(name)


@_get("/api/schemas:union")
def union(ws: Workspace) -> Union:
    """Show the union of all schemas: every field that a rule may name."""
    return ws.schemas.union()


@_get("/api/schemas:tree")
def union_tree(ws: Workspace) -> UnionTree:
    """Show the union of all schemas as a tree: every field with the schemas and datasets that contribute it."""
    return ws.schemas.tree()


@_get("/api/datasets")
def datasets(ws: Workspace) -> list[Dataset]:
    """List the datasets."""
    return ws.datasets.list()


@_get("/api/datasets/{name}")
def dataset(ws: Workspace, name: Name) -> Dataset:
    """Show a dataset."""
    return ws.datasets.get(name)


# -- batches ----------------------------------------------------------------------------------------------------------


@_get("/api/batches")
def batches(ws: Workspace, dataset: Name | None = None) -> list[Batch]:
    """List the batches, of one dataset or of all."""
    return ws.ingest.batches(dataset)


@_get("/api/batches/{batch}")
def batch(ws: Workspace, batch: Name) -> Batch:
    """Show a batch."""
    return ws.ingest.batch(batch)


@_get("/api/batches/{batch}/quarantine")
def quarantine(ws: Workspace, batch: Name, limit: Limit = 100) -> list[QuarantinedRow]:
    """List the rows of a batch that were put aside, with the reason of each."""
    return ws.ingest.quarantine(batch, limit)


# -- identities -------------------------------------------------------------------------------------------------------


@_get("/api/namespaces")
def namespaces(ws: Workspace) -> list[Namespace]:
    """List the identity namespaces."""
    return ws.identities.namespaces()


@_get("/api/identities:stats")
def identity_stats(ws: Workspace, view: Name | None = None) -> IdentityStats:
    """Count identities, links and persons."""
    return ws.identities.stats(view)


@_get("/api/identities:explain")
def explain_joining(ws: Workspace, a: Name, b: Name, view: Name | None = None) -> Joining:
    """Tell why two identities are one person, or are not: the chain of links between them, with their records."""
    return ws.identities.explain(Identity.read(a), Identity.read(b), view)


@_get("/api/identities:decisions")
def decisions(ws: Workspace) -> list[Decision]:
    """List the decisions about identities, the undone ones too."""
    return ws.identities.decisions()


@_post("/api/identities:simulate")
def simulate(
    ws: Workspace, text: Query | None = None, preset: Name | None = None, settings: dict[str, Any] | None = None
) -> Simulation:
    """Tell what graphs some events would give, and which links and identities would go; nothing is stored."""
    return ws.identities.simulate(text, preset=preset, settings=settings)


@_get("/api/identities:settings")
def identity_settings(ws: Workspace) -> SettingsInForce:
    """Show the identity settings in force: linking rules, priorities, the limit of graphs."""
    return ws.identities.settings()


@_post("/api/identities:preview-settings")
def preview_identity_settings(ws: Workspace, settings: dict[str, Any]) -> SettingsPreview:
    """Tell exactly what saving identity settings would change; nothing is stored."""
    return ws.identities.preview_settings(settings)


@_get("/api/identities/{namespace}/{value:path}")
def graph(
    ws: Workspace,
    namespace: Name,
    value: Name,
    view: Name | None = None,
    at: Name | None = None,
    known: Name | None = None,
) -> Graph:
    """Show the identity graph that an identity belongs to, now or as it was."""
    return ws.identities.graph(namespace, value, view, at=at, known=known)


# -- profiles ---------------------------------------------------------------------------------------------------------


@_get("/api/profiles")
def sample(ws: Workspace, limit: Annotated[int, Ge(1), Le(100)] = 10, view: Name | None = None) -> list[ProfileSummary]:
    """Show some profiles."""
    return ws.profiles.sample(limit, view)


@_get("/api/profiles:count")
def count_profiles(ws: Workspace, view: Name | None = None) -> Count:
    """Count the profiles."""
    return Count(ws.profiles.count(view))


@_get("/api/profiles:why")
def profile_why(
    ws: Workspace,
    namespace: Name,
    value: Name,
    attribute: Name,
    view: Name | None = None,
    at: Name | None = None,
    known: Name | None = None,
) -> AttributeView:
    """Tell all that is said of one attribute of a profile: who won and why, who lost, what was written over time."""
    return ws.profiles.why(namespace, value, attribute, view, at=at, known=known)


@_get("/api/profiles:conflicts")
def profile_conflicts(
    ws: Workspace, view: Name | None = None, audience: Name | None = None, samples: Annotated[int, Ge(0), Le(100)] = 3
) -> Conflicts:
    """Tell where the records of people contradict each other, attribute by attribute."""
    return ws.profiles.conflicts(view, audience, samples=samples)


@_get("/api/policies:compare")
def compare_views(ws: Workspace, left: Name, right: Name, samples: Annotated[int, Ge(0), Le(100)] = 5) -> Comparison:
    """Compare the profiles of two views: who differs, and in what."""
    return ws.profiles.compare(left, right, samples=samples)


@_get("/api/profiles:report")
def profile_report(ws: Workspace, view: Name | None = None) -> ProfileReport:
    """Count profiles by namespace, by dataset and by how little is known of them."""
    return ws.profiles.report(view)


@_get("/api/profiles/{namespace}/{value:path}")
def profile(
    ws: Workspace,
    namespace: Name,
    value: Name,
    view: Name | None = None,
    events: Annotated[int, Ge(0), Le(10_000)] = 100,
    before: Name | None = None,
    types: Name | None = None,
    datasets: Name | None = None,
    since: Name | None = None,
    until: Name | None = None,
    oldest_first: bool = False,
    at: Name | None = None,
    known: Name | None = None,
) -> ProfileView:
    """Show the profile that an identity belongs to: attributes, where each came from, identities, audiences, events."""
    return ws.profiles.get(
        namespace,
        value,
        view,
        events=events,
        before=before,
        types=_listed(types),
        datasets=_listed(datasets),
        since=since,
        until=until,
        oldest_first=oldest_first,
        at=at,
        known=known,
    )


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


# -- merge policies ---------------------------------------------------------------------------------------------------


@_get("/api/policies")
def policies(ws: Workspace) -> list[Policy]:
    """List the merge policies."""
    return ws.policies.list()


@_get("/api/policies/{name}")
def policy(ws: Workspace, name: Name) -> Policy:
    """Show a merge policy."""
    return ws.policies.get(name)


# -- computed attributes ----------------------------------------------------------------------------------------------


@_get("/api/computed")
def computed_attributes(ws: Workspace) -> list[ComputedAttribute]:
    """List the computed attributes."""
    return ws.computed.list()


@_post("/api/computed:preview")
def preview_computed(
    ws: Workspace,
    pql: Query | None = None,
    form: dict[str, Any] | None = None,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
) -> ComputedPreview:
    """Tell how the values of an expression, or of a form, are spread over people."""
    return ws.computed.preview(pql, form=form, view=view, zone=zone, at=at)


@_get("/api/computed/{name}")
def computed_attribute(ws: Workspace, name: Name) -> ComputedAttribute:
    """Show a computed attribute."""
    return ws.computed.get(name)


@_get("/api/computed/{name}/readers")
def computed_readers(ws: Workspace, name: Name) -> list[str]:
    """List the computed attributes and audiences that read a computed attribute."""
    return ws.computed.readers(name)


# -- audiences --------------------------------------------------------------------------------------------------------


@_get("/api/audiences")
def audiences(ws: Workspace) -> list[AudienceView]:
    """List the audiences."""
    return ws.audiences.describe_all()


@_post("/api/audiences:count")
def count(
    ws: Workspace,
    pql: Query,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
    channels: Names | None = None,
    purposes: Names | None = None,
    unknown: Literal["yes", "no"] = "no",
    exclude_opt_out: bool = True,
) -> Counted:
    """Count the people that a rule holds for, exactly, those that each of its conditions leaves, and those withheld."""
    consent = Consent(tuple(channels or ()), tuple(purposes or ()), unknown) if channels or purposes else None
    return ws.audiences.count(pql, view, at, zone, consent=consent, exclude_opt_out=exclude_opt_out)


@_post("/api/audiences:overlap")
def overlap(ws: Workspace, names: Names | None = None, fresh: bool = False, at: Name | None = None) -> Overlap:
    """Compare audiences in pairs: how many people two have in common, and what that says."""
    return ws.audiences.overlap(names, fresh=fresh, at=at)


@_post("/api/audiences:analyse")
def analyse(ws: Workspace, pql: Query, view: Name | None = None, zone: Name = "UTC") -> Analysed:
    """Tell what a rule reads, how involved it is, which methods can evaluate it, and what that costs."""
    return ws.audiences.analyse(pql, view, zone)


@_post("/api/audiences:diff")
def diff(
    ws: Workspace,
    old: Query,
    new: Query,
    view: Name | None = None,
    zone: Name | None = None,
    at: Name | None = None,
    sample: Annotated[int, Ge(0), Le(1_000)] = 10,
) -> Difference:
    """Tell who would enter and who would leave if a rule, or a saved audience's, were replaced by another one."""
    return ws.audiences.diff(old, new, view=view, zone=zone, at=at, sample=sample)


@_post("/api/audiences:explain")
def explain(
    ws: Workspace,
    person: Name,
    name: Name | None = None,
    pql: Query | None = None,
    view: Name | None = None,
    zone: Name = "UTC",
    at: Name | None = None,
) -> Explanation:
    """Tell why a person is in an audience, or satisfies a rule, or does not, and what would change that."""
    return ws.audiences.explain(person, name, pql=pql, view=view, zone=zone, at=at)


@_post("/api/audiences:check")
def check(ws: Workspace, pql: Query) -> list[Problem]:
    """List what is wrong with a rule; empty when nothing is."""
    return ws.audiences.check(pql)


@_get("/api/audiences/{name}")
def audience(ws: Workspace, name: Name) -> AudienceView:
    """Show an audience."""
    return ws.audiences.describe(name)


@_get("/api/audiences/{name}/members")
def members(ws: Workspace, name: Name, limit: Limit = 100, after: Name | None = None) -> Members:
    """List the members of an audience, with their identities."""
    found = ws.audiences.members(name, limit + 1, after)
    return Members(found[:limit], found[limit - 1].person if len(found) > limit else None)


@_get("/api/audiences/{name}/history")
def history(ws: Workspace, name: Name, limit: Limit = 100) -> list[Change]:
    """List how an audience changed: how many entered and left, by instant and cause, newest first."""
    return ws.audiences.history(name, limit)


# -- retention --------------------------------------------------------------------------------------------------------


@_get("/api/retention")
def retention(ws: Workspace) -> RetentionView:
    """Show what is kept how long, and which audiences look further back."""
    return ws.retention.show()


@_get("/api/retention:preview")
def retention_preview(ws: Workspace) -> Retained:
    """Tell what would be taken away now because it is kept no longer."""
    return ws.retention.preview()


# -- privacy ----------------------------------------------------------------------------------------------------------


@_get("/api/erasures")
def erasures(ws: Workspace) -> list[Erased]:
    """List the erasures with their completeness reports, which hold no personal data; newest first."""
    return ws.privacy.reports()


@_post("/api/erasures:preview")
def erasure_preview(ws: Workspace, persons: Names, expand: bool = True) -> Preview:
    """Tell what an erasure would reach: identities, counts, and every place that holds something."""
    return ws.privacy.preview([Identity.read(person) for person in persons], expand=expand)
