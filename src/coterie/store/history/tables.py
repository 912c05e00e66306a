"""The tables of the history (docs/architecture.md) and the steps from one format to the next.

`event`, `event_duplicate` and `record` grow a column for every leaf; `profile_…` exists once for each view, and so do
the SQL views `event_of_…`, `event_by_identity_of_…`, `person_of_…` and `lineage_…`.
"""

from __future__ import annotations

from collections.abc import Sequence

FORMAT = 4

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
    # the operation is NULL for a create, 1 for a merge, 2 for a delete; a merge may take paths away
    f'CREATE TABLE record ({SYSTEM_COLUMNS}, "$operation" UTINYINT, "$unset" VARCHAR[])',
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
    # states of giant ones of them on the way: the links in force of a part after all its records up to an instant,
    # and who belongs to the part, from which instant on
    """CREATE TABLE graph_state (
        part INTEGER NOT NULL, upto BIGINT NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL, first_at BIGINT NOT NULL,
        last_at BIGINT NOT NULL
    )""",
    "CREATE TABLE graph_part (identity INTEGER NOT NULL, part INTEGER NOT NULL, since BIGINT NOT NULL)",
    # the person of every identity that occurs, and how persons came out of others by a batch or a decision
    "CREATE TABLE person_of (identity INTEGER NOT NULL, person INTEGER NOT NULL)",
    """CREATE TABLE lineage (
        person INTEGER NOT NULL, "into" INTEGER NOT NULL, batch INTEGER, decision INTEGER, "at" BIGINT NOT NULL,
        kind VARCHAR NOT NULL
    )""",
)

POLICY_TABLES = (
    # the views there are, and the datasets whose events each of them sees; NULL for all
    "CREATE TABLE event_view (view VARCHAR NOT NULL, datasets INTEGER[])",
    # datasets whose writes are ordered by a date of their own, and the path of that date
    "CREATE TABLE dataset_order (dataset INTEGER NOT NULL, path VARCHAR NOT NULL)",
)

AUDIENCE_TABLES = (
    # the last evaluation of each audience: how many satisfied its rule, and how many of them were withheld
    """CREATE TABLE evaluated (
        audience VARCHAR NOT NULL, "at" BIGINT NOT NULL, version INTEGER NOT NULL, members INTEGER NOT NULL,
        opted_out INTEGER NOT NULL, no_consent INTEGER NOT NULL
    )""",
)

PRIVACY_TABLES = (
    # keyed hashes of the identities that were erased, each under the request that it comes from
    "CREATE TABLE suppressed (hash VARCHAR NOT NULL, request VARCHAR NOT NULL)",
)

TABLES = (*_FACT_TABLES, *GRAPH_TABLES, *POLICY_TABLES, *AUDIENCE_TABLES, *PRIVACY_TABLES)


def person_views(view: str, *, stitched: bool) -> tuple[str, str]:
    """Return the statements that (re)make the persons of a view: those of the graphs, or every identity its own."""
    person, told = ("person", "") if stitched else ("identity AS person", " WHERE false")
    return (
        f'CREATE OR REPLACE VIEW "person_of_{view}" AS SELECT identity, {person} FROM person_of',
        f'CREATE OR REPLACE VIEW "lineage_{view}" AS SELECT * FROM lineage{told}',
    )


_FIRST_VIEWS = {"default": True, "unstitched": False}

UPGRADES: Sequence[Sequence[str]] = (
    # 0 to 1: memberships say what caused them
    ("ALTER TABLE membership ADD COLUMN cause VARCHAR",),
    # 1 to 2: memberships of other systems, and memberships that end by themselves
    (
        "ALTER TABLE membership ADD COLUMN namespace VARCHAR DEFAULT 'ups'",
        "ALTER TABLE membership ADD COLUMN valid_until BIGINT",
    ),
    # 2 to 3: writes that change or remove a record, decisions about identities, and graphs that were replayed
    (
        'ALTER TABLE record ADD COLUMN "$operation" UTINYINT',
        'ALTER TABLE record ADD COLUMN "$unset" VARCHAR[]',
        *GRAPH_TABLES,
        *POLICY_TABLES,
        *PRIVACY_TABLES,
        *AUDIENCE_TABLES,
        "INSERT INTO event_view (view) VALUES ('default'), ('unstitched')",
        # the views share one mapping to persons
        "CREATE TABLE IF NOT EXISTS person_of_default (identity INTEGER, person INTEGER)",
        """CREATE TABLE IF NOT EXISTS lineage_default (
            person INTEGER, "into" INTEGER, batch INTEGER, "at" BIGINT, kind VARCHAR
        )""",
        "INSERT INTO person_of SELECT identity, person FROM person_of_default",
        "INSERT INTO lineage BY NAME SELECT * FROM lineage_default",
        *(f"DROP TABLE IF EXISTS {kind}_{view}" for kind in ("person_of", "lineage") for view in _FIRST_VIEWS),
        *(statement for view, stitched in _FIRST_VIEWS.items() for statement in person_views(view, stitched=stitched)),
        "DROP VIEW IF EXISTS fragment",
    ),
    # 3 to 4: views for the events of few identities, which are made with the live views
    (),
)
"""Statements that lead from format *n* (the position in the sequence) to *n* + 1."""


def live_views(withdrawn: bool, by_identity: str) -> tuple[str, ...]:
    """Return the statements that (re)make the live views; they filter only when some batch is withdrawn.

    `live_event_by_identity` has the rows of `live_event`, read from the relation `by_identity`.
    They are made anew after every new column, because a view keeps the columns that it was made with.
    """
    of_batch = ' WHERE "$batch" NOT IN (SELECT batch FROM batch WHERE withdrawn_at IS NOT NULL)' if withdrawn else ""
    of_link = of_batch.replace('"$batch"', "batch", 1)
    return (
        f"CREATE OR REPLACE VIEW live_event AS SELECT * FROM event{of_batch}",
        f"CREATE OR REPLACE VIEW live_event_by_identity AS SELECT * FROM {by_identity}{of_batch}",
        f"CREATE OR REPLACE VIEW live_record AS SELECT * FROM record{of_batch}",
        f"CREATE OR REPLACE VIEW live_link AS SELECT * FROM link{of_link}",
    )


def event_views(view: str, datasets: Sequence[int] | None) -> tuple[str, str]:
    """Return the statements that (re)make the events that a view sees: in their order, and by identity."""
    seen = "" if datasets is None else f' WHERE "$dataset" IN ({", ".join(map(str, datasets)) or "NULL"})'
    return (
        f'CREATE OR REPLACE VIEW "event_of_{view}" AS SELECT * FROM live_event{seen}',
        f'CREATE OR REPLACE VIEW "event_by_identity_of_{view}" AS SELECT * FROM live_event_by_identity{seen}',
    )
