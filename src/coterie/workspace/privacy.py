"""What persons may ask for: what is held on them, and that it goes."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from coterie.core.errors import Conflict, Invalid, NotFound
from coterie.core.ids import Identity
from coterie.pipeline.privacy import access, deleting, erasing
from coterie.pipeline.privacy.deleting import Deleted
from coterie.pipeline.privacy.request import Erased, Mode, Preview, Request
from coterie.workspace.room import Room

Pairs = Iterable[tuple[str, str]]


class Access(msgspec.Struct, frozen=True):
    """What an answer to a person holds: the file, and how many of each kind of thing."""

    path: str
    bytes: int
    identities: tuple[Identity, ...]
    fragments: int
    events: int
    memberships: int
    quarantine: int
    rows: int
    decisions: int
    log: int
    exports: tuple[str, ...]
    suppressed: int


class Privacy(Room):
    """Requests of persons: access, erasure with its preview, the suppression list."""

    def preview(self, identities: Pairs, *, expand: bool = True) -> Preview:
        """Tell what an erasure would reach: identities, counts, and every place that holds something.

        Parameters
        ----------
        identities : pairs of namespace and value
            Whom it concerns.
        expand : bool
            Take in all identities of their graphs.
        """
        return erasing.preview(self._sandbox, Request(_identities(identities), expand), self._workspace.progress)

    def erase(
        self,
        identities: Pairs,
        *,
        expand: bool = True,
        mode: Mode | str = Mode.ERASE,
        definitions: Literal["refuse", "redact", "keep"] = "refuse",
        reason: str = "",
    ) -> Erased:
        """Erase persons from every store of the sandbox, and keep them out of later loads.

        The log is written again without them and everything else is derived anew: it takes about as long as a rebuild,
        however many persons one request names.

        Parameters
        ----------
        identities : pairs of namespace and value
            Whom it concerns; known to the sandbox or not.
        expand : bool
            Take in all identities of their graphs.
        mode : {"erase", "anonymise"}
            Whether their rows go, or stay under random identities and without what is labelled ``I1`` or ``I2``.
        definitions : {"refuse", "redact", "keep"}
            What happens when a definition, such as a rule, holds one of the values.
        reason : str
            Why; kept in the log, without the values.

        Returns
        -------
        Erased
            The completeness report, without personal data; it is kept in the log.
        """
        request = Request(_identities(identities), expand, Mode(mode), definitions, reason)
        report = erasing.erase(self._sandbox, request, self._workspace.progress)
        self._workspace._renew()
        return report

    def access(self, identities: Pairs, to: str | Path, *, expand: bool = True) -> Access:
        """Write everything that is held on persons into one JSON file, which only its owner may read.

        Parameters
        ----------
        identities : pairs of namespace and value
            Whom it concerns.
        to : path
            The file; must not exist yet.
        expand : bool
            Take in all identities of their graphs.

        Raises
        ------
        Conflict
            ``privacy.file-exists``.
        Invalid
            ``export.unwritable``.
        """
        path = Path(to)
        if path.exists():
            raise _exists(path)
        if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise _unwritable(path, f"{path.parent} is no folder that may be written to")
        asked = _identities(identities)
        found = access.held(self._sandbox, asked, expand=expand, progress=self._workspace.progress)
        persons = self._persons(found.identities)
        told = {"at": self._sandbox.clock.now(), "persons": persons, **msgspec.structs.asdict(found)}
        plain = access.readable(msgspec.to_builtins(told, builtin_types=(Decimal,), enc_hook=str))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise _exists(path) from error
        except OSError as error:
            raise _unwritable(path, error.strerror or type(error).__name__) from error
        with os.fdopen(descriptor, "wb") as file:
            encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
            file.write(msgspec.json.format(encoder.encode(plain), indent=2) + b"\n")
        return Access(
            path=str(path),
            bytes=path.stat().st_size,
            identities=found.identities,
            fragments=len(found.fragments),
            events=len(found.events),
            memberships=len(found.memberships),
            quarantine=len(found.quarantine),
            rows=len(found.rows),
            decisions=len(found.decisions),
            log=len(found.log),
            exports=tuple(found.exports),
            suppressed=len(found.suppressed),
        )

    def _persons(self, identities: Iterable[Identity]) -> builtins.list[dict[str, Any]]:
        """Return profile, graph and predictions of each person once."""
        told: dict[str, dict[str, Any]] = {}
        for identity in identities:
            try:
                graph = self._workspace.identities.graph(*identity)
            except NotFound:
                continue
            if graph.person not in told:
                told[graph.person] = {
                    "profile": self._workspace.profiles.get(*identity, events=0),
                    "graph": graph,
                    "predictions": self._workspace.predictions.predictions(str(identity)),
                }
        return list(told.values())

    def reports(self) -> builtins.list[Erased]:
        """Return the completeness reports of all erasures, newest first."""
        return erasing.reports(self._sandbox)

    def unsuppress(self, identities: Pairs, reason: str = "") -> int:
        """Let later loads take the rows of identities that were erased; return how many were on the list."""
        return erasing.unsuppress(self._sandbox, _identities(identities), reason)

    def delete_batch(self, batch: str, reason: str = "") -> Deleted:
        """Take a batch back and erase what it was: its files, its log entries, its quarantine.

        It takes about as long as a rebuild; `Ingest.revert` takes a batch back at once and keeps it in the log.
        """
        return self._deleted(deleting.delete_batch(self._sandbox, batch, reason, self._workspace.progress))

    def delete_dataset(self, name: str, reason: str = "", *, erase: bool = False) -> Deleted:
        """Take all batches of a dataset back and delete its definition; with `erase` also what the batches were."""
        done = deleting.delete_dataset(self._sandbox, name, reason, self._workspace.progress, erase=erase)
        return self._deleted(done)

    def _deleted(self, done: Deleted) -> Deleted:
        self._workspace._renew()
        self._workspace.audiences._after("deletion")
        return done


def _identities(pairs: Pairs) -> tuple[Identity, ...]:
    return tuple(dict.fromkeys(Identity(*pair) for pair in pairs))


def _exists(path: Path) -> Conflict:
    return Conflict("privacy.file-exists", f"{path} exists.", hint="Name a new file.", where={"file": str(path)})


def _unwritable(path: Path, why: str) -> Invalid:
    return Invalid(
        "export.unwritable",
        f"{path} cannot be written: {why}.",
        hint="Name a file in a folder that this process may write to.",
        where={"file": str(path)},
    )
