"""Opaque ids. Deterministic where the thing has a natural key, so that a rebuild gives the same ids.

The digest is one that every engine has built in (DuckDB and Spark: ``left(sha256(text), 32)``), so that millions of ids
are made set-wise; it is a cryptographic one because identity values come from outsiders, who must not be able to make
two people collide.
"""

from __future__ import annotations

import reprlib
from hashlib import sha256
from typing import NamedTuple

from coterie.core.errors import Invalid


class Identity(NamedTuple):
    """An identity: equal only when both namespace code and value are equal (case-sensitive)."""

    namespace: str
    value: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.value}"

    @classmethod
    def of(cls, pair: object) -> Identity:
        """Return the identity that a namespace and a value are, both of them texts; raises ``identity.text``.

        Examples
        --------
        >>> Identity.of(["Email", "ann@example.org"])
        Identity(namespace='Email', value='ann@example.org')
        """
        match pair:
            case (str(namespace), str(value)) if namespace and value:
                return cls(namespace, value)
            case _:
                raise Invalid(
                    "identity.text",
                    f"{reprlib.repr(pair)} is no identity.",
                    hint='Give its namespace and its value, as in ("Email", "ann@example.org").',
                )

    @classmethod
    def read(cls, text: str) -> Identity:
        """Return the identity written as ``Namespace:value``; raises ``identity.text``.

        Examples
        --------
        >>> Identity.read("Email:ann@example.org")
        Identity(namespace='Email', value='ann@example.org')
        """
        namespace, _, value = text.partition(":")
        if not namespace or not value:
            raise Invalid(
                "identity.text",
                f"{text!r} is no identity.",
                hint="Write the namespace, a colon and the value, as in Email:ann@example.org.",
            )
        return cls(namespace, value)


def xid(namespace: str, value: str) -> str:
    """Return the opaque id of an identity: the first 128 bits of SHA-256 over code, NUL and value, in hexadecimal."""
    return sha256(f"{namespace}\0{value}".encode()).hexdigest()[:32]


def xid_sql(namespace: str, value: str) -> str:
    """Return the SQL expression that gives `xid` of two SQL text expressions."""
    return f"left(sha256({namespace} || chr(0) || {value}), 32)"


def person_id(namespace: str, value: str) -> str:
    """Return the public id of the person founded by an identity (its oldest one)."""
    return f"p-{xid(namespace, value)}"
