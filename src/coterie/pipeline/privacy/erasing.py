"""Erasing persons: the log is written again without them, everything else is derived anew, and all of it is swapped in.

Nothing of the sandbox is changed until the new stores are whole, and the finder has found nothing in them any more. A
crash before that leaves the old state, a crash after it the new one (`store.replacement`).
"""

from __future__ import annotations

import secrets
import time

import msgspec

from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.governance.traces import Sought, redacted, strings
from coterie.pipeline.apply import commit
from coterie.pipeline.privacy.finding import RAW, Finding, by_store, find
from coterie.pipeline.privacy.pseudonyms import Pseudonyms
from coterie.pipeline.privacy.request import (
    Concerned,
    Counts,
    Erased,
    Mode,
    Preview,
    Request,
    StoreReport,
    concerned,
    counted,
    require_free,
)
from coterie.pipeline.privacy.rewriting import Rewriting, replaced
from coterie.store.sandbox import Sandbox


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
    pseudonyms = None
    if request.mode is Mode.ANONYMISE:
        pseudonyms = Pseudonyms.draw(found.identities, lambda item: _known(sandbox, item))

    def build(work: Rewriting) -> Erased:
        report = _report(request, found, counts, definitions, before, work)
        body = {
            "request": report.request,
            "hashes": sorted(suppression.hashed(secret, *identity) for identity in found.identities),
            "reason": sought.redacted(request.reason),
            "report": msgspec.to_builtins(report),
        }
        commit(work.target, "privacy.erased", body)
        return report

    report = replaced(sandbox, sought, progress, build, pseudonyms=pseudonyms, definitions=request.definitions)
    return msgspec.structs.replace(report, digest=sandbox.log.digest, seconds=time.perf_counter() - began)


def unsuppress(sandbox: Sandbox, identities: tuple[Identity, ...], reason: str) -> int:
    """Take identities off the suppression list, so that later loads take their rows; return how many were on it."""
    if not sandbox.history.con.execute("SELECT 1 FROM suppressed LIMIT 1").fetchall():
        return 0  # nobody was ever erased, so there is no key either
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


def _report(
    request: Request, found: Concerned, counts: Counts, definitions: list[str], before: list[Finding], work: Rewriting
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
