"""Text predicates (12.7): of one text and one other; regular expressions are RE2's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import re2

from coterie.pql.patterns import Fault, groups

TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda text, part: text == part,
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_DOTTED_I = "\u0130"


def lower(text: str) -> str:
    """Return the simple lower-case form: character by character, each to one (12.7)."""
    if text.isascii():
        return text.lower()
    return "".join("i" if character == _DOTTED_I else character.lower() for character in text)


@lru_cache(maxsize=512)
def _like(pattern: str) -> Any:
    """Return the expression of a `like`: % is any run, _ one character, a backslash takes their meaning away."""
    parts, at = ["(?s)^"], 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(re2.escape(pattern[at]))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re2.escape(character))
        at += 1
    return re2.compile("".join([*parts, r"\z"]))


def like(text: str, pattern: str) -> bool:
    """Whether the whole text matches a pattern."""
    return _like(pattern).search(text) is not None


@lru_cache(maxsize=512)
def _expression(pattern: str) -> Any:
    """Return a compiled expression, or None for text that is none."""
    return None if isinstance(groups(pattern), Fault) else re2.compile(pattern)


def matches(text: str, pattern: str) -> bool:
    """Whether some part of the text matches an expression; false of text that is no expression."""
    expression = _expression(pattern)
    return expression is not None and expression.search(text) is not None


def group(text: str, pattern: str, number: int) -> str | None:
    """Return a group of the first match; null without one, and of a group that took no part in it (19)."""
    expression = _expression(pattern)
    found = None if expression is None else expression.search(text)
    if found is None or not 0 <= number <= expression.groups:
        return None
    part: str | None = found.group(number)
    return part
