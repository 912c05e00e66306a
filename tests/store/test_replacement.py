"""New stores take the place of the old ones, all or none, whenever the process dies."""

import shutil

import pytest

from coterie.core.clock import FixedClock
from coterie.store import replacement
from coterie.store.catalog import Catalog
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

CLOCK = FixedClock("2026-06-15T12:00:00Z")


def opened(root, **more):
    return Sandbox.open(root, "prod", clock=CLOCK, create=True, **more)


def fill(sandbox, text):
    """Leave a trace of `text` in every store."""
    entry = sandbox.log.append("definition.put", {"kind": "note", "id": text, "body": {}})
    sandbox.catalog.apply(entry)
    with sandbox.history.transaction(entry.position):
        sandbox.history.con.execute("INSERT INTO namespace VALUES (1, ?)", [text])
    (sandbox.exports / "list.csv").write_text(text)


def held(sandbox):
    return (
        [entry.body["id"] for entry in sandbox.log.entries()],
        [item.id for item in sandbox.catalog.definitions("note")],
        sandbox.history.con.execute("SELECT code FROM namespace").fetchall(),
        (sandbox.exports / "list.csv").read_text(),
    )


OLD = (["old"], ["old"], [("old",)], "old")
NEW = (["new"], ["new"], [("new",)], "new")


@pytest.fixture
def old(tmp_path):
    with opened(tmp_path) as sandbox:
        fill(sandbox, "old")
        with opened(sandbox.path / replacement.FOLDER) as new:
            fill(new, "new")
        yield sandbox


def test_an_open_sandbox_goes_on_with_the_new_stores(old):
    old.replace()
    assert held(old) == NEW
    assert not (old.path / replacement.FOLDER).exists()
    root = old.path.parent
    old.close()
    with opened(root) as again:
        assert held(again) == NEW


def test_without_the_mark_the_new_stores_are_thrown_away(old, tmp_path):
    old.close()
    with opened(tmp_path) as again:
        assert held(again) == OLD
        assert not (again.path / replacement.FOLDER).exists()


@pytest.mark.parametrize("steps", range(len(replacement.STORES) + 1))
def test_with_the_mark_the_next_opening_finishes_from_any_step(old, tmp_path, steps):
    replacement.ready(old.path)
    old.close()
    folder = old.path / replacement.FOLDER / "prod"
    for name in replacement.STORES[:steps]:  # the stores that were in their places when the process died
        replacement._remove(old.path / name)
        shutil.move(folder / name, old.path / name)
    if steps < len(replacement.STORES):  # it died between taking the old one away and putting the new one there
        replacement._remove(old.path / replacement.STORES[steps])
    with opened(tmp_path) as again:
        assert held(again) == NEW
        assert not (again.path / replacement.FOLDER).exists()


def test_a_catalog_elsewhere_takes_over_what_the_new_one_holds(tmp_path, new_place):
    url, schema = new_place()
    source = Catalog.open(f"sqlite:///{tmp_path / 'source.db'}")
    target = Catalog.open(url, schema)
    target.apply(Entry(1, 5, "definition.put", {"kind": "note", "id": "old", "body": {"a": 1}}))
    source.apply(Entry(1, 6, "definition.put", {"kind": "note", "id": "new", "body": {"b": [1, None]}}))
    source.apply(Entry(2, 7, "definition.put", {"kind": "note", "id": "new", "body": {"b": 2}}))
    target.take_over(source)
    assert target.position == 2
    assert [(item.id, item.body) for item in target.versions("note", "new")] == [
        ("new", {"b": [1, None]}),
        ("new", {"b": 2}),
    ]
    assert target.definitions("note") == source.definitions("note")
    source.close()
    target.close()
