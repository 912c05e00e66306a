"""The writes of records of one person, as the history holds them, and the fragments they leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from coterie.core.schema import Leaf
from coterie.identity.past import Moment
from coterie.ingest.operation import NUMBERS
from coterie.profile.merge import Fragment, Source, Write
from coterie.profile.nest import Shape
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OPERATIONS = {number: operation for operation, number in NUMBERS.items()}


def rows_of(con: DuckDBPyConnection, statement: str, parameters: object = None) -> list[dict[str, Any]]:
    """Return the rows of an answer by the names of its columns."""
    cursor = con.execute(statement, parameters)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def writes(con: DuckDBPyConnection, whose: Sequence[int], leaves: Iterable[Leaf], moment: Moment) -> list[Write]:
    """Return the writes of records of some identities, oldest first.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    whose : sequence of int
        The identities.
    leaves : iterable of Leaf
        Attributes of the profile union.
    moment : Moment
        When they are looked at.
    """
    shape = Shape(leaves)
    dated = dict(con.execute("SELECT d.id, o.path FROM dataset_order o JOIN dataset d USING (dataset)").fetchall())
    columns = "".join(f", r.{quote(leaf.path)}" for leaf in shape.leaves)
    found = rows_of(
        con,
        f"""
        SELECT d.id AS "$dataset_id", n.code AS "$namespace", i.value AS "$value", b.recorded_at AS "$recorded_at",
               b.id AS "$batch_id", r."$batch", r."$row", r."$operation", r."$unset"{columns}
        FROM ({moment.records(whose)}) r
        JOIN batch b ON b.batch = r."$batch" JOIN dataset d ON d.dataset = r."$dataset"
        JOIN identity i ON i.identity = r."$identity" JOIN namespace n ON n.namespace = i.namespace
        ORDER BY r."$batch", r."$row"
        """,
    )
    return [
        Write(
            Fragment(
                Source(row["$dataset_id"], row["$namespace"], row["$value"], row["$recorded_at"], row["$batch_id"]),
                shape.nest(row),
                (row["$batch"], row["$row"]),
            ),
            _OPERATIONS[row["$operation"]],
            row.get(dated.get(row["$dataset_id"], "")),
            tuple(row["$unset"] or ()),
        )
        for row in found
    ]
