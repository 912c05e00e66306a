"""A prediction made at an instant of the past, and what came of it: any file of events, any goal.

``python bench/customer_ai.py --events FILE --goal GOAL.json --lookback DAYS --cutoff DATE [--train-from DATE]
[--scores OUT.parquet]`` loads the events before the cut-off into a workspace of its own, makes a model of the goal at
default settings, scores everyone eligible at the cut-off, and compares with the events after it, which the workspace
never sees. The file is CSV or Parquet with `customer_id`, `timestamp`, `event_type`, and any other columns as fields of
events (`bench/event_file.py` says how they are read). GOAL.json is a goal (docs/customer-ai.md), its fields being the
columns of the file, or a whole model with the goal in it. The last line is JSON:

``eligible``, ``positive``       people scored, and the share of whom the predicted came true
``auc``, ``interval``            area under the ROC curve, and its 95 % bootstrap interval
``pr_auc``, ``lift_10``          average precision; the rate in the tenth with the highest scores over that of all
``brier``, ``log_loss``          mean squared error and mean log loss of the probabilities
``ece``                          mean distance of predicted and observed rates over ten bins of equal size
``predicted``                    the mean probability, beside ``positive``
``promise``                      mean width of the intervals given to people, and the share of ten bins whose observed
                                 rate lies within that of their mean interval
``model``, ``seconds``           the learner that was chosen; of the whole, and of loading and the run
``peak_gb``                      largest resident size of the process
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

import machine
from coterie.core.clock import FixedClock, parse_instant
from coterie.core.errors import CoterieError
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.prediction.run import Run, Status
from event_file import FIXED, EventFile, Outcome, Unreadable

if TYPE_CHECKING:
    from coterie.workspace import Workspace

FOREVER = 36_500
"""A look-back of so many days is none."""
NAMESPACE = "CustomerID"
KEY = "task"
DRAWS = 1_000
BINS = 10

Floats = npt.NDArray[np.float64]


class Unfinished(Exception):
    """A run did not come to scores; it says why."""

    def __init__(self, run: Run) -> None:
        super().__init__(str(run.status))
        self.run = run


@dataclass(frozen=True)
class Scored:
    """What the program said: customers, in order, with probability and interval."""

    customers: list[str]
    probability: Floats
    low: Floats
    high: Floats


def main() -> None:
    """Predict, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--goal", type=Path, required=True)
    parser.add_argument("--lookback", type=int, required=True, help="days; 0: everybody who ever did anything")
    parser.add_argument("--cutoff", required=True, help="a date or an instant, of UTC unless it names a zone")
    parser.add_argument("--train-from", help="events before it are left out of the whole")
    parser.add_argument("--scores", type=Path, help="a Parquet file for customer, probability, outcome")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, help="where the workspace is left")
    options = parser.parse_args()
    try:
        print(json.dumps(measure(options)))
    except Unfinished as unfinished:
        fail({"status": str(unfinished.run.status), **msgspec.to_builtins(unfinished.run.error)})
    except Unreadable as error:
        fail({"code": "bench.file", "message": str(error)})
    except CoterieError as error:
        fail(error.as_dict())


def fail(told: Any) -> NoReturn:
    """Print an error as the line of JSON and end."""
    print(json.dumps({"error": told}))
    sys.exit(1)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the line says."""
    began = time.perf_counter()
    lookback = options.lookback if 0 < options.lookback < FOREVER else None
    written = _model(_goal(options.goal), lookback)
    cutoff, since = _instant(options.cutoff), options.train_from and _instant(options.train_from)
    file = EventFile(options.events, cutoff)
    with tempfile.TemporaryDirectory(prefix="customer-ai-") as scratch:
        past = Path(scratch, "events.parquet")
        if not file.write(past, cutoff, since):
            first, last = file.span()
            raise Unreadable(
                f"the file has no events to learn from before {cutoff}; its events are of {first} to {last}."
            )
        target = options.workspace or Path(scratch, "workspace")
        scored, told = predict(target, past, file, _renamed(written, file), cutoff, options.seed)
    outcome = file.outcome(written["goal"], cutoff, lookback, since)
    found = compare(scored, outcome, negated=written["goal"].get("polarity") == "will_not_occur")
    if options.scores:
        _write(options.scores, scored, found.pop("label"))
    found.pop("label", None)
    told["seconds"] = round(time.perf_counter() - began, 1)
    return {**found, **told, "peak_gb": round(machine.peak_gb(), 2)}


def _instant(text: str) -> str:
    """Return an instant as SQL and Coterie both read it: in UTC."""
    moment = np.datetime64(parse_instant(text), "ms")
    return str(moment)


# -- the model --------------------------------------------------------------------------------------------------------


def _goal(path: Path) -> dict[str, Any]:
    """Read a goal, or a model with a goal; events of a goal may go without a name."""
    try:
        given: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} is no JSON that can be read: {error}.") from error
    written: dict[str, Any] = given if isinstance(given, dict) else {}
    goal = written.get("goal", written)
    if not isinstance(goal, dict) or not goal:
        raise Unreadable(f"{path} holds no goal: an object with `events` and `window_days`.")
    events = goal.get("events")
    if isinstance(events, list) and all(isinstance(event, dict) for event in events):
        goal["events"] = [{"name": f"Event {number}", **event} for number, event in enumerate(events, 1)]
    return written


def _model(given: dict[str, Any], lookback: int | None) -> dict[str, Any]:
    """Return the model that a file states: a goal alone, or a model with a goal."""
    model = given if "goal" in given else {"goal": given}
    churn = model["goal"].get("polarity") == "will_not_occur"
    defaults = {"key": KEY, "name": "Task", "propensity": "churn" if churn else "conversion"}
    return {**defaults, **model, "population": {**model.get("population", {}), "lookback_days": lookback}}


def _renamed(value: Any, file: EventFile) -> Any:
    """Return a model with the paths of fields instead of the columns of the file."""
    paths = {column.name: column.path for column in file.columns} | FIXED

    def renamed(item: Any) -> Any:
        if isinstance(item, Mapping):
            known = {name: paths.get(part, part) if name in ("field", "sum") else part for name, part in item.items()}
            return {name: renamed(part) if not isinstance(part, str) else part for name, part in known.items()}
        return [renamed(part) for part in item] if isinstance(item, list) else item

    renewed: dict[str, Any] = renamed(value)
    if renewed.get("categories"):
        renewed["categories"] = [paths.get(name, name) for name in renewed["categories"]]
    return renewed


def load(ws: Workspace, past: Path, file: EventFile) -> None:
    """Load events, as `EventFile.write` wrote them, through the intake."""
    ws.identities.put_namespace({"code": NAMESPACE, "type": "CROSS_DEVICE", "name": "Customer"})
    fields: dict[str, Any] = {column.path: column.field for column in file.columns}
    identity = {"path": "customer_id", "namespace": NAMESPACE, "primary": True}
    ws.schemas.put(
        {
            "name": "events",
            "class": "event",
            "fields": {"customer_id": {"type": "string", "required": True}, **_written(fields)},
            "identities": [identity],
        }
    )
    ws.datasets.put("events", "events")
    rules = {"_id": "__row", "timestamp": "__ts", "eventType": "__type", "customer_id": "__customer"}
    rules |= {path: path for path in fields}
    report = ws.ingest.load("events", [past], mapping=FieldMapping.read({"fields": rules}), threshold=1.0)
    if report.quarantined:
        print(f"{report.quarantined} of {report.rows_read} rows were set aside.", file=sys.stderr)


def predict(
    target: Path, past: Path, file: EventFile, model: dict[str, Any], cutoff: str, seed: int
) -> tuple[Scored, dict[str, Any]]:
    """Load the past into a workspace and run the model in it; returns the scores, and how it went."""
    import coterie

    began = time.perf_counter()
    with coterie.open(target, clock=FixedClock(cutoff + "Z"), create=True) as ws:
        load(ws, past, file)
        loaded = time.perf_counter()
        ws.predictions.create(model)
        run = ws.predictions.run(model["key"], at=cutoff + "Z", seed=seed)
        if run.status is not Status.SUCCEEDED or run.version is None:
            raise Unfinished(run)
        ran = time.perf_counter()
        scores = target / "scores.parquet"
        ws.predictions.scores(model["key"], path=scores)
        version = ws.predictions.version(model["key"], run.version)
        told = {
            "model": version.algorithm,
            "warnings": list(run.warnings),
            "load_s": round(loaded - began, 1),
            "run_s": round(ran - loaded, 1),
            "stages": {str(stage.stage): round(stage.seconds, 1) for stage in run.stages},
        }
        return _read(scores), told


def _written(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as a schema states them."""
    plain = {path: {"type": str(field.type), "decimals": field.decimals} for path, field in columns.items()}
    return {path: {name: part for name, part in field.items() if part is not None} for path, field in plain.items()}


def _read(path: Path) -> Scored:
    """Read the scores that the program wrote, in the order of customers."""
    con = duckdb.connect()
    rows = con.execute(
        f"SELECT \"{NAMESPACE}\", probability, interval_low, interval_high FROM '{path}' ORDER BY 1"
    ).fetchnumpy()
    probability, low, high = (
        np.asarray(rows[name], np.float64) for name in ("probability", "interval_low", "interval_high")
    )
    return Scored(list(rows[NAMESPACE]), probability, low, high)


def _write(path: Path, scored: Scored, label: npt.NDArray[np.bool_]) -> None:
    columns = {"customer_id": np.array(scored.customers, object), "probability": scored.probability}
    columns |= {"interval_low": scored.low, "interval_high": scored.high, "outcome": label}
    con = duckdb.connect()
    con.register("scored", columns)
    con.execute(f"COPY (SELECT * FROM scored) TO '{path}' (FORMAT parquet)")


# -- the comparison ---------------------------------------------------------------------------------------------------


def compare(scored: Scored, outcome: Outcome, *, negated: bool) -> dict[str, Any]:
    """Return the figures of the comparison, and the labels under ``label``."""
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    hit = dict(zip(outcome.customers, outcome.hit, strict=True))
    label = np.array([hit[customer] for customer in scored.customers]) ^ negated
    unscored = len(set(outcome.customers) - set(scored.customers))
    p = np.clip(scored.probability.astype(np.float64), 1e-6, 1 - 1e-6)
    both = 0 < label.sum() < len(label)
    bins = np.array_split(np.argsort(p, kind="stable"), BINS)
    observed = np.array([label[rows].mean() for rows in bins])
    share = np.array([len(rows) for rows in bins]) / len(p)
    stated = np.array([p[rows].mean() for rows in bins])
    low, high = (np.array([side[rows].mean() for rows in bins]) for side in (scored.low, scored.high))
    top = np.argsort(-p, kind="stable")[: max(1, len(p) // 10)]
    return {
        "eligible": len(p),
        "positive": round(float(label.mean()), 5),
        "auc": round(float(roc_auc_score(label, p)), 5) if both else None,
        "interval": _interval(label, p) if both else None,
        "pr_auc": round(float(average_precision_score(label, p)), 5) if both else None,
        "brier": round(float(brier_score_loss(label, p)), 5),
        "log_loss": round(float(log_loss(label, p, labels=[False, True])), 5),
        "lift_10": round(float(label[top].mean() / label.mean()), 3) if label.any() else None,
        "ece": round(float((np.abs(observed - stated) * share).sum()), 5),
        "predicted": round(float(p.mean()), 5),
        "promise": {
            "width": round(float((scored.high - scored.low).mean()), 4),
            "held": float(((low <= observed) & (observed <= high)).mean()),
        },
        "unscored": unscored,
        "label": label,
    }


def _interval(label: npt.NDArray[np.bool_], p: Floats) -> list[float]:
    """Return the 95 % bootstrap interval of the AUC, by ranks with weights instead of copies."""
    rng = np.random.default_rng(1)
    values, place = np.unique(p, return_inverse=True)
    found = np.empty(DRAWS)
    for draw in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(p), len(p)), minlength=len(p))
        positive = np.bincount(place, weight * label, len(values))
        negative = np.bincount(place, weight * ~label, len(values))
        below = np.cumsum(negative) - negative / 2
        found[draw] = (positive * below).sum() / max(positive.sum() * negative.sum(), 1)
    return [round(float(edge), 4) for edge in np.quantile(found, (0.025, 0.975))]


if __name__ == "__main__":
    main()
