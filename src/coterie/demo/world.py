"""Building the sample world in a workspace: definitions, data, audiences, exports, predictions; and what came of it."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from coterie.audience.definition import Audience
from coterie.audience.export import Export
from coterie.core.clock import FixedClock
from coterie.core.errors import Conflict
from coterie.core.progress import Progress, Quiet
from coterie.demo import predictions
from coterie.demo.files import deliver
from coterie.ingest.dataset import Dataset
from coterie.ingest.mapping import Mapping
from coterie.profile.lookup import ProfileView
from coterie.store.catalog import Batch, BatchStatus
from coterie.store.sandbox import sandboxes

if TYPE_CHECKING:
    from coterie.workspace import Workspace

CLOCK = FixedClock("2018-01-01T00:00:00Z")
"""The present of the sample world: the end of the year that the data covers."""

DATASETS = ("demographics", "transactions", "campaigns", "redemptions", "web_generated", "accounts_generated")
EXPORTS = {"searched-not-bought": "csv", "high-spenders": "jsonl", "coupon-lovers": "parquet"}
EXAMPLE = ("HouseholdID", "2421")
"""The household whose profile is shown."""


class DatasetRow(msgspec.Struct, frozen=True):
    """A dataset and what became of the rows of its file."""

    dataset: str
    title: str
    rows_read: int
    accepted: int
    quarantined: int
    duplicates: int


class AudienceRow(msgspec.Struct, frozen=True):
    """An audience with its rule, its members and the seconds of its evaluation."""

    audience: str
    title: str
    description: str
    pql: str
    members: int
    seconds: float


class DemoReport(msgspec.Struct, frozen=True):
    """What the sample world holds. `seconds` is how long this run took; the rest is the same in every run."""

    folder: str
    datasets: tuple[DatasetRow, ...]
    identities: dict[str, int]
    links: int
    persons: int
    audiences: tuple[AudienceRow, ...]
    profile: ProfileView
    exports: tuple[Export, ...]
    seconds: float
    predicted: predictions.Predicted | None = None


def load(
    ws: Workspace, progress: Progress | None = None, folder: Path | None = None, *, predict: bool = False
) -> DemoReport:
    """Build the sample world; what is there already is left as it is.

    Parameters
    ----------
    ws : Workspace
        An open workspace, with the clock of the sample world (`CLOCK`), for nothing else: its time will stand still.
    progress : Progress, optional
        Told what is going on.
    folder : Path, optional
        Where the source files are written; default ``sample-files`` in the root of the workspace.
    predict : bool
        Also train the models and write their scores to profiles, which takes minutes.

    Returns
    -------
    DemoReport
        Rows per dataset, identities, audiences, one profile, exported files, predictions.

    Raises
    ------
    Conflict
        ``demo.workspace`` when the workspace holds anything but the sample world.
    """
    began = time.perf_counter()
    _require_own(ws)
    ws.sandbox.keep_clock(CLOCK.now())
    progress = progress or Quiet()
    folder = deliver(folder or ws.sandbox.path.parent / "sample-files", progress)
    for namespace in _definition("namespaces"):
        ws.identities.put_namespace(namespace)
    if not ws.ingest.batches():
        ws.identities.put_settings(_definition("identity_settings"))
    titles = {name: _load_dataset(ws, name, folder, progress) for name in DATASETS}
    progress.report("Evaluating the audiences")
    rules: dict[str, dict[str, Any]] = yaml.safe_load(_text("audiences.yaml"))
    known = ws.audiences.list()
    for name, rule in rules.items():
        if Audience(name, **rule) not in known:
            ws.audiences.put(name, **rule)
    outcome = {row.audience: row for row in ws.audiences.evaluate(rules, at=CLOCK.now()).audiences}
    progress.report("Exporting")
    exports = [ws.audiences.export(name, ws.sandbox.exports / f"{name}.{format_}") for name, format_ in EXPORTS.items()]
    predicted = predictions.load(ws, ":".join(EXAMPLE), progress) if predict else None
    stats = ws.identities.stats()
    return DemoReport(
        folder=str(folder),
        datasets=tuple(_dataset_row(ws, name, title) for name, title in titles.items()),
        identities={row.namespace: row.identities for row in stats.namespaces},
        links=stats.links,
        persons=ws.profiles.count(),
        audiences=tuple(
            AudienceRow(name, **rule, members=outcome[name].members, seconds=outcome[name].seconds)
            for name, rule in rules.items()
        ),
        profile=ws.profiles.get(*EXAMPLE, events=16),
        exports=tuple(exports),
        predicted=predicted,
        seconds=time.perf_counter() - began,
    )


def _require_own(ws: Workspace) -> None:
    """Refuse a workspace with data of its own, because the clock of the sample world would be wrong for it."""
    path = ws.sandbox.path
    others = [f"sandbox {name}" for name in sandboxes(path.parent) if name != path.name]
    others += [f"dataset {dataset.name}" for dataset in _filled(ws) if dataset.name not in DATASETS]
    if others:
        raise Conflict(
            "demo.workspace",
            f"the workspace {path.parent} is in use ({', '.join(others[:3])}), and the sample world needs its own, "
            "because time stands still in it.",
            hint="Give the sample world another directory: coterie --workspace sample demo",
            where={"path": str(path.parent)},
        )


def _filled(ws: Workspace) -> list[Dataset]:
    """Return the datasets that somebody fills, and not Coterie itself."""
    return [dataset for dataset in ws.datasets.list() if not dataset.system]


def _load_dataset(ws: Workspace, name: str, folder: Path, progress: Progress) -> str:
    """Define a dataset, load its files and return its title."""
    written = _definition(name)
    ws.schemas.put(written["schema"])
    details = {"description": written["description"]}
    if "mapping" in written:
        details["mapping"] = msgspec.to_builtins(Mapping.read(written["mapping"]))
    ws.datasets.put(name, written["schema"]["name"], **details)
    if not _active(ws, name):
        progress.report(f"Loading {name}")
        ws.ingest.load(name, [folder / file for file in written["files"]], evaluate=False)
    return str(written["title"])


def _active(ws: Workspace, dataset: str) -> list[Batch]:
    return [batch for batch in ws.ingest.batches(dataset) if batch.status is BatchStatus.ACTIVE]


def _dataset_row(ws: Workspace, name: str, title: str) -> DatasetRow:
    """Add up the active batches of a dataset."""
    metrics = [batch.metrics for batch in _active(ws, name)]

    def total(key: str) -> int:
        return sum(int(found.get(key, 0)) for found in metrics)

    return DatasetRow(
        dataset=name,
        title=title,
        rows_read=total("inputRecordCount"),
        accepted=total("outputRecordCount"),
        quarantined=total("failedRecordCount"),
        duplicates=total("duplicates"),
    )


def _definition(name: str) -> Any:
    return yaml.safe_load(_text(f"definitions/{name}.yaml"))


def _text(name: str) -> str:
    return (files("coterie.demo") / name).read_text(encoding="utf-8")
