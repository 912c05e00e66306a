"""What is wrong with plain data that are to become a struct: the place, what stands there, what may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from coterie.core.errors import suggestion

_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_NAMED = re.compile(r"field `([^`]+)`")
_SHOWN = 60


class Fault(NamedTuple):
    """A fault of plain data.

    Parameters
    ----------
    path : tuple of str or int
        Where it is: names and places in lists.
    message : str
        What is wrong, without a full stop.
    hint : str
        What may stand there.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str


def fault(error: msgspec.ValidationError, data: object, type_: type) -> Fault:
    """Return what `msgspec.convert` found wrong with data, in words that need no knowledge of it.

    Examples
    --------
    >>> class Window(msgspec.Struct, forbid_unknown_fields=True):
    ...     days: int
    >>> try:
    ...     msgspec.convert({"days": "seven"}, Window)
    ... except msgspec.ValidationError as error:
    ...     fault(error, {"days": "seven"}, Window)
    Fault(path=('days',), message="days cannot be 'seven'", hint='Give a whole number.')
    """
    path = _path(error, data, type_)
    found, expected = _reached(path, data, inspect.type_info(type_))
    named, owner = _NAMED.search(str(error)), _struct(expected, found)
    if named is None or owner is None:
        may = suggestion(found, _listed(expected)) if isinstance(found, str) else None
        return Fault(path, f"{spelt(path) or 'it'} cannot be {_short(found)}", may or f"Give {_words(expected)}.")
    fields = {field.encode_name: field for field in owner.fields}
    here, name = (*path, named[1]), named[1]
    if name in fields:
        return Fault(path, f"{spelt(here)} is missing", f"Give {_words(fields[name].type)}.")
    may = suggestion(name, fields) or f"What may stand here: {', '.join(fields)}."
    return Fault(here, f"{spelt(here)} is not known", may)


def spelt(path: Iterable[str | int]) -> str:
    """Return a path as people write it, such as ``goal.events[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _path(error: msgspec.ValidationError, data: object, type_: type) -> tuple[str | int, ...]:
    """Return where a fault is; of a mapping the error tells ``...`` in place of the key."""
    path: tuple[str | int, ...] = ()
    for name, number in _STEP.findall(str(error).partition(" - at ")[2]):
        step = name or (0 if number == "..." else int(number))
        mapping, _ = _reached(path, data, inspect.AnyType())
        if number == "..." and isinstance(mapping, Mapping):
            for key, value in mapping.items():
                alone = _with(data, path, {key: value})
                if _fails_alike(error, alone, type_):
                    data, step = alone, key
                    break
        path = (*path, step)
    return path


def _fails_alike(error: msgspec.ValidationError, data: object, type_: type) -> bool:
    try:
        msgspec.convert(data, type_)
    except msgspec.ValidationError as again:
        return str(again) == str(error)
    return False


def _with(data: Any, path: tuple[str | int, ...], value: object) -> object:
    """Return data with another value at a path."""
    if not path:
        return value
    inner = _with(data[path[0]], path[1:], value)
    if isinstance(data, Mapping):
        return {**data, path[0]: inner}
    return [inner if place == path[0] else each for place, each in enumerate(data)]


def _reached(path: tuple[str | int, ...], data: Any, expected: inspect.Type) -> tuple[Any, inspect.Type]:
    """Return what stands at a path, and what is expected there."""
    for step in path:
        expected = _below(expected, step)
        match data:
            case Mapping():
                data = data.get(step)
            case Sequence() if isinstance(step, int) and step < len(data):
                data = data[step]
            case _:
                data = None
    return data, expected


def _below(expected: inspect.Type, step: str | int) -> inspect.Type:
    for each in _kinds(expected):
        match each:
            case inspect.StructType(fields=fields):
                for field in fields:
                    if field.encode_name == step:
                        return field.type
            case inspect.DictType(value_type=value):
                return value
            case inspect.CollectionType(item_type=item):
                return item
            case _:
                pass
    return inspect.AnyType()


def _kinds(expected: inspect.Type) -> tuple[inspect.Type, ...]:
    """Return the types of which a value may be one."""
    match expected:
        case inspect.Metadata(type=inner):
            return _kinds(inner)
        case inspect.UnionType(types=types):
            return tuple(each for one in types for each in _kinds(one))
        case _:
            return (expected,)


def _struct(expected: inspect.Type, found: object) -> inspect.StructType | None:
    """Return the struct whose fields are meant; of several, the one with the tag of what was found."""
    structs = [each for each in _kinds(expected) if isinstance(each, inspect.StructType)]
    tagged = [each for each in structs if isinstance(found, Mapping) and each.tag == found.get(each.tag_field)]
    return next(iter(tagged or structs), None)


def _words(expected: inspect.Type) -> str:
    """Return what may stand at a place."""
    return " or ".join(dict.fromkeys(_kind(each) for each in _kinds(expected)))


def _listed(expected: inspect.Type) -> list[str]:
    """Return the texts of which one may stand at a place."""
    found: list[str] = []
    for each in _kinds(expected):
        match each:
            case inspect.LiteralType(values=values):
                found += map(str, values)
            case inspect.EnumType(cls=cls):
                found += (str(item.value) for item in cls)
            case _:
                pass
    return found


def _kind(expected: inspect.Type) -> str:
    match expected:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number{_bounds(low, high)}"
        case inspect.FloatType(ge=low, le=high):
            return f"a number{_bounds(low, high)}"
        case inspect.LiteralType() | inspect.EnumType():
            return f"one of {', '.join(_listed(expected))}"
        case inspect.StrType():
            return "a text"
        case inspect.NoneType():
            return "nothing"
        case inspect.StructType(fields=fields):
            return f"a mapping with {', '.join(field.encode_name for field in fields)}"
        case inspect.CollectionType(item_type=item, min_length=least):
            return f"a list of {least or 0} or more, each {_words(item)}"
        case inspect.DictType():
            return "a mapping"
        case _:
            return "another value"


def _bounds(low: float | None, high: float | None) -> str:
    match low, high:
        case None, None:
            return ""
        case _, None:
            return f" of at least {low}"
        case None, _:
            return f" of at most {high}"
        case _:
            return f" from {low} to {high}"


def _short(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            text = repr(value)
            return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
