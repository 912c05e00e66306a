"""The timeline of a person: events in order of time, filtered and page by page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.errors import Invalid
from coterie.core.schema import Leaf
from coterie.profile.nest import Shape
from coterie.profile.writes import rows_of
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CURSOR = re.compile(r"(-?[0-9]{1,15}):([0-9]{1,10}):([0-9]{1,10})")


class TimelineEvent(msgspec.Struct, frozen=True):
    """An event, as it was written, with the identity it is kept under."""

    dataset: str
    batch: str
    namespace: str
    value: str
    event: dict[str, Any]


class Page(msgspec.Struct, frozen=True):
    """Which events are wanted.

    Parameters
    ----------
    count : int
        How many at most.
    before : str, optional
        `next` of an earlier answer: the events that follow those.
    types, datasets : sequence of str, optional
        Only events of these types, of these datasets.
    since, until : int, optional
        Only events at or after the one instant, and before the other, ms.
    oldest_first : bool
        Whether the order is that of time; otherwise the newest come first.
    only : sequence of pairs of str, optional
        Only these events, each by its dataset and its ``_id``.
    """

    count: int = 100
    before: str | None = None
    types: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    oldest_first: bool = False
    only: tuple[tuple[str, str], ...] | None = None


class Timeline(msgspec.Struct, frozen=True):
    """A page of events, how many there are on all pages, and the cursor to the page after it."""

    events: tuple[TimelineEvent, ...]
    total: int
    next: str | None


def timeline(con: DuckDBPyConnection, events: str, leaves: Iterable[Leaf], page: Page) -> Timeline:
    """Return a page of events.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    events : str
        A SELECT of the person's events.
    leaves : iterable of Leaf
        Fields of the event union.
    page : Page
        Which of them.

    Raises
    ------
    Invalid
        ``profile.cursor`` when `page.before` is not a cursor.
    """
    cursor = _read_cursor(page.before)
    conditions, parameters = _filter(page)
    matching = f'SELECT "timestamp", "$batch", "$row" FROM ({events}) WHERE {" AND ".join(conditions)}'
    total = int(con.execute(f"SELECT count(*) FROM ({matching})", parameters).fetchall()[0][0])
    if page.count < 1:
        return Timeline((), total, None)
    direction, beyond = ("ASC", ">") if page.oldest_first else ("DESC", "<")
    parameters["count"] = page.count + 1
    if cursor is not None:
        matching += f' AND ("timestamp", "$batch", "$row") {beyond} ($at, $batch, $row)'
        parameters |= dict(zip(("at", "batch", "row"), cursor, strict=True))
    shape = Shape(leaves)
    columns = "".join(f", e.{quote(leaf.path)}" for leaf in shape.leaves)
    order = f'"timestamp" {direction}, "$batch" {direction}, "$row" {direction}'
    # the places of the first are found on narrow columns; only those few rows are read whole
    rows = rows_of(
        con,
        f"""
        WITH place AS ({matching} ORDER BY {order} LIMIT $count)
        SELECT d.id AS "$dataset_id", b.id AS "$batch_id", n.code AS "$namespace", i.value AS "$value",
               e."$batch", e."$row"{columns}
        FROM ({events}) e
        SEMI JOIN place p ON p."timestamp" = e."timestamp" AND p."$batch" = e."$batch" AND p."$row" = e."$row"
        JOIN batch b ON b.batch = e."$batch" JOIN dataset d ON d.dataset = e."$dataset"
        JOIN identity i ON i.identity = e."$identity" JOIN namespace n ON n.namespace = i.namespace
        ORDER BY e."timestamp" {direction}, e."$batch" {direction}, e."$row" {direction}
        """,
        parameters,
    )
    shown = tuple(
        TimelineEvent(row["$dataset_id"], row["$batch_id"], row["$namespace"], row["$value"], shape.nest(row))
        for row in rows[: page.count]
    )
    if len(rows) <= page.count:
        return Timeline(shown, total, None)
    last = rows[page.count - 1]
    return Timeline(shown, total, f"{last['timestamp']}:{last['$batch']}:{last['$row']}")


def _filter(page: Page) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions of a page other than its cursor, with their parameters."""
    conditions, parameters = ["TRUE"], dict[str, Any]()
    if page.types is not None:
        conditions.append('list_contains($types::VARCHAR[], "eventType")')
        parameters["types"] = list(page.types)
    if page.datasets is not None:
        conditions.append('"$dataset" IN (SELECT dataset FROM dataset WHERE list_contains($datasets::VARCHAR[], id))')
        parameters["datasets"] = list(page.datasets)
    if page.only is not None:
        conditions.append(
            '("$dataset", _id) IN (SELECT d.dataset, o.id FROM (SELECT unnest($only_datasets::VARCHAR[]) AS name, '
            "unnest($only_ids::VARCHAR[]) AS id) o JOIN dataset d ON d.id = o.name)"
        )
        parameters["only_datasets"] = [dataset for dataset, _ in page.only]
        parameters["only_ids"] = [id_ for _, id_ in page.only]
    if page.since is not None:
        conditions.append('"timestamp" >= $since')
        parameters["since"] = page.since
    if page.until is not None:
        conditions.append('"timestamp" < $until')
        parameters["until"] = page.until
    return conditions, parameters


def _read_cursor(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise Invalid(
            "profile.cursor",
            f"{text!r} is not a cursor.",
            hint="Pass on the `next` of an earlier answer, or nothing.",
            where={"before": text},
        )
    at, batch, row = map(int, found.groups())
    return at, batch, row
