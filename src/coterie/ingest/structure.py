"""The structure of JSON documents: which source paths lead to values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from coterie.core.schema import KEY, VALUE
from coterie.ingest.document import json_path
from coterie.ingest.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE = 20_000
"""Documents that are looked at."""
MAP_KEYS = 60
"""An object with more keys than this, all alike, is taken for a map."""


def paths(con: DuckDBPyConnection, texts: str) -> tuple[list[str], list[str]]:
    """Return the source paths of the values in JSON documents, and notes on what is odd.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the documents are looked at.
    texts : str
        A query for their texts, in a column `text`.
    """
    sample = f"SELECT text FROM ({texts}) WHERE TRY(json_type(text)) = 'OBJECT' LIMIT {SAMPLE:d}"
    found = con.execute(f"SELECT json_group_structure(CAST(text AS JSON)) FROM ({sample})").fetchall()[0][0]
    notes: list[str] = []
    tree = json.loads(found) if found else {}
    out = list(_below("", tree, notes)) if isinstance(tree, dict) else []
    mixed = [path for path in out if path.endswith(_MIXED)]
    for path in mixed:
        plain = path.removesuffix(_MIXED)
        out[out.index(path)] = plain
        if _nested(con, sample, plain):
            out.remove(plain)
            notes.append(f"{plain} holds now a single value and now an object or array: left out.")
    return out, notes


_MIXED = "\0mixed"


def _nested(con: DuckDBPyConnection, sample: str, path: str) -> bool:
    """Whether some of the values at a path are objects or arrays."""
    types = f"TRY(json_type(text, {literal(json_path(path))}))"
    types = types if "*" in json_path(path) else f"[{types}]"
    query = f"SELECT 1 FROM ({sample}) WHERE list_has_any({types}, ['OBJECT', 'ARRAY']) LIMIT 1"
    return bool(con.execute(query).fetchall())


def _below(path: str, structure: Any, notes: list[str]) -> Iterator[str]:
    match structure:
        case dict() if (
            path and len(structure) > MAP_KEYS and len({json.dumps(item) for item in structure.values()}) == 1
        ):
            notes.append(f"{path} has {len(structure)} keys that hold the same: taken for a map.")
            yield f"{path}{{}}.{KEY}"
            item = next(iter(structure.values()))
            yield from _below(f"{path}{{}}" if isinstance(item, dict) else f"{path}{{}}.{VALUE}", item, notes)
        case dict():
            seen: set[str] = set()
            for key, item in structure.items():
                if key.casefold() in seen:
                    notes.append(f"key {key!r} is left out: it differs from another one only by letter case.")
                elif not key or any(mark in key for mark in '.[]{}"'):
                    notes.append(f"key {key!r} under {path or 'the document'} is left out: a path cannot name it.")
                else:
                    seen.add(key.casefold())
                    yield from _below(f"{path}.{key}" if path else key, item, notes)
        case list():
            yield from _below(f"{path}[]", structure[0] if structure else "NULL", notes)
        case "JSON":
            yield f"{path}{_MIXED}"
        case _:
            yield path
