"""What stands before every route: which hosts may ask, how much they may send, and the one form of all errors."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coterie.api.reading import encode
from coterie.core.errors import CoterieError, Invalid

MAX_BODY = 256 * 1024
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_INTERNAL = CoterieError(
    "internal.error", "the server failed to answer; its log says where.", hint="Please report this with the log."
)
_log = logging.getLogger("coterie.api")


def error_response(error: CoterieError, status: int | None = None) -> Response:
    """Return the error as a response: ``{"error": {"code", "message", "hint", "where"}}``."""
    return Response(encode({"error": error.as_dict()}), status or error.http_status, media_type="application/json")


class Border:
    """Middleware that lets only requests to a loopback name pass, with a bounded body.

    A page on the internet can point its own host name at 127.0.0.1 and so read what a local server answers (DNS
    rebinding); such a request carries that name in its Host header and is refused.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = _refusal(headers)
        if refusal is not None:
            error, status = refusal
            await error_response(error, status)(scope, receive, send)
            return
        received, started = 0, False

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise HTTPException(413)
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, bounded, noted)
        except Exception as error:
            # Where, but not what: a message of a store may quote data, and logs hold no personal data.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s in answering a %s request:\n%s", type(error).__name__, scope["method"], where)
            if started:
                raise ConnectionAbortedError from None
            await error_response(_INTERNAL)(scope, receive, send)


def _refusal(headers: Mapping[bytes, str]) -> tuple[CoterieError, int] | None:
    host = headers.get(b"host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() not in LOOPBACK:
        return Invalid(
            "request.host",
            f"this server answers to {', '.join(sorted(LOOPBACK))}, not to {name!r}.",
            hint="Ask it by the address it printed.",
            where={"host": host},
        ), 421
    length = headers.get(b"content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return _too_large(), 413
    return None


def _too_large() -> Invalid:
    return Invalid("request.too-large", f"a request body may have {MAX_BODY:,} bytes at most.")


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of `app` the one form."""

    @app.exception_handler(CoterieError)
    async def coded(_: Request, error: CoterieError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(_of_validation(error), 422)

    @app.exception_handler(PlainHTTPException)
    async def plain(request: Request, error: PlainHTTPException) -> Response:
        return error_response(_of_http(request, error), error.status_code)


def _of_validation(error: RequestValidationError) -> Invalid:
    first: dict[str, Any] = error.errors()[0]
    place, *path = first["loc"]
    field = ".".join(map(str, path)) or str(place)
    hint = "Send it as JSON, with content-type application/json." if place == "body" else "See /docs."
    where = {"in": place, "field": field}
    return Invalid("request.invalid", f"{place} {field}: {first['msg']}.", hint=hint, where=where)


def _of_http(request: Request, error: PlainHTTPException) -> CoterieError:
    match error.status_code:
        case 404:
            return CoterieError(
                "request.not-found", f"there is nothing at {request.url.path}.", hint="See /docs for what there is."
            )
        case 405:
            return CoterieError(
                "request.method", f"{request.method} is not offered at {request.url.path}.", hint="See /docs."
            )
        case 413:
            return _too_large()
        case _:
            return CoterieError("request.refused", str(error.detail))
