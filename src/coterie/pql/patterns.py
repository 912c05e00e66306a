"""Regular expressions of queries: RE2's syntax, checked with RE2 itself, and advice for what other dialects allow."""

from __future__ import annotations

import re
from dataclasses import dataclass

import re2

_POSIX = "Lower|Upper|ASCII|Alpha|Digit|Alnum|Punct|Graph|Print|Blank|Cntrl|XDigit|Space"
_ADVICE = (
    (r"\(\?<?[=!]", "RE2 has no look-around; join two tests with and, or negate one with not."),
    (r"\\[1-9]|\\k[<{']|\(\?P=", "RE2 has no back-references."),
    (
        r"[*+?}]\+|\(\?>",
        "RE2 has no possessive or atomic groups; it never backtracks, so a plain *, + or ? is as fast.",
    ),
    (r"\\Z", r"Write \z for the end of the text."),
    (r"\\[hH]", r"Write [ \t] for horizontal space."),
    (r"\\R", r"Write (?:\r\n|\n|\r) for a line break."),
    (
        r"\\[pP]\{(?:Is|java)",
        r"Write a Unicode class such as \p{L} or \p{Greek}, or a POSIX class such as [[:alpha:]].",
    ),
)


LONGEST = 20_000
"""How many characters a regular expression has at most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an expression is refused, and the RE2 form of what was meant, if there is one."""

    reason: str
    advice: str | None


def groups(pattern: str) -> int | Fault:
    """Return the number of groups of a regular expression, or why RE2 does not read it."""
    if len(pattern) > LONGEST:
        return Fault(f"it has more than {LONGEST:,} characters", "Ask for many values by in [ … ].")
    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options).groups)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        return Fault(reason, _advice(pattern))


def _advice(pattern: str) -> str | None:
    posix = re.search(rf"\\([pP])\{{({_POSIX})\}}", pattern)
    if posix is not None:
        negated, name = posix.groups()
        return f"Write [[:{'^' if negated == 'P' else ''}{name.lower()}:]] for {posix.group()}."
    return next((advice for sign, advice in _ADVICE if re.search(sign, pattern)), None)
