"""Suppressed identities at the intake: rows of erased persons are left out, also of the copies of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.ingest import owners
from coterie.ingest.source import Source
from coterie.ingest.stage import Staged
from coterie.pipeline.privacy.surgery import Surgery
from coterie.pipeline.reading import Reading, copied
from coterie.store import staging
from coterie.store.sandbox import Sandbox

CODE = "identity.suppressed"
"""What the quarantine calls a row of an erased person; it keeps its line, and no value."""


def stage(
    sandbox: Sandbox, reading: Reading, source: Source, progress: Progress, body: dict[str, Any] | None = None
) -> Staged:
    """Stage files without the rows of suppressed identities.

    Parameters
    ----------
    sandbox, reading, source, progress
        As for `Reading.stage`.
    body : dict, optional
        The log entry to be: when rows are left out, the copies of the files that it names are written again without
        them, and it is changed accordingly. Without it (a dry run) only the numbers are right.
    """
    con = sandbox.history.con
    if not suppression.count(con):
        return reading.stage(sandbox, source, progress)
    surgery = Surgery(con, source, reading.schema, reading.mapping)
    secret = suppression.key(sandbox.path)

    def inspect() -> None:
        told = suppression.among(owners.identities(reading.schema), secret)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {owners.CONCERNED} AS {told}")
        surgery.inspect()

    staged = reading.stage(sandbox, source, progress, inspect)
    if not surgery.touched:
        return staged
    # the reasons speak of the lines of the files as they came
    (read,) = con.execute(
        'SELECT count(DISTINCT "$row") FROM stage_error SEMI JOIN stage_concerned USING ("$row")'
    ).fetchall()
    con.execute('DELETE FROM stage_error WHERE "$row" IN (SELECT "$row" FROM stage_concerned)')
    con.execute("CREATE OR REPLACE TEMP TABLE stage_reason AS SELECT * FROM stage_error")
    left_out = surgery.rows
    numbers = {"rows_read": staged.rows_read - left_out, "quarantined": staged.quarantined - read[0]}
    if body is None:
        staged = msgspec.structs.replace(staged, accepted=numbers["rows_read"] - numbers["quarantined"], **numbers)
    else:
        body["files"] = _written(sandbox, surgery, body["files"])
        staged = reading.stage(sandbox, copied(sandbox, body), progress)
    con.execute("CREATE OR REPLACE TEMP TABLE stage_error AS SELECT * FROM stage_reason")
    for number, change in enumerate(surgery.changes):
        con.execute(
            "INSERT INTO stage_error SELECT NULL, $1, unnest($2::BIGINT[]), NULL, NULL, $3, $4",
            [number, sorted(first for first, _ in (*change.own, *change.bad)), CODE, "the person was erased"],
        )
    errors = con.execute("SELECT code, count(*) FROM stage_error GROUP BY code ORDER BY 2 DESC, 1").fetchall()
    return msgspec.structs.replace(staged, errors=dict(errors))


def _written(sandbox: Sandbox, surgery: Surgery, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the copies again and return what the log says of those that still hold rows."""
    kept = []
    for number, item in enumerate(files):
        path = sandbox.path / item["path"]
        if not surgery.changes[number].touched:
            kept.append(item)
            continue
        partial = path.with_name(f"{path.name}.partial")
        if surgery.write(number, partial):
            settle(partial)
            partial.replace(path)
            kept.append(surgery.described(number, item, path))
        else:
            partial.unlink(missing_ok=True)
            path.unlink()
        staging.sync(path.parent)
    return kept


def settle(path: Path) -> None:
    """Make a staged file durable and immutable."""
    path.chmod(0o444)
    staging.sync(path)
