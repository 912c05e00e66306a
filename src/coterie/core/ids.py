"""Opaque ids. Deterministic where the thing has a natural key, so that a rebuild gives the same ids."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b
from typing import NamedTuple


class Identity(NamedTuple):
    """An identity: equal only when both namespace code and value are equal (case-sensitive)."""

    namespace: str
    value: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.value}"


def xid(namespace: str, value: str) -> str:
    """Return the opaque id of an identity: 128 bits of BLAKE2b over code, NUL and value, in base 32."""
    return _digest(f"{namespace}\0{value}")


def person_id(namespace: str, value: str) -> str:
    """Return the public id of the person founded by an identity (its oldest one)."""
    return "p-" + xid(namespace, value)


def derived_id(kind: str, *key: str) -> str:
    """Return a deterministic id for a definition: `kind` and its natural key, hashed."""
    return f"{kind}-{_digest(chr(0).join((kind, *key)))}"


def _digest(text: str) -> str:
    raw = blake2b(text.encode(), digest_size=16).digest()
    return b32encode(raw).decode().rstrip("=").lower()
