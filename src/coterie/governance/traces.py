"""Traces: the forms in which a value can stand in a text, and where in texts and bytes it does.

A value is only looked for in free text when it is *distinctive*: the customer number 7 is in every second line of
anything, so short values count only where a store says that they are an identity of their namespace.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
_FEW = 8
_BEGINNING = 4
_WORD_BYTES = 8
_TABLE_BITS = 20
_WORD = frozenset(string.ascii_letters + string.digits)


@dataclass(frozen=True)
class _Bounds:
    """Which characters beside a value make it a part of another one."""

    before: frozenset[str]
    after: frozenset[str]
    domain: bool
    """Whether a dot and a letter after it make it one too."""

    def fits(self, text: str, begin: int, end: int) -> bool:
        if text[begin - 1 : begin] in self.before or text[end : end + 1] in self.after:
            return False
        return not (self.domain and text[end : end + 1] == "." and text[end + 1 : end + 2] in _WORD)


@dataclass(frozen=True)
class _Beginnings:
    """The first bytes of many values as integers, to be looked for at every place of some bytes at once.

    A table of the upper bits of a product tells at most places that none of them is there, however many there are.
    """

    size: int
    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: Sequence[bytes]) -> _Beginnings:
        size = min([_WORD_BYTES, *map(len, values)])
        keys = np.unique(np.array([int.from_bytes(value[:size], "little") for value in values], np.uint64))
        table = np.zeros(1 << _TABLE_BITS, np.bool_)
        table[_hashed(keys)] = True
        return cls(size, keys, table)

    def places(self, data: Any) -> npt.NDArray[np.int64]:
        """Return where some bytes hold one of the beginnings, in order."""
        raw = np.frombuffer(data, np.uint8)
        padded = np.concatenate([raw, np.zeros(2 * _WORD_BYTES, np.uint8)])
        mask = np.uint64((1 << 8 * self.size) - 1)
        found = []
        for shift in range(_WORD_BYTES):
            words = padded[shift : shift + (len(padded) - shift) // _WORD_BYTES * _WORD_BYTES].view("<u8") & mask
            at = np.flatnonzero(self.table[_hashed(words)])
            at = at[np.isin(words[at], self.keys)] * _WORD_BYTES + shift
            found.append(at[at <= len(raw) - self.size])
        return np.sort(np.concatenate(found))


def _hashed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return (words * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - _TABLE_BITS)


_MAIL = _Bounds(_WORD | frozenset("._%+-"), _WORD | {"-"}, domain=True)
_PLAIN = _Bounds(_WORD, _WORD, domain=False)


def distinctive(value: str) -> bool:
    """Whether a value can be told in free text: it is long, or an address, or a number longer than any instant.

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
        return sum(1 for _ in self._places(text))

    def redacted(self, text: str) -> str:
        """Return a text with `ERASED` in place of every value."""
        parts, at = [], 0
        for begin, end in self._places(text):
            parts += [text[at:begin], ERASED]
            at = end
        return "".join([*parts, text[at:]])

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield begin and end of every value in a text, in order and without overlap."""
        index, size = self._index
        at = 0
        while at <= len(text) - size:
            if len(self.values) <= _FEW:
                # a search for few values is faster by far than a step for each character
                match = self._any.search(text, at) if self._any else None
                if match is None:
                    return
                at = match.start()
            end = next(
                (
                    at + len(form)
                    for form, bounds in index.get(text[at : at + size], ())
                    if text.startswith(form, at) and bounds.fits(text, at, at + len(form))
                ),
                0,
            )
            if end:
                yield at, end
            at = end or at + 1

    def held(self, array: Any) -> npt.NDArray[np.bool_]:
        """Say which elements of an Arrow array of texts or bytes may hold a value; `mentions` is the last word."""
        found = np.zeros(len(array), np.bool_)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        array = array.cast(pa.large_binary())
        _, offsets, data = array.buffers()
        if data is None or not self.values:
            return found
        bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        starts = self._beginnings["utf-8"].places(data)
        starts = starts[(starts >= bounds[0]) & (starts < bounds[-1])]
        found[np.searchsorted(bounds, starts, side="right") - 1] = True
        return found

    @cached_property
    def filters(self) -> tuple[str, ...]:
        """Patterns in the language of RE2 of which one matches every text that holds a value."""
        written = [form for value in self.values for form in forms(value)]
        return tuple("|".join(_SIGN.sub(r"\\\g<0>", form) for form in group) for group in _groups(written))

    def in_bytes(self, blocks: Iterable[bytes]) -> Iterator[str]:
        """Yield the form (``utf-8``, ``utf-16-le``, …) of every place at which raw bytes hold a value."""
        if not self.values:
            return
        tail = b""
        for block in blocks:
            data = tail + block
            if self._beginnings["utf-8"].places(data).size:
                # what lies wholly in the tail was found with the block before
                before = len(tail.decode(errors="replace"))
                yield from ("utf-8" for _, end in self._places(data.decode(errors="replace")) if end > before)
            for codec in _WIDE:
                if self._beginnings[codec].places(data).size:
                    every = (value.encode(codec) for value in self.values)
                    yield from (codec for value in every if data.find(value, max(0, len(tail) - len(value) + 1)) >= 0)
            tail = data[-_OVERLAP:]

    @cached_property
    def _index(self) -> tuple[dict[str, list[tuple[str, _Bounds]]], int]:
        """The forms by their beginnings, the longest first, and how long the beginnings are."""
        written = {form: _MAIL if "@" in value else _PLAIN for value in self.values for form in forms(value)}
        size = min([_BEGINNING, *map(len, written)])
        index: dict[str, list[tuple[str, _Bounds]]] = {}
        for form, bounds in sorted(written.items(), key=lambda item: (-len(item[0]), item[0])):
            index.setdefault(form[:size], []).append((form, bounds))
        return index, size

    @cached_property
    def _any(self) -> re.Pattern[str] | None:
        written = {form for value in self.values for form in forms(value)}
        return re.compile("|".join(map(re.escape, sorted(written)))) if written else None

    @cached_property
    def _beginnings(self) -> dict[str, _Beginnings]:
        """How the values begin in bytes, by encoding; in UTF-8 in all their forms."""
        wide = {codec: [value.encode(codec) for value in self.values] for codec in _WIDE}
        plain = [form.encode() for value in self.values for form in forms(value)]
        return {codec: _Beginnings.of(told) for codec, told in {"utf-8": plain, **wide}.items()}


def _groups(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


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
