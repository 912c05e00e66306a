"""A run, stage by stage: each makes its part from what those before it left, so that any of them can be the first.

Nothing that a stage makes is seen before the last one, which makes all of it visible by one entry of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from coterie.core.errors import CoterieError
from coterie.core.progress import Progress
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import cards, checking, deciding, explaining, folders, publishing, versions
from coterie.pipeline.predictions.cards import Told
from coterie.pipeline.predictions.checkpoints import Checkpoints, State
from coterie.pipeline.predictions.data import Data
from coterie.pipeline.predictions.deciding import Decision
from coterie.prediction import problems
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.problems import Problem
from coterie.prediction.run import STAGES, Run, RunError, Stage, Status, Version
from coterie.prediction.trust import drift
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.extent import pace
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.pipeline.predictions.versions import Learnt
    from coterie.prediction.frame import Examples, Frame
    from coterie.prediction.modelling.scoring import Scores

_EXAMPLES, _YEAR_AGO = "examples.npz", "year_ago.npz"
_PEOPLE, _SCORES = "people.npz", publishing.SCORES
_CHECK, _CUTOFFS, _VOCABULARY = "check.json", "cutoffs.json", "vocabulary.json"
_NEWEST, _VERSION = "newest.npz", publishing.VERSION
_TOLD = "told.json"
_MANY = 100
"""So many people with one and the same probability have no scores."""
_LOOK = 0.2
"""Seconds between looks for a request to stop."""


class Stopped(Exception):
    """Somebody asked the run to stop."""


class Refused(CoterieError):
    """What a stage found makes the rest of the run pointless; the problem says what."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, problem.message, hint=problem.hint, where=dict(problem.figures))
        self.number = problem.number


@dataclass
class Execution:
    """A run under way.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    data : Data
        What the model reads.
    state : State
        What was asked for, and how far it is.
    progress : Progress
        Receiver of progress reports; each stage is reported under its name.
    """

    sandbox: Sandbox
    data: Data
    state: State
    progress: Progress
    _looked: float = field(default=0.0, init=False)

    def run(self) -> Run:
        """Pass the stages that are left, and return what came of it.

        Raises
        ------
        KeyboardInterrupt
            When the run is interrupted: it is then noted as cancelled, and can be taken up.
        """
        passed = {stage.stage for stage in self.state.stages}
        try:
            for status in STAGES[1:]:
                if status not in passed and self._concerns(status):
                    self.progress.report(status)
                    self._pass(status)
                if status is Status.EVALUATING and self.state.kind == "train+score" and not self._decision.usable:
                    return self._unusable()
        except Stopped:
            return self._end(Status.CANCELLED, resumable=True)
        except KeyboardInterrupt:
            self._end(Status.CANCELLED, resumable=True)
            raise
        except CoterieError as error:
            return self._end(Status.FAILED, _told(error))
        except Exception as error:
            self._end(Status.FAILED, RunError("internal", f"{type(error).__name__}: {error}"))
            raise
        return self._done()

    def _concerns(self, status: Status) -> bool:
        return self.state.kind == "train+score" or status not in (Status.TRAINING, Status.EVALUATING)

    def _pass(self, status: Status) -> None:
        """Pass one stage, and note that it was passed."""
        began = time.perf_counter()
        self._look(always=True)
        stages: dict[Status, Callable[[], int | None]] = {
            Status.CHECKING: self._check,
            Status.BUILDING_FEATURES: self._features,
            Status.TRAINING: self._train,
            Status.EVALUATING: self._evaluate,
            Status.SCORING: self._score,
            Status.EXPLAINING: self._explain,
            Status.PUBLISHING: self._publish,
        }
        rows = stages[status]()
        stage = Stage(status, round(time.perf_counter() - began, 3), rows)
        self.state = msgspec.structs.replace(self.state, stages=(*self.state.stages, stage))
        if status is not Status.PUBLISHING:
            self._kept.note(self.state)

    def _look(self, *, always: bool = False) -> None:
        """Stop if somebody asked for it."""
        now = time.monotonic()
        if always or now - self._looked > _LOOK:
            self._looked = now
            if folders.cancel_requested(self.sandbox.path, self.state.key, self.state.number):
                raise Stopped

    @property
    def _kept(self) -> Checkpoints:
        return Checkpoints.of(self.sandbox.path, self.state.key, self.state.number)

    # -- stages -----------------------------------------------------------------------------------------------------

    def _check(self) -> int | None:
        training = self.state.kind == "train+score"
        with_ = None if training else self._learnt.vocabulary
        examined = checking.examine(self.data, self.state.asked_at, fixed=self.state.fixed, scores_with=with_)
        found = examined.check
        concerning = checking.concerning(found.problems, self.state.kind)
        self._kept.put(_CHECK, msgspec.structs.replace(found, problems=concerning))
        problems.refuse(self.state.key, concerning)
        if examined.cutoffs is not None and examined.vocabulary is not None:
            self._kept.put(_CUTOFFS, examined.cutoffs)
            self._kept.put(_VOCABULARY, examined.vocabulary)
        told = tuple(problem.message for problem in concerning if problem.severity == "warning")
        warnings = self.state.warnings + told
        self.state = msgspec.structs.replace(self.state, as_of=found.scoring_at, warnings=warnings)
        return found.people or None

    def _features(self) -> int:
        if self.state.kind == "train+score":
            cutoffs, vocabulary = self._kept.get(_CUTOFFS, Cutoffs), self._kept.get(_VOCABULARY, Vocabulary)
            store = self.data.store(vocabulary)
            examples = store.training(cutoffs.training, seed=self.state.seed, progress=_Looking(self))
            self._kept.put_examples(_EXAMPLES, examples)
            if cutoffs.year_ago:
                past = store.training(cutoffs.year_ago, seed=self.state.seed, progress=_Looking(self))
                self._kept.put_examples(_YEAR_AGO, past)
            rows = len(examples)
        else:
            store, rows = self.data.store(self._learnt.vocabulary), 0
        people = store.build([self.state.as_of], progress=_Looking(self))
        self._kept.put_frame(_PEOPLE, people)
        self.state = msgspec.structs.replace(self.state, eligible=len(people))
        if not len(people):
            raise Refused(problems.no_scoring_data(self.state.as_of, self.data.model.population.lookback_days))
        return rows + len(people)

    def _train(self) -> int:
        from coterie.pipeline.predictions.training import trained

        examples: Examples = self._kept.get_examples(_EXAMPLES)
        cutoffs = self._kept.get(_CUTOFFS, Cutoffs)
        made = trained(
            self.data.model,
            examples,
            cutoffs,
            self._kept.get(_VOCABULARY, Vocabulary),
            year_ago=self._kept.get_examples(_YEAR_AGO) if cutoffs.year_ago else None,
            seed=self.state.seed,
            progress=self.progress,
            stop=self._look,
        )
        newest = made.newest
        arrays = {name: getattr(newest, name) for name in ("people", "label", "weight", "probability")}
        self._kept.put_arrays(_NEWEST, cutoff=np.array(newest.cutoff), **arrays)
        self._kept.made(_VERSION, lambda folder: made.save(folder, self.state.configuration))
        self._kept.put(_TOLD, Told(made.problems, cards.fairness(self.data, newest)))
        told = tuple(problem.message for problem in made.problems)
        self.state = msgspec.structs.replace(self.state, warnings=self.state.warnings + told)
        return len(examples)

    def _evaluate(self) -> int | None:
        """Decide whether what was trained takes the place of the version in use."""
        from coterie.pipeline.predictions.training import Newest

        kept = self._kept.get_arrays(_NEWEST)
        newest = Newest(int(kept.pop("cutoff")), **kept)
        decision = deciding.decide(self.sandbox, self.data, self._new, newest, self.state, self._look)
        self._kept.put(deciding.FILE, decision)
        self.state = msgspec.structs.replace(self.state, warnings=self.state.warnings + decision.warnings)
        return None

    def _score(self) -> int:
        from coterie.prediction.modelling import scoring

        frame = self._frame
        scores = scoring.score(self._learnt.trained, frame, self.data.model.buckets)
        if not np.isfinite(scores.probability).all():
            unusable = int((~np.isfinite(scores.probability)).sum())
            raise Refused(problems.ineligible_scores(len(scores), unusable, len(np.unique(scores.probability))))
        if len(scores) >= _MANY and len(np.unique(scores.probability)) == 1:
            raise Refused(problems.ineligible_scores(len(scores), 0, 1))
        found = drift.compare(
            self._learnt.reference,
            frame,
            scores.probability,
            pace=pace(self.sandbox.history.con, self.data.model.view, self.state.as_of),
            last_rate=cards.last_rate(self._kept.get(_CHECK, Check)),
        )
        self._kept.put_scores(_SCORES, scores)
        self._kept.put(publishing.DRIFT, found)
        self.state = msgspec.structs.replace(self.state, warnings=self.state.warnings + found.reasons)
        return len(scores)

    def _explain(self) -> int:
        explained = explaining.explain(self.data, self._learnt, self._frame, self._scores, _Looking(self))
        before = publishing.previous(self.sandbox, self.data.model)
        self._kept.put(publishing.INSIGHTS, explained.insights)
        self._kept.put(publishing.PEERS, explained.peers)
        self._kept.put(publishing.MIGRATION, before.migration(self._scores.people, self._scores.bucket))
        version = self._draft.version
        assert version is not None
        publishing.write_rows(
            self._kept.path, self.sandbox, self.data.model, self._draft, version, self._scores, explained, before
        )
        return len(self._scores)

    def _publish(self) -> int:
        version = self._version()
        model, vocabulary = self.data.model, self._learnt.vocabulary
        run = publishing.publish(self.sandbox, model, vocabulary, self._draft, version, self._kept, self.progress)
        return run.scored

    # -- what was made ----------------------------------------------------------------------------------------------

    @cached_property
    def _new(self) -> Learnt:
        """What this run trained."""
        return versions.load(self._kept.path / _VERSION)

    @cached_property
    def _learnt(self) -> Learnt:
        """What scores people in this run."""
        if self._replaces:
            return self._new
        assert self.state.champion is not None
        return versions.learnt(self.sandbox, versions.named(self.sandbox, self.state.key, self.state.champion))

    @property
    def _decision(self) -> Decision:
        return self._kept.get(deciding.FILE, Decision)

    @cached_property
    def _frame(self) -> Frame:
        """The features of the people scored, as the version that scores them reads them."""
        if self.state.kind == "train+score" and not self._replaces:
            return self.data.store(self._learnt.vocabulary).build([self.state.as_of], progress=_Looking(self))
        return self._kept.get_frame(_PEOPLE)

    @cached_property
    def _scores(self) -> Scores:
        return self._kept.get_scores(_SCORES)

    # -- the end ----------------------------------------------------------------------------------------------------

    @property
    def _draft(self) -> Run:
        """The run as it is so far."""
        return deciding.so_far(self._kept, self.state, Status.PUBLISHING)

    @property
    def _replaces(self) -> bool:
        """Whether what this run trained scores people."""
        return deciding.FILE in self._kept and self._decision.replaces

    def _version(self) -> Version | None:
        """Return the version that this run trained, as it is kept."""
        if deciding.FILE not in self._kept:
            return None
        decision, new = self._decision, self._new
        manifest = versions.manifest(self._kept.path / _VERSION)
        return Version(
            id=f"{self.state.key}/{decision.number}",
            key=self.state.key,
            number=decision.number,
            run=self.state.id,
            trained_at=self.state.started_at,
            as_of=self.state.as_of,
            configuration=self.state.configuration,
            algorithm=new.trained.evaluation.algorithm,
            champion=decision.replaces,
            decision=decision.reason,
            data=manifest.data,
            hashes=versions.hashes(self._kept.path / _VERSION),
            libraries=manifest.libraries,
            evaluation=msgspec.to_builtins(new.trained.evaluation),
            card=msgspec.to_builtins(self._card(decision.number, new)),
        )

    def _card(self, number: int, new: Learnt) -> Card:
        manifest = versions.manifest(self._kept.path / _VERSION)
        check, told = self._kept.get(_CHECK, Check), self._kept.get(_TOLD, Told)
        return cards.card(number, self.state.started_at, check, new, manifest, told)

    def _unusable(self) -> Run:
        """Note that what was trained is not good enough, and keep it to be looked at."""
        decision, version = self._decision, self._version()
        assert version is not None
        assert decision.problem is not None
        versions.adopt(self._kept.path / _VERSION, folders.version(self.sandbox.path, version.key, version.number))
        found = decision.problem
        error = RunError(found.code, found.message, found.hint, found.number, dict(found.figures))
        run = msgspec.structs.replace(
            self._draft, status=Status.TRAINING_ISSUE, finished_at=self.sandbox.clock.now(), error=error
        )
        publishing.note(self.sandbox, run, version)
        self._kept.clear()
        return run

    def _end(self, status: Status, error: RunError | None = None, *, resumable: bool = False) -> Run:
        """Note how a run ended that made nothing visible."""
        run = msgspec.structs.replace(
            self._draft, status=status, finished_at=self.sandbox.clock.now(), error=error, resumable=resumable
        )
        publishing.note(self.sandbox, run)
        if not resumable:
            self._kept.clear()
        return run

    def _done(self) -> Run:
        self._kept.clear()
        return Definitions(self.sandbox.catalog).get(Run, self.state.id)


def _told(error: CoterieError) -> RunError:
    number = error.where.get("number", getattr(error, "number", None))
    return RunError(error.code, error.message, error.hint, number if isinstance(number, int) else None, error.where)


@dataclass(frozen=True)
class _Looking:
    """A receiver of progress reports that looks for requests to stop."""

    execution: Execution

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        """Report, and stop if somebody asked for it."""
        self.execution._look()
        self.execution.progress.report(stage, done, total)
