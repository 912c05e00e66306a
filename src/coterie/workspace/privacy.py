"""What persons may ask for: what is held on them, and that it goes."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Literal

from coterie.core.ids import Identity
from coterie.pipeline.privacy import erasing
from coterie.pipeline.privacy.request import Erased, Mode, Preview, Request
from coterie.workspace.room import Room

Pairs = Iterable[tuple[str, str]]


class Privacy(Room):
    """Requests of persons: preview, erasure, the suppression list."""

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

    def reports(self) -> builtins.list[Erased]:
        """Return the completeness reports of all erasures, newest first."""
        return erasing.reports(self._sandbox)

    def unsuppress(self, identities: Pairs, reason: str = "") -> int:
        """Let later loads take the rows of identities that were erased; return how many were on the list."""
        return erasing.unsuppress(self._sandbox, _identities(identities), reason)


def _identities(pairs: Pairs) -> tuple[Identity, ...]:
    return tuple(dict.fromkeys(Identity(*pair) for pair in pairs))
