"""The effect of a definition: columns for a new schema, members leaving a deleted audience."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from pyroaring import BitMap

from coterie.audience import ledger
from coterie.core.progress import Quiet
from coterie.core.schema import Leaf, Schema, SchemaClass
from coterie.identity.persons import Cause
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Scope
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import graphs
from coterie.profile import bulk
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox


def put(sandbox: Sandbox, entry: Entry) -> None:
    """Give a new schema its columns at once, so that rules on fields without data are answered."""
    if entry.body["kind"] == "schema":
        schema = msgspec.convert(entry.body["body"], Schema)
        _make_room(sandbox, schema)
        make_views(sandbox, schema.leaves().values() if schema.class_ is SchemaClass.PROFILE else [])
    elif entry.body["kind"] == "identity_settings":
        settings = msgspec.convert(entry.body["body"], IdentitySettings)
        graphs.refresh(sandbox, Scope(), Cause(entry.accepted_at), Quiet(), settings=settings)


def make_views(sandbox: Sandbox, leaves: Iterable[Leaf]) -> None:
    """Make the tables of every view that are not there, and in them a column for each of these attributes."""
    attributes = list(leaves)
    for view in Definitions(sandbox.catalog).views().values():
        sandbox.history.ensure_view(view.name, stitched=view.stitched)
        bulk.refresh(sandbox.history.con, view, attributes, touched=np.empty(0, np.int32))


def deleted(sandbox: Sandbox, entry: Entry) -> None:
    """Close the memberships of a deleted audience."""
    if entry.body["kind"] == "audience":
        ledger.settle(sandbox.history.con, entry.body["id"], BitMap(), at=entry.accepted_at, version=0, cause="deleted")
        ledger.forget(sandbox.history.con, entry.body["id"])


def _make_room(sandbox: Sandbox, schema: Schema) -> None:
    match schema.class_:
        case SchemaClass.EVENT:
            sandbox.history.ensure_leaves("event", schema.leaves().values())
        case SchemaClass.PROFILE:
            sandbox.history.ensure_leaves("record", schema.leaves().values())
        case SchemaClass.RECORD:
            return
    sandbox.history.refresh_live_views()
