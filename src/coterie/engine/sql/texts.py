"""Text predicates. Without case, the simple lower-case forms of both sides are compared."""

from __future__ import annotations

import re
from decimal import Decimal

import re2

from coterie.core.errors import Invalid
from coterie.engine.sql.constructs import NULL, Sql, both, build, cast, choose, either, no, text, whole
from coterie.engine.sql.values import Kind, Many, Scalar, Value, exists, is_null, mismatch
from coterie.pql.ast import Expr
from coterie.pql.scopes import NEGATIVE

_POSITIVE = {
    "equals": "=",
    "contains": "contains",
    "startsWith": "starts_with",
    "endsWith": "ends_with",
}
_QUIET = re2.Options()
_QUIET.log_errors = False
_ESCAPE = re.compile(r"\\(.)|\\$", re.DOTALL)


def _text(value: Value, expr: Expr) -> Scalar:
    if is_null(value):
        return Scalar(NULL, Kind.TEXT)
    if not (isinstance(value, Scalar) and value.kind is Kind.TEXT):
        raise mismatch(expr, "text")
    return value


def predicate(name: str, subject: Value, values: list[Value], expr: Expr, *, exact: bool) -> Sql:
    """Return a text predicate: positive ones hold for some of the values, negative ones for all, of a present text.

    A value may be an array of texts, which stands for its items.
    """
    if name in NEGATIVE:
        among = predicate(NEGATIVE[name], subject, values, expr, exact=exact)
        return both([*(exists(value) for value in (subject, *values) if _unsure(value)), no(among)])
    fold = (lambda sql: sql) if exact else (lambda sql: build("lower", sql))
    left = fold(_text(subject, expr).sql)

    def holds(value: Value) -> Sql:
        if isinstance(value, Many):
            return build(">", value.kept(holds).size(), whole(0))
        return build(_POSITIVE[name], left, fold(_text(value, expr).sql))

    return either(holds(value) for value in values)


def _unsure(value: Value) -> bool:
    return not (isinstance(value, Scalar) and value.constant is not None)


def like(subject: Value, pattern: Value, expr: Expr) -> Sql:
    """Return that the whole text matches a pattern of `%` and `_`."""
    subject_, pattern_ = _text(subject, expr), _text(pattern, expr)
    if isinstance(pattern_.constant, str):
        return build("like", subject_.sql, text(_ESCAPE.sub(_escaped, pattern_.constant)))
    return build("like", subject_.sql, build("escaped_pattern", pattern_.sql))


def _escaped(match: re.Match[str]) -> str:
    """Return what an escape stands for: itself before `%`, `_` and a backslash, else the character alone."""
    following = match[1]
    if following is None:
        return r"\\"
    return f"\\{following}" if following in "%_\\" else following


def matches(subject: Value, pattern: Value, expr: Expr) -> Sql:
    """Return that some part of the text matches a regular expression; what is none matches nothing."""
    known = _expression(pattern, expr)
    subject_ = _text(subject, expr).sql
    if known is not None:
        return build("matches", subject_, text(known))
    return build("attempt", build("matches", subject_, _text(pattern, expr).sql))


def group(subject: Value, pattern: Value, number: Value, expr: Expr) -> Scalar:
    """Return the text of a group of the first match.

    Null without a match, for a group that took no part in it or is not there, and for what is no expression.
    """
    if not (isinstance(number, Scalar) and number.kind is Kind.EXACT and number.scale == 0):
        raise mismatch(expr, "the number of a group")
    known = _expression(pattern, expr)
    if known is not None and isinstance(number.constant, Decimal):
        place = whole(int(number.constant))
        return Scalar(build("regex_group", _text(subject, expr).sql, text(known), place), Kind.TEXT)
    expression = _text(pattern, expr).sql if known is None else text(known)
    place = cast(number.sql, "INTEGER")
    there = build(">=", number.sql, whole(0))
    found = build("attempt", build("regex_group", _text(subject, expr).sql, expression, place))
    return Scalar(choose(there, found, NULL), Kind.TEXT)


def _expression(pattern: Value, expr: Expr) -> str | None:
    """Return the regular expression that a literal is; None for what is no literal."""
    expression = _text(pattern, expr).constant
    if not isinstance(expression, str):
        return None
    try:
        re2.compile(expression, _QUIET)
    except re2.error as error:
        raise Invalid(
            "pql.value",
            f"{expression!r} is no RE2 expression: {error}.",
            where={"start": expr.span.start, "end": expr.span.end},
        ) from error
    return expression
