"""Verbs that change the workspace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from coterie.workspace import open as coterie_open

from .conftest import coterie, serving
from .shop import GOLD, NOW

CHANGING = [
    "init",
    "schema put {files}/customer.yaml",
    "schema infer {files}/customers.csv",
    "dataset create more --schema click",
    "ingest load clicks {files}/clicks.jsonl",
    "ingest revert b000002",
    "identity add-namespace Loyalty --type CROSS_DEVICE",
    "audience put silver true",
    "audience evaluate",
    "audience export gold {out}/gold.csv",
    "audience delete gold",
    "rebuild {out}/again",
]


def test_init_leaves_a_workspace_as_it_is(own: Path) -> None:
    before = coterie(own, "status", "--json").data
    assert coterie(own, "init").code == 0
    assert coterie(own, "status", "--json").data == before


def test_the_same_file_twice_changes_nothing(own: Path, files: Path) -> None:
    before = coterie(own, "status", "--json").data
    again = coterie(own, "ingest", "load", "clicks", str(files / "clicks.jsonl"), "--json")
    assert again.code == 0
    assert again.data["accepted"] == 0
    after = coterie(own, "status", "--json").data
    assert {**after, "position": 0} == {**before, "position": 0}


def test_a_dry_run_tells_and_changes_nothing(own: Path, files: Path) -> None:
    before = coterie(own, "status", "--json").data
    (files / "more.csv").write_text("id,email,tier,spent,since\nc9,x@example.org,gold,1,2024-01-01\n")
    words = ["ingest", "load", "customers", str(files / "more.csv"), "--dry-run"]
    assert coterie(own, *words, "--json").data["accepted"] == 1
    assert "nothing was changed" in coterie(own, *words).out.lower()
    assert coterie(own, "status", "--json").data == before


def test_too_many_bad_rows_refuse_the_batch(own: Path, files: Path) -> None:
    (files / "bad.csv").write_text("id,email,tier,spent,since\nc9,x@example.org,gold,much,2024-01-01\n")
    done = coterie(own, "ingest", "load", "customers", str(files / "bad.csv"), "--json")
    assert done.data["status"] == "failed"
    assert done.code == 2


def test_revert_takes_a_batch_back(own: Path) -> None:
    done = coterie(own, "ingest", "revert", "b000002", "--reason", "test", "--json")
    assert done.code == 0
    assert coterie(own, "profile", "count", "--json").data == {"count": 3}
    assert coterie(own, "audience", "members", "buyers", "--json").data["items"] == []


def test_export_and_delete(own: Path, tmp_path: Path) -> None:
    for name in ("gold.csv", "gold.jsonl", "gold.parquet"):
        assert coterie(own, "audience", "export", "gold", str(tmp_path / name)).code == 0
    rows = [json.loads(line) for line in (tmp_path / "gold.jsonl").read_text().splitlines()]
    assert sorted(row["CustomerID"] for row in rows) == [["c1"], ["c3"]]
    assert coterie(own, "audience", "delete", "gold", "--json").data == {"deleted": "gold"}
    assert coterie(own, "audience", "show", "gold").code == 3


def test_rules_come_from_files_and_standard_input(own: Path, tmp_path: Path) -> None:
    (tmp_path / "rule.pql").write_text(GOLD)
    assert coterie(own, "audience", "put", "a", "--file", str(tmp_path / "rule.pql")).code == 0
    assert coterie(own, "audience", "put", "b", "--file", "-", stdin=GOLD).code == 0
    rules = {item["name"]: item["pql"] for item in coterie(own, "audience", "list", "--json").data}
    assert rules["a"] == rules["b"] == GOLD
    done = coterie(own, "audience", "put", "c", "--json")
    assert (done.code, done.error["code"]) == (2, "audience.rule")


def test_a_proposal_is_written_corrected_and_saved(own: Path, files: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    done = coterie(own, "schema", "infer", str(files / "customers.csv"), "--name", "drafted", "--out", str(draft))
    assert done.code == 0, done.err
    assert "email" in done.out
    assert yaml.safe_load(draft.read_text())["schema"]["name"] == "drafted"


def test_rebuild_gives_the_same(own: Path, tmp_path: Path) -> None:
    done = coterie(own, "rebuild", str(tmp_path / "again"), "--json")
    assert done.data["same"] is True
    assert coterie(tmp_path / "again", "profile", "count", "--json").data == {"count": 4}


def test_a_rebuild_that_differs_is_an_error(own: Path, tmp_path: Path) -> None:
    with coterie_open(own) as ws:
        ws.sandbox.history.con.execute("UPDATE membership SET entered_at = entered_at + 1")
    done = coterie(own, "rebuild", str(tmp_path / "again"))
    assert done.code == 7
    assert "The two differ." in done.out


def test_while_a_server_runs_other_verbs_name_it(own: Path, files: Path, tmp_path: Path) -> None:
    with serving(own) as url:
        for line in CHANGING:
            done = coterie(own, *line.format(files=files, out=tmp_path).split(), "--json")
            assert (done.code, done.error["code"]) == (6, "workspace.served"), line
            assert done.error["where"]["url"] == url
    assert not (tmp_path / "gold.csv").exists()
    assert coterie(own, "audience", "delete", "gold").code == 0


def test_faults_of_files_are_named(own: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1\nb: 2\n")
    done = coterie(own, "schema", "put", str(tmp_path / "bad.yaml"), "--json")
    assert (done.code, done.error["code"]) == (2, "file.yaml")
    assert done.error["where"]["line"] == 2
    done = coterie(own, "schema", "put", str(tmp_path / "none.yaml"), "--json")
    assert (done.code, done.error["code"]) == (3, "file.not-found")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_its_address_and_stops_cleanly(own: Path, stop: signal.Signals) -> None:
    script = Path(sys.executable).with_name("coterie")
    words = [str(script), "--workspace", str(own), "--now", NOW, "--json", "serve", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = "".join(iter(server.stdout.readline, "}\n")) + "}"
        url = json.loads(said)["url"]
        assert url.startswith("http://127.0.0.1:")
        assert coterie(own, "profile", "count").out == "4 profiles\n"
        server.send_signal(stop)
        _, err = server.communicate(timeout=30)
    assert server.returncode in (0, -stop, 128 + stop)
    assert err == ""
    deadline = time.monotonic() + 5
    while coterie(own, "init").code and time.monotonic() < deadline:
        time.sleep(0.1)
    assert coterie(own, "init").code == 0


def test_a_fault_of_the_program_has_the_one_form_too(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken inside")

    monkeypatch.setattr("coterie.workspace.Workspace.status", fail)
    done = coterie(own, "status", "--json")
    assert (done.code, done.error["code"]) == (1, "internal.error")
    assert "broken inside" in done.error["message"]
    assert "Traceback" in coterie(own, "status").err


def test_a_saved_zone_is_shown_and_counted_in(own: Path) -> None:
    rule = "xEvent[timestamp occurs on date(2026, 6, 1)].count() > 0"
    assert coterie(own, "audience", "put", "first", rule, "--zone", "Asia/Tokyo").code == 0
    assert "Asia/Tokyo" in coterie(own, "audience", "show", "first").out
    found = coterie(own, "audience", "count", "--audience", "first", "--json").data
    assert (found["zone"], found["count"]) == ("Asia/Tokyo", 1)
    done = coterie(own, "audience", "put", "second", rule, "--zone", "Asia/Tokio", "--json")
    assert (done.code, done.error["code"]) == (2, "pql.zone")
