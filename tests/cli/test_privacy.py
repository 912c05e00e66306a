"""Requests of persons on the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from coterie.cli import confirm

from .conftest import Run, coterie, serving

ANN = ("Email", "ann@example.org")


def test_what_is_held_is_shown_given_out_and_erased(own: Path, tmp_path: Path) -> None:
    shown = coterie(own, "privacy", "preview", *ANN).out
    for words in ("CustomerID", "c1", "b1", "staged files", "row of the person", "Not reached"):
        assert words in shown
    answer = tmp_path / "ann.json"
    told = coterie(own, "privacy", "access", *ANN, "--to", str(answer), "--json").data
    assert (told["fragments"], told["events"], told["rows"]) == (1, 3, 4)
    assert "page" in json.loads(answer.read_text(encoding="utf-8"))["events"][0]
    assert stat.S_IMODE(answer.stat().st_mode) == 0o600
    (person,) = json.loads(answer.read_text(encoding="utf-8"))["persons"]
    instants = [item["first_at"] for item in person["profile"]["identities"]]
    assert {len(told) for told in instants if told} <= {len("2026-06-01T00:00:00Z"), len("2026-06-01T00:00:00.000Z")}
    assert person["predictions"] == []
    again = coterie(own, "privacy", "access", *ANN, "--to", str(answer), "--json")
    assert (again.code, again.error["code"]) == (4, "privacy.file-exists")
    nowhere = coterie(own, "privacy", "access", *ANN, "--to", str(tmp_path / "nowhere" / "ann.json"), "--json")
    assert (nowhere.code, nowhere.error["code"]) == (2, "export.unwritable")

    dry = coterie(own, "privacy", "erase", ":".join(ANN), "--dry-run", "--json").data
    assert dry["counts"]["events"] == 3
    assert coterie(own, "privacy", "erase", *ANN, "--json").error["code"] == "cli.unconfirmed"
    erased = coterie(own, "privacy", "erase", *ANN, "--reason", "a letter", "--yes", "--json").data
    assert {store["after"] for store in erased["stores"]} == {0}
    assert coterie(own, "privacy", "preview", *ANN, "--json").data["findings"] == []
    assert coterie(own, "profile", "show", *ANN, "--json").error["code"] == "identity.not-found"
    after = tmp_path / "after.json"
    told = coterie(own, "privacy", "access", *ANN, "--to", str(after), "--json").data
    assert (told["fragments"], told["events"], told["rows"], told["suppressed"]) == (0, 0, 0, 1)
    kept_out = {"namespace": ANN[0], "value": ANN[1], "request": erased["request"]}
    assert json.loads(after.read_text(encoding="utf-8"))["suppressed"] == [kept_out]
    listed = coterie(own, "privacy", "reports").out
    assert erased["request"] in listed
    with serving(own):
        assert [item["request"] for item in coterie(own, "privacy", "reports", "--json").data] == [erased["request"]]
        assert coterie(own, "privacy", "preview", "CustomerID", "c2", "--json").data["counts"]["events"] == 1
    off = coterie(own, "privacy", "unsuppress", *ANN, "--json").data
    assert off == {"taken_off": 1}


def test_many_persons_come_in_a_file(own: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.csv"
    many.write_text("Email,ann@example.org\nCustomerID,c2\n", encoding="utf-8")
    done = coterie(own, "privacy", "erase", "--file", str(many), "--mode", "anonymise", "--yes")
    assert done.code == 0
    assert "anonymise" in done.out
    assert coterie(own, "profile", "count", "--json").data["count"] == 4
    many.write_text("Email\n", encoding="utf-8")
    wrong = coterie(own, "privacy", "preview", "--file", str(many), "--json")
    assert (wrong.code, wrong.error["code"], wrong.error["where"]["line"]) == (2, "privacy.whom", 1)


def test_nobody_is_taken_off_an_empty_list(run: Run) -> None:
    assert run("privacy", "unsuppress", *ANN, "--json").data == {"taken_off": 0}


def test_it_must_be_said_whom_it_concerns(run: Run) -> None:
    for words in ((), ("Email",), (*ANN, "--file", "x.csv"), ("--file", "/nowhere.csv")):
        assert run("privacy", "preview", *words, "--json").error["code"] == "privacy.whom"


def test_a_question_that_nobody_answers_stops_the_run(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "attended", lambda: True)
    stopped = coterie(loaded, "privacy", "delete-batch", "b000002", stdin="")
    assert (stopped.code, "internal" in stopped.err) == (130, False)


def test_batches_and_datasets_are_deleted(own: Path) -> None:
    unknown = coterie(own, "privacy", "delete-batch", "b000009", "--json")
    assert unknown.error["code"] == "batch.not-found"
    deleted = coterie(own, "privacy", "delete-batch", "b000002", "--reason", "wrong shop", "-y")
    assert "b000002" in deleted.out
    batches = {item["id"]: item["status"] for item in coterie(own, "ingest", "batches", "--json").data}
    assert batches == {"b000001": "active", "b000002": "deleted"}
    gone = coterie(own, "privacy", "delete-dataset", "customers", "-y", "--json").data
    assert (gone["batches"], gone["erased"]) == (["b000001"], False)
    assert [item["name"] for item in coterie(own, "dataset", "list", "--json").data] == ["clicks"]
    assert coterie(own, "profile", "count", "--json").data["count"] == 0
