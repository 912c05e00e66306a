"""Traces: the forms in which a value can stand in a text, and where in texts and bytes it does.

A value is only looked for in free text when it is *distinctive*: the customer number 7 is in every second line of
anything, so short values count only where a store says that they are an identity of their namespace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coterie.core.ids import Identity, person_id

ERASED = "erased"
"""What stands in place of a value that was taken out of a text."""

LONG = 8
LONG_NUMBER = 15
_AT_ONCE = 200
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
_OVERLAP = 1 << 12
_BLOCK = 4 << 20
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_MAIL = (r"A-Za-z0-9._%+\-", r"[A-Za-z0-9\-]|\.[A-Za-z0-9]")
_PLAIN = (r"A-Za-z0-9", r"[A-Za-z0-9]")


def distinctive(value: str) -> bool:
    """Whether a value can be told in free text: it is long, an address, or a number with more digits than instants have.

    Examples
    --------
    >>> [distinctive(value) for value in ("ann@example.org", "2421", "2421-88-XK", "1514764800000")]
    [True, False, True, False]
    """
    if value.isdigit():
        return len(value) >= LONG_NUMBER
    return len(value) >= LONG or ("@" in value.strip("@") and len(value) >= LONG // 2)


def forms(value: str) -> list[str]:
    r"""Return how a value is written in texts: plain, in JSON, in CSV, in an exported list and in a URL.

    Examples
    --------
    >>> forms('a"b/c')
    ['a"b/c', 'a""b/c', 'a\\"b/c', 'a\\"b\\/c', 'a%22b%2Fc']
    """
    plain, ascii_ = json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(value)[1:-1]
    escaped = re.sub(r"([;\\])", r"\\\1", value)
    written = [value, value.replace('"', '""'), plain, ascii_, plain.replace("/", "\\/"), ascii_.replace("/", "\\/")]
    return list(dict.fromkeys([*written, escaped, quote(value, safe=""), quote(value)]))


@dataclass(frozen=True)
class Sought:
    """What is looked for: identities, the public ids of the persons they founded, and any other texts.

    Parameters
    ----------
    identities : frozenset of Identity
        Looked for wherever a store keeps identities, and in all texts when distinctive.
    texts : tuple of str
        Further values, looked for in all texts; each should be distinctive.
    """

    identities: frozenset[Identity]
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, identities: Iterable[tuple[str, str]], texts: Iterable[str] = ()) -> Sought:
        """Return what is looked for, given pairs of namespace and value, and texts."""
        return cls(frozenset(Identity(*pair) for pair in identities), tuple(texts))

    @cached_property
    def persons(self) -> frozenset[str]:
        """The public ids of the persons that the identities founded, if they did."""
        return frozenset(person_id(*identity) for identity in self.identities)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The values that are looked for in texts, sorted."""
        told = {item.value for item in self.identities if distinctive(item.value)}
        return tuple(sorted({*told, *self.persons, *self.texts}))

    def mentions(self, text: str) -> int:
        """Return how often a text holds one of the values."""
        return sum(1 for pattern in self._patterns for _ in pattern.finditer(text))

    def redacted(self, text: str) -> str:
        """Return a text with `ERASED` in place of every value."""
        for pattern in self._patterns:
            text = pattern.sub(ERASED, text)
        return text

    def held(self, array: Any) -> npt.NDArray[np.bool_]:
        """Say which elements of an Arrow array of texts or bytes may hold a value; `mentions` is the last word."""
        found = np.zeros(len(array), np.bool_)
        for pattern in self.filters:
            mask = pc.match_substring_regex(array, pattern)
            found |= pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def filters(self) -> tuple[str, ...]:
        """Patterns in the language of RE2 of which one matches every text that holds a value."""
        written = [form for value in self.values for form in forms(value)]
        groups = (written[start : start + _AT_ONCE] for start in range(0, len(written), _AT_ONCE))
        return tuple("|".join(_SIGN.sub(r"\\\g<0>", form) for form in group) for group in groups)

    def in_bytes(self, blocks: Iterable[bytes]) -> Iterator[str]:
        """Yield the form (``utf-8``, ``utf-16-le``, …) of every place at which raw bytes hold a value."""
        if not self.values:
            return
        tail, last = b"", ""
        for block in blocks:
            data = tail + block
            for form, pattern in self._raw:
                # what lies wholly in the tail was found with the block before
                for match in pattern.finditer(data):
                    if match.end() > len(tail):
                        last = form
                        yield last
            tail = data[-_OVERLAP:]

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        out = []
        for mail, (before, after) in ((True, _MAIL), (False, _PLAIN)):
            written = {form for value in self.values if ("@" in value) is mail for form in forms(value)}
            if written:
                # the longest first, so that none is taken for the beginning of another
                either = "|".join(map(re.escape, sorted(written, key=lambda form: (-len(form), form))))
                out.append(re.compile(f"(?<![{before}])(?:{either})(?!{after})"))
        return tuple(out)

    @cached_property
    def _raw(self) -> tuple[tuple[str, re.Pattern[bytes]], ...]:
        plain = [("utf-8", re.compile(pattern.pattern.encode())) for pattern in self._patterns]
        wide = {codec: b"|".join(re.escape(value.encode(codec)) for value in self.values) for codec in _WIDE}
        return (*plain, *((codec, re.compile(either)) for codec, either in wide.items()))


def strings(value: Any) -> Iterator[str]:
    """Yield every text in plain data, the keys of its objects too."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield str(key)
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)
        case _:
            if value is not None:
                yield str(value)


def redacted(value: Any, sought: Sought) -> Any:
    """Return plain data with `ERASED` in place of every value in its texts."""
    match value:
        case str():
            return sought.redacted(value)
        case dict():
            return {sought.redacted(key): redacted(item, sought) for key, item in value.items()}
        case list():
            return [redacted(item, sought) for item in value]
        case _:
            return value


def text_columns(table: pa.Table) -> Iterator[tuple[str, Any]]:
    """Yield path and array of every part of a table that holds texts or bytes, dictionaries decoded."""
    for name in table.column_names:
        for chunk in table.column(name).chunks:
            yield from _texts(name, chunk)


def _texts(path: str, array: Any) -> Iterator[tuple[str, Any]]:
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _texts(path, array.dictionary)
    elif pa.types.is_struct(kind):
        for position, field in enumerate(kind):
            yield from _texts(f"{path}.{field.name}", array.field(position))
    elif pa.types.is_map(kind):
        yield from _texts(f"{path}.key", array.keys)
        yield from _texts(f"{path}.value", array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _texts(f"{path}[]", array.values)
    elif (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    ):
        yield path, array
