"""Problems found in a query, and the error that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from coterie.core.errors import Invalid

Severity = Literal["error", "warning"]
LONGEST = 500
"""How many characters a message has at most; what it repeats of the query may be longer."""


class Problem(msgspec.Struct, frozen=True):
    """One fault of a query and where it is.

    `start` and `end` are 0-based character offsets, half-open; `line` and `column` count from 1.
    `token` is the offending text as it is spelled in the query, `suggestion` a name that may have been meant.
    """

    code: str
    severity: Severity
    message: str
    start: int
    end: int
    line: int
    column: int
    token: str
    hint: str | None = None
    suggestion: str | None = None


class PqlError(Invalid):
    """A query that cannot be used; `problems` holds every fault that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            "pql.invalid",
            f"the query is not valid: line {first.line}, column {first.column}: {first.message}{more}",
            hint=first.hint,
            where={"start": first.start, "end": first.end, "line": first.line, "column": first.column},
        )
        self.problems = list(problems)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain data, its problems included."""
        return super().as_dict() | {"problems": msgspec.to_builtins(self.problems)}


def problem(
    code: str,
    message: str,
    text: str,
    start: int,
    end: int,
    *,
    severity: Severity = "error",
    hint: str | None = None,
    suggestion: str | None = None,
) -> Problem:
    """Build a problem of `text` at the given offsets, with line, column and token worked out."""
    before = text[:start]
    if len(message) > LONGEST:
        message = f"{message[: LONGEST - 1]}…"
    if suggestion is not None and hint is None:
        hint = f"Did you mean {suggestion}?"
    return Problem(
        code,
        severity,
        message,
        start,
        end,
        line=before.count("\n") + 1,
        column=start - (before.rfind("\n") + 1) + 1,
        token=text[start:end],
        hint=hint,
        suggestion=suggestion,
    )
