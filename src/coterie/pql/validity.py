"""Scores in rules: they are absent from the instant on until which they are valid.

In a core tree ``customerAI.<model>.score`` becomes ``if(customerAI.<model>.valid_until > now, …, null)``, and an array
below a model keeps its items on the same condition. So a rule on scores is one that time alone can change, and every
engine, the forecast of when, and what is known of conditions treat it as that.
"""

from __future__ import annotations

from dataclasses import replace

from coterie.core.schema import PREDICTED, VALID_UNTIL, Field, FieldType, Union
from coterie.pql.ast import Binary, Call, Expr, Filter, Literal, Name, Property, Up
from coterie.pql.scopes import at_level, rebuild

_NULL = Literal(None, "null")
_NOW = Name("now")


def lasting(core: Expr, union: Union) -> Expr:
    """Return a core tree, read at the profile, in which scores count only as long as they are valid."""
    models = models_of(union)
    return _within(core, 0, models) if models else core


def models_of(union: Union) -> dict[str, Field]:
    """Return the fields of the models whose scores profiles have, by the key of the model."""
    below = union.profile.properties.get(PREDICTED)
    found = {} if below is None else below.properties
    return {key: field for key, field in found.items() if VALID_UNTIL in field.properties}


def _within(expr: Expr, depth: int, models: dict[str, Field]) -> Expr:
    """Return the tree of a place `depth` scopes inside the profile."""
    match expr:
        case Property() if len(path := _path(expr, depth, models)) == 1:  # whether there are scores at all
            return _guarded(replace(_until(path[0], depth), span=expr.span), path[0], depth)
        case Property(_, name) if len(path := _path(expr, depth, models)) == 2:
            match models[path[0]].properties.get(name):
                case Field(FieldType.ARRAY):
                    return Filter(expr, _valid(path[0], depth + 1), span=expr.span)
                case Field(FieldType.OBJECT | FieldType.MAP) | None:
                    return expr
                case _:
                    return _guarded(expr, path[0], depth)
        case _:
            return rebuild(expr, lambda child, inner: _within(child, depth + inner, models))


def _path(expr: Expr, depth: int, models: dict[str, Field]) -> tuple[str, ...]:
    """Return the names below the scores of all models that a plain path has, the key of a model first; else none."""
    match expr:
        case Property(Name(root), name) if depth == 0 and root == PREDICTED and name in models:
            return (name,)
        case Property(Up(levels, root), name) if levels == depth and root == PREDICTED and name in models:
            return (name,)
        case Property(target, name):
            above = _path(target, depth, models)
            return (*above, name) if above else ()
        case _:
            return ()


def _until(key: str, depth: int) -> Property:
    return Property(Property(at_level(depth, PREDICTED), key), VALID_UNTIL)


def _valid(key: str, depth: int) -> Expr:
    return Binary(">", _until(key, depth), _NOW)


def _guarded(expr: Expr, key: str, depth: int) -> Expr:
    return Call("if", (_valid(key, depth), expr, _NULL), span=expr.span)
