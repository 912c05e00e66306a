"""Identity settings on a terminal: shown, previewed, applied."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from coterie.cli import confirm

from .conftest import Run, coterie

OPTIONS = ("--unique", "CustomerID", "--priority", "CustomerID,Email,BrowserID", "--limit", "2")


def test_settings_nobody_saved_are_shown_with_the_whole_order(run: Run) -> None:
    told = run("identity", "settings", "show")
    assert "algorithm                   none" in told.out
    found = run("identity", "settings", "show", "--json").data
    assert found["settings"] == {}
    assert found["order"].index("Email") < found["order"].index("CustomerID") < found["order"].index("BrowserID")


def test_a_preview_by_options_or_a_file_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "algorithm: optimized\nnamespaces: [{code: CustomerID, unique: true}, Email, BrowserID]\ngraph_limit: 2\n"
    )
    by_file = run("identity", "settings", "preview", str(file), "--json").data
    assert run("identity", "settings", "preview", *OPTIONS, "--json").data == by_file
    assert (by_file["graphs_before"], by_file["graphs_after"], by_file["splits"]) == (3, 3, 2)
    assert by_file["identities_evicted"] == 2
    told = run("identity", "settings", "preview", str(file)).out
    assert "One graph becomes several, for example (1)" in told
    assert (
        "  then CustomerID:c1, Email:ann@example.org" in told or "  then Email:ann@example.org, CustomerID:c1" in told
    )
    assert run("identity", "settings", "show", "--json").data["settings"] == {}


def test_new_settings_are_applied_when_they_are_confirmed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = partial(coterie, own)
    refused = run("identity", "settings", "apply", *OPTIONS, "--json")
    assert (refused.code, refused.error["code"]) == (2, "cli.unconfirmed")
    monkeypatch.setattr(confirm, "attended", lambda: True)
    declined = run("identity", "settings", "apply", *OPTIONS, stdin="n\n")
    assert (declined.code, "identities that have to leave a full graph" in declined.out) == (2, True)
    assert run("identity", "settings", "show", "--json").data["settings"] == {}
    assert run("identity", "settings", "apply", *OPTIONS, stdin="y\n").code == 0
    stats = run("identity", "stats", "--json").data
    assert (stats["graphs"], stats["identities_evicted"]) == (3, 2)
    undone = run("identity", "settings", "apply", "--algorithm", "none", "--limit", "0", "--yes", "--json").data
    assert (undone["settings"].get("algorithm"), undone["settings"]["graph_limit"]) == (None, 0)
    assert "is not kept unique" in undone["warnings"][0]
    assert run("identity", "stats", "--json").data["identities_evicted"] == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--unique", "BrowserID"), "identity.settings-unique"),
        (("--priority", "BrowserID,Email"), "identity.settings-order"),
        (("--priority", "Email", "--unique", "CustomerID"), "identity.settings-spec"),
        (("--unique", "CustomerId"), "namespace.not-found"),
        (("--algorithm", "best"), "identity.settings-spec"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, options: tuple[str, ...], code: str) -> None:
    assert run("identity", "settings", "preview", *options, "--json").error["code"] == code


def test_a_file_must_hold_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    refused = run("identity", "settings", "preview", str(tmp_path / "list.yaml"), "--json")
    assert refused.error["code"] == "identity.settings-spec"
