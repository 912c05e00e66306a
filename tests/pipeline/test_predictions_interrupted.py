"""Runs that do not end: killed at every stage, stopped, taken up again, given up; and what is erased of them."""

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
if "training" in sys.argv:
    import coterie.pipeline.predictions.training, coterie.prediction.why.reasons  # what learns is imported once

class Killer:
    def __init__(self, stage):
        self.stage = stage
    def report(self, stage, done=None, total=None):
        if stage == self.stage:
            os.kill(os.getpid(), signal.SIGKILL)

def run(stage):
    with coterie.open(sys.argv[1], clock=FixedClock(int(sys.argv[2])), progress=Killer(stage)) as ws:
        runs = ws.predictions.runs("buys")
        print(stage, *(item.stage for run in runs for item in run.stages), flush=True)
        ws.predictions.run("buys", resume=bool(runs))

for stage in sys.argv[3:]:
    child = os.fork()
    if not child:
        run(stage)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def killed(root, *stages):
    """Kill a run at one stage after the other, each time taking it up; return what had been passed each time."""
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(root), str(shop.NOW), *stages],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[1::2] == [str(-signal.SIGKILL)] * len(stages)
    return [line.split()[1:] for line in lines[::2]]


def opened(root, **how):
    return coterie.open(root, clock=FixedClock(shop.NOW), **how)


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


class Stopper:
    """Asks a run to stop, as another process would, when a stage begins."""

    def __init__(self, root, stage):
        self.root, self.stage = root, stage

    def report(self, stage, done=None, total=None):
        if stage == self.stage:
            assert request_cancel(self.root, "prod", "buys") == [1]


@pytest.fixture
def undisturbed(trained, tmp_path):
    """What a run that nobody disturbed made visible."""
    with opened(shop.copied(trained, tmp_path / "undisturbed")) as ws:
        return seen(ws)


def test_a_run_stopped_and_killed_at_every_stage_ends_as_one_that_was_not(untrained_copy, undisturbed):
    """The two have trained in different processes, too: the same seed gives the same files and scores."""
    root, names = untrained_copy, [str(stage) for stage in STAGES[1:]]
    assert killed(root, *names[:2]) == [[], []]
    with opened(root, progress=Stopper(root, "training")) as ws:
        run = ws.predictions.run("buys", resume=True)
        assert (run.status, run.resumable) == (Status.CANCELLED, True)
        assert [str(stage.stage) for stage in run.stages] == names[:2]
        assert ws.predictions.runs("buys") == [run]
        assert "customerAI" not in ws.schemas.union().profile.properties
        with pytest.raises(NotFound) as error:
            ws.predictions.insights("buys")
        assert error.value.code == "model.not-run"
    passed = killed(root, *names[2:], "identities", "accepted")
    assert passed[0] == names[:2]
    assert passed[1 : len(names) - 2] == [names[:number] for number in range(2, len(names) - 1)]
    with opened(root) as ws:
        again = ws.predictions.run("buys", resume=True)
        assert ws.predictions.runs("buys") == [again]
        assert (again.id, again.status, again.number, again.version) == (run.id, Status.SUCCEEDED, 1, 1)
        assert again.stages[:2] == run.stages
        assert [str(stage.stage) for stage in again.stages] == names
        assert seen(ws) == undisturbed
        assert not list(folders.work(ws.sandbox.path))
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


def test_an_interrupted_run_begins_anew_when_data_have_changed(trained_copy, tmp_path):
    with opened(trained_copy, progress=Interrupter("explaining")) as ws:
        with pytest.raises(KeyboardInterrupt):
            ws.predictions.run("buys", seed=5)
        run = ws.predictions.runs("buys")[0]
        assert (run.status, run.resumable, run.kind, len(run.stages)) == (Status.CANCELLED, True, "score", 3)
    with opened(trained_copy) as ws:
        late = [item | {"_id": f"late-{item['_id']}"} for item in shop.events(10, last=2, seed=3)]
        shop.load(ws, tmp_path, late, "late")
        again = ws.predictions.run("buys", resume=True)
        assert (again.status, again.number, again.seed, len(again.stages)) == (Status.SUCCEEDED, 2, 5, 5)
        assert "Data have changed since it began, so it was begun anew." in again.warnings


def test_a_run_that_was_stopped_is_given_up(untrained_copy):
    with opened(untrained_copy, progress=Interrupter("building_features")) as ws, pytest.raises(KeyboardInterrupt):
        ws.predictions.run("buys")
    with opened(untrained_copy) as ws:
        assert ws.predictions.cancel("buys") == [1]
        (given,) = ws.predictions.runs("buys")
        assert (given.status, given.resumable) == (Status.CANCELLED, False)
        assert not list(folders.work(ws.sandbox.path))


def test_a_run_that_fails_says_why(untrained_copy):
    with opened(untrained_copy) as ws:
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


def test_nothing_is_left_of_an_erased_person(trained_copy):
    """Neither in scores and reasons, nor in what an unfinished run has made, nor in the files of versions."""
    with opened(trained_copy, progress=Interrupter("training")) as ws:
        (run,) = ws.predictions.runs("buys")
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
