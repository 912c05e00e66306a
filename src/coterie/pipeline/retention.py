"""Retention: what is kept no longer goes by rules, on demand and once a day by itself; a dry run tells what would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from coterie.audience.analysis import duration
from coterie.audience.definition import Audience
from coterie.core.clock import DAY
from coterie.core.errors import Damaged, Invalid, NotFound
from coterie.core.progress import Progress
from coterie.core.schema import CLASS_FIELDS, Schema, SchemaClass, lookup
from coterie.governance.retention import META, Pseudonymous, RetentionSettings, days
from coterie.governance.traces import Sought
from coterie.ingest.dataset import Dataset
from coterie.pipeline import define
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import retention
from coterie.pipeline.effects.retention import Purged, Retained
from coterie.pipeline.privacy.keeping import Keeping
from coterie.pipeline.privacy.rewriting import Rewriting, replaced
from coterie.pipeline.reads import Reads
from coterie.pql.analysis import Analysis
from coterie.store.sandbox import Sandbox

DEFAULT = "default"
"""The id of the settings."""


class LookBack(msgspec.Struct, frozen=True):
    """A warning, ``retention.lookback``: an audience looks further back than a dataset keeps its events.

    Both are in days; `look_back` is null when events of any age matter.
    """

    audience: str
    dataset: str
    look_back: float | None
    expire_events_after: int
    message: str
    code: str = "retention.lookback"

    @property
    def of_rule(self) -> str:
        """The warning without the name of an audience."""
        return self.message.removeprefix(f"audience {self.audience} ").removesuffix(".")


class Expiry(msgspec.Struct, frozen=True):
    """How long a dataset keeps its events, in days, and the oldest one that it has."""

    dataset: str
    expire_events_after: int
    oldest: int | None


class RetentionView(msgspec.Struct, frozen=True):
    """What is kept how long, when retention last took something away, and which audiences look further back."""

    datasets: tuple[Expiry, ...]
    pseudonymous: Pseudonymous | None
    last: int | None
    warnings: tuple[LookBack, ...]


def settings(sandbox: Sandbox) -> RetentionSettings:
    """Return the settings in force."""
    return Definitions(sandbox.catalog).find(RetentionSettings, DEFAULT) or RetentionSettings()


def put(sandbox: Sandbox, namespaces: Iterable[str], after: Any) -> RetentionSettings:
    """Save which profiles are pseudonymous and how long they are kept; without namespaces they are kept for ever.

    Raises
    ------
    NotFound
        ``namespace.not-found``.
    Invalid
        ``retention.days``, ``retention.settings``.
    """
    chosen = tuple(dict.fromkeys(namespaces))
    known = Definitions(sandbox.catalog).namespaces()
    for code in chosen:
        if code not in known:
            raise NotFound.named("namespace", code, known)
    if bool(chosen) != (after is not None):
        raise Invalid(
            "retention.settings",
            "pseudonymous profiles need namespaces and a number of days, or neither.",
            hint="Name the namespaces of pseudonyms, and how long profiles without activity are kept, such as 14d.",
        )
    rule = Pseudonymous(chosen, days(after, "pseudonymous profiles")) if chosen else None
    return define.save(sandbox, DEFAULT, RetentionSettings(rule))


def show(sandbox: Sandbox) -> RetentionView:
    """Return what is kept how long."""
    definitions, con = Definitions(sandbox.catalog), sandbox.history.con
    oldest = dict(
        con.execute(
            'SELECT d.id, min(e."timestamp") FROM live_event e JOIN dataset d ON d.dataset = e."$dataset" GROUP BY d.id'
        ).fetchall()
    )
    return RetentionView(
        datasets=tuple(
            Expiry(item.name, item.expire_events_after, oldest.get(item.name))
            for item in definitions.list(Dataset)
            if item.expire_events_after is not None
        ),
        pseudonymous=settings(sandbox).pseudonymous,
        last=_last(sandbox),
        warnings=look_backs(definitions),
    )


# -- running ----------------------------------------------------------------------------------------------------------


def run(sandbox: Sandbox, progress: Progress, *, dry_run: bool = False) -> Retained:
    """Take away what is kept no longer, as one entry of the log; nothing is written when there is nothing.

    A dry run does the same in a transaction that is not committed, so its numbers are those of a run.
    """
    body = _rules(sandbox)
    if dry_run:
        return msgspec.structs.replace(_tried(sandbox, body, progress), dry_run=True)
    if not _meets(sandbox, body):
        return Retained(body["at"], (), None, 0)
    told = commit(sandbox, "retention.applied", body, progress)
    assert isinstance(told, Retained)
    return told


def purge(sandbox: Sandbox, progress: Progress) -> Purged:
    """Write the staged files again without what the history keeps no longer, and all stores anew from them.

    It takes about as long as a rebuild. What follows from the log is then what it would be had those rows never come:
    memberships of the past too.

    Raises
    ------
    Damaged
        ``retention.purge`` when something that is kept would be lost; nothing is changed then.
    """
    before = {item["dataset"]: item["before"] for item in _rules(sandbox)["datasets"]}

    def build(work: Rewriting) -> Purged:
        for table in ("live_event", "live_record"):
            has, would = (_count(box, table) for box in (sandbox, work.target))
            if has != would:
                raise Damaged(
                    "retention.purge",
                    f"{table} would have {would:,} rows instead of {has:,}; nothing was changed.",
                    hint="This is a fault of the program: please report it with these numbers.",
                )
        found = Purged(work.rows, work.files)
        commit(work.target, "retention.purged", msgspec.to_builtins(found))
        return found

    return replaced(sandbox, Sought.of([]), progress, build, keeping=Keeping(before))


def daily(sandbox: Sandbox, progress: Progress) -> Retained | None:
    """Run if the last run that took something away is a day ago; return None when it is not, or nothing had to go."""
    last, body = _last(sandbox), _rules(sandbox)
    if not (body["datasets"] or "pseudonymous" in body):
        return None
    if (last is not None and sandbox.clock.now() < last + DAY) or not _meets(sandbox, body):
        return None
    return run(sandbox, progress)


def _count(sandbox: Sandbox, table: str) -> int:
    return int(sandbox.history.con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def _rules(sandbox: Sandbox) -> dict[str, Any]:
    """Return the body of the log entry: the rules in force, with the instants that they mean now."""
    now = sandbox.clock.now()
    body: dict[str, Any] = {
        "at": now,
        "datasets": [
            {"dataset": item.name, "before": now - item.expire_events_after * DAY}
            for item in Definitions(sandbox.catalog).list(Dataset)
            if item.expire_events_after is not None
        ],
    }
    if (rule := settings(sandbox).pseudonymous) is not None:
        body["pseudonymous"] = {"namespaces": list(rule.namespaces), "before": now - rule.after * DAY}
    return body


def _meets(sandbox: Sandbox, body: Mapping[str, Any]) -> bool:
    """Whether the rules meet anything: an expired event, or a pseudonymous profile."""
    con = sandbox.history.con
    for item in body["datasets"]:
        if retention.has_expired(con, item["dataset"], item["before"]):
            return True
    rule = body.get("pseudonymous")
    return (
        rule is not None
        and retention.pseudonymous(con, rule["namespaces"], rule["before"], retention.own_datasets(sandbox)) > 0
    )


class _Tried(Exception):
    """Ends a transaction whose effect is not to be kept."""


def _tried(sandbox: Sandbox, body: Mapping[str, Any], progress: Progress) -> Retained:
    told: list[Retained] = []
    try:
        with sandbox.history.transaction():
            told.append(retention.applied(sandbox, sandbox.log.prepare("retention.applied", body), progress))
            raise _Tried
    except _Tried:
        return told[0]


def _last(sandbox: Sandbox) -> int | None:
    rows = sandbox.history.con.execute("SELECT value FROM meta WHERE key = $1", [META]).fetchall()
    return int(rows[0][0]) if rows else None


# -- warnings ---------------------------------------------------------------------------------------------------------

_EVERYWHERE = frozenset({"", *CLASS_FIELDS[SchemaClass.EVENT]})
"""Fields that events of every dataset have."""


def look_backs(definitions: Definitions, audiences: Iterable[Audience] | None = None) -> tuple[LookBack, ...]:
    """Return which audiences look further back than a dataset that they read keeps its events.

    A condition reads the datasets whose events have one of the fields that it names, or all when it names none but
    those that every event has.
    """
    kept = [
        (item, definitions.get(Schema, item.schema), item.expire_events_after)
        for item in definitions.list(Dataset)
        if item.expire_events_after is not None
    ]
    if not kept:
        return ()
    found = []
    reads = Reads(definitions.union())
    for audience in definitions.list(Audience) if audiences is None else audiences:
        reach = _reach(reads.of(audience))
        for dataset, schema, limit in kept:
            read = [
                look_back
                for fields, look_back in reach
                if not fields or any(lookup(schema.root, field) is not None for field in fields)
            ]
            if any(look_back is None or look_back > limit * DAY for look_back in read):
                longest = None if None in read else max(look_back for look_back in read if look_back is not None)
                found.append(_warning(audience.name, dataset.name, longest, limit))
    return tuple(found)


def _reach(reads: Iterable[Analysis]) -> list[tuple[frozenset[str], int | None]]:
    """Return the own fields of the events that each condition reads, and how far it looks back, ms."""
    return [(each.event_fields - _EVERYWHERE, each.look_back) for each in reads if each.reads_events]


def _warning(audience: str, dataset: str, look_back: int | None, limit: int) -> LookBack:
    far = "at events of any age" if look_back is None else f"{duration(look_back)} back"
    message = f"audience {audience} looks {far}, and dataset {dataset} keeps its events for {limit} days only."
    return LookBack(audience, dataset, None if look_back is None else look_back / DAY, limit, message)
