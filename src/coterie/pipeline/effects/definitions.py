"""The effect of a definition: columns for a new schema, members leaving a deleted audience."""

from __future__ import annotations

import numpy as np
from pyroaring import BitMap

from coterie.audience import ledger
from coterie.core.schema import Schema, SchemaClass
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.profile import bulk
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox


def put(sandbox: Sandbox, entry: Entry) -> None:
    """Give a new schema its columns at once, so that rules on fields without data are answered."""
    if entry.body["kind"] == "schema":
        _make_room(sandbox, Definitions(sandbox.catalog).get(Schema, entry.body["id"]))
        make_views(sandbox)


def make_views(sandbox: Sandbox) -> None:
    """Make the tables of every view, and in them a column for every attribute of the profile union."""
    definitions = Definitions(sandbox.catalog)
    for view in definitions.views():
        sandbox.history.ensure_view(view)
        bulk.refresh(sandbox.history.con, view, profile_leaves(definitions), touched=np.empty(0, np.int32))


def deleted(sandbox: Sandbox, entry: Entry) -> None:
    """Close the memberships of a deleted audience."""
    if entry.body["kind"] == "audience":
        ledger.settle(sandbox.history.con, entry.body["id"], BitMap(), at=entry.accepted_at, version=0, cause="deleted")


def _make_room(sandbox: Sandbox, schema: Schema) -> None:
    match schema.class_:
        case SchemaClass.EVENT:
            sandbox.history.ensure_leaves("event", schema.leaves().values())
        case SchemaClass.PROFILE:
            sandbox.history.ensure_leaves("record", schema.leaves().values())
        case SchemaClass.RECORD:
            return
    sandbox.history.refresh_live_views()
