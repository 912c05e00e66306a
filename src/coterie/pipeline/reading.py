"""How a batch is read: format, mapping and schema, as the log keeps them, so that a batch can be read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from coterie.core.clock import DAY
from coterie.core.progress import Progress
from coterie.core.schema import Schema
from coterie.identity.settings import order
from coterie.ingest.dataset import Dataset
from coterie.ingest.mapping import Mapping, default_mapping
from coterie.ingest.operation import CREATES, Writing, writing
from coterie.ingest.source import Source, SourceFile, SourceFormat
from coterie.ingest.stage import Staged, stage
from coterie.pipeline.definitions import Definitions
from coterie.store.sandbox import Sandbox


@dataclass(frozen=True)
class Reading:
    """What the rows of a batch must be, and how they come out of its files.

    Events before `keep_from` are not taken. It is an instant of the log, so that a rebuild leaves out the same.
    """

    schema: Schema
    mapping: Mapping
    format: SourceFormat
    writing: Writing = CREATES
    ordered_by: str | None = None
    keep_from: int | None = None

    @classmethod
    def asked(
        cls,
        sandbox: Sandbox,
        dataset: Dataset,
        source: Source,
        mapping: Mapping | None,
        *,
        operation: str | None = None,
        unset: Sequence[str] = (),
    ) -> Reading:
        """Return the reading for a new batch: the mapping given, or the dataset's, or the one by names."""
        schema = Definitions(sandbox.catalog).get(Schema, dataset.schema)
        mapping = mapping or dataset.mapping or default_mapping(schema, source.describe(sandbox.history.con))
        written = writing(schema, operation, unset, upsert=dataset.upsert)
        kept = dataset.expire_events_after
        keep_from = None if kept is None else sandbox.clock.now() - kept * DAY
        return cls(schema, mapping, source.format, written, dataset.ordered_by, keep_from)

    @classmethod
    def logged(cls, sandbox: Sandbox, body: Map[str, Any], known: int | None = None) -> Reading:
        """Return the reading that a log entry tells, by the definitions of an instant (default now)."""
        definitions = Definitions(sandbox.catalog, known)
        dataset = definitions.get(Dataset, body["dataset"])
        return cls(
            definitions.get(Schema, dataset.schema),
            msgspec.convert(body["mapping"], Mapping),
            msgspec.convert(body["source"], SourceFormat),
            msgspec.convert(body.get("writing", {}), Writing),
            dataset.ordered_by,
            body.get("keep_from"),
        )

    def body(self) -> dict[str, Any]:
        """Return what the log keeps."""
        return self._how() | ({} if self.keep_from is None else {"keep_from": self.keep_from})

    def _how(self) -> dict[str, Any]:
        body = {"source": msgspec.to_builtins(self.format), "mapping": msgspec.to_builtins(self.mapping)}
        return body if self.writing == CREATES else body | {"writing": msgspec.to_builtins(self.writing)}

    def digest(self) -> str:
        """Return a digest of how files are read, the same for the same mapping and format."""
        return sha256(msgspec.json.encode(self._how(), order="deterministic")).hexdigest()[:32]

    def stage(
        self, sandbox: Sandbox, source: Source, progress: Progress, inspect: Callable[[], None] | None = None
    ) -> Staged:
        """Fill the TEMP tables ``stage`` and ``stage_error`` of the history; `inspect` sees the bad rows too."""
        definitions = Definitions(sandbox.catalog)
        namespaces = definitions.namespaces()
        settings = definitions.identity_settings()
        types = {code: str(item.type) for code, item in namespaces.items()}
        return stage(
            sandbox.history.con,
            source,
            self.mapping,
            self.schema,
            namespaces=types,
            progress=progress,
            now=sandbox.clock.now(),
            operation=self.writing.operation,
            ordered_by=self.ordered_by,
            keep_from=self.keep_from,
            priority=order(settings, namespaces) if settings.optimized else (),
            inspect=inspect,
        )


def copied(sandbox: Sandbox, body: Map[str, Any]) -> Source:
    """Return the copies of a batch's files beside the log, under the names that the files had."""
    files = tuple(SourceFile(str(sandbox.path / item["path"]), item["name"], item["bytes"]) for item in body["files"])
    return Source(files, msgspec.convert(body["source"], SourceFormat))


def restage(sandbox: Sandbox, body: Map[str, Any], progress: Progress) -> Staged:
    """Read an accepted batch again from the copies of its files."""
    return Reading.logged(sandbox, body).stage(sandbox, copied(sandbox, body), progress)
