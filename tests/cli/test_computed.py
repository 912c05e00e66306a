"""`coterie computed`: saved, shown, read by a rule, deleted."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from coterie.cli.computed import show_preview

from .conftest import coterie

SPEND = 'xEvent[eventType = "purchase" and timestamp occurs <= 90 days before now].sum(total)'
FORM = ["--function", "sum", "--field", "total", "--event", "purchase", "--last", "90 days"]


def test_it_is_saved_shown_read_and_deleted(own: Path) -> None:
    saved = coterie(own, "computed", "put", "spend", *FORM, "--title", "Spend of 90 days", "--json")
    assert saved.data["pql"] == SPEND
    assert saved.data["value"] == {"type": "number"}
    assert coterie(own, "audience", "put", "big", "computedAttributes.spend >= 30").code == 0
    shown = coterie(own, "computed", "show", "spend").out
    assert "Spend of 90 days" in shown
    assert "big" in shown
    assert "computedAttributes" in coterie(own, "schema", "union").out
    assert "30.10" in coterie(own, "profile", "show", "CustomerID", "c1").out
    why = coterie(own, "audience", "explain", "CustomerID:c1", "big").out
    assert "spend of 90 days: 30.10" in why
    assert "computed by xEvent" in why
    refused = coterie(own, "computed", "delete", "spend", "--json")
    assert (refused.code, refused.error["code"]) == (4, "computed.in-use")
    assert coterie(own, "audience", "delete", "big").code == 0
    assert coterie(own, "computed", "delete", "spend").out == "Deleted spend.\n"
    assert coterie(own, "computed", "list", "--json").data == []


def test_a_preview_reads_well(loaded: Path) -> None:
    out = coterie(loaded, "computed", "preview", *FORM).out
    assert SPEND in out.replace("\n", " ")
    assert "people have a value" in out
    assert "30.10" in out


def test_an_expression_or_a_function(loaded: Path) -> None:
    for words in (
        ["preview"],
        ["preview", "1", "--function", "count"],
        ["preview", "xEvent.count()", "--event", "purchase"],
        ["preview", "--function", "count", "--last", "many days"],
        ["preview", "--function", "count", "--last", "3 fortnights"],
        ["preview", "--function", "mean", "--field", "total"],
        ["preview", "--function", "sum", "--field", "totl"],
        ["preview", "xEvent["],
    ):
        done = coterie(loaded, "computed", *words, "--json")
        assert done.code == 2, words
    assert coterie(loaded, "computed", "show", "nobody", "--json").error["code"] == "computed_attribute.not-found"


def test_instants_are_whole_where_there_is_little_room(loaded: Path) -> None:
    out = io.StringIO()
    found = coterie(loaded, "computed", "preview", "xEvent.max(timestamp)", "--json").data
    show_preview(Console(file=out, width=80), found)
    assert out.getvalue().count(found["spread"]["greatest"]) >= 2


def test_a_time_zone_that_there_is_none_of(loaded: Path) -> None:
    done = coterie(loaded, "computed", "preview", "xEvent.count()", "--zone", "Nowhere", "--json")
    assert (done.code, done.error["code"]) == (2, "pql.zone")
