"""The façade: everything a person can ask of a workspace, in rooms named for what they hold.

ws.schemas  ws.datasets  ws.ingest  ws.identities  ws.profiles  ws.audiences
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from coterie.audience import export, ledger
from coterie.audience.analysis import Analysed
from coterie.audience.definition import Audience, Evaluation
from coterie.audience.difference import Difference
from coterie.audience.explanation import Explanation
from coterie.audience.funnel import Counted
from coterie.audience.overlap import Overlap
from coterie.core.clock import Clock, parse_instant
from coterie.core.errors import NotFound
from coterie.core.progress import Progress, Quiet
from coterie.core.schema import FieldGroup, Schema, Union
from coterie.identity import graph
from coterie.identity.namespaces import Namespace
from coterie.ingest import quarantine
from coterie.ingest.dataset import Dataset
from coterie.ingest.draft import Draft
from coterie.ingest.infer import infer
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.report import BatchReport
from coterie.ingest.source import SourceFormat, resolve
from coterie.pipeline import batch, define, evaluate, rebuild, status, why
from coterie.pipeline.apply import recover
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.pipeline.effects.evaluations import everyone
from coterie.pipeline.questions import Questions
from coterie.pql import Problem, check
from coterie.profile import lookup
from coterie.profile.lookup import ProfileView
from coterie.store.catalog import Batch
from coterie.store.sandbox import Sandbox

Paths = str | Path | Sequence[str | Path]


def open(  # noqa: A001 (coterie.open reads as what it does)
    root: str | Path,
    sandbox: str = "prod",
    *,
    clock: Clock | None = None,
    create: bool = False,
    progress: Progress | None = None,
) -> Workspace:
    """Open a workspace.

    Parameters
    ----------
    root : path
        The root directory, with sandboxes in it.
    sandbox : str
        Which sandbox; nothing is shared between sandboxes.
    clock : Clock, optional
        Source of the present instant; default the one the workspace keeps, or the machine's.
    create : bool
        Make the workspace or the sandbox when it is not there.
    progress : Progress, optional
        Receiver of progress reports of long work.

    Returns
    -------
    Workspace
        To be closed; usable as a context manager. What a crash left undone has been done, see `Workspace.recovered`.

    Raises
    ------
    Busy
        ``workspace.locked`` when another process holds the sandbox.
    NotFound
        ``workspace.not-found`` when there is none and `create` is false.
    """
    return Workspace(
        Sandbox.open(
            Path(root),
            sandbox,
            clock=clock,
            create=create,
            catalog_url=os.environ.get("COTERIE_CATALOG"),
        ),
        progress or Quiet(),
    )


class Workspace:
    """An open sandbox of a workspace. Made by `coterie.open`."""

    def __init__(self, sandbox: Sandbox, progress: Progress) -> None:
        self.sandbox = sandbox
        self.progress = progress
        self.definitions = Definitions(sandbox.catalog)
        self.questions = Questions(sandbox)
        self.schemas = Schemas(self)
        self.datasets = Datasets(self)
        self.ingest = Ingest(self)
        self.identities = Identities(self)
        self.profiles = Profiles(self)
        self.audiences = Audiences(self)
        self.recovered: list[str] = recover(sandbox, progress)

    def status(self) -> status.Status:
        """Return the counts of everything the sandbox holds."""
        return status.status(self.sandbox)

    def rebuild(self, into: str | Path) -> rebuild.Rebuilt:
        """Build a new workspace in the empty directory `into` from the log of this one, and compare the two."""
        return rebuild.rebuild(self.sandbox, Path(into), self.progress)

    def close(self) -> None:
        """Let go of the stores and the lock."""
        self.sandbox.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Room:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def _sandbox(self) -> Sandbox:
        return self._workspace.sandbox

    @property
    def _definitions(self) -> Definitions:
        return self._workspace.definitions

    @property
    def _con(self) -> Any:
        return self._workspace.sandbox.history.con


class Schemas(_Room):
    """Schemas, field groups and their union."""

    def put(self, spec: Mapping[str, Any] | Schema) -> Schema:
        """Save a schema, written (docs/reference/schemas.md) or built; a new version must merely add to the old one."""
        return define.put_schema(self._sandbox, spec)

    def put_group(self, spec: Mapping[str, Any] | FieldGroup) -> FieldGroup:
        """Save a field group: fields that schemas take in by name."""
        return define.put_group(self._sandbox, spec)

    def get(self, name: str) -> Schema:
        """Return a schema; raises ``schema.not-found``."""
        return self._definitions.get(Schema, name)

    def list(self) -> builtins.list[Schema]:
        """Return all schemas by name."""
        return self._definitions.list(Schema)

    def groups(self) -> builtins.list[FieldGroup]:
        """Return all field groups by name."""
        return self._definitions.list(FieldGroup)

    def union(self) -> Union:
        """Return the union of all schemas: one object for profiles, one for events."""
        return self._definitions.union()

    def infer(
        self,
        paths: Paths,
        name: str | None = None,
        class_: str | None = None,
        format: SourceFormat | Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Draft:
        """Propose a schema and a mapping for files, with a preview to correct; nothing is saved."""
        return infer(self._con, resolve(_paths(paths), _format(format)), name, class_)


class Datasets(_Room):
    """Datasets: named places of records or events of one schema."""

    def put(self, name: str, schema: str, **details: Any) -> Dataset:
        """Save a dataset of a schema; `details` are the other fields of `Dataset`."""
        return define.put_dataset(self._sandbox, {"name": name, "schema": schema, **details})

    def get(self, name: str) -> Dataset:
        """Return a dataset; raises ``dataset.not-found``."""
        return self._definitions.get(Dataset, name)

    def list(self) -> builtins.list[Dataset]:
        """Return all datasets by name."""
        return self._definitions.list(Dataset)


class Ingest(_Room):
    """Batches: loading files, looking at what was set aside, taking a load back."""

    def load(
        self,
        dataset: str,
        paths: Paths,
        mapping: FieldMapping | Mapping[str, Any] | None = None,
        format: SourceFormat | Mapping[str, Any] | None = None,  # noqa: A002
        *,
        threshold: float = batch.THRESHOLD,
        dry_run: bool = False,
        evaluate: bool = True,
    ) -> BatchReport:
        """Load files into a dataset.

        Parameters
        ----------
        dataset : str
            Name of the dataset.
        paths : path or sequence of paths
            Files, folders or globs; CSV, JSONL or Parquet, plain or gzipped.
        mapping : Mapping or mapping, optional
            From source columns to field paths; default the dataset's, or same names.
        format : SourceFormat or mapping, optional
            How the files are written; default the dataset's, or what they look like.
        threshold : float
            Share of bad rows (0 to 1) past which the batch is refused whole.
        dry_run : bool
            Say what would happen and change nothing.
        evaluate : bool
            Evaluate all audiences afterwards.

        Returns
        -------
        BatchReport
            Numbers and state of the batch. Bad rows are in `quarantine`.
        """
        if isinstance(mapping, Mapping):
            mapping = FieldMapping.read(mapping)
        request = batch.Request(dataset, tuple(_paths(paths)), mapping, _format(format), threshold, dry_run)
        report = batch.load(self._sandbox, request, self._workspace.progress)
        if evaluate and report.status == "active":
            self._workspace.audiences._after(f"batch {report.batch}")
        return report

    def batches(self, dataset: str | None = None) -> builtins.list[Batch]:
        """Return all batches, newest last, or those of a dataset."""
        return self._sandbox.catalog.batches(dataset)

    def batch(self, id_: str) -> Batch:
        """Return a batch; raises ``batch.not-found``."""
        return self._sandbox.catalog.batch(id_)

    def quarantine(self, id_: str, limit: int = 100) -> builtins.list[quarantine.QuarantinedRow]:
        """Return the bad rows of a batch: file, line, field, value and reason."""
        self.batch(id_)
        return quarantine.read(self._con, id_, limit)

    def revert(self, id_: str, reason: str = "") -> BatchReport:
        """Take a batch back: profiles, identities and audiences become as if it had never come."""
        report = batch.revert(self._sandbox, id_, reason, self._workspace.progress)
        self._workspace.audiences._after(f"revert {id_}")
        return report


class Identities(_Room):
    """Namespaces and identity graphs."""

    def namespaces(self) -> builtins.list[Namespace]:
        """Return the standard namespaces and the sandbox's own."""
        return list(self._definitions.namespaces().values())

    def put_namespace(self, spec: Mapping[str, Any]) -> Namespace:
        """Save a namespace; code and type are fixed for ever."""
        return define.put_namespace(self._sandbox, spec)

    def graph(self, namespace: str, value: str, view: str = "default") -> graph.Graph:
        """Return the identity graph that holds an identity; raises ``identity.not-found``."""
        self._definitions.view(view)
        found = graph.graph(self._con, view, namespace, value)
        if found is None:
            raise _unknown_identity(namespace, value)
        return found

    def stats(self, view: str = "default") -> status.IdentityStats:
        """Return counts of identities by namespace, of links, and of graphs by size."""
        self._definitions.view(view)
        return status.identities(self._sandbox, view)


class Profiles(_Room):
    """Merged profiles."""

    def get(
        self, namespace: str, value: str, view: str = "default", *, events: int = 100, before: str | None = None
    ) -> ProfileView:
        """Return the profile found by an identity.

        Parameters
        ----------
        namespace, value : str
            Any identity of the person (in a view without stitching, a primary one).
        view : str
            Which view of the profile.
        events : int
            How many events, newest first.
        before : str, optional
            The cursor of an earlier answer: events older than those.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        """
        self._definitions.view(view)
        found = lookup.get(
            self._con,
            namespace,
            value,
            view,
            leaves=profile_leaves(self._definitions),
            event_union=self._definitions.union().event,
            events=events,
            before=before,
            audiences=[item.name for item in self._definitions.list(Audience) if item.view == view],
        )
        if found is None:
            raise _unknown_identity(namespace, value)
        return found

    def count(self, view: str = "default") -> int:
        """Return the number of profiles of a view."""
        self._definitions.view(view)
        return len(everyone(self._sandbox, view))

    def sample(self, n: int = 20, view: str = "default") -> builtins.list[lookup.ProfileSummary]:
        """Return up to `n` profiles: those with the most identities first."""
        self._definitions.view(view)
        return lookup.sample(self._con, view, n, leaves=profile_leaves(self._definitions))


class Audiences(_Room):
    """Audiences: rules, members, exports."""

    def put(
        self,
        name: str,
        pql: str,
        *,
        title: str = "",
        description: str = "",
        view: str = "default",
        zone: str = "UTC",
    ) -> Audience:
        """Save an audience; its rule must be one that the engine takes. Members come with the next evaluation."""
        return define.put_audience(self._sandbox, Audience(name, pql, title, description, view, zone))

    def get(self, name: str) -> Audience:
        """Return an audience; raises ``audience.not-found``."""
        return self._definitions.get(Audience, name)

    def list(self) -> builtins.list[Audience]:
        """Return all audiences by name."""
        return self._definitions.list(Audience)

    def delete(self, name: str) -> None:
        """Delete an audience that no other one reads; its members leave."""
        define.delete_audience(self._sandbox, name)

    def check(self, pql: str) -> builtins.list[Problem]:
        """Return all problems of a rule; empty when it is fine."""
        names = [audience.name for audience in self.list()]
        return list(check(pql, self._definitions.union(), names).problems)

    def evaluate(self, names: Iterable[str] | None = None, at: str | int | None = None) -> Evaluation:
        """Evaluate audiences, and those they read, at one instant, default now; of a past one, without later events."""
        return evaluate.evaluate(self._sandbox, names, _instant(at), engine=self._workspace.questions.engine)

    def count(self, pql: str, view: str = "default", at: str | int | None = None, zone: str = "UTC") -> Counted:
        """Count the people a rule holds for, without saving anything.

        Parameters
        ----------
        pql : str
            The rule.
        view : str
            Which view of the profiles.
        at : str or int, optional
            Instant to ask at; default now. At a past one, later events are left out, here as in every other question.
        zone : str
            IANA name of the time zone whose calendar the rule means.

        Returns
        -------
        Counted
            The exact `count`, and the funnel: how many people each condition leaves (or each alternative adds), in
            the order in which they are written.
        """
        return self._workspace.questions.count(pql, view, zone, _instant(at))

    def overlap(
        self, names: Iterable[str] | None = None, *, fresh: bool = False, at: str | int | None = None
    ) -> Overlap:
        """Compare audiences of one view in pairs: how many people two have in common, and what that says.

        Parameters
        ----------
        names : iterable of str, optional
            Which audiences; default all.
        fresh : bool
            Evaluate their rules, without saving members; otherwise the members of the last evaluation are compared.
        at : str or int, optional
            Instant of a fresh evaluation; default now.
        """
        return self._workspace.questions.overlap(names, _instant(at), fresh=fresh)

    def analyse(self, pql: str, view: str = "default", zone: str = "UTC") -> Analysed:
        """Tell what a rule reads, how involved it is, which methods can evaluate it, and what that costs."""
        return self._workspace.questions.analyse(pql, view, zone)

    def diff(
        self,
        old: str,
        new: str,
        *,
        view: str | None = None,
        zone: str | None = None,
        at: str | int | None = None,
        sample: int = 10,
    ) -> Difference:
        """Tell who would enter and who would leave if a rule were replaced by another one; nothing is saved.

        Parameters
        ----------
        old : str
            A rule, or the name of a saved audience.
        new : str
            The new rule.
        view, zone : str, optional
            As for `count`; default those of the saved audience. For a saved audience, `zone` is that of the new rule.
        at : str or int, optional
            Instant to compare at; default now. Both rules are evaluated at it.
        sample : int
            How many persons of those who enter, and of those who leave, are shown with their identities.
        """
        return self._workspace.questions.diff(old, new, view, zone, _instant(at), sample)

    def explain(
        self,
        person: str,
        audience: str | None = None,
        *,
        pql: str | None = None,
        view: str | None = None,
        zone: str = "UTC",
        at: str | int | None = None,
    ) -> Explanation:
        """Explain why a person is in an audience, or is not.

        Parameters
        ----------
        person : str
            An identity as ``Namespace:value``, or the id of a person (``p-…``).
        audience : str, optional
            Name of a saved audience.
        pql : str, optional
            A rule, instead of an audience.
        view, zone : str, optional
            As for `count`; a saved audience has its own.
        at : str or int, optional
            Instant to ask at; default now. At a past one, later events are left out.

        Returns
        -------
        Explanation
            The verdict of the whole and of every part of the rule, with the values and events that were used, the
            nearest step that would turn the verdict, and when time alone does.
        """
        return why.why(self._sandbox, person, audience, pql, view, zone, _instant(at))

    def members(self, name: str, limit: int = 100, after: str | None = None) -> builtins.list[export.Member]:
        """Return present members with their identities, at most `limit`, after the person id `after`."""
        audience = self.get(name)
        return export.members(self._con, name, audience.view, limit, after)

    def size(self, name: str) -> int:
        """Return the number of present members."""
        return len(ledger.members(self._con, self.get(name).name))

    def export(self, name: str, path: str | Path, format: str | None = None) -> export.Export:  # noqa: A002
        """Write the present members to a CSV, JSONL or Parquet file."""
        return export.export(self._con, name, self.get(name).view, Path(path), format)

    def history(self, name: str, limit: int = 100) -> builtins.list[ledger.Change]:
        """Return entries and exits of an audience by instant and cause, newest first."""
        self.get(name)
        return ledger.history(self._con, name, limit)

    def _after(self, cause: str) -> None:
        if self.list():
            engine = self._workspace.questions.engine
            evaluate.evaluate(self._sandbox, None, None, cause=cause, engine=engine)


def _instant(at: str | int | None) -> int | None:
    return parse_instant(at) if isinstance(at, str) else at


def _paths(paths: Paths) -> builtins.list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _format(spec: SourceFormat | Mapping[str, Any] | None) -> SourceFormat | None:
    return msgspec.convert(dict(spec), SourceFormat) if isinstance(spec, Mapping) else spec


def _unknown_identity(namespace: str, value: str) -> NotFound:
    return NotFound(
        "identity.not-found",
        f"no profile has the identity {namespace}:{value}.",
        hint="Namespace codes are case-sensitive; `coterie identity stats` lists those in use.",
        where={"namespace": namespace, "value": value},
    )
