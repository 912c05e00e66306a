"""The HTTP face: answers, errors of one form, bounds, and who may ask."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from coterie import workspace
from coterie.api.app import describe
from coterie.api.border import MAX_BODY
from coterie.api.readings import READINGS
from coterie.api.server import Server
from coterie.api.worker import Worker
from coterie.core.clock import FixedClock
from coterie.core.errors import Busy, Conflict, CoterieError, NotFound, Unsupported

ROOT = Path(__file__).parents[2]
NOW = "2026-06-15T12:00:00Z"


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Serve a workspace on a free port while the block runs."""
    server = Server(lambda: workspace.open(root, clock=FixedClock(NOW)), port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server over five people with an e-mail address, two of whom are called b."""
    root = tmp_path_factory.mktemp("api") / "workspace"
    rows = root.parent / "people.csv"
    rows.write_text("email,name\n" + "".join(f"p{n}@example.org,{'ab'[n % 2]}\n" for n in range(5)))
    with workspace.open(root, clock=FixedClock(NOW), create=True) as ws:
        identities = [{"path": "email", "namespace": "Email", "primary": True}]
        fields = {"email": "string", "name": "string"}
        ws.schemas.put({"name": "person", "class": "profile", "fields": fields, "identities": identities})
        ws.datasets.put("people", schema="person")
        ws.ingest.load("people", rows)
        ws.audiences.put("b", 'name = "b"')
        ws.audiences.evaluate()
    with serving(root) as server:
        yield server.url


def call(url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Ask and return status and decoded body."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    content = json.dumps(body) if body is not None and not isinstance(body, bytes) else body
    connection.request(method, path, content, {"content-type": "application/json"} | (headers or {}))
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, json.loads(text) if "json" in response.headers["content-type"] else text


def test_health_says_what_is_served(url: str) -> None:
    status, health = call(url, "GET", "/health")
    assert (status, health["status"], health["sandbox"]) == (200, "ok", "prod")
    assert health["positions"]["log"] == health["positions"]["catalog"] == health["positions"]["history"] > 0


def test_profile_by_any_identity(url: str) -> None:
    status, profile = call(url, "GET", "/api/profiles/Email/p1%40example.org")
    assert status == 200
    assert profile["attributes"]["name"] == "b"


def test_members_page_by_page(url: str) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        status, page = call(url, "GET", f"/api/audiences/b/members?limit=1{cursor}")
        assert status == 200
        seen += [value for item in page["items"] for value in item["identities"]["Email"]]
        if page["next"] is None:
            break
        cursor = f"&after={page['next']}"
    assert sorted(seen) == ["p1@example.org", "p3@example.org"]


def test_rules_are_counted_and_checked(url: str) -> None:
    status, counted = call(url, "POST", "/api/audiences:count", {"pql": 'name = "a"'})
    assert (status, counted["count"], counted["people"]) == (200, 3, 5)
    assert [(step["text"], step["left"]) for step in counted["steps"]] == [('name = "a"', 3)]
    status, problems = call(url, "POST", "/api/audiences:check", {"pql": "nam = 1"})
    assert status == 200
    assert problems[0]["suggestion"] == "name"
    status, answer = call(url, "POST", "/api/audiences:count", {"pql": "nam = 1"})
    assert status == 400
    assert answer["error"]["code"].startswith("pql.")
    assert (answer["error"]["where"]["start"], answer["error"]["where"]["end"]) == (0, 3)


ERRORS = [
    ("GET", "/api/audiences/none", None, 404, "audience.not-found"),
    ("GET", "/api/profiles/Email/none", None, 404, "identity.not-found"),
    ("GET", "/api/nothing", None, 404, "request.not-found"),
    ("DELETE", "/api/audiences/b", None, 405, "request.method"),
    ("GET", "/api/audiences/b/members?limit=0", None, 422, "request.invalid"),
    ("GET", "/api/audiences/b/members?limit=100000", None, 422, "request.invalid"),
    ("GET", "/api/profiles/Email/x?events=many", None, 422, "request.invalid"),
    ("POST", "/api/audiences:count", {}, 422, "request.invalid"),
    ("POST", "/api/audiences:count", b"{", 422, "request.invalid"),
    ("POST", "/api/audiences:count", {"pql": 7}, 422, "request.invalid"),
    ("POST", "/api/audiences:count", {"pql": "x" * 100_001}, 422, "request.invalid"),
    ("POST", "/api/audiences:count", {"pql": "x" * MAX_BODY}, 413, "request.too-large"),
    ("GET", "/api/profiles/Email/" + "x" * 2000, None, 422, "request.invalid"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), ERRORS, ids=lambda value: str(value)[:40])
def test_every_error_has_the_one_form(url: str, method: str, path: str, body: Any, status: int, code: str) -> None:
    found, answer = call(url, method, path, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert {"code", "message", "hint", "where"} <= set(answer["error"])


def test_a_body_without_length_is_bounded_too(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    chunks = (b'{"pql": "', *[b"x" * 65_536] * 6, b'"}')
    headers = {"content-type": "application/json"}
    connection.request("POST", "/api/audiences:count", iter(chunks), headers, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["code"]) == (413, "request.too-large")
    connection.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8471", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example"]
)
def test_other_host_names_are_refused(url: str, host: str) -> None:
    status, answer = call(url, "GET", "/api/audiences", headers={"host": host})
    assert (status, answer["error"]["code"]) == (421, "request.host")


def test_loopback_names_are_taken(url: str) -> None:
    port = urlsplit(url).port
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        assert call(url, "GET", "/health", headers={"host": host})[0] == 200, host


def test_what_goes_wrong_inside_is_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quoted = "@".join(("ann", "example.org"))

    def fail(*_: object) -> None:
        raise ValueError(quoted)

    monkeypatch.setattr(workspace.Workspace, "status", fail)
    status, answer = call(url, "GET", "/api/status")
    assert (status, answer["error"]["code"]) == (500, "internal.error")
    assert "ann@example.org" not in json.dumps(answer)
    assert "ValueError" in caplog.text
    assert "ann@example.org" not in caplog.text


def test_many_at_once_get_their_own_answers(url: str) -> None:
    def ask(number: int) -> bool:
        status, profile = call(url, "GET", f"/api/profiles/Email/p{number % 5}%40example.org")
        return status == 200 and profile["attributes"]["email"] == f"p{number % 5}@example.org"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))


def test_more_than_may_wait_are_turned_away() -> None:
    running, go_on = threading.Event(), threading.Event()

    class Nothing:
        def close(self) -> None:
            pass

    worker = Worker(Nothing, waiting=2)  # type: ignore[arg-type]

    def slow(_: object) -> int:
        running.set()
        go_on.wait(10)
        return 1

    async def crowd() -> list[Any]:
        first = [asyncio.create_task(worker.ask(slow)) for _ in range(2)]
        await asyncio.sleep(0)
        try:
            with pytest.raises(Busy) as refused:
                await worker.ask(slow)
        finally:
            go_on.set()
        return [await task for task in first] + [refused.value.code]

    assert asyncio.run(crowd()) == [1, 1, "server.busy"]
    worker.close()


def test_the_root_leads_to_the_page(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, response.headers["location"]) == (307, "/docs")
    connection.close()


def test_the_page_is_whole_without_the_internet(url: str) -> None:
    status, page = call(url, "GET", "/docs")
    assert status == 200
    assert re.findall(r"https?://", page) == []
    for name in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page):
        found, content = call(url, "GET", name)
        assert found == 200
        assert re.findall(r"https?://", content) == []


def test_the_committed_description_is_the_present_one(url: str) -> None:
    committed = json.loads((ROOT / "docs/reference/openapi.json").read_text())
    assert json.loads(json.dumps(describe())) == committed, "run ./dev docs"
    assert call(url, "GET", "/openapi.json") == (200, committed)


def test_the_description_resolves_and_covers_every_reading() -> None:
    document = describe()
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"], name
    operations = {item["operationId"] for methods in document["paths"].values() for item in methods.values()}
    assert operations == set(READINGS)


def test_only_this_machine_may_be_served(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(Unsupported) as refused:
            Server(lambda: workspace.open(tmp_path), host, 0)
        assert refused.value.code == "server.not-loopback"


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Conflict) as refused:
            Server(lambda: workspace.open(tmp_path), port=port)
        assert refused.value.code == "server.port"
        assert str(port) in refused.value.message


def test_a_server_without_a_workspace_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Server(lambda: workspace.open(tmp_path / "none"), port=0)


def test_the_lock_names_the_server_while_it_runs(tmp_path: Path) -> None:
    workspace.open(tmp_path, create=True).close()
    with serving(tmp_path) as server, pytest.raises(CoterieError) as refused:
        workspace.open(tmp_path)
    assert refused.value.where["url"] == server.url
    workspace.open(tmp_path).close()
