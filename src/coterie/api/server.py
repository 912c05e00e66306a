"""`coterie serve`: a workspace behind HTTP on this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from coterie.api.app import application
from coterie.api.worker import Worker
from coterie.core.errors import Conflict, Unsupported

if TYPE_CHECKING:
    from coterie.workspace import Workspace

HOST, PORT = "127.0.0.1", 8471


class Server:
    """A listening server; `run` answers until it is told to stop.

    Parameters
    ----------
    opening : callable
        Opens the workspace.
    host : str
        A loopback address.
    port : int
        0 takes a free one.

    Raises
    ------
    Unsupported
        ``server.not-loopback``: there are no users and no keys yet, so only this machine may ask.
    Conflict
        ``server.port``: something else listens there.
    """

    def __init__(self, opening: Callable[[], Workspace], host: str = HOST, port: int = PORT) -> None:
        self._socket = _listen(host, port)
        try:
            self.url = _url(self._socket)
            self._worker = Worker(opening)
            self._worker.run(lambda ws: ws.sandbox.lock.announce(self.url))
        except BaseException:
            self._socket.close()
            raise
        config = uvicorn.Config(application(self._worker), log_level="warning", access_log=False, lifespan="on")
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer requests until SIGINT, SIGTERM or `stop`; closes the workspace."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask a running server to finish, from another thread."""
        self._server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Unsupported(
            "server.not-loopback",
            f"cannot serve on {host!r}: without users and keys, only this machine may ask.",
            hint="Use 127.0.0.1, and an SSH tunnel or a proxy that asks who is there.",
            where={"host": host},
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise Conflict(
            "server.port",
            f"cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another port, or 0 for any that is free.",
            where={"host": host, "port": port},
        ) from error
    return listening


def _url(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
