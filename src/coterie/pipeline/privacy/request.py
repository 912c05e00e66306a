"""What a person may ask for, or somebody for them: the request, whom it concerns, and what was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from coterie.core.errors import Conflict, Invalid
from coterie.core.ids import Identity
from coterie.ingest.owners import CONCERNED
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.privacy.concerned import NUMBERS, lend, rows, shared
from coterie.pipeline.privacy.finding import RAW, Finding
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST = 10_000
"""Most identities that one request may name."""

OUTSIDE = (
    "backups and copies of the workspace",
    "files exported or loaded from elsewhere than the sandbox",
    "what the file system keeps of deleted files",
    "other sandboxes of the workspace",
)
"""What an erasure does not reach, named in its report."""

Treatment = Literal["refuse", "redact", "keep"]


class Mode(StrEnum):
    """What becomes of the rows of the persons.

    ``erase``
        They go.
    ``anonymise``
        They stay under random identities, without the fields that are labelled ``I1`` or ``I2``.
    """

    ERASE = "erase"
    ANONYMISE = "anonymise"


class Request(msgspec.Struct, frozen=True):
    """A request to erase persons.

    `expand` takes in all identities of their graphs. `definitions` says what becomes of definitions that hold one of
    the values, such as a rule with an address in it.
    """

    identities: tuple[Identity, ...]
    expand: bool = True
    mode: Mode = Mode.ERASE
    definitions: Treatment = "refuse"
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.identities:
            raise Invalid("privacy.nobody", "the request names no identity.", hint="Name at least one.")
        if len(self.identities) > MOST:
            raise Invalid(
                "privacy.too-many",
                f"the request names {len(self.identities):,} identities, more than {MOST:,}.",
                hint="Divide it.",
            )


class Concerned(msgspec.Struct, frozen=True):
    """The identities that a request concerns, and those of them that the sandbox has never seen."""

    identities: tuple[Identity, ...]
    unknown: tuple[Identity, ...]
    persons: int


class StoreReport(msgspec.Struct, frozen=True):
    """How often a store held what is erased, before and after."""

    store: str
    before: int
    after: int


class Counts(msgspec.Struct, frozen=True):
    """What is the persons': how many of each.

    `shared` are those of the rows that hold an identity of somebody else too.
    """

    persons: int
    identities: int
    records: int
    events: int
    shared: int
    batches: int
    memberships: int
    quarantined: int


class Preview(msgspec.Struct, frozen=True):
    """What an erasure would reach: the identities, counts, and every place that holds something."""

    identities: tuple[Identity, ...]
    unknown: tuple[Identity, ...]
    counts: Counts
    definitions: tuple[str, ...]
    findings: tuple[Finding, ...]
    outside: tuple[str, ...] = OUTSIDE


class Erased(msgspec.Struct, frozen=True):
    """The completeness report of an erasure; it holds no personal data.

    `rows` were taken out of (or changed in) `files` staged files, `spoiled` are rows of others that are bad ones now
    because a value was taken out of them, `entries` of the log were changed, `exports` were written again, `removed`
    are exported files that had to go, and `digest` is that of the new log.
    """

    request: str
    mode: Mode
    at: int
    counts: Counts
    unknown: int
    rows: int
    files: int
    spoiled: int
    entries: int
    exports: tuple[str, ...]
    removed: tuple[str, ...]
    definitions: tuple[str, ...]
    stores: tuple[StoreReport, ...]
    digest: str
    suppressed: int
    seconds: float
    outside: tuple[str, ...] = OUTSIDE


def concerned(sandbox: Sandbox, identities: Iterable[Identity], *, expand: bool) -> Concerned:
    """Return whom a request concerns: the identities named, and with `expand` all of their graphs."""
    con, named = sandbox.history.con, sorted({Identity(*item) for item in identities})
    namespaces = Definitions(sandbox.catalog).namespaces()
    for item in named:
        if item.namespace not in namespaces:
            raise Invalid(
                "privacy.namespace",
                f"there is no namespace {item.namespace}.",
                hint="Namespace codes are case-sensitive; `coterie identity namespaces` lists them.",
                where={"namespace": item.namespace},
            )
    lend(con, named)
    known = con.execute(f"SELECT n.code, i.value {_NUMBERED}").fetchall()
    all_of_them = {Identity(*row) for row in known}
    persons = con.execute(
        f"SELECT DISTINCT p.person FROM person_of_default p SEMI JOIN {NUMBERS} n ON n.identity = p.identity"
    ).fetchall()
    if expand:
        rows = con.execute(
            "SELECT n.code, i.value FROM person_of_default p JOIN identity i USING (identity) "
            "JOIN namespace n USING (namespace) WHERE list_contains($1::INTEGER[], p.person)",
            [[person for (person,) in persons]],
        ).fetchall()
        all_of_them |= {Identity(*row) for row in rows}
    unknown = tuple(item for item in named if item not in all_of_them)
    return Concerned(tuple(sorted({*all_of_them, *named})), unknown, len(persons))


_NUMBERED = f"FROM {NUMBERS} JOIN identity i USING (identity) JOIN namespace n ON n.namespace = i.namespace"


def counted(con: DuckDBPyConnection, found: Concerned) -> Counts:
    """Count what is held on the persons."""
    lend(con, found.identities)
    totals, others = {"event": 0, "record": 0}, 0
    batches: set[int] = set()
    for table in ("event", "event_duplicate", "record"):
        told = con.execute(
            f'SELECT t."$batch", count(*) FROM {table} t SEMI JOIN ({rows(table)}) m ON m.r = t.rowid GROUP BY ALL'
        ).fetchall()
        totals[table.removesuffix("_duplicate")] += sum(count for _, count in told)
        batches |= {batch for batch, _ in told}
        others += _one(con, f"SELECT count(*) FROM ({shared(table)})")
    memberships = _one(con, f"SELECT count(*) FROM membership SEMI JOIN {NUMBERS} n ON n.identity = person")
    quarantined = _one(con, f"SELECT count(*) FROM quarantine q SEMI JOIN {CONCERNED} c ON c.value = q.value")
    return Counts(
        persons=found.persons,
        identities=len(found.identities),
        records=totals["record"],
        events=totals["event"],
        shared=others,
        batches=len(batches),
        memberships=memberships,
        quarantined=quarantined,
    )


def _one(con: DuckDBPyConnection, query: str) -> int:
    ((count,),) = con.execute(query).fetchall()
    return int(count)


def require_free(found: Sequence[str], treatment: Treatment) -> None:
    """Raise ``privacy.in-definition`` when definitions hold one of the values and nothing was said about them."""
    if found and treatment == "refuse":
        raise Conflict(
            "privacy.in-definition",
            f"{len(found)} definition(s) hold one of the values: {', '.join(found[:10])}.",
            hint="Choose `redact`, which puts the word `erased` in its place, in all their versions, or `keep`.",
            where={"definitions": list(found)},
        )


def kept(item: Finding, treatment: Treatment) -> bool:
    """Whether a finding is in a definition that was to be kept."""
    if treatment != "keep":
        return False
    return (
        (item.store == "log" and "(definition.put)" in item.place)
        or (item.store == "catalog" and item.place.startswith("definition."))
        or (item.store == RAW and Path(item.place).name.split("-")[0] in ("log.db", "catalog.db"))
    )
