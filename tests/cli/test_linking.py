"""Why identities are joined, and what would join them, on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from coterie.cli.graphs import graph as show_graph

from .conftest import Run, coterie


def test_a_chain_of_records_joins_two_identities(run: Run) -> None:
    told = run("identity", "explain", "Email:ann@example.org", "BrowserID:b1").out
    assert "Email:ann@example.org and BrowserID:b1 are one person." in told
    assert "✓ Email:ann@example.org  —  CustomerID:c1" in told
    assert "A record of customers shows the two together." in told
    assert "✓ CustomerID:c1  —  BrowserID:b1" in told
    assert "2 records of clicks show the two together." in told
    assert "first  2026-06-02T10:00:00Z  login e2 of clicks (batch b000002, row 2)" in told
    assert "last   2026-06-03T10:00:00Z  purchase e3 of clicks (batch b000002, row 3)" in told
    found = run("identity", "explain", "Email:ann@example.org", "BrowserID:b1", "--json").data
    assert found["joined"]
    assert [(step["a"][0], step["b"][0], step["records"]) for step in found["chain"]] == [
        ("Email", "CustomerID", 1),
        ("CustomerID", "BrowserID", 2),
    ]


def test_two_people_without_any_record_between_them(run: Run) -> None:
    told = run("identity", "explain", "CustomerID:c1", "BrowserID:b2").out
    assert "CustomerID:c1 and BrowserID:b2 are two people." in told
    assert "No record shows CustomerID:c1 and BrowserID:b2 together, and none connects them by others." in told


def test_an_identity_is_itself(run: Run) -> None:
    assert "the same identity" in run("identity", "explain", "BrowserID:b1", "BrowserID:b1").out


def test_a_simulation_shows_links_kept_and_removed(run: Run, tmp_path: Path) -> None:
    events = "CustomerID: Tom, BrowserID: 1\n\nCustomerID: Summer, BrowserID: 1\n"
    told = run("identity", "simulate", "-", "--unique", "CustomerID", stdin=events)
    assert told.code == 0
    assert "│ BrowserID:1 │ ━━━━━ │ CustomerID:Summer │" in told.out
    assert "│ BrowserID:1 │ ┄┄┄┄┄ │ CustomerID:Tom │" in told.out
    assert "CustomerID is unique" in told.out
    settings = tmp_path / "settings.yaml"
    settings.write_text("algorithm: none\n")
    (tmp_path / "events.txt").write_text(events)
    found = run("identity", "simulate", str(tmp_path / "events.txt"), "--settings", str(settings), "--json").data
    assert found["graphs"] == [[["BrowserID", "1"], ["CustomerID", "Summer"], ["CustomerID", "Tom"]]]
    assert found["removed"] == []


def test_a_simulation_points_to_the_place_of_a_mistake(run: Run) -> None:
    wrong = run("identity", "simulate", "-", "--json", stdin="CustomerID: Tom\nCustomerID: Tom, BrowserID 1\n").error
    assert (wrong["code"], wrong["where"]) == ("simulation.identity", {"line": 2, "column": 18})
    both = run("identity", "simulate", "--preset", "bad-values", "--limit", "3", "--settings", "x.yaml", "--json").error
    assert both["code"] == "identity.settings-spec"
    assert run("identity", "simulate", "--json").error["code"] == "simulation.text"


def test_presets_need_a_workspace_like_all_readings(tmp_path: Path) -> None:
    done = coterie(tmp_path / "none", "identity", "simulate", "--preset", "shared-device", "--json")
    assert done.error["code"] == "workspace.not-found"


def test_decisions_are_made_listed_and_undone(own: Path) -> None:
    merged = coterie(own, "identity", "merge", "CustomerID:c3", "BrowserID:b3", "--reason", "she called us")
    assert merged.code == 0, merged.err
    assert "Decision 1: CustomerID:c3 and BrowserID:b3 are one person." in merged.out
    assert "1 person was merged." in merged.out
    assert "Take it back: coterie identity undo 1" in merged.out
    told = coterie(own, "identity", "explain", "Email:eve@example.org", "BrowserID:b3").out
    assert "Decision 1 of 2026-06-15T12:00:00Z joins them (by user): she called us" in told
    apart = coterie(own, "identity", "split", "CustomerID:c1", "BrowserID:b1", "--json").data
    assert (apart["decision"]["kind"], apart["split"], len(apart["after"])) == ("split", 1, 2)
    told = coterie(own, "identity", "explain", "CustomerID:c1", "BrowserID:b1").out
    assert "CustomerID:c1 and BrowserID:b1 are kept apart." in told
    assert "because a decision keeps two identities apart that purchase e3" in " ".join(told.split())
    graph = coterie(own, "identity", "graph", "CustomerID", "c1").out
    assert "Links removed" in graph
    assert "split into" in graph
    never = coterie(own, "identity", "never", "Email:nobody@example.org")
    assert "takes no part in linking" in never.out
    assert "No graph changes." in never.out
    listed = coterie(own, "identity", "decisions").out
    assert [line.split()[3] for line in listed.splitlines() if line.startswith("│")] == ["merge", "split", "never"]
    undone = coterie(own, "identity", "undo", "1")
    assert "Decision 1 undone. It said: CustomerID:c3 and BrowserID:b3 are one person." in undone.out
    assert "1 person was split." in undone.out
    assert coterie(own, "identity", "undo", "1", "--json").error["code"] == "identity.undone"
    assert coterie(own, "identity", "merge", "CustomerID:c3", "BrowserID:b3").code == 0
    assert coterie(own, "identity", "never", "BrowserID:b1").code == 0
    assert "2 decisions undone." in coterie(own, "identity", "undo", "2-3").out
    assert coterie(own, "identity", "undo", "2-", "--json").error["code"] == "identity.decision"
    assert coterie(own, "identity", "undo", "3-2", "--json").error["code"] == "identity.decision"
    assert coterie(own, "identity", "decisions", "--json").data[0]["withdrawn_at"] is not None


def test_a_merge_that_changes_nothing_is_refused(run: Run) -> None:
    done = run("identity", "merge", "CustomerID:c1", "BrowserID:b1", "--json")
    assert (done.code, done.error["code"]) == (4, "identity.merge-refused")


def test_a_graph_as_it_was(run: Run) -> None:
    before = run("identity", "graph", "BrowserID", "b1", "--as-of", "2026-06-01T12:00:00Z", "--json").data
    assert ([item["value"] for item in before["identities"]], before["links"]) == (["b1"], [])
    after = run("identity", "graph", "BrowserID", "b1", "--as-of", "2026-06-02T12:00:00Z", "--json").data
    (link,) = after["links"]
    assert (link["records"], link["datasets"], link["batches"]) == (1, ["clicks"], ["b000002"])
    now = run("identity", "graph", "BrowserID", "b1", "--json").data
    again = run("identity", "graph", "BrowserID", "b1", "--known", "2026-06-15T12:00:00Z", "--json").data
    assert (again["identities"], again["links"]) == (now["identities"], now["links"])
    nobody = run("identity", "graph", "BrowserID", "b3", "--as-of", "2026-06-01T12:00:00Z", "--json")
    assert nobody.error["code"] == "identity.not-found"


def test_links_are_readable_where_there_is_little_room(run: Run) -> None:
    out = io.StringIO()
    show_graph(Console(file=out, width=80), run("identity", "graph", "BrowserID", "b1", "--json").data)
    assert "│ CustomerID:c1" in out.getvalue()
    assert "│ 2026-06-03 │" in out.getvalue()
