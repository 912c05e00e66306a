"""Erasing persons: the log is written again without them, everything else is derived anew, and all of it is swapped in.

Nothing of the sandbox is changed until the new stores are whole, and the finder has found nothing in them any more. A
crash before that leaves the old state, a crash after it the new one (`store.replacement`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from coterie.core.errors import Damaged
from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.governance.traces import Sought, redacted, strings
from coterie.ingest import quarantine
from coterie.pipeline.apply import commit, replay
from coterie.pipeline.effects.definitions import make_views
from coterie.pipeline.privacy import exports
from coterie.pipeline.privacy.finding import RAW, Finding, by_store, find, find_raw
from coterie.pipeline.privacy.intake import settle
from coterie.pipeline.privacy.pseudonyms import Pseudonyms
from coterie.pipeline.privacy.request import (
    Concerned,
    Counts,
    Erased,
    Mode,
    Preview,
    Request,
    StoreReport,
    Treatment,
    concerned,
    counted,
    require_free,
)
from coterie.pipeline.privacy.surgery import Surgery, described
from coterie.pipeline.reading import Reading, copied
from coterie.store import replacement
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

REMOVED = "privacy.removed"
"""Kind of an entry of which nothing is left but its place in the log."""

VERIFIED = "verified"
"""Progress stage: nothing was found in the new stores, which are about to take the place of the old ones."""

_DECISIONS = {"merge": 2, "split": 2, "never": 1}
"""How many identities a decision needs."""


def preview(sandbox: Sandbox, request: Request, progress: Progress) -> Preview:
    """Tell what an erasure would reach; nothing is changed."""
    found = concerned(sandbox, request.identities, expand=request.expand)
    sought = Sought.of(found.identities)
    return Preview(
        identities=found.identities,
        unknown=found.unknown,
        counts=counted(sandbox.history.con, found),
        definitions=tuple(_definitions(sandbox, sought)),
        findings=tuple(find(sandbox, sought, progress)),
    )


def erase(sandbox: Sandbox, request: Request, progress: Progress) -> Erased:
    """Erase persons, or make them anonymous; the stores of the sandbox are other ones afterwards.

    Raises
    ------
    Conflict
        ``privacy.in-definition`` when a definition holds one of the values and the request does not say what then.
    Damaged
        ``privacy.incomplete`` when something would be left; nothing is changed then.
    """
    began = time.perf_counter()
    found = concerned(sandbox, request.identities, expand=request.expand)
    sought = Sought.of(found.identities)
    definitions = _definitions(sandbox, sought)
    require_free(definitions, request.definitions)
    counts, before = counted(sandbox.history.con, found), find(sandbox, sought, progress)
    secret = suppression.key(sandbox.path, create=True)
    replacement.discard(sandbox.path)
    pseudonyms = None
    if request.mode is Mode.ANONYMISE:
        pseudonyms = Pseudonyms.draw(found.identities, lambda item: _known(sandbox, item))
    folder = sandbox.path / replacement.FOLDER
    try:
        with Sandbox.open(folder, sandbox.path.name, clock=sandbox.clock, create=True) as target:
            suppression.copy_key(sandbox.path, target.path)
            work = _Rewriting(sandbox, target, found, sought, pseudonyms, request.definitions, progress)
            work.run()
            report = _report(request, found, counts, definitions, before, work)
            hashes = sorted(suppression.hashed(secret, *identity) for identity in found.identities)
            body = {
                "request": report.request,
                "hashes": hashes,
                "reason": sought.redacted(request.reason),
                "report": msgspec.to_builtins(report),
            }
            entry = target.log.last + 1
            commit(target, "privacy.erased", body)
            digest = target.log.digest
            left = [item for item in find(target, sought, progress) if not _kept(item, request.definitions)]
        left += [item for item in find_raw(folder, sought, progress) if not _kept(item, request.definitions)]
        _require_nothing(left)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress.report(VERIFIED)
    sandbox.replace(progress)
    assert sandbox.log.last == entry
    return msgspec.structs.replace(report, digest=digest, seconds=time.perf_counter() - began)


def unsuppress(sandbox: Sandbox, identities: tuple[Identity, ...], reason: str) -> int:
    """Take identities off the suppression list, so that later loads take their rows; return how many were on it."""
    secret = suppression.key(sandbox.path)
    hashes = sorted({suppression.hashed(secret, *identity) for identity in identities})
    return int(commit(sandbox, "privacy.unsuppressed", {"hashes": hashes, "reason": reason}))


def reports(sandbox: Sandbox) -> list[Erased]:
    """Return the reports of all erasures, newest first."""
    told = [
        msgspec.structs.replace(msgspec.convert(entry.body["report"], Erased), at=entry.accepted_at)
        for entry in sandbox.log.entries()
        if entry.kind == "privacy.erased"
    ]
    return told[::-1]


def _known(sandbox: Sandbox, identity: Identity) -> bool:
    return bool(
        sandbox.history.con.execute(
            "SELECT 1 FROM identity i JOIN namespace n USING (namespace) WHERE n.code = $1 AND i.value = $2",
            list(identity),
        ).fetchall()
    )


def _definitions(sandbox: Sandbox, sought: Sought) -> list[str]:
    """Return the definitions that hold a value in some version, as kind and id."""
    return sorted(
        {
            f"{entry.body['kind']} {entry.body['id']}"
            for entry in sandbox.log.entries()
            if entry.kind == "definition.put" and any(sought.mentions(told) for told in strings(entry.body))
        }
    )


def _kept(item: Finding, treatment: Treatment) -> bool:
    """Whether a finding is in a definition that was to be kept."""
    if treatment != "keep":
        return False
    return (
        (item.store == "log" and "(definition.put)" in item.place)
        or (item.store == "catalog" and item.place.startswith("definition."))
        or (item.store == RAW and Path(item.place).name.split("-")[0] in ("log.db", "catalog.db"))
    )


def _require_nothing(left: list[Finding]) -> None:
    if left:
        raise Damaged(
            "privacy.incomplete",
            f"something would be left in {', '.join(sorted({f'{item.store}: {item.place}' for item in left})[:5])}; "
            "nothing was changed.",
            hint="This is a fault of the program: please report it with these places, without any values.",
            where={"places": sorted({item.place for item in left})},
        )


def _report(
    request: Request, found: Concerned, counts: Counts, definitions: list[str], before: list[Finding], work: _Rewriting
) -> Erased:
    return Erased(
        request=f"r-{secrets.token_hex(8)}",
        mode=request.mode,
        at=work.target.clock.now(),
        counts=counts,
        unknown=len(found.unknown),
        rows=work.rows,
        files=work.files,
        spoiled=work.spoiled,
        entries=work.entries,
        exports=tuple(work.exports),
        removed=tuple(work.removed),
        definitions=tuple(redacted(name, work.sought) for name in definitions),
        # what follows is written into the new log before the new stores are looked through: were anything found
        # there, they would be thrown away, and this with them
        stores=tuple(StoreReport(store, count, 0) for store, count in by_store(before).items() if store != RAW),
        digest="",
        suppressed=len(found.identities),
        seconds=0.0,
    )


@dataclass
class _Rewriting:
    """The new stores in the making: entry by entry of the log, then what the log does not have."""

    source: Sandbox
    target: Sandbox
    concerned: Concerned
    sought: Sought
    pseudonyms: Pseudonyms | None
    definitions: Treatment
    progress: Progress
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
        exports.lend(self.target.history.con, self.concerned.identities)
        total = self.source.log.last
        for entry in self.source.log.entries():
            self.progress.report("rewriting", entry.position, total)
            if entry.kind == "batch.accepted":
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
                pairs = [Identity(*pair) for pair in entry.body["identities"]]
                if self.pseudonyms is not None:
                    told = [[item.namespace, self.pseudonyms.of.get(item, item.value)] for item in pairs]
                else:
                    told = [list(item) for item in pairs if item not in self.sought.identities]
                if len(told) < _DECISIONS[entry.body["kind"]]:
                    self._gone.add(entry.body["decision"])
                    return _nothing(entry)
                return _with(entry, {**redacted(entry.body, self.sought), "identities": told})
            case "identity.undone" if entry.body["decision"] in self._gone:
                return _nothing(entry)
            case _:
                return _with(entry, redacted(entry.body, self.sought))

    def _batch(self, entry: Entry) -> None:
        body = entry.body
        self._link(body)
        reading, source = Reading.logged(self.target, body), copied(self.target, body)
        surgery = Surgery(self.target.history.con, source, reading.schema, reading.mapping, self.sought)
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

    def _link(self, body: dict[str, Any]) -> None:
        """Put the files of a batch into the new log: the same ones, under a second name."""
        folder = self.target.log.staged(body["batch"])
        folder.mkdir(parents=True)
        for item in body["files"]:
            old, new = self.source.path / item["path"], self.target.path / item["path"]
            try:
                os.link(old, new)
            except OSError:  # a file system without a second name
                shutil.copy2(old, new)

    def _written(self, surgery: Surgery, body: dict[str, Any]) -> list[dict[str, Any]]:
        kept = []
        for number, item in enumerate(body["files"]):
            change, path = surgery.changes[number], self.target.path / item["path"]
            self._left_out += [(body["batch"], item["name"], *lines) for lines in (*change.own, *change.bad)]
            if not change.touched:
                kept.append(redacted(item, self.sought))
                continue
            self.files += 1
            partial = path.with_name(f"{path.name}.partial")
            if surgery.write(number, partial, self.pseudonyms):
                settle(partial)
                partial.replace(path)
                kept.append(described(item, path, self.sought))
            else:
                partial.unlink(missing_ok=True)
                path.unlink()
        return kept

    def _catalog(self) -> None:
        """Take over what only the catalog knows of batches: when they began, those that never came to be."""
        there = {batch.id: batch for batch in self.target.catalog.batches()}
        for old in self.source.catalog.batches():
            new = there.get(old.id)
            if new is None:
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
        exports.lend(con, self.concerned.identities)
        shown = "concat_ws(chr(0), q.file, q.value, q.reason)"
        told = " OR ".join(f"regexp_matches({shown}, ${number})" for number in range(1, len(self.sought.filters) + 1))
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE left_line AS
            SELECT DISTINCT q.batch, q.file, q.line FROM quarantine q
            WHERE {told or "FALSE"} OR EXISTS (SELECT 1 FROM concerned c WHERE c.value = q.value)
            OR EXISTS (
                SELECT 1 FROM left_out l
                WHERE l.batch = q.batch AND l.file = q.file AND q.line BETWEEN l.first AND l.last
            )
            """,
            list(self.sought.filters),
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
        exports.lend(con, self.concerned.identities)
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
