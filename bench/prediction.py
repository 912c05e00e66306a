"""A prediction for a million people: what its stages cost, how that grows, and what one person costs on demand.

``python bench/prediction.py [--size M] [--workspaces DIR]`` loads a world and one of a tenth of its people and events
(unless the workspaces are there), has "buys within 30 days" trained, everybody scored, reasons worked out for everybody
and written to profiles, each in a process of its own with two threads. The last line is JSON:

``linear``       seconds for each person of the large world over those of the small one, by stage; 1 is linear
``on_demand``    milliseconds for one person, median and 95th percentile, the model loaded
``features_s``   features for training and for scoring
``scores_s``, ``factors_s``, ``train_s``, ``publish_s``   the other stages, for everybody
``peak_gb``      largest resident size of the process
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import coterie
import floor
import machine
import sql
import world
from coterie.core.clock import FixedClock
from coterie.prediction.run import Status

KEY = "buys_in_30_days"
MODEL: dict[str, Any] = {
    "key": KEY,
    "name": "Buys within 30 days",
    "goal": {
        "events": [{"name": "Purchase", "where": [{"field": "eventType", "op": "eq", "value": "commerce.purchases"}]}],
        "window_days": 30,
    },
    "population": {"lookback_days": None},
}
ASKED = 60
STAGES = {
    "features_s": "building_features",
    "train_s": "training",
    "scores_s": "scoring",
    "factors_s": "explaining",
    "publish_s": "publishing",
}


def loaded(target: Path, size: world.Size) -> None:
    """Load a world into a workspace, unless it is there."""
    if (target / "coterie.json").is_file():
        return
    files = target.with_name(f"{target.name}-files")
    if not (files / "truth.json").is_file():
        world.write(size, files)
    sql.load(files, target)


def run(target: Path) -> dict[str, Any]:
    """Run the model in a workspace; returns what its stages cost."""
    with coterie.open(target, clock=FixedClock(world.END)) as ws:
        con = ws.sandbox.history.con
        con.execute(f"SET threads = {floor.THREADS}")
        if KEY not in {model.key for model in ws.predictions.list()}:
            ws.predictions.create(MODEL)
        found = ws.predictions.run(KEY, retrain=True)
        if found.status is not Status.SUCCEEDED:
            raise SystemExit(f"The run is {found.status}: {found.error}")
        stages = {str(stage.stage): stage.seconds for stage in found.stages}
        asked = con.execute(
            "SELECT n.code || ':' || i.value FROM identity i JOIN namespace n ON n.namespace = i.namespace "
            "JOIN person_of p USING (identity) JOIN profile_default w USING (person) WHERE n.code = 'CustomerID' "
            f'AND w."customerAI.{KEY}.score" IS NOT NULL ORDER BY hash(i.value) LIMIT {ASKED}'
        ).fetchall()
        took = []
        for (person,) in asked:
            began = time.perf_counter()
            ws.predictions.score(KEY, person)
            took.append((time.perf_counter() - began) * 1000)
        took = sorted(took[len(took) // 6 :])  # the first ones load the model
        return {
            "people": found.scored,
            **{name: round(stages[stage], 1) for name, stage in STAGES.items()},
            "on_demand": [round(statistics.median(took), 1), round(took[int(len(took) * 0.95)], 1)],
            "auc": ws.predictions.evaluation(KEY).pooled.auc.value,
            "peak_gb": round(machine.peak_gb(), 2),
        }


def apart(target: Path) -> dict[str, Any]:
    """Run the model in a process of its own."""
    command = [sys.executable, __file__, "--run", str(target)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Load, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=world.SIZES, default="M")
    parser.add_argument("--workspaces", type=Path, default=Path("bench-prediction"))
    parser.add_argument("--only-tenth", action="store_true", help="leave the large world out")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run)))
        return
    options.workspaces.mkdir(parents=True, exist_ok=True)
    whole = world.SIZES[options.size]
    tenth = world.Size(whole.people // 10, whole.events // 10, whole.hot // 10, max(1, whole.parts // 10))
    targets = {"tenth": options.workspaces / f"{options.size}-tenth", "whole": options.workspaces / options.size}
    loaded(targets["tenth"], tenth)
    small = apart(targets["tenth"])
    print(json.dumps(small), flush=True)
    if options.only_tenth:
        return
    loaded(targets["whole"], whole)
    large = apart(targets["whole"])
    growth = large["people"] / small["people"]
    linear = {name: round(large[name] / max(small[name], 0.1) / growth, 2) for name in STAGES}
    print(json.dumps({"linear": linear, **large, "tenth": small, "machine": machine.described()}))


if __name__ == "__main__":
    main()
