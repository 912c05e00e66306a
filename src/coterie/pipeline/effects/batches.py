"""The effect of a batch on facts, graphs and profiles; and of taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from coterie.core.progress import Progress
from coterie.core.schema import Schema, SchemaClass
from coterie.identity import assign, batch_limit, links
from coterie.identity.persons import Cause
from coterie.identity.settings import order
from coterie.identity.stitch import Scope
from coterie.ingest import duplicates
from coterie.ingest.dataset import Dataset
from coterie.ingest.operation import PARTIAL
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import graphs
from coterie.profile import fragments
from coterie.store.history import quote
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

_SYSTEM = ("$dataset", "$batch", "$row", "$identity", "$identities")


def accepted(sandbox: Sandbox, entry: Entry, progress: Progress) -> dict[str, Any]:
    """Take the rows in ``stage`` into the history; return counts of duplicates, new identities, new links, warnings."""
    history, definitions = sandbox.history, Definitions(sandbox.catalog)
    con, body = history.con, entry.body
    dataset = definitions.get(Dataset, body["dataset"])
    schema = definitions.get(Schema, dataset.schema)
    batch, number = body["number"], history.number("dataset", dataset.name)
    history.add_batch(batch, body["batch"], number, entry.accepted_at)

    progress.report("identities")
    namespaces, settings = definitions.namespaces(), definitions.identity_settings()
    priority = order(settings, namespaces) if settings.optimized else None
    assigned = assign.assign(con, schema, namespaces, priority, settings.unique, batch=batch)

    table: Literal["event", "record"] = "event" if schema.class_ is SchemaClass.EVENT else "record"
    repeated = 0
    if table == "event":
        progress.report("duplicates")
        repeated = duplicates.mark(con, number)
    progress.report("writing")
    if table == "record":
        _insert_records(sandbox, schema, batch, number, body.get("writing", {}).get("unset", []))
    else:
        _insert(sandbox, table, schema, batch, number, "ANTI" if repeated else None)
    if repeated:
        _insert(sandbox, "event_duplicate", schema, batch, number, "SEMI")
    progress.report("links")
    before = _count(sandbox, "link")
    links.add(con, batch, number, table)
    held = batch_limit.hold(con, batch, number, table)
    new_links = _count(sandbox, "link") - before
    older = fragments.older(con, number, batch) if dataset.ordered_by is not None else 0
    scope, batches = _replacing(sandbox, entry)
    graphs.refresh(sandbox, scope, Cause(entry.accepted_at, batch), progress, batches=batches)
    warnings = assigned.unlinked | ({"identity.batch-limit": held} if held else {})
    return {
        "duplicates": repeated,
        "identities_new": assigned.new_identities,
        "links_new": new_links,
        "older": older,
        "warnings": warnings,
    }


def _replacing(sandbox: Sandbox, entry: Entry) -> tuple[Scope, list[int]]:
    """Withdraw the batches whose place an accepted one takes; return what changed, and the batches concerned."""
    batch, ids = entry.body["number"], set(entry.body.get("replaces", ()))
    if not ids:
        return Scope(batch), [batch]
    replaced = [item.number for item in sandbox.catalog.batches(entry.body["dataset"]) if item.id in ids]
    concerned = sorted({batch, *replaced, *_withdraw(sandbox, replaced, entry.accepted_at)})
    return _scope(sandbox, concerned), concerned


def _scope(sandbox: Sandbox, batches: list[int]) -> Scope:
    """Return what changes with batches that came or went."""
    return Scope(identities=graphs.evidence(sandbox).concerned(batches), facts_of=batches)


def _insert_records(sandbox: Sandbox, schema: Schema, batch: int, dataset: int, unset: list[str]) -> None:
    """Write the staged rows with what each does; those that merge or append take the paths `unset` away."""
    paths = [quote(path) for path in schema.leaves()]
    columns = ", ".join([*map(quote, _SYSTEM), '"$operation"', '"$unset"', *paths])
    sandbox.history.fit_texts(schema.leaves().values(), "identified")
    sandbox.history.con.execute(
        f"""
        INSERT INTO record ({columns})
        SELECT $dataset, $batch, s."$row", s."$identity", s."$identities", s."$operation",
               CASE WHEN list_contains($partial::UTINYINT[], s."$operation") THEN $unset::VARCHAR[] END
               {"".join(f", {path}" for path in paths)}
        FROM identified s ORDER BY s."$row"
        """,
        {"dataset": dataset, "batch": batch, "partial": [item.number for item in PARTIAL], "unset": unset or None},
    )


def _insert(
    sandbox: Sandbox,
    table: str,
    schema: Schema,
    batch: int,
    dataset: int,
    duplicates: Literal["ANTI", "SEMI"] | None,
) -> None:
    """Write the staged rows: without those in ``stage_duplicate`` (ANTI), those alone (SEMI), or all."""
    paths = [quote(path) for path in schema.leaves()]
    columns = ", ".join([*map(quote, _SYSTEM), *paths])
    values = ", ".join(["$dataset", "$batch", 's."$row"', 's."$identity"', 's."$identities"', *paths])
    which = f'{duplicates} JOIN stage_duplicate d ON d."$row" = s."$row"' if duplicates else ""
    sandbox.history.con.execute(
        f"INSERT INTO {quote(table)} ({columns}) SELECT {values} FROM identified s {which} "
        'ORDER BY s."eventType", s."timestamp"',
        {"dataset": dataset, "batch": batch},
    )


def _count(sandbox: Sandbox, table: str) -> int:
    return int(sandbox.history.con.execute(f"SELECT count(*) FROM {quote(table)}").fetchall()[0][0])


def reverted(sandbox: Sandbox, entry: Entry, progress: Progress) -> dict[str, int]:
    """Withdraw a batch; return how many batches have duplicates that now count."""
    batch = sandbox.catalog.batch(entry.body["batch"]).number
    promoted = _withdraw(sandbox, [batch], entry.accepted_at)
    concerned = [batch, *promoted]
    scope = _scope(sandbox, concerned)
    graphs.refresh(sandbox, scope, Cause(entry.accepted_at, batch), progress, batches=concerned)
    return {"promoted": len(promoted)}


def _withdraw(sandbox: Sandbox, batches: Sequence[int], at: int) -> list[int]:
    """Withdraw batches; return those that have duplicates which count from then on."""
    for batch in batches:
        sandbox.history.withdraw_batch(batch, at)
    return promote(sandbox, batches)


def promote(sandbox: Sandbox, withdrawn: Sequence[int] | None = None) -> list[int]:
    """Let the earliest duplicate of an event that is no longer there take its place; return the batches concerned.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores, within a transaction of the history.
    withdrawn : sequence of int, optional
        The batches whose events are no longer there; events of any batch if not given.
    """
    con = sandbox.history.con
    same = 'e."$dataset" = d."$dataset" AND e."_id" = d."_id"'
    gone = ""
    if withdrawn is not None:
        listed = ", ".join(f"{batch:d}" for batch in withdrawn) or "NULL"
        gone = f'SEMI JOIN (FROM event WHERE "$batch" IN ({listed})) e ON {same}'
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE waiting AS
        SELECT d."$dataset", d."$batch", d."$row", d."_id" FROM event_duplicate d
        JOIN batch b ON b.batch = d."$batch" AND b.withdrawn_at IS NULL {gone}
        """
    )
    # as a rule none: then the events of all batches are not looked through
    if not con.execute("SELECT 1 FROM waiting LIMIT 1").fetchall():
        con.execute("DROP TABLE waiting")
        return []
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE promoted AS
        SELECT d."$dataset", d."$batch", d."$row" FROM waiting d ANTI JOIN live_event e ON {same}
        QUALIFY row_number() OVER (PARTITION BY d."$dataset", d."_id" ORDER BY d."$batch", d."$row") = 1
        """
    )
    con.execute("DROP TABLE waiting")
    batches = con.execute('SELECT DISTINCT "$batch", "$dataset" FROM promoted ORDER BY ALL').fetchall()
    if batches:
        sandbox.history.forget_copy()
        same = 'p."$batch" = d."$batch" AND p."$row" = d."$row"'
        con.execute(f"INSERT INTO event BY NAME SELECT d.* FROM event_duplicate d SEMI JOIN promoted p ON {same}")
        con.execute('DELETE FROM event_duplicate WHERE ("$batch", "$row") IN (SELECT ("$batch", "$row") FROM promoted)')
    for batch, dataset in batches:
        con.execute("DELETE FROM link WHERE batch = $1", [batch])
        links.add(con, batch, dataset, "event")
    return [batch for batch, _ in batches]
