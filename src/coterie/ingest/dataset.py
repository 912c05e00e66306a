"""Datasets: named places that data of one schema is loaded into."""

from __future__ import annotations

import msgspec

from coterie.ingest.mapping import Mapping
from coterie.ingest.source import SourceFormat


class Dataset(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A dataset and how its files are usually read.

    `mapping` and `format` are what a load without its own ones takes. Events older than `expire_events_after` days, by
    their own time, are not kept. `labels` hold for every field of the dataset.

    Of records: with `upsert` the rows of a load change the given attributes, unless the load says otherwise, and leave
    the others. `ordered_by` is the path of a date: a row that is not newer by it than the record that stands is passed
    over, whenever it arrives.

    A `system` dataset is filled by Coterie itself, and by nobody else.
    """

    name: str
    schema: str
    description: str = ""
    mapping: Mapping | None = None
    format: SourceFormat | None = None
    expire_events_after: int | None = None
    labels: tuple[str, ...] = ()
    upsert: bool = False
    ordered_by: str | None = None
    system: bool = False
