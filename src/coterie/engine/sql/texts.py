"""Text predicates. Without case, the simple lower-case forms of both sides are compared."""

from __future__ import annotations

import re

import re2

from coterie.core.errors import Invalid
from coterie.engine.sql.constructs import Sql, both, build, either, no, present, text, whole
from coterie.engine.sql.values import Kind, Scalar, Value
from coterie.pql.ast import Expr
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported

_POSITIVE = {
    "equals": "=",
    "contains": "contains",
    "startsWith": "starts_with",
    "endsWith": "ends_with",
}
_NEGATIVE = {
    "notEqualTo": "equals",
    "doesNotContain": "contains",
    "doesNotStartWith": "startsWith",
    "doesNotEndWith": "endsWith",
}
_QUIET = re2.Options()
_QUIET.log_errors = False
_ESCAPE = re.compile(r"\\(.)|\\$", re.DOTALL)


def _text(value: Value, expr: Expr) -> Scalar:
    if not (isinstance(value, Scalar) and value.kind is Kind.TEXT):
        raise unsupported(expr, f"the text predicate {to_text(expr)}", "Ask it of a text.")
    return value


def predicate(name: str, subject: Value, values: list[Value], expr: Expr, *, exact: bool) -> Sql:
    """Return a text predicate: positive ones hold for some of the values, negative ones for all, of a present text."""
    if name in _NEGATIVE:
        among = predicate(_NEGATIVE[name], subject, values, expr, exact=exact)
        compared = [subject, *values]
        return both([*(present(_text(value, expr).sql) for value in compared if _unsure(value)), no(among)])
    fold = (lambda sql: sql) if exact else (lambda sql: build("lower", sql))
    left = fold(_text(subject, expr).sql)
    return either(build(_POSITIVE[name], left, fold(_text(value, expr).sql)) for value in values)


def _unsure(value: Value) -> bool:
    return not (isinstance(value, Scalar) and value.constant is not None)


def like(subject: Value, pattern: Value, expr: Expr) -> Sql:
    """Return that the whole text matches a pattern of `%` and `_`."""
    return build("like", _text(subject, expr).sql, text(_ESCAPE.sub(_escaped, _constant(pattern, expr))))


def _escaped(match: re.Match[str]) -> str:
    """Return what an escape stands for: itself before `%`, `_` and a backslash, else the character alone."""
    following = match[1]
    if following is None:
        return r"\\"
    return f"\\{following}" if following in "%_\\" else following


def matches(subject: Value, pattern: Value, expr: Expr) -> Sql:
    """Return that some part of the text matches a regular expression."""
    return build("matches", _text(subject, expr).sql, text(_expression(pattern, expr)))


def group(subject: Value, pattern: Value, number: int, expr: Expr) -> Scalar:
    """Return the text of a group of the first match; null without a match, and for a group that took no part in it."""
    regex = text(_expression(pattern, expr))
    return Scalar(build("regex_group", _text(subject, expr).sql, regex, whole(number)), Kind.TEXT)


def _expression(pattern: Value, expr: Expr) -> str:
    expression = _constant(pattern, expr)
    try:
        re2.compile(expression, _QUIET)
    except re2.error as error:
        raise Invalid(
            "pql.value",
            f"{expression!r} is no RE2 expression: {error}.",
            where={"start": expr.span.start, "end": expr.span.end},
        ) from error
    return expression


def _constant(value: Value, expr: Expr) -> str:
    scalar = _text(value, expr)
    if not isinstance(scalar.constant, str):
        raise unsupported(expr, f"a pattern that is not a literal in {to_text(expr)}")
    return scalar.constant
