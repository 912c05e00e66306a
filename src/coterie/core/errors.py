"""Errors a person can act on: what happened, where, what was expected, what to do.

Every error that reaches a caller is a `CoterieError` with a stable `code` (``noun.reason``).
The class says what kind of trouble it is; the CLI maps it to an exit code and HTTP to a status.

    CoterieError
    ├── Invalid       the request or the data is wrong            exit 2   HTTP 400
    ├── NotFound      a named thing does not exist                exit 3   HTTP 404
    ├── Conflict      it contradicts what is there                exit 4   HTTP 409
    ├── Unsupported   well-formed, but this part cannot do it     exit 5   HTTP 501
    ├── Busy          another process holds the workspace         exit 6   HTTP 503
    └── Damaged       stored data cannot be read                  exit 7   HTTP 500
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar


class CoterieError(Exception):
    """Base of all errors that may reach a person.

    Parameters
    ----------
    code : str
        Stable identifier such as ``schema.unknown-field``; documented in ``docs/reference/errors.md``.
    message : str
        What happened and what was expected, in one or two sentences.
    hint : str, optional
        What to do about it.
    where : mapping, optional
        Place of the fault: any of ``file``, ``line``, ``field``, ``start``, ``end``, ``url``, …
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.where = dict(where or {})

    def __str__(self) -> str:
        text = f"{self.message} [{self.code}]"
        return f"{text} {self.hint}" if self.hint else text

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain data, the same for ``--json`` and HTTP."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
        }


class Invalid(CoterieError):
    """The request or the data is wrong."""

    exit_code = 2
    http_status = 400


class NotFound(CoterieError):
    """A named thing does not exist."""

    exit_code = 3
    http_status = 404

    @classmethod
    def named(cls, kind: str, name: str, known: Iterable[str] = (), words: str | None = None) -> NotFound:
        """Build the error for a missing `kind`, in `words` for people, suggesting the nearest of the `known` names."""
        known = sorted(known)
        return cls(
            f"{kind}.not-found",
            f"there is no {words or kind.replace('_', ' ')} {name!r}.",
            hint=suggestion(name, known) or (f"Known: {', '.join(known[:12])}." if known else None),
            where={kind: name},
        )


class Conflict(CoterieError):
    """The request contradicts what is there."""

    exit_code = 4
    http_status = 409


class Unsupported(CoterieError):
    """Well-formed, but this part cannot do it; refused by name rather than answered wrongly."""

    exit_code = 5
    http_status = 501


class Busy(CoterieError):
    """Another process holds the workspace."""

    exit_code = 6
    http_status = 503


class Damaged(CoterieError):
    """Stored data cannot be read."""

    exit_code = 7
    http_status = 500


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return ``Did you mean …?`` for the nearest of the `known` names, or None when none is near."""
    near = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else None
