"""The suppression list: identities that were erased, as keyed hashes, so that a later load does not bring them back.

The hash is HMAC-SHA256 of namespace, NUL and value under a random key that lies in the sandbox and nowhere else:
without the key nobody can try out values. The hashes are in the log (`privacy.erased`) and so survive a rebuild, which
takes the key along.
"""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from coterie.core.errors import Damaged
from coterie.store import staging

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY = "suppression.key"
SIZE = 32
_BLOCK = 64


def key(sandbox: Path, *, create: bool = False) -> bytes:
    """Return the key of a sandbox, making one when there is none and `create` is set; raises ``privacy.key``."""
    path = sandbox / KEY
    if create and not path.exists():
        partial = sandbox / f"{KEY}.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        staging.sync(sandbox)
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) != SIZE:
        raise Damaged(
            "privacy.key",
            f"the key of the suppression list is not at {path}, so erased persons cannot be told from others.",
            hint="Restore this file from the backup that the sandbox came from.",
            where={"path": str(path)},
        )
    return found


def copy_key(source: Path, target: Path) -> None:
    """Take the key of a sandbox along to another one, if there is one."""
    if (source / KEY).exists():
        shutil.copy2(source / KEY, target / KEY)


def hashed(secret: bytes, namespace: str, value: str) -> str:
    """Return the keyed hash of an identity, in hexadecimal."""
    return hmac.new(secret, f"{namespace}\0{value}".encode(), "sha256").hexdigest()


def hashed_sql(secret: bytes, namespace: str, value: str) -> str:
    """Return SQL that gives `hashed` of two text expressions."""
    inner, outer = (_blob(bytes(byte ^ pad for byte in secret.ljust(_BLOCK, b"\0"))) for pad in (0x36, 0x5C))
    return f"sha256({outer} || unhex(sha256({inner} || encode({namespace} || chr(0) || {value}))))"


def add(con: DuckDBPyConnection, hashes: Iterable[str], request: str) -> None:
    """Put hashes on the list, under the request that they come from."""
    con.execute(
        "INSERT INTO suppressed SELECT unnest($1::VARCHAR[]), $2 EXCEPT SELECT hash, request FROM suppressed",
        [sorted(hashes), request],
    )


def remove(con: DuckDBPyConnection, hashes: Iterable[str]) -> int:
    """Take hashes off the list; return how many were on it."""
    (row,) = con.execute("DELETE FROM suppressed WHERE list_contains($1::VARCHAR[], hash)", [sorted(hashes)]).fetchall()
    return int(row[0])


def requests_of(con: DuckDBPyConnection, hashes: Iterable[str]) -> dict[str, str]:
    """Return the request that put each of some hashes on the list; those that are not on it are left out."""
    rows = con.execute(
        "SELECT hash, min(request) FROM suppressed WHERE list_contains($1::VARCHAR[], hash) GROUP BY hash",
        [sorted(hashes)],
    ).fetchall()
    return dict(rows)


def count(con: DuckDBPyConnection) -> int:
    """Return the number of identities on the list."""
    return int(con.execute("SELECT count(DISTINCT hash) FROM suppressed").fetchall()[0][0])


def among(identities: str, secret: bytes) -> str:
    """Return SQL for those of some identities (a query with ``namespace`` and ``value``) that are on the list."""
    return (
        f"SELECT namespace, value FROM (SELECT DISTINCT namespace, value FROM ({identities})) "
        f"WHERE {hashed_sql(secret, 'namespace', 'value')} IN (SELECT hash FROM suppressed)"
    )


def _blob(data: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::BLOB"
