"""The HTTP application: a route for each reading, health, the OpenAPI document and a page that shows it."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Any, get_type_hints

import msgspec
from fastapi import Body, FastAPI, Response
from fastapi.responses import RedirectResponse

from coterie.api.border import Border, add_error_handlers
from coterie.api.reading import PARAMETERS, Reading
from coterie.api.readings import READINGS
from coterie.api.worker import Worker

_PAGE = {
    "": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"

DESCRIPTION = """What a workspace knows, for reading: profiles, identities, audiences and the data behind them.

Every error has one form: `{"error": {"code", "message", "hint", "where"}}`.
"""


def application(worker: Worker | None) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    worker : Worker, optional
        Who answers; closed when the server stops. Without one there is only the description (``/openapi.json``).

    Returns
    -------
    FastAPI
        The application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if worker is not None:
            worker.close()

    app = FastAPI(
        title="Coterie",
        version=version("coterie"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Border)
    add_error_handlers(app)
    for reading in READINGS.values():
        _add_route(app, reading, worker)
    for path, (name, media_type) in _PAGE.items():
        _add_file(app, f"/docs{path}", name, media_type)
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _add_route(app: FastAPI, reading: Reading, worker: Worker | None) -> None:
    async def endpoint(**arguments: Any) -> Response:
        assert worker is not None, "an application without a worker describes itself only"
        answer = await worker.ask(lambda ws: reading(ws, **arguments))
        return Response(answer, media_type="application/json")

    signature = inspect.signature(reading.call)
    hints = _hints(reading)
    endpoint.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            parameter.replace(
                kind=inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[hints[name], Body(embed=True)] if reading.method == "POST" else hints[name],
            )
            for name, parameter in list(signature.parameters.items())[1:]
        ],
        return_annotation=Response,
    )
    app.add_api_route(
        reading.path,
        endpoint,
        methods=[reading.method],
        name=reading.name,
        operation_id=reading.name,
        summary=reading.summary,
        description="",
        tags=re.findall(r"\w+", reading.path.removeprefix("/api"))[:1],
    )


def _add_file(app: FastAPI, path: str, name: str, media_type: str) -> None:
    content = (files("coterie.api") / "page" / name).read_bytes()
    headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}

    async def file() -> Response:
        return Response(content, media_type=media_type, headers=headers)

    app.add_api_route(path, file, include_in_schema=False)


def _hints(reading: Reading) -> dict[str, Any]:
    return get_type_hints(reading.call, localns={"Workspace": Any}, include_extras=True)


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "where"],
            "properties": {
                "code": {"type": "string", "description": "Stable identifier: `noun.reason`."},
                "message": {"type": "string"},
                "hint": {"type": ["string", "null"], "description": "What to do about it."},
                "where": {"type": "object", "description": "Place of the fault."},
            },
        }
    },
}


def describe() -> dict[str, Any]:
    """Return the OpenAPI document: routes from the readings, answers from the types they return."""
    return _described(application(None))


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        returned = {reading.name: _hints(reading)["return"] for reading in READINGS.values()}
        schemas, components = msgspec.json.schema_components(
            returned.values(), ref_template="#/components/schemas/{name}"
        )
        answers = dict(zip(returned, schemas, strict=True))
        bodies = {name: body for name, body in document["components"]["schemas"].items() if name.startswith("Body_")}
        for body in bodies.values():
            _describe(body["properties"])
        document["components"] = {"schemas": {"Error": _ERROR, **bodies, **components}}
        for operations in document["paths"].values():
            for operation in operations.values():
                _finish(operation, answers[operation["operationId"]])
    assert app.openapi_schema is not None
    return app.openapi_schema


def _finish(operation: dict[str, Any], answer: dict[str, Any]) -> None:
    error = {
        "description": "What went wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation["responses"] = {
        "200": {"description": "The answer", "content": {"application/json": {"schema": answer}}},
        "default": error,
    }
    _describe({parameter["name"]: parameter for parameter in operation.get("parameters", [])})


def _describe(parameters: dict[str, dict[str, Any]]) -> None:
    for name, parameter in parameters.items():
        parameter["description"] = PARAMETERS[name]
