"""The effect of a definition: columns of schemas, order of datasets, profiles of views, graphs under new settings.

And of deleting one: members leave a deleted audience, the tables of a deleted view go.
"""

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
from coterie.ingest.dataset import Dataset
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.pipeline.effects import graphs
from coterie.profile import bulk
from coterie.profile.policy import View
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox


def put(sandbox: Sandbox, entry: Entry) -> None:
    """Give a new schema its columns at once, so that rules on fields without data are answered; order a dataset."""
    match entry.body["kind"]:
        case "schema":
            schema = msgspec.convert(entry.body["body"], Schema)
            _make_room(sandbox, schema)
            make_views(sandbox, schema.leaves().values() if schema.class_ is SchemaClass.PROFILE else [])
        case "dataset":
            _order(sandbox, msgspec.convert(entry.body["body"], Dataset))
        case "view":
            _look(sandbox, msgspec.convert(entry.body["body"], View))
        case "identity_settings":
            settings = msgspec.convert(entry.body["body"], IdentitySettings)
            graphs.refresh(sandbox, Scope(), Cause(entry.accepted_at), Quiet(), settings=settings)
        case _:
            pass


def _order(sandbox: Sandbox, dataset: Dataset) -> None:
    """Note the path of the date that orders the writes of a dataset, which has none of them yet."""
    known = Definitions(sandbox.catalog).find(Dataset, dataset.name)
    if dataset.ordered_by != (known.ordered_by if known is not None else None):
        number = sandbox.history.number("dataset", dataset.name)
        sandbox.history.con.execute("DELETE FROM dataset_order WHERE dataset = $1", [number])
        if dataset.ordered_by is not None:
            sandbox.history.con.execute("INSERT INTO dataset_order VALUES ($1, $2)", [number, dataset.ordered_by])


def _look(sandbox: Sandbox, view: View) -> None:
    """Merge the profiles of a view under its policy, unless they are that already."""
    history, definitions = sandbox.history, Definitions(sandbox.catalog)
    known = definitions.views().get(view.name)
    if known is not None and known.policy == view.policy:
        return
    seen = view.policy.event_datasets
    history.ensure_view(view.name, stitched=view.stitched)
    history.limit_events(view.name, None if seen is None else [history.number("dataset", name) for name in seen])
    bulk.refresh(history.con, view, profile_leaves(definitions))


def make_views(sandbox: Sandbox, leaves: Iterable[Leaf]) -> None:
    """Make the tables of every view that are not there, and in them a column for each of these attributes."""
    attributes = list(leaves)
    for view in Definitions(sandbox.catalog).views().values():
        sandbox.history.ensure_view(view.name, stitched=view.stitched)
        bulk.refresh(sandbox.history.con, view, attributes, touched=np.empty(0, np.int32))


def deleted(sandbox: Sandbox, entry: Entry) -> None:
    """Close the memberships of a deleted audience; drop what a deleted view has."""
    if entry.body["kind"] == "audience":
        ledger.settle(sandbox.history.con, entry.body["id"], BitMap(), at=entry.accepted_at, version=0, cause="deleted")
        ledger.forget(sandbox.history.con, entry.body["id"])
    if entry.body["kind"] == "view":
        sandbox.history.drop_view(entry.body["id"])


def _make_room(sandbox: Sandbox, schema: Schema) -> None:
    match schema.class_:
        case SchemaClass.EVENT:
            sandbox.history.ensure_leaves("event", schema.leaves().values())
        case SchemaClass.PROFILE:
            sandbox.history.ensure_leaves("record", schema.leaves().values())
        case SchemaClass.RECORD:
            return
    sandbox.history.refresh_live_views()
