"""The report of a batch: what was read, what was taken, what was set aside, and what came of it."""

from __future__ import annotations

import msgspec


class BatchReport(msgspec.Struct, frozen=True):
    """Numbers and state of a batch.

    `errors` counts faults by code (a bad row may have several), `warnings` accepted rows by what is odd about them.
    """

    batch: str
    dataset: str
    status: str
    files: list[str] = []
    rows_read: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    errors: dict[str, int] = {}
    warnings: dict[str, int] = {}
    identities_new: int = 0
    links_new: int = 0
    seconds: float = 0.0
    reason: str = ""
    dry_run: bool = False
