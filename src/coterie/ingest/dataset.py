"""Datasets: named places that data of one schema is loaded into."""

from __future__ import annotations

import msgspec

from coterie.ingest.mapping import Mapping
from coterie.ingest.source import SourceFormat


class Dataset(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A dataset and how its files are usually read.

    `mapping` and `format` are what a load without its own ones takes.
    """

    name: str
    schema: str
    description: str = ""
    mapping: Mapping | None = None
    format: SourceFormat | None = None
