"""The new stores in the making: every entry of the log without some persons or batches, and what follows from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from coterie.core.errors import Damaged
from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.governance.traces import Sought, redacted
from coterie.ingest import quarantine
from coterie.pipeline.apply import replay
from coterie.pipeline.effects.definitions import make_views
from coterie.pipeline.privacy import concerned, exports, learnt
from coterie.pipeline.privacy.finding import Finding, find, find_raw
from coterie.pipeline.privacy.intake import settle
from coterie.pipeline.privacy.keeping import Keeping
from coterie.pipeline.privacy.pseudonyms import Pseudonyms
from coterie.pipeline.privacy.request import Treatment, kept
from coterie.pipeline.privacy.surgery import Surgery, as_they_came
from coterie.pipeline.reading import Reading, copied
from coterie.store import replacement, staging
from coterie.store.catalog import BatchStatus
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

T = TypeVar("T")

REMOVED = "privacy.removed"
"""Kind of an entry of which nothing is left but its place in the log."""

VERIFIED = "verified"
"""Progress stage: nothing was found in the new stores, which are about to take the place of the old ones."""

_DECISIONS = {"merge": 2, "split": 2, "never": 1}
"""How many identities a decision needs."""


def replaced(
    sandbox: Sandbox,
    sought: Sought,
    progress: Progress,
    build: Callable[[Rewriting], T],
    *,
    pseudonyms: Pseudonyms | None = None,
    definitions: Treatment = "refuse",
    batches: frozenset[str] = frozenset(),
    keeping: Keeping | None = None,
) -> T:
    """Write the stores of a sandbox again without what is sought for, and let them take the place of the old ones.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores; other ones afterwards.
    sought : Sought
        The identities that go, with their values.
    progress : Progress
        Receiver of progress reports.
    build : callable
        Called when the new stores are complete, to add the entry that says what was done; its result is returned.
    pseudonyms : Pseudonyms, optional
        What takes the place of the identities in the rows; without it the rows go.
    definitions : {"refuse", "redact", "keep"}
        What becomes of definitions that hold a value.
    batches : frozenset of str
        Batches of which nothing is to be left.
    keeping : Keeping, optional
        Which rows go because they are kept no longer, instead of those of the identities.

    Raises
    ------
    Damaged
        ``privacy.incomplete`` when something would be left; nothing is changed then.
    """
    replacement.discard(sandbox.path)
    learnt.cleanse(sandbox.path, sought)
    folder = sandbox.path / replacement.FOLDER
    try:
        with Sandbox.open(folder, sandbox.path.name, clock=sandbox.clock, create=True) as target:
            suppression.copy_key(sandbox.path, target.path)
            work = Rewriting(sandbox, target, sought, pseudonyms, definitions, batches, progress, keeping)
            work.run()
            told = build(work)
            left = [item for item in find(target, sought, progress) if not kept(item, definitions)]
        left += [item for item in find_raw(folder, sought, progress) if not kept(item, definitions)]
        _require_nothing(left)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress.report(VERIFIED)
    sandbox.replace(progress)
    return told


def _require_nothing(left: list[Finding]) -> None:
    if left:
        raise Damaged(
            "privacy.incomplete",
            f"something would be left in {', '.join(sorted({f'{item.store}: {item.place}' for item in left})[:5])}; "
            "nothing was changed.",
            hint="This is a fault of the program: please report it with these places, without any values.",
            where={"places": sorted({item.place for item in left})},
        )


@dataclass
class Rewriting:
    """One writing of new stores: entry by entry of the log, then what the log does not have.

    `rows` were taken out of (or changed in) `files` staged files, `spoiled` rows of others became bad ones, `entries`
    of the log were changed, `exports` written again, and `removed` are exported files that had to go.
    """

    source: Sandbox
    target: Sandbox
    sought: Sought
    pseudonyms: Pseudonyms | None
    definitions: Treatment
    batches: frozenset[str]
    progress: Progress
    keeping: Keeping | None = None
    rows: int = 0
    files: int = 0
    spoiled: int = 0
    entries: int = 0
    exports: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    _gone: set[int] = field(default_factory=set)
    _metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    _left_out: list[tuple[str, str, int, int]] = field(default_factory=list)

    def run(self) -> None:
        """Write everything."""
        make_views(self.target, [])
        concerned.lend(self.target.history.con, self.sought.identities)
        if self.keeping is not None:
            self.keeping.lend(self.source, self.target)
        total = self.source.log.last
        for entry in self.source.log.entries():
            self.progress.report("rewriting", entry.position, total)
            if entry.kind.startswith("batch.") and entry.body["batch"] in self.batches:
                self._append(_nothing(entry), entry)
            elif entry.kind == "batch.accepted":
                self._batch(entry)
            else:
                self._append(self._entry(entry), entry)
        self._catalog()
        self._quarantine()
        self._exports()

    def _append(self, new: Entry, old: Entry, *, staged: bool = False) -> Any:
        self.entries += new != old
        return replay(self.target, self.target.log.append_as(new), self.progress, staged=staged)

    def _entry(self, entry: Entry) -> Entry:
        """Return an entry without the persons; of what only concerned them, its place."""
        match entry.kind:
            case "definition.put" if self.definitions == "keep":
                return entry
            case "identity.decided":
                told = self._decision(entry.body)
                return _nothing(entry) if told is None else _with(entry, told)
            case "identities.decided":
                left = [told for body in entry.body["decisions"] if (told := self._decision(body)) is not None]
                return _with(entry, {"decisions": left}) if left else _nothing(entry)
            case "identity.undone" if entry.body["decision"] in self._gone:
                return _nothing(entry)
            case "identities.undone":
                standing = [number for number in entry.body["decisions"] if number not in self._gone]
                return _with(entry, {"decisions": standing}) if standing else _nothing(entry)
            case _:
                return _with(entry, redacted(entry.body, self.sought))

    def _decision(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return a decision without the persons, or None when nothing is left of it."""
        pairs = [Identity(*pair) for pair in body["identities"]]
        if self.pseudonyms is not None:
            told = [[item.namespace, self.pseudonyms.of.get(item, item.value)] for item in pairs]
        else:
            told = [list(item) for item in pairs if item not in self.sought.identities]
        if len(told) < _DECISIONS[body["kind"]]:
            self._gone.add(body["decision"])
            return None
        return {**redacted(body, self.sought), "identities": told}

    def _batch(self, entry: Entry) -> None:
        body = entry.body
        self.target.log.staged(body["batch"]).mkdir(parents=True)
        for item in body["files"]:
            staging.adopt(self.source.path, self.target.path, item["path"], link=True)
        reading, source = Reading.logged(self.target, body), copied(self.target, body)
        chosen = None if self.keeping is None else self.keeping.rows(body["dataset"], reading.schema)
        surgery = Surgery(self.target.history.con, source, reading.schema, reading.mapping, self.sought, chosen)
        staged = reading.stage(self.target, source, self.progress, surgery.inspect)
        if surgery.touched:
            expected = staged.accepted - sum(len(change.own) for change in surgery.changes if self.pseudonyms is None)
            self.rows += surgery.rows
            files = self._written(surgery, body)
            body = {**redacted({key: body[key] for key in body if key != "files"}, self.sought), "files": files}
            staged = reading.stage(self.target, copied(self.target, body), self.progress)
            self.spoiled += max(0, expected - staged.accepted)
            body["metrics"] = {
                **body["metrics"],
                "inputFileCount": len(files),
                "inputByteSize": sum(item["bytes"] for item in files),
                "inputRecordCount": staged.rows_read,
                "outputRecordCount": staged.accepted,
                "failedRecordCount": staged.quarantined,
                "errors": staged.errors,
            }
        else:
            body = redacted(body, self.sought)
        told = self._append(_with(entry, body), entry, staged=True)
        self._metrics[body["batch"]] = {**body["metrics"], **(told or {})}

    def _written(self, surgery: Surgery, body: dict[str, Any]) -> list[dict[str, Any]]:
        kept = []
        for number, item in enumerate(body["files"]):
            change, path = surgery.changes[number], self.target.path / item["path"]
            self._left_out += [(body["batch"], item["name"], *lines) for lines in as_they_came(change, item)]
            if not change.touched:
                kept.append(redacted(item, self.sought))
                continue
            self.files += 1
            partial = path.with_name(f"{path.name}.partial")
            if surgery.write(number, partial, self.pseudonyms):
                settle(partial)
                partial.replace(path)
                told = surgery.described(number, item, path, anonymous=self.pseudonyms is not None)
                kept.append(redacted(told, self.sought))
            else:
                partial.unlink(missing_ok=True)
                path.unlink()
        return kept

    def _catalog(self) -> None:
        """Take over what only the catalog knows of batches: when they began, those that never came to be."""
        there = {batch.id: batch for batch in self.target.catalog.batches()}
        for old in self.source.catalog.batches():
            new = there.get(old.id)
            if old.id in self.batches:
                new = msgspec.structs.replace(old, status=BatchStatus.DELETED, metrics={}, reason=None)
            elif new is None:
                new = msgspec.convert(redacted(msgspec.to_builtins(old), self.sought), type(old))
            else:
                metrics = self._metrics.get(old.id, new.metrics)
                new = msgspec.structs.replace(new, created_at=old.created_at, metrics=metrics)
            self.target.catalog.put_batch(new)

    def _quarantine(self) -> None:
        """Take over the quarantine but for rows of the persons, and such as hold one of the values."""
        con, path = self.source.history.con, self.target.tmp / "quarantine.parquet"
        batches, names, first, last = [list(column) for column in zip(*self._left_out, strict=True)] or [[]] * 4
        con.execute(
            "CREATE OR REPLACE TEMP TABLE left_out AS SELECT unnest($1::VARCHAR[]) AS batch, "
            "unnest($2::VARCHAR[]) AS file, unnest($3::BIGINT[]) AS first, unnest($4::BIGINT[]) AS last",
            [batches, names, first, last],
        )
        concerned.lend(con, self.sought.identities)
        shown = "concat_ws(chr(0), q.file, q.value, q.reason)"
        told = " OR ".join(f"regexp_matches({shown}, $filter{number})" for number, _ in enumerate(self.sought.filters))
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE left_line AS
            SELECT DISTINCT q.batch, q.file, q.line FROM quarantine q
            WHERE {told or "FALSE"} OR list_contains($batches::VARCHAR[], q.batch)
            OR EXISTS (SELECT 1 FROM concerned c WHERE c.value = q.value)
            OR EXISTS (
                SELECT 1 FROM left_out l
                WHERE l.batch = q.batch AND l.file = q.file AND q.line BETWEEN l.first AND l.last
            )
            """,
            {"batches": sorted(self.batches)}
            | {f"filter{number}": pattern for number, pattern in enumerate(self.sought.filters)},
        )
        con.execute(
            "COPY (SELECT * FROM quarantine q WHERE NOT EXISTS (SELECT 1 FROM left_line l WHERE l.batch = q.batch "
            "AND l.file IS NOT DISTINCT FROM q.file AND l.line IS NOT DISTINCT FROM q.line)) "
            f"TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )
        self.target.history.con.execute("INSERT INTO quarantine SELECT * FROM read_parquet($1)", [str(path)])
        path.unlink()
        quarantine.expire(self.target.history.con, self.target.clock.now())

    def _exports(self) -> None:
        """Take over the exported files, without the rows of the persons."""
        con = self.target.history.con
        concerned.lend(con, self.sought.identities)
        for path in exports.files(self.source.exports):
            place = path.relative_to(self.source.exports)
            target = self.target.exports / place
            target.parent.mkdir(parents=True, exist_ok=True)
            gone = exports.without(con, path, target, self.sought)
            if gone is None:
                self.removed.append(redacted(str(place), self.sought))
            elif gone:
                self.exports.append(redacted(str(place), self.sought))


def _with(entry: Entry, body: dict[str, Any]) -> Entry:
    return msgspec.structs.replace(entry, body=body)


def _nothing(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, kind=REMOVED, body={})
