"""The tables of the history (docs/architecture.md) and the steps from one format to the next.

`event`, `event_duplicate` and `record` grow a column for every leaf; `person_of_…`, `lineage_…` and `profile_…`
exist once for each view.
"""

from __future__ import annotations

from collections.abc import Sequence

FORMAT = 3

SYSTEM_COLUMNS = (
    '"$dataset" INTEGER NOT NULL, "$batch" INTEGER NOT NULL, "$row" BIGINT NOT NULL,'
    ' "$identity" INTEGER, "$identities" INTEGER[]'
)

_FACT_TABLES = (
    "CREATE TABLE meta (key VARCHAR NOT NULL, value BIGINT NOT NULL)",
    """CREATE TABLE batch (
        batch INTEGER NOT NULL, id VARCHAR NOT NULL, dataset INTEGER NOT NULL,
        recorded_at BIGINT NOT NULL, withdrawn_at BIGINT
    )""",
    "CREATE TABLE dataset (dataset INTEGER NOT NULL, id VARCHAR NOT NULL)",
    "CREATE TABLE namespace (namespace INTEGER NOT NULL, code VARCHAR NOT NULL)",
    """CREATE TABLE identity (
        identity INTEGER NOT NULL, namespace INTEGER NOT NULL, value VARCHAR NOT NULL, batch INTEGER NOT NULL
    )""",
    f"CREATE TABLE event ({SYSTEM_COLUMNS})",
    f"CREATE TABLE event_duplicate ({SYSTEM_COLUMNS})",
    # the operation is NULL for a create, 1 for a merge, 2 for a delete
    f'CREATE TABLE record ({SYSTEM_COLUMNS}, "$operation" UTINYINT)',
    """CREATE TABLE link (
        a INTEGER NOT NULL, b INTEGER NOT NULL, batch INTEGER NOT NULL, dataset INTEGER NOT NULL,
        first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, records BIGINT NOT NULL
    )""",
    """CREATE TABLE quarantine (
        batch VARCHAR NOT NULL, dataset VARCHAR NOT NULL, file VARCHAR, line BIGINT, field VARCHAR, value VARCHAR,
        code VARCHAR NOT NULL, reason VARCHAR NOT NULL, expires_at BIGINT NOT NULL
    )""",
    """CREATE TABLE membership (
        audience VARCHAR NOT NULL, person INTEGER NOT NULL, entered_at BIGINT NOT NULL, exited_at BIGINT,
        version INTEGER NOT NULL, cause VARCHAR, namespace VARCHAR DEFAULT 'ups', valid_until BIGINT
    )""",
)

GRAPH_TABLES = (
    # what people decided about identities: kind is merge, split or never
    """CREATE TABLE decision (
        decision INTEGER NOT NULL, kind VARCHAR NOT NULL, identities INTEGER[] NOT NULL, reason VARCHAR,
        source VARCHAR NOT NULL, weight DOUBLE, recorded_at BIGINT NOT NULL, withdrawn_at BIGINT
    )""",
    # identities whose evidence component is not simply its graph: it was replayed record by record
    "CREATE TABLE folded (identity INTEGER NOT NULL, component INTEGER NOT NULL)",
    # the links that are in force within such components
    """CREATE TABLE graph_link (
        a INTEGER NOT NULL, b INTEGER NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL
    )""",
    # the links that a rule, the graph limit or a decision removed there, with the record or decision that caused it
    """CREATE TABLE removed_link (
        a INTEGER NOT NULL, b INTEGER NOT NULL, "at" BIGINT NOT NULL, kind VARCHAR NOT NULL, namespace INTEGER,
        batch INTEGER, "row" BIGINT, decision INTEGER
    )""",
    """CREATE TABLE evicted (
        identity INTEGER NOT NULL, "at" BIGINT NOT NULL, batch INTEGER, "row" BIGINT, decision INTEGER
    )""",
)

TABLES = (*_FACT_TABLES, *GRAPH_TABLES)

UPGRADES: Sequence[Sequence[str]] = (
    # 0 to 1: memberships say what caused them
    ("ALTER TABLE membership ADD COLUMN cause VARCHAR",),
    # 1 to 2: memberships of other systems, and memberships that end by themselves
    (
        "ALTER TABLE membership ADD COLUMN namespace VARCHAR DEFAULT 'ups'",
        "ALTER TABLE membership ADD COLUMN valid_until BIGINT",
    ),
    # 2 to 3: writes that change or remove a record, decisions about identities, and graphs that were replayed
    ('ALTER TABLE record ADD COLUMN "$operation" UTINYINT', *GRAPH_TABLES),
)
"""Statements that lead from format *n* (the position in the sequence) to *n* + 1."""


def view_tables(person_of: str, lineage: str) -> tuple[str, str]:
    """Return the statements that make the tables of a view, given their quoted names."""
    return (
        f"CREATE TABLE IF NOT EXISTS {person_of} (identity INTEGER NOT NULL, person INTEGER NOT NULL)",
        f"""CREATE TABLE IF NOT EXISTS {lineage} (
            person INTEGER NOT NULL, "into" INTEGER NOT NULL, batch INTEGER, "at" BIGINT NOT NULL, kind VARCHAR NOT NULL
        )""",
    )


def live_views(withdrawn: bool) -> tuple[str, ...]:
    """Return the statements that (re)make the live views; they filter only when some batch is withdrawn.

    They are made anew after every new column, because a view keeps the columns that it was made with.
    """
    of_batch = ' WHERE "$batch" NOT IN (SELECT batch FROM batch WHERE withdrawn_at IS NOT NULL)' if withdrawn else ""
    of_link = of_batch.replace('"$batch"', "batch", 1)
    return (
        f"CREATE OR REPLACE VIEW live_event AS SELECT * FROM event{of_batch}",
        f"CREATE OR REPLACE VIEW live_record AS SELECT * FROM record{of_batch}",
        f"CREATE OR REPLACE VIEW live_link AS SELECT * FROM link{of_link}",
        # the last write of each fragment is found on its narrow key, then fetched by row id: no sort of wide rows; an
        # inner join on the whole key (though the row id would do) lets a filter on the identity reach both sides
        f"""CREATE OR REPLACE VIEW fragment AS SELECT record.* FROM record JOIN (
            SELECT "$dataset", "$identity", arg_max(rowid, ("$batch", "$row")) AS last
            FROM record{of_batch} GROUP BY "$dataset", "$identity"
        ) AS newest ON record."$dataset" = newest."$dataset" AND record."$identity" = newest."$identity"
            AND record.rowid = newest.last""",
    )
