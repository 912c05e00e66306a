"""Runs that do not end: killed at every stage, stopped, taken up again, given up; and what is erased of them."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
from tests.pipeline import shopping as shop

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import NotFound
from coterie.governance.traces import Sought
from coterie.pipeline.predictions import folders
from coterie.pipeline.privacy.finding import find, find_raw, holder_of
from coterie.prediction.run import STAGES, Status
from coterie.workspace.predictions import request_cancel

KILLER = """
import os, signal, sys, coterie
from coterie.core.clock import FixedClock
import coterie.pipeline.predictions.training, coterie.prediction.reasons  # what learns is imported once

class Killer:
    def __init__(self, stage):
        self.stage = stage
    def report(self, stage, done=None, total=None):
        if stage == self.stage:
            os.kill(os.getpid(), signal.SIGKILL)

def run(stage):
    with coterie.open(sys.argv[1], clock=FixedClock(int(sys.argv[2])), progress=Killer(stage)) as ws:
        runs = ws.predictions.runs("buys")
        print(stage, [str(item.stage) for run in runs for item in run.stages], flush=True)
        ws.predictions.run("buys", resume=bool(runs))

for stage in [*sys.argv[3:], ""]:
    child = os.fork()
    if not child:
        run(stage)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """The folder of a closed workspace with a model that never ran."""
    folder = tmp_path_factory.mktemp("shop")
    with coterie.open(folder / "ws", create=True, clock=FixedClock(shop.NOW)) as ws:
        shop.define(ws)
        shop.load(ws, folder, shop.events(240))
        ws.predictions.create(shop.BUYS)
    return folder / "ws"


@pytest.fixture
def root(untouched, tmp_path):
    """Return such a folder, to be changed."""
    shutil.copytree(untouched, tmp_path / "ws", ignore=shutil.ignore_patterns("lock"))
    return tmp_path / "ws"


def opened(root, **how):
    return coterie.open(root, clock=FixedClock(shop.NOW), **how)


@pytest.fixture(scope="module")
def undisturbed(untouched, tmp_path_factory):
    """Scores on profiles and the files of the version, of a run that nobody disturbed."""
    root = tmp_path_factory.mktemp("undisturbed") / "ws"
    shutil.copytree(untouched, root, ignore=shutil.ignore_patterns("lock"))
    with opened(root) as ws:
        assert ws.predictions.run("buys").status is Status.SUCCEEDED
        return seen(ws)


def seen(ws):
    """Return everything that a run made visible, but for the time it took."""
    con = ws.sandbox.history.con
    columns = [
        name
        for (name,) in con.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'profile_default' ORDER BY 1"
        ).fetchall()
    ]
    listed = ", ".join(f'"{name}"' for name in columns)
    rows = con.execute(f"SELECT {listed} FROM profile_default ORDER BY person").fetchall()
    version = ws.predictions.version("buys")
    return rows, version.hashes, version.data, ws.predictions.insights("buys"), ws.predictions.drift("buys")


def test_a_run_killed_at_every_stage_ends_as_one_that_was_not(root, undisturbed):
    stages = [*(str(stage) for stage in STAGES[1:]), "identities", "accepted"]
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(root), str(shop.NOW), *stages],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[1::2] == [str(-signal.SIGKILL)] * len(stages) + ["0"]
    passed = [json.loads(line.split(" ", 1)[1].replace("'", '"')) for line in lines[::2]]
    names = [str(stage) for stage in STAGES[1:]]
    assert passed[0] == []
    assert passed[1 : len(names)] == [names[:number] for number in range(len(names) - 1)]
    with opened(root) as ws:
        (run,) = ws.predictions.runs("buys")
        assert (run.status, run.number, run.version) == (Status.SUCCEEDED, 1, 1)
        assert [str(stage.stage) for stage in run.stages] == names
        assert seen(ws) == undisturbed
        assert not list(folders.work(ws.sandbox.path))


class Stopper:
    """Asks a run to stop, as another process would, when a stage begins."""

    def __init__(self, root, stage):
        self.root, self.stage = root, stage

    def report(self, stage, done=None, total=None):
        if stage == self.stage:
            assert request_cancel(self.root, "prod", "buys") == [1]


def test_a_run_is_stopped_from_elsewhere_and_taken_up(root, undisturbed):
    with opened(root, progress=Stopper(root, "training")) as ws:
        run = ws.predictions.run("buys")
        assert (run.status, run.resumable) == (Status.CANCELLED, True)
        assert [str(stage.stage) for stage in run.stages] == ["checking", "building_features"]
        assert ws.predictions.runs("buys") == [run]
        assert "customerAI" not in ws.schemas.union().profile.properties
        with pytest.raises(NotFound) as error:
            ws.predictions.insights("buys")
        assert error.value.code == "model.not-run"
    with opened(root) as ws:
        again = ws.predictions.run("buys", resume=True)
        assert (again.id, again.status, again.stages[:2]) == (run.id, Status.SUCCEEDED, run.stages)
        assert seen(ws) == undisturbed
        with pytest.raises(NotFound) as error:
            ws.predictions.run("buys", resume=True)
        assert error.value.code == "model.nothing-to-resume"


class Interrupter:
    """Presses Ctrl-C when a stage begins."""

    def __init__(self, stage):
        self.stage = stage

    def report(self, stage, done=None, total=None):
        if stage == self.stage:
            raise KeyboardInterrupt


def test_an_interrupted_run_begins_anew_when_data_have_changed(root, tmp_path):
    with opened(root, progress=Interrupter("scoring")) as ws:
        with pytest.raises(KeyboardInterrupt):
            ws.predictions.run("buys", seed=5)
        (run,) = ws.predictions.runs("buys")
        assert (run.status, run.resumable, len(run.stages)) == (Status.CANCELLED, True, 4)
    with opened(root) as ws:
        late = [item | {"_id": f"late-{item['_id']}"} for item in shop.events(10, last=2, seed=3)]
        shop.load(ws, tmp_path, late, "late")
        again = ws.predictions.run("buys", resume=True)
        assert (again.status, again.number, again.seed, len(again.stages)) == (Status.SUCCEEDED, 1, 5, 7)
        assert "Data have changed since it began, so it was begun anew." in again.warnings


def test_a_run_that_was_stopped_is_given_up(root):
    with opened(root, progress=Interrupter("building_features")) as ws, pytest.raises(KeyboardInterrupt):
        ws.predictions.run("buys")
    with opened(root) as ws:
        assert ws.predictions.cancel("buys") == [1]
        (given,) = ws.predictions.runs("buys")
        assert (given.status, given.resumable) == (Status.CANCELLED, False)
        assert not list(folders.work(ws.sandbox.path))


def test_a_run_that_fails_says_why(root):
    with opened(root) as ws:
        never = {"name": "Refund", "where": [{"field": "eventType", "op": "eq", "value": "refund"}]}
        ws.predictions.create(shop.BUYS | {"key": "refunds", "goal": {"events": [never], "window_days": 30}})
        run = ws.predictions.run("refunds")
        assert (run.status, run.error.number) == (Status.FAILED, 421)
        assert run.error.code == "model.goal-never-before"
        assert run.error.hint
        assert ws.predictions.view("refunds").last == run
        assert not list(folders.work(ws.sandbox.path))
        with pytest.raises(NotFound) as error:
            ws.predictions.evaluation("refunds")
        assert error.value.code == "model.untrained"


def test_nothing_is_left_of_an_erased_person(root):
    """Neither in scores and reasons, nor in what an unfinished run has made, nor in the files of versions."""
    with opened(root) as ws:
        run = ws.predictions.run("buys")
    with opened(root, progress=Interrupter("training")) as ws:
        with pytest.raises(KeyboardInterrupt):
            ws.predictions.run("buys", retrain=True)
        assert ws.predictions.runs("buys")[0].resumable
        customer = ws.sandbox.history.con.execute(
            "SELECT i.value FROM profile_default p JOIN identity i ON i.identity = p.person "
            'WHERE p."customerAI.buys.score" IS NOT NULL ORDER BY 1 LIMIT 1'
        ).fetchall()[0][0]
        sought = Sought.of([("CRMID", customer)])
        paths = [path.relative_to(ws.sandbox.path) for path in ws.sandbox.path.rglob("*") if path.is_file()]
        assert [path for path in paths if holder_of(str(path)) is None] == []
        assert (folders.run(ws.sandbox.path, "buys", 2) / folders.WORK / "people.npz").exists()
        ws.privacy.erase([("CRMID", customer)])
        assert find(ws.sandbox, sought) == []
        assert not list(folders.work(ws.sandbox.path))
        assert not [item for item in ws.predictions.runs("buys") if item.resumable]
        scored = ws.sandbox.history.con.execute(
            'SELECT count(*) FROM profile_default WHERE "customerAI.buys.score" IS NOT NULL'
        ).fetchall()
        assert scored == [(run.scored - 1,)]
        assert ws.predictions.scores("buys").rows == run.scored - 1
        path = ws.sandbox.path
    assert find_raw(path, sought) == []
