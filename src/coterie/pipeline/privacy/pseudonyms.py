"""Pseudonyms: random identities in place of those of persons who are made anonymous, and their rows with them.

A row is edited where its mapping reads it: the source of an identity gets the pseudonym, the source of a field that is
labelled as personal (``I1``, ``I2``) is emptied. Everything else in the row, and so every count and sum, stays.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from coterie.core.ids import Identity
from coterie.core.schema import Schema
from coterie.governance.labels import of_field
from coterie.governance.traces import ERASED
from coterie.ingest.identities import ECID_DIGITS
from coterie.ingest.mapping import IDENTITY_MAP, Mapping, Rule, expand
from coterie.ingest.shape import steps
from coterie.ingest.source import Kind, Source, SourceFile

PERSONAL = frozenset({"I1", "I2"})
"""Labels of fields that identify a person."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Pseudonyms:
    """A random identity of the same namespace for each of some identities; made by `Pseudonyms.draw`."""

    of: dict[Identity, str]

    @classmethod
    def draw(cls, identities: Iterable[Identity], known: Callable[[Identity], bool]) -> Pseudonyms:
        """Return fresh pseudonyms, none of which is an identity that is `known`."""
        return cls({identity: _fresh(identity, known) for identity in identities})

    def texts(
        self, rows: Sequence[bytes], source: Source, file: SourceFile, schema: Schema, mapping: Mapping
    ) -> list[bytes]:
        """Return rows of a text file (UTF-8) with the pseudonyms in them."""
        if source.kind is Kind.JSONL:
            return [
                _encoder.encode(self.document(_decoder.decode(row), schema=schema, mapping=mapping)) + b"\n"
                for row in rows
            ]
        dialect = source.dialect(file)
        style = {"delimiter": dialect.delimiter, "quotechar": dialect.quote}
        out = []
        for row in rows:
            cells = next(csv.reader(io.StringIO(row.decode(), newline=""), **style))  # type: ignore[arg-type]
            document = dict(zip(dialect.columns, cells, strict=True))
            written = io.StringIO()
            edited = self.document(document, schema=schema, mapping=mapping)
            csv.writer(written, lineterminator="\n", **style).writerow(  # type: ignore[arg-type]
                "" if value is None else value for value in edited.values()
            )
            out.append(written.getvalue().encode())
        return out

    def document(self, row: dict[str, Any], *, schema: Schema, mapping: Mapping) -> dict[str, Any]:
        """Return a row as a document with the pseudonyms in it, and without what is labelled as personal."""
        named = {item.path: item.namespace for item in schema.identities}
        for path, (_, rule) in expand(mapping, schema).items():
            if path in named:
                self._replace(row, rule, named[path])
            elif of_field(schema.root, path) & PERSONAL:
                for source in rule.sources:
                    _edit(row, source, lambda _: None)
        for target, rule in mapping.fields.items():
            if target == IDENTITY_MAP and rule.source is not None:
                _edit(row, rule.source, self._map)
            elif target.startswith(f"{IDENTITY_MAP}."):
                self._replace(row, rule, target.removeprefix(f"{IDENTITY_MAP}."))
        return row

    def _replace(self, row: dict[str, Any], rule: Rule, namespace: str) -> None:
        if rule.source is not None:
            _edit(row, rule.source, lambda value: self._of(namespace, value))
            return
        # an identity put together of several parts becomes one of a single part
        for source in rule.concat:
            _edit(row, source, lambda _: ERASED)
        if rule.concat:
            _edit(row, rule.concat[0], lambda _: secrets.token_hex(12))

    def _of(self, namespace: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._of(namespace, item) for item in value]
        drawn = None if value is None else self.of.get(Identity(namespace, str(value)))
        if drawn is None:
            return value
        return drawn if isinstance(value, str) else int(drawn)

    def _map(self, value: Any) -> Any:
        """Return an identity map, an object of lists by namespace, with the pseudonyms in it."""
        entries = value.items() if isinstance(value, dict) else value or []
        told = {
            code: [{**item, "id": self._of(code, item.get("id"))} for item in listed or []] for code, listed in entries
        }
        return told if isinstance(value, dict) else list(told.items())


def _fresh(identity: Identity, known: Callable[[Identity], bool]) -> str:
    while known(Identity(identity.namespace, drawn := _drawn(identity))):
        pass
    return drawn


def _drawn(identity: Identity) -> str:
    """Return a random value that may stand wherever the identity did: for a number, one of a like column."""
    if identity.namespace == "ECID":
        return str(secrets.randbelow(9 * 10 ** (ECID_DIGITS - 1)) + 10 ** (ECID_DIGITS - 1))
    if identity.value.isdigit():
        low, high = (10**9, 2**31) if len(identity.value) < len(str(2**31)) else (10**17, 10**18)
        return str(low + secrets.randbelow(high - low))
    return f"anonymous-{secrets.token_hex(12)}"


def _edit(row: dict[str, Any], path: str, change: Callable[[Any], Any]) -> None:
    """Change the values that a source path reaches, in place; a column whose whole name it is goes first."""
    column = next((name for name in sorted(row, key=len, reverse=True) if _begins(path, name)), None)
    if column is not None:
        row[column] = _edited(row[column], steps(path[len(column) :]), change)


def _begins(path: str, name: str) -> bool:
    return path == name or (path.startswith(name) and path[len(name)] in ".[{")


def _edited(value: Any, path: list[str], change: Callable[[Any], Any]) -> Any:
    if value is None or not path:
        return None if value is None else change(value)
    step, rest = path[0], path[1:]
    if step == "[]" and isinstance(value, list):
        return [_edited(item, rest, change) for item in value]
    if step == "{}":
        rest = rest[1:] if rest[:1] == [".$value"] else rest
        if isinstance(value, dict):
            return {key: _edited(item, rest, change) for key, item in value.items()}
        return [(key, _edited(item, rest, change)) for key, item in value]
    if isinstance(value, dict) and step[1:] in value:
        return {**value, step[1:]: _edited(value[step[1:]], rest, change)}
    return value
