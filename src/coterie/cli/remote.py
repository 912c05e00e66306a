"""Readings answered by the server that holds the workspace, over HTTP on this machine."""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from coterie.api.reading import Reading
from coterie.core.errors import Busy, Conflict, CoterieError, Damaged, Invalid, NotFound, Unsupported

TIMEOUT = 120.0
"""Seconds to wait for an answer: a server answers one question at a time."""


_EXIT_CODES = {kind.http_status: kind.exit_code for kind in (Invalid, NotFound, Conflict, Unsupported, Busy, Damaged)}


class RemoteError(CoterieError):
    """An error that the server answered with; it has the code, exit code and all else of the original."""

    def __init__(self, body: dict[str, Any], status: int) -> None:
        super().__init__(body["code"], body["message"], hint=body.get("hint"), where=body.get("where"))
        self.body = body
        kind = CoterieError.exit_code if self.code == "internal.error" else _EXIT_CODES.get(status)
        self.exit_code = kind or Invalid.exit_code  # type: ignore[misc]

    def as_dict(self) -> dict[str, Any]:
        """Return the error as the server gave it."""
        return self.body


def ask(url: str, reading: Reading, arguments: dict[str, Any]) -> bytes:
    """Return the server's answer to a reading, as JSON.

    Parameters
    ----------
    url : str
        Where the server listens.
    reading : Reading
        What is asked.
    arguments : dict
        Its arguments; None means the default.

    Raises
    ------
    RemoteError
        What the server answered with instead.
    Busy
        ``server.silent`` when it does not answer.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    path = re.sub(r"\{(\w+)[^}]*\}", lambda match: quote(str(given.pop(match[1])), safe=""), reading.path)
    body = None
    if reading.method == "POST":
        body = msgspec.json.encode(given)
    elif given:
        path = f"{path}?{urlencode(given)}"
    connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
    try:
        connection.request(reading.method, path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    except (OSError, HTTPException) as error:
        raise Busy(
            "server.silent",
            f"the server at {url} holds the workspace but does not answer: {error}.",
            hint="Wait a moment, or stop that server.",
            where={"url": url},
        ) from error
    finally:
        connection.close()
    if response.status != 200:
        raise RemoteError(msgspec.json.decode(answer)["error"], response.status)
    return answer
