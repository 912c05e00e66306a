"""Runs: started, taken up again, given up, listed; and which models are due."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.core.clock import format_instant
from coterie.core.errors import Conflict, NotFound
from coterie.core.progress import Progress
from coterie.core.schema import Schema
from coterie.ingest.dataset import Dataset
from coterie.pipeline.apply import changes_facts
from coterie.pipeline.definitions import KINDS, Definitions
from coterie.pipeline.predictions import deciding, ended, folders, models, publishing, versions
from coterie.pipeline.predictions.checkpoints import Checkpoints, State
from coterie.pipeline.predictions.data import Data
from coterie.pipeline.predictions.execution import Execution
from coterie.prediction import schedule
from coterie.prediction.definition import Model, fingerprint
from coterie.prediction.run import Run, Status, Trigger
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox


def run(
    sandbox: Sandbox,
    key: str,
    progress: Progress,
    *,
    at: int | None = None,
    retrain: bool | None = None,
    seed: int = 0,
    trigger: Trigger = "asked",
) -> Run:
    """Run a model from the first stage; what an earlier run left undone is given up.

    Raises
    ------
    Conflict
        ``model.draft``; ``model.later`` for an instant that has not come.
    NotFound
        ``model.untrained`` when it is not to be trained and never was.
    """
    definitions = Definitions(sandbox.catalog)
    model = models.model_named(definitions, key)
    if model.draft:
        raise Conflict(
            "model.draft",
            f"model {key} is a draft.",
            hint=f"Complete it, and then say so: `coterie ai edit {key} --no-draft`.",
            where={"model": key},
        )
    now = sandbox.clock.now()
    instant = now if at is None else at
    if instant > now:
        raise Conflict(
            "model.later",
            f"people cannot be scored as of {format_instant(instant)}: it is {format_instant(now)} now.",
            hint="Give an instant of the past, or none.",
            where={"at": format_instant(instant)},
        )
    give_up(sandbox, key)
    why = None if retrain is False else deciding.retrain(sandbox, model, instant)
    champion = versions.champion(definitions, key)
    if retrain is False and champion is None:
        versions.named(sandbox, key, None)
        raise NotFound(
            "model.untrained",
            f"no version of model {key} is good enough to score anybody.",
            hint=f"Train it again: `coterie ai run {key} --retrain`.",
            where={"model": key},
        )
    trains = retrain if retrain is not None else why is not None
    state = State(
        key=key,
        number=_next_number(sandbox, key),
        kind="train+score" if trains else "score",
        asked_at=instant,
        as_of=instant,
        started_at=now,
        configuration=fingerprint(model),
        seed=seed,
        trigger=why if trigger == "schedule" and trains and why in deciding.BESIDE else trigger,
        entry=sandbox.log.last,
        champion=None if champion is None else champion.number,
        fixed=at is not None,
    )
    progress.report(Status.QUEUED)
    Checkpoints.of(sandbox.path, key, state.number).note(state)
    return _executed(sandbox, model, state, progress)


def resume(sandbox: Sandbox, key: str, progress: Progress) -> Run:
    """Take the run of a model up that was stopped or interrupted, from the last stage that it passed.

    When events or profiles have changed since it began, its stages are passed anew.

    Raises
    ------
    NotFound
        ``model.nothing-to-resume``.
    """
    definitions = Definitions(sandbox.catalog)
    model = models.model_named(definitions, key)
    left = next(_left(sandbox, key), None)
    if left is None:
        raise NotFound(
            "model.nothing-to-resume",
            f"no run of model {key} was stopped half way.",
            hint=f"Start one: `coterie ai run {key}`.",
            where={"model": key},
        )
    kept = Checkpoints.of(sandbox.path, key, left.number)
    done = definitions.find(Run, left.id)
    if done is not None and done.status is not Status.CANCELLED:
        kept.clear()  # it had ended, but for this
        return done
    (kept.path / folders.CANCEL).unlink(missing_ok=True)
    mine = _published(definitions, key)
    since = sandbox.log.entries(after=left.entry)
    if any(changes_facts(entry) and not _defines(entry, mine) for entry in since):
        said = "Data have changed since it began, so it was begun anew."
        left = msgspec.structs.replace(left, stages=(), warnings=(said,), as_of=left.asked_at, entry=sandbox.log.last)
        kept.clear()
        kept.note(left)
    return _executed(sandbox, model, left, progress)


def _published(definitions: Definitions, key: str) -> set[tuple[str, str]]:
    """Return the kinds and ids of what a run itself defines before it publishes scores."""
    found = models.dataset_of(definitions, key)
    return set() if found is None else {(KINDS[Dataset], found.name), (KINDS[Schema], found.schema)}


def _defines(entry: Entry, mine: set[tuple[str, str]]) -> bool:
    """Whether an entry defines what is among these kinds and ids, and nothing else."""
    if entry.kind != "definitions.put":
        return False
    return {(item["kind"], item["id"]) for item in entry.body["definitions"]} <= mine


_UNDER_WAY: set[str] = set()
"""Runs under way in this process, by the path of their folder."""


def cancel(sandbox: Sandbox, key: str) -> list[int]:
    """Give up the runs of a model that were stopped; ask the one that is under way in this process to stop."""
    asked = [
        number for number in folders.request_cancel(sandbox.path, key) if _place(sandbox, key, number) in _UNDER_WAY
    ]
    return asked or give_up(sandbox, key)


def _place(sandbox: Sandbox, key: str, number: int) -> str:
    return str(folders.run(sandbox.path, key, number))


def _executed(sandbox: Sandbox, model: Model, state: State, progress: Progress) -> Run:
    place = _place(sandbox, state.key, state.number)
    _UNDER_WAY.add(place)
    try:
        run = Execution(sandbox, Data.of(sandbox, model), state, progress).run()
    finally:
        _UNDER_WAY.discard(place)
    if run.status is Status.SUCCEEDED:
        progress.report("events by identity")
        sandbox.history.copy_events()  # for scores on demand, which may be asked for from now on
    return run


def give_up(sandbox: Sandbox, key: str) -> list[int]:
    """Forget what runs of a model that did not end have made; return their numbers."""
    given = []
    for state in _left(sandbox, key):
        if Definitions(sandbox.catalog).find(Run, state.id) is None:
            publishing.note(sandbox, msgspec.structs.replace(_interrupted(sandbox, state), resumable=False))
        Checkpoints.of(sandbox.path, key, state.number).clear()
        given.append(state.number)
    return given


def listed(sandbox: Sandbox, key: str) -> list[Run]:
    """Return the runs of a model, the newest first, with those that did not end."""
    definitions = Definitions(sandbox.catalog)
    models.model_named(definitions, key)
    left = {state.number: state for state in _left(sandbox, key)}
    runs = {item.number: item for item in ended.of_model(definitions, key)}
    found = [_as_left(sandbox, item, left.get(number)) for number, item in runs.items()]
    found += [_interrupted(sandbox, state) for number, state in left.items() if number not in runs]
    return sorted(found, key=lambda item: -item.number)


def _as_left(sandbox: Sandbox, run: Run, state: State | None) -> Run:
    """Return a run that was noted, by what it has left to be taken up."""
    if state is None or run.status is not Status.CANCELLED:
        return msgspec.structs.replace(run, resumable=False)
    if state.stages != run.stages:  # it was taken up since then, and interrupted
        return _interrupted(sandbox, state)
    return msgspec.structs.replace(run, resumable=True)


def named(sandbox: Sandbox, key: str, run: str, *, scored: bool = True) -> Run:
    """Return a run by its number, or ``latest``; that is the last one that scored people when `scored`.

    Raises
    ------
    NotFound
        ``model_run.not-found``; ``model.not-run`` when there is none yet.
    """
    runs = listed(sandbox, key)
    if run != "latest":
        number = run.removeprefix(f"{key}/")
        for item in runs:
            if str(item.number) == number:
                return item
        raise NotFound.named("model_run", f"{key}/{number}", (item.id for item in runs))
    for item in runs:
        if item.status is Status.SUCCEEDED or not scored:
            return item
    raise NotFound(
        "model.not-run",
        f"no run of model {key} has scored anybody yet.",
        hint=f"Run it: `coterie ai run {key}`; `coterie ai runs {key}` tells what became of earlier ones.",
        where={"model": key},
    )


def batch_of(sandbox: Sandbox, run: Run) -> int:
    """Return the number of the batch that holds the scores of a run; raises ``model.unpublished``."""
    if run.batch is None:
        raise Conflict(
            "model.unpublished",
            f"the scores of run {run.id} were not published, so none are kept.",
            hint=f"Publish them: `coterie ai edit {run.key} --publish`.",
            where={"run": run.id},
        )
    return sandbox.catalog.batch(run.batch).number


def _left(sandbox: Sandbox, key: str) -> Iterator[State]:
    """Yield how far the runs are that left work behind, the newest first."""
    for number in reversed(folders.numbers(folders.model(sandbox.path, key) / "runs")):
        state = Checkpoints.of(sandbox.path, key, number).state()
        if state is not None:
            yield state


def _interrupted(sandbox: Sandbox, state: State) -> Run:
    """Return a run of which nothing is known but how far it was."""
    run = deciding.so_far(Checkpoints.of(sandbox.path, state.key, state.number), state, Status.CANCELLED)
    return msgspec.structs.replace(run, warnings=(*state.warnings, "It was interrupted."), resumable=True)


def _next_number(sandbox: Sandbox, key: str) -> int:
    known = (item.number for item in ended.of_model(Definitions(sandbox.catalog), key))
    return 1 + max([*known, *folders.numbers(folders.model(sandbox.path, key) / "runs")], default=0)


# -- schedules ------------------------------------------------------------------------------------------------------


def next_at(sandbox: Sandbox, model: Model) -> int | None:
    """Return when a model is to run next; now when it never did, None when it is not to run by itself."""
    if model.draft:
        return None
    runs = ended.of_model(Definitions(sandbox.catalog), model.key)
    if not runs:
        return sandbox.clock.now()
    return schedule.next_after(model.schedule.score, max(item.started_at for item in runs))


def due(sandbox: Sandbox, at: int) -> list[Model]:
    """Return the models whose time to run has come, by key."""
    every = Definitions(sandbox.catalog).list(Model)
    return [model for model in every if (following := next_at(sandbox, model)) is not None and following <= at]


def concerned(sandbox: Sandbox, key: str) -> list[str]:
    """Return the audiences that read the scores of a model, and those that read these, directly or through others."""
    definitions = Definitions(sandbox.catalog)
    found = set(models.readers_of(definitions, key))
    reads = {item.name: plan.reads(item) for item in definitions.list(Audience)}
    while more := {name for name, read in reads.items() if read & found} - found:
        found |= more
    return sorted(found)


def scored_between(sandbox: Sandbox, start: int, end: int) -> int:
    """Return how many scores were given between two instants, by deleted models too."""
    runs = (msgspec.convert(item.body, Run) for item in sandbox.catalog.ever("model_run"))
    latest = {(item.id, item.started_at): item for item in runs}
    return sum(item.scored for item in latest.values() if start <= (item.finished_at or 0) < end)
