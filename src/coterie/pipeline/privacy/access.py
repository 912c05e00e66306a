"""Access: everything that is held on persons, as plain data for one file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from coterie.core.clock import format_instant
from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.governance.traces import Sought, strings
from coterie.identity import decisions
from coterie.identity.decisions import Decision
from coterie.ingest.rewrite import texts
from coterie.ingest.source import Kind
from coterie.pipeline.privacy import exports
from coterie.pipeline.privacy.concerned import NUMBERS, lend
from coterie.pipeline.privacy.concerned import rows as mine
from coterie.pipeline.privacy.finding import pairs
from coterie.pipeline.privacy.request import concerned
from coterie.pipeline.privacy.surgery import Surgery, as_they_came
from coterie.pipeline.reading import Reading, copied
from coterie.store.sandbox import Sandbox


class Held(msgspec.Struct, frozen=True):
    """What the stores hold on persons, beyond their profiles and graphs.

    `fragments` and `events` are the rows as they are stored, `rows` the texts of the same rows (and of bad ones) in the
    staged files, `decisions` what was decided about the identities (the undone too), `log` the entries that name the
    persons, `exports` the exported files that hold them, `suppressed` those identities that were erased and are kept
    out, each with its request.
    """

    identities: tuple[Identity, ...]
    fragments: list[dict[str, Any]]
    events: list[dict[str, Any]]
    memberships: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    decisions: list[Decision]
    log: list[dict[str, Any]]
    exports: list[str]
    suppressed: list[dict[str, str]]


def held(sandbox: Sandbox, identities: Iterable[Identity], *, expand: bool, progress: Progress) -> Held:
    """Return everything that is held on the persons of some identities."""
    con = sandbox.history.con
    found = concerned(sandbox, identities, expand=expand)
    sought = Sought.of(found.identities)
    rows = _raw(sandbox, sought, progress)
    lines = {(row["batch"], row["file"], row["line"]) for row in rows}
    lend(con, found.identities)
    memberships = _rows(
        sandbox,
        f"SELECT * EXCLUDE (person) FROM membership SEMI JOIN {NUMBERS} n ON n.identity = person ORDER BY ALL",
    )
    aside = _rows(sandbox, "SELECT * FROM quarantine ORDER BY batch, file, line")
    return Held(
        identities=found.identities,
        fragments=_facts(sandbox, "record"),
        events=_facts(sandbox, "event") + _facts(sandbox, "event_duplicate"),
        memberships=[_dated(row, "entered_at", "exited_at", "valid_until") for row in memberships],
        quarantine=[
            row
            for row in aside
            if (row["batch"], row.get("file"), row.get("line")) in lines or sought.mentions(str(row.get("value")))
        ],
        rows=rows,
        decisions=[item for item in decisions.every(con) if not sought.identities.isdisjoint(item.identities)],
        log=[
            {"entry": entry.position, "at": format_instant(entry.accepted_at), "kind": entry.kind, "body": entry.body}
            for entry in sandbox.log.entries()
            if any(pair in sought.identities for pair in pairs(entry.body))
            or any(sought.mentions(told) for told in strings(entry.body))
        ],
        exports=[
            str(path.relative_to(sandbox.path))
            for path in exports.files(sandbox.exports)
            if exports.holds(con, path, sought)
        ],
        suppressed=_suppressed(sandbox, found.identities),
    )


def _suppressed(sandbox: Sandbox, identities: Iterable[Identity]) -> list[dict[str, str]]:
    """Return the identities that are on the suppression list: of somebody who was erased that is all there is."""
    con = sandbox.history.con
    if not suppression.count(con):
        return []
    secret = suppression.key(sandbox.path)
    hashes = {suppression.hashed(secret, *identity): identity for identity in identities}
    asked = suppression.requests_of(con, hashes)
    return [
        {"namespace": item.namespace, "value": item.value, "request": asked[code]}
        for code, item in hashes.items()
        if code in asked
    ]


def readable(value: Any) -> Any:
    """Return plain data with the instants that the program noted as ISO 8601 text; what came from sources stays."""
    match value:
        case dict():
            return {name: item if name in _GIVEN else _told(name, item) for name, item in value.items()}
        case list() | tuple():
            return [readable(item) for item in value]
        case _:
            return value


_GIVEN = frozenset({"attributes", "body", "computed", "events", "fragments", "rows", "value"})
"""Where the names are those of sources, so that one that ends in ``_at`` means nothing."""


_INSTANTS = frozenset({"as_of", "at", "expected_date", "score_date", "valid_until"})
"""Names of instants, beside those that end in ``_at``."""


def _told(name: str, item: Any) -> Any:
    dated = name in _INSTANTS or name.endswith("_at")
    return format_instant(item) if dated and type(item) is int else readable(item)


def _facts(sandbox: Sandbox, table: str) -> list[dict[str, Any]]:
    """Return the rows of the persons in a table, with the names of their datasets and batches."""
    rows = _rows(
        sandbox,
        f"""
        SELECT d.id AS dataset, b.id AS batch, b.recorded_at, b.withdrawn_at,
               t.* EXCLUDE ("$dataset", "$batch", "$identity", "$identities")
        FROM {table} t JOIN dataset d ON d.dataset = t."$dataset" JOIN batch b ON b.batch = t."$batch"
        SEMI JOIN ({mine(table)}) m ON m.r = t.rowid
        ORDER BY t."$batch", t."$row"
        """,
    )
    return [_dated(row, "recorded_at", "withdrawn_at", "timestamp") for row in rows]


def _rows(sandbox: Sandbox, query: str) -> list[dict[str, Any]]:
    """Return rows as objects, without the columns that hold nothing."""
    cursor = sandbox.history.con.execute(query)
    names = [item[0] for item in cursor.description]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in cursor.fetchall()
    ]


def _dated(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: format_instant(value) if name in names else value for name, value in row.items()}


def _raw(sandbox: Sandbox, sought: Sought, progress: Progress) -> list[dict[str, Any]]:
    """Return the rows of the persons as they came: file, line and text (or columns) of each."""
    con, out = sandbox.history.con, []
    for entry in sandbox.log.entries():
        if entry.kind != "batch.accepted":
            continue
        reading, source = Reading.logged(sandbox, entry.body, entry.accepted_at), copied(sandbox, entry.body)
        surgery = Surgery(con, source, reading.schema, reading.mapping, sought)
        lend(con, sought.identities)
        reading.stage(sandbox, source, progress, surgery.inspect)
        for change, file, item in zip(surgery.changes, source.files, entry.body["files"], strict=True):
            came = as_they_came(change, item)
            ranges = sorted((*change.own, *change.bad))
            lines = {first: came for (first, _), (came, _) in zip((*change.own, *change.bad), came, strict=True)}
            place = {"batch": entry.body["batch"], "dataset": entry.body["dataset"], "file": file.name}
            if source.kind is Kind.PARQUET:
                told: list[Any] = pq.read_table(file.path).take([first - 1 for first, _ in ranges]).to_pylist()
            else:
                told = [text.decode() for text in texts(Path(file.path), source.format.encoding, ranges)]
            out += [{**place, "line": lines[first], "row": row} for (first, _), row in zip(ranges, told, strict=True)]
    return out
