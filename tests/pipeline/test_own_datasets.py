"""Datasets that Coterie fills itself: loaded in place of what was there, by one entry, and by nobody else."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.clock import DAY
from coterie.core.errors import Conflict, Damaged
from coterie.ingest.dataset import Dataset
from coterie.ingest.mapping import Mapping
from coterie.pipeline import batch, define
from coterie.store.catalog import BatchStatus

SEARCH = {"_id": "", "timestamp": "2026-06-02T10:00:00Z", "eventType": "search", "browser": ""}
MAPPING = Mapping.read({"fields": {"customerAI": "customerAI", "identityMap": "identityMap"}})


def rows(tmp_path, scores, name):
    """Write scores as a file: by the identity of a person, what it is."""
    entries = [
        {"identityMap": [(code, [{"id": value}])], "customerAI": {"k": {"score": score}}}
        for (code, value), score in scores.items()
    ]
    identity_map = pa.map_(pa.string(), pa.list_(pa.struct([("id", pa.string())])))
    tree = pa.struct([("k", pa.struct([("score", pa.string() if name == "bad" else pa.int64())]))])
    path = tmp_path / f"{name}.parquet"
    schema = pa.schema([("identityMap", identity_map), ("customerAI", tree)])
    pq.write_table(pa.Table.from_pylist(entries, schema=schema), path)
    return path


@pytest.fixture
def own(loaded):
    """A dataset of scores in the small company."""
    fields = {"customerAI.k.score": "integer"}
    loaded.schemas.put({"name": "scores", "class": "profile", "fields": fields, "identity_map": True})
    return define.save(loaded.sandbox, "scores", Dataset("scores", "scores", system=True))


def scored(ws):
    found = ws.sandbox.history.con.execute(
        'SELECT i.value, p."customerAI.k.score" FROM profile_default p JOIN identity i ON i.identity = p.person '
        'WHERE p."customerAI.k.score" IS NOT NULL ORDER BY 1'
    ).fetchall()
    return dict(found)


def test_a_batch_takes_the_place_of_another(loaded, own, tmp_path, clock):
    box, quiet = loaded.sandbox, loaded.progress
    first = {("CRMID", "1"): 10, ("CRMID", "2"): 20, ("WebID", "w9"): 30}
    one = batch.load_made(box, own, rows(tmp_path, first, "one"), MAPPING, quiet)
    assert sorted(scored(loaded).values()) == [10, 20, 30]
    clock.at += 1000
    last = box.log.last
    put = {"kind": "audience", "id": "scored", "body": {"name": "scored", "pql": "customerAI.k.score > 0"}}
    second = {("CRMID", "1"): 11, ("CRMID", "3"): 40}
    two = batch.load_made(
        box, own, rows(tmp_path, second, "two"), MAPPING, quiet, replaces=[one], definitions=lambda id_: [put]
    )
    assert box.log.last == last + 1
    assert sorted(scored(loaded).values()) == [11, 40]
    assert [box.catalog.batch(id_).status for id_ in (one, two)] == [BatchStatus.INACTIVE, BatchStatus.ACTIVE]
    assert two in box.catalog.batch(one).reason
    assert loaded.audiences.get("scored").pql == "customerAI.k.score > 0"
    assert loaded.profiles.get("CRMID", "2", known=clock.at - 500).attributes["customerAI"]["k"]["score"] == 20
    assert loaded.rebuild(tmp_path / "again").same


def test_what_repeated_an_event_of_a_batch_whose_place_is_taken_counts(loaded, tmp_path, clock):
    box = loaded.sandbox
    web, mapping = loaded.datasets.get("web"), Mapping.read({"fields": {name: name for name in SEARCH}})
    (first,) = (item.id for item in loaded.ingest.batches("web"))
    for name, ids in (("again", ["e1", "e2"]), ("instead", ["e1", "new"])):
        clock.at += 1000
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist([SEARCH | {"_id": id_, "browser": name} for id_ in ids]), path)
        batch.load_made(box, web, path, mapping, loaded.progress, replaces=[first] if name == "instead" else [])
    found = box.history.con.execute('SELECT "_id", browser FROM live_event ORDER BY ALL').fetchall()
    assert found == [("e1", "again"), ("e2", "again"), ("new", "instead")]
    seen = loaded.profiles.get("WebID", "again").events
    assert sorted(item.event["_id"] for item in seen) == ["e1", "e2"]
    assert loaded.rebuild(tmp_path / "anew").same


def test_rows_that_do_not_fit_are_a_fault(loaded, own, tmp_path):
    with pytest.raises(Damaged) as error:
        batch.load_made(loaded.sandbox, own, rows(tmp_path, {("CRMID", "1"): "x"}, "bad"), MAPPING, loaded.progress)
    assert error.value.code == "dataset.made"
    assert scored(loaded) == {}


def test_nobody_else_fills_or_deletes_it(loaded, own, tmp_path):
    path = rows(tmp_path, {("CRMID", "1"): 1}, "one")
    made = batch.load_made(loaded.sandbox, own, path, MAPPING, loaded.progress)
    for act in (
        lambda: loaded.ingest.load("scores", path),
        lambda: loaded.datasets.put("scores", "scores"),
        lambda: loaded.datasets.put("mine", "scores", system=True),
        lambda: loaded.privacy.delete_dataset("scores"),
        lambda: loaded.privacy.delete_batch(made),
    ):
        with pytest.raises(Conflict) as error:
            act()
        assert error.value.code == "dataset.system"


def test_a_score_is_no_activity(loaded, own, tmp_path, clock):
    """Profiles without activity are kept no longer, also when they were scored a moment ago."""
    clock.at += 60 * DAY
    scores = {("WebID", "w9"): 30, ("CRMID", "2"): 20}
    batch.load_made(loaded.sandbox, own, rows(tmp_path, scores, "one"), MAPPING, loaded.progress)
    loaded.retention.put("WebID", 30)
    gone = loaded.retention.run()
    assert gone.pseudonymous.profiles == 1
    assert sorted(scored(loaded).values()) == [20]
    assert loaded.rebuild(tmp_path / "again").same
