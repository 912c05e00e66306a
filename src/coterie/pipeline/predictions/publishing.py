"""The end of a run: what it made becomes visible by one entry of the log, on profiles too when scores are published."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.core.progress import Progress
from coterie.core.schema import Schema
from coterie.ingest.dataset import Dataset
from coterie.pipeline import batch, define
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import KINDS, Definitions
from coterie.pipeline.predictions import folders, models, output, versions
from coterie.pipeline.predictions.checkpoints import Checkpoints
from coterie.prediction import schedule
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.run import BucketCounts, Run, Stage, Status, Version
from coterie.prediction.trust.drift import Drift
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.insights import Insights, Migration
from coterie.prediction.why.peers import Peers
from coterie.store.catalog import BatchStatus
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.pipeline.predictions.explaining import Explained
    from coterie.prediction.modelling.scoring import Scores

ROWS, SCORES, VERSION = "scores.parquet", "scores.npz", "version"
INSIGHTS, MIGRATION, PEERS, DRIFT = "insights.json", "migration.json", "peers.json", "drift.json"
KEPT = {INSIGHTS: Insights, MIGRATION: Migration, PEERS: Peers, DRIFT: Drift}
"""What is kept of a run in its folder: of everybody, never of a person."""


def active(sandbox: Sandbox, key: str) -> tuple[Dataset | None, list[str]]:
    """Return the dataset of a model's scores, and its batches that profiles have."""
    dataset = models.dataset_of(Definitions(sandbox.catalog), key)
    if dataset is None:
        return None, []
    return dataset, [item.id for item in sandbox.catalog.batches(dataset.name) if item.status is BatchStatus.ACTIVE]


def previous(sandbox: Sandbox, model: Model) -> output.Previous:
    """Return the scores that people have from the run before."""
    _, batches = active(sandbox, model.key)
    number = sandbox.catalog.batch(batches[-1]).number if batches else None
    return output.previous(sandbox.history.con, model.key, number, model.view)


def write_rows(
    folder: Path,
    sandbox: Sandbox,
    model: Model,
    run: Run,
    version: int,
    scores: Scores,
    explained: Explained,
    before: output.Previous,
) -> None:
    """Write what goes to profiles as a file into the folder of the run's work."""
    rows = output.Rows(scores, explained.factors, explained.against, explained.expected, before.of(scores.people))
    stamp = output.Stamp(run.id, version, run.as_of, run.started_at, valid_until(model, run.as_of))
    partial = folder / f"{ROWS}.partial"
    output.write(sandbox.history.con, partial, model, rows, stamp)
    partial.replace(folder / ROWS)


def valid_until(model: Model, as_of: int) -> int:
    """Return until when scores count: two intervals of the schedule."""
    return as_of + 2 * schedule.interval(model.schedule.score, as_of)


def publish(
    sandbox: Sandbox,
    model: Model,
    vocabulary: Vocabulary,
    run: Run,
    version: Version | None,
    kept: Checkpoints,
    progress: Progress,
) -> Run:
    """Make a run visible: its definition, the version it trained, and its scores on profiles if they are published.

    The scores carry the labels of what the model reads, by itself and with the vocabulary of the version that scored.

    All of it is one entry of the log. What the run says of everybody lies in its folder by then, and the files of the
    version in theirs: of a run that was interrupted before the entry they are in nobody's way.
    """
    began, scores = time.perf_counter(), kept.get_scores(SCORES)
    folder = folders.run(sandbox.path, model.key, run.number)
    for name in KEPT:
        folders.write(folder / name, (kept.path / name).read_bytes())
    if version is not None:
        versions.adopt(kept.path / VERSION, folders.version(sandbox.path, model.key, version.number))
    counts = np.bincount(scores.bucket, minlength=len(BUCKETS))
    readers = models.readers_of(Definitions(sandbox.catalog), model.key) if model.publish else []
    stage = Stage(Status.PUBLISHING, 0.0, len(scores) if model.publish else None)
    run = msgspec.structs.replace(
        run,
        status=Status.SUCCEEDED,
        scored=len(scores),
        buckets=BucketCounts(*(int(count) for count in counts)),
        mean_probability=round(float(scores.probability.mean()), 6),
        valid_until=valid_until(model, run.as_of) if model.publish else None,
        audiences=len(readers),
        finished_at=sandbox.clock.now(),
    )

    def definitions(batch_: str | None) -> list[dict[str, Any]]:
        seconds = round(time.perf_counter() - began, 3)
        timed = msgspec.structs.replace(stage, seconds=seconds)
        done = msgspec.structs.replace(run, batch=batch_, stages=(*run.stages, timed))
        return [_put(item) for item in ((done,) if version is None else (version, done))]

    if model.publish:
        dataset = _dataset(sandbox, model, vocabulary)
        _, replaced = active(sandbox, model.key)
        path, mapping = kept.path / ROWS, output.mapping_of()
        batch.load_made(sandbox, dataset, path, mapping, progress, replaces=replaced, definitions=definitions)
    else:
        commit(sandbox, "definitions.put", {"definitions": definitions(None)})
    return Definitions(sandbox.catalog).get(Run, run.id)


def note(sandbox: Sandbox, run: Run, version: Version | None = None) -> None:
    """Keep how a run ended that made nothing visible, with the version that it trained in vain."""
    commit(sandbox, "definitions.put", {"definitions": [_put(item) for item in (version, run) if item is not None]})


def _put(item: Run | Version) -> dict[str, Any]:
    return {"kind": KINDS[type(item)], "id": item.id, "body": msgspec.to_builtins(item)}


def _dataset(sandbox: Sandbox, model: Model, vocabulary: Vocabulary) -> Dataset:
    """Return the dataset of a model's scores, made when it is not there; its schema says what the model is now."""
    definitions = Definitions(sandbox.catalog)
    found = models.dataset_of(definitions, model.key)
    if found is None:
        taken = {item.name for item in definitions.list(Dataset)} | {item.name for item in definitions.list(Schema)}
        name, schema = output.names(model, frozenset(taken))
        found = Dataset(name, schema, description=f"Scores of the model {model.key}.", system=True)
    labels = models.labels_of(definitions, model, vocabulary)
    return define.save_made(sandbox, output.schema_of(model, found.schema, labels), found)
