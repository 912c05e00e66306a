"""Schemas, datasets and the batches that fill them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from coterie.core.schema import FieldGroup, Schema, Union
from coterie.ingest import quarantine
from coterie.ingest.dataset import Dataset
from coterie.ingest.draft import Draft
from coterie.ingest.infer import infer
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.report import BatchReport
from coterie.ingest.source import SourceFormat, resolve
from coterie.ingest.union import UnionTree, tree
from coterie.pipeline import batch, define
from coterie.store.catalog import Batch
from coterie.workspace.room import Room

Paths = str | Path | Sequence[str | Path]


class Schemas(Room):
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
        """Return all field groups by name: those that come with the program and the sandbox's own."""
        return builtins.list(self._definitions.groups().values())

    def union(self) -> Union:
        """Return the union of all schemas: one object for profiles, one for events."""
        return self._definitions.union()

    def tree(self) -> UnionTree:
        """Return the union of all schemas as a tree: every field with the schemas and datasets that contribute it."""
        return tree(self.union(), self.list(), self._definitions.list(Dataset))

    def infer(
        self,
        paths: Paths,
        name: str | None = None,
        class_: str | None = None,
        format: SourceFormat | Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Draft:
        """Propose a schema and a mapping for files, with a preview to correct; nothing is saved."""
        return infer(self._con, resolve(_paths(paths), _format(format)), name, class_)


class Datasets(Room):
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


class Ingest(Room):
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
        operation: str | None = None,
        unset: Sequence[str] = (),
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
        operation : {"create", "merge", "append", "delete"}, optional
            What each row does to the record that the dataset has of its identity: replace it, change the attributes
            that the row has, change them but put its arrays behind those that are there, or remove it. Default that
            of the dataset. A mapping may give each row its own, by a rule for ``$operation``.
        unset : sequence of str
            Paths that merges and appends take away, before they give their own.

        Returns
        -------
        BatchReport
            Numbers and state of the batch. Bad rows are in `quarantine`.
        """
        if isinstance(mapping, Mapping):
            mapping = FieldMapping.read(mapping)
        request = batch.Request(
            dataset, tuple(_paths(paths)), mapping, _format(format), threshold, dry_run, operation, tuple(unset)
        )
        if not dry_run:
            self._workspace.retention.daily()
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


def _paths(paths: Paths) -> builtins.list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _format(spec: SourceFormat | Mapping[str, Any] | None) -> SourceFormat | None:
    return msgspec.convert(dict(spec), SourceFormat) if isinstance(spec, Mapping) else spec
