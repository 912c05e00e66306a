"""What the workspace has: its stores, schemas and datasets."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from coterie.api.reading import Name, get
from coterie.core.schema import FieldGroup, Schema, Union
from coterie.ingest.dataset import Dataset
from coterie.ingest.union import UnionTree
from coterie.pipeline.status import Status
from coterie.store import log, sandbox
from coterie.store.catalog import engine
from coterie.store.history import tables

if TYPE_CHECKING:
    from coterie.workspace import Workspace


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


@get("/health")
def health(ws: Workspace) -> Health:
    """Say that the server is up, and what it serves."""
    box = ws.sandbox
    positions = Positions(box.log.last, box.catalog.position, box.history.position)
    formats = Formats(sandbox.FORMAT, log.FORMAT, engine.HEAD, tables.FORMAT)
    return Health("ok", version("coterie"), box.path.name, formats, positions)


@get("/api/status")
def status(ws: Workspace) -> Status:
    """Count everything in the workspace."""
    return ws.status()


@get("/api/schemas")
def schemas(ws: Workspace) -> list[Schema]:
    """List the schemas."""
    return ws.schemas.list()


@get("/api/field-groups")
def field_groups(ws: Workspace) -> list[FieldGroup]:
    """List the field groups: those that come with the program, and those saved here."""
    return ws.schemas.groups()


@get("/api/schemas/{name}")
def schema(ws: Workspace, name: Name) -> Schema:
    """Show a schema."""
    return ws.schemas.get(name)


@get("/api/schemas:union")
def union(ws: Workspace) -> Union:
    """Show the union of all schemas: every field that a rule may name."""
    return ws.schemas.union()


@get("/api/schemas:tree")
def union_tree(ws: Workspace) -> UnionTree:
    """Show the union of all schemas as a tree: every field with the schemas and datasets that contribute it."""
    return ws.schemas.tree()


@get("/api/datasets")
def datasets(ws: Workspace) -> list[Dataset]:
    """List the datasets."""
    return ws.datasets.list()


@get("/api/datasets/{name}")
def dataset(ws: Workspace, name: Name) -> Dataset:
    """Show a dataset."""
    return ws.datasets.get(name)
