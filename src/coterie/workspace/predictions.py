"""Customer AI: models, their runs, and what they say of people."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from coterie.audience.definition import Audience
from coterie.pipeline import evaluate
from coterie.pipeline.predictions import audiences, folders, models, monitoring, reading, runs, versions
from coterie.pipeline.predictions.people import Desk, all_stored, stored
from coterie.prediction.definition import Model, Schedule
from coterie.prediction.modelling.evaluation import Evaluation
from coterie.prediction.problems import Problem
from coterie.prediction.run import ModelView, Prediction, Run, ScoresFile, ScoresPage, Status, Version
from coterie.prediction.trust import warnings
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.drift import Drift
from coterie.prediction.trust.outcomes import Monitoring
from coterie.prediction.trust.value import Value
from coterie.prediction.why.explanation import TimingTest
from coterie.prediction.why.insights import Insights, Migration
from coterie.workspace.room import Room, instant


class Predictions(Room):
    """How likely people are to do something, and why: models that learn it from what people did."""

    # -- models -----------------------------------------------------------------------------------------------------

    def create(self, model: Mapping[str, Any] | Model) -> Model:
        """Save a model; it is trained by its first run.

        Parameters
        ----------
        model : Model or mapping
            What is predicted, for whom, from what, how often.

        Raises
        ------
        Conflict
            ``model.exists``; ``model.policy`` when a data usage policy objects to what it reads.
        Invalid
            ``model.spec`` and others, with what is wrong with it.
        """
        return models.create(self._sandbox, model)

    def get(self, key: str) -> Model:
        """Return a model as it was stated; raises ``model.not-found``."""
        return models.model_named(self._definitions, key)

    def view(self, key: str) -> ModelView:
        """Return a model with what became of it."""
        return reading.view(self._sandbox, self.get(key))

    def list(self) -> builtins.list[ModelView]:
        """Return all models by key, with what became of them."""
        return [reading.view(self._sandbox, item) for item in self._definitions.list(Model)]

    def edit(self, key: str, **changes: Any) -> Model:
        """Change the words of a model, its schedule, its buckets, or whether its scores are written to profiles.

        A draft may be changed in everything but its key. When publishing is switched on, the scores of the last run
        are written to profiles, without training.

        Raises
        ------
        Conflict
            ``model.fixed`` for what a model learns from: clone it.
        """
        before = self.get(key)
        if isinstance(changes.get("schedule"), str):
            changes["schedule"] = {"score": changes["schedule"], "retrain": before.schedule.retrain}
        if isinstance(changes.get("schedule"), Schedule):
            changes["schedule"] = {
                "score": changes["schedule"].score,
                "retrain": changes["schedule"].retrain,
            }
        changed = models.edit(self._sandbox, key, changes)
        if changed.publish and not before.publish:
            last = reading.last_scored(self._sandbox, key)
            if last is not None and last.batch is None:
                self.run(key, at=last.as_of, retrain=False, seed=last.seed)
        return changed

    def clone(self, key: str, new_key: str, **changes: Any) -> Model:
        """Save a copy of a model under another key, with changes."""
        return models.clone(self._sandbox, key, new_key, changes)

    def delete(self, key: str, *, keep_scores: bool = False) -> None:
        """Delete a model with its runs, versions and files; its scores leave the profiles unless they are to be kept.

        Raises
        ------
        Conflict
            ``model.in-use`` while audiences read the scores.
        """
        models.delete(self._sandbox, key, keep_scores=keep_scores)

    def check(self, model: str | Mapping[str, Any] | Model, at: str | int | None = None) -> Check:
        """Tell what a model would learn from and whom it would score, and what stands in its way; nothing is trained.

        Parameters
        ----------
        model : str, Model or mapping
            The key of a saved model, or one that is not saved.
        at : str or int, optional
            The instant to score as of; default now, or earlier where the data are old.
        """
        return reading.check(self._sandbox, model, instant(at))

    def advice(self, key: str) -> tuple[Problem, ...]:
        """Return what is to be known of a model as it is stated: what it is not for, and what has never happened.

        It takes one look at the events; `check` counts people and dates too.
        """
        return reading.advice(self._sandbox, key)

    # -- runs -------------------------------------------------------------------------------------------------------

    def run(
        self,
        key: str,
        at: str | int | None = None,
        retrain: bool | None = None,
        seed: int = 0,
        *,
        resume: bool = False,
    ) -> Run:
        """Train when needed, score everybody eligible, work out why, and write it to profiles.

        Parameters
        ----------
        key : str
            The model.
        at : str or int, optional
            The instant to score as of; default now, or earlier where the data are old.
        retrain : bool, optional
            Whether to train; default when there is reason to.
        seed : int
            Of everything random: the same data, model and seed give the same scores.
        resume : bool
            Take up the run that was stopped, as it was asked for.

        Returns
        -------
        Run
            How it ended: also a run that failed or was stopped is returned, with its error.
        """
        if resume:
            found = runs.resume(self._sandbox, key, self._workspace.progress)
        else:
            found = runs.run(self._sandbox, key, self._workspace.progress, at=instant(at), retrain=retrain, seed=seed)
        return self._after(found)

    def _after(self, run: Run) -> Run:
        """Evaluate the audiences that read the scores of a run."""
        names = runs.concerned(self._sandbox, run.key)
        if run.status is Status.SUCCEEDED and run.batch is not None and names:
            engine = self._workspace.questions.engine
            evaluate.evaluate(self._sandbox, names, None, cause=f"run {run.id}", engine=engine)
        return run

    def cancel(self, key: str) -> builtins.list[int]:
        """Give up runs that were stopped half way, or ask the one under way in this process to stop."""
        self.get(key)
        return runs.cancel(self._sandbox, key)

    def runs(self, key: str) -> builtins.list[Run]:
        """Return the runs of a model, the newest first, with those that did not end."""
        return runs.listed(self._sandbox, key)

    def due(self, at: str | int | None = None) -> builtins.list[ModelView]:
        """Return the models whose time to run has come by an instant, default now."""
        when = instant(at)
        found = runs.due(self._sandbox, self._sandbox.clock.now() if when is None else when)
        return [reading.view(self._sandbox, item) for item in found]

    def run_due(self, at: str | int | None = None) -> builtins.list[Run]:
        """Run every model whose time has come."""
        when = instant(at)
        due = runs.due(self._sandbox, self._sandbox.clock.now() if when is None else when)
        progress = self._workspace.progress
        return [self._after(runs.run(self._sandbox, item.key, progress, at=when, trigger="schedule")) for item in due]

    def counted(self, year: int | None = None) -> int:
        """Return how many scores were given in a calendar year (UTC), default this one; deleted models count too."""
        return reading.counted(self._sandbox, year)

    # -- what came of it --------------------------------------------------------------------------------------------

    def insights(self, key: str, run: str = "latest") -> Insights:
        """Return what a run says of everybody: buckets, scores, factors and their values."""
        return reading.kept(self._sandbox, key, run, Insights)

    def drift(self, key: str, run: str = "latest") -> Drift:
        """Return what moved between training and a run."""
        return reading.kept(self._sandbox, key, run, Drift)

    def migration(self, key: str, run: str = "latest", before: str | None = None) -> Migration:
        """Return how many people moved between buckets to a run from another one, default the one before."""
        return reading.migration(self._sandbox, key, run, before)

    def outcomes(self, key: str) -> Monitoring:
        """Compare what runs expected with what came, once their windows have closed."""
        return monitoring.outcomes(self._sandbox, key)

    def value(self, key: str, contact_cost: float, value_per_success: float, run: str = "latest") -> Value:
        """Return the profit of contacting the likeliest people first, and the best cut."""
        return reading.value(self._sandbox, key, run, contact_cost, value_per_success)

    def versions(self, key: str) -> builtins.list[Version]:
        """Return the versions of a model, the newest first."""
        self.get(key)
        return versions.of_model(self._definitions, key)[::-1]

    def version(self, key: str, number: int | None = None) -> Version:
        """Return a version of a model, default the one in use."""
        self.get(key)
        return versions.named(self._sandbox, key, number)

    def evaluation(self, key: str, version: int | None = None) -> Evaluation:
        """Return how a version did at past dates that it had not learnt from."""
        return reading.evaluation(self.version(key, version))

    def timing(self, key: str, version: int | None = None) -> TimingTest | None:
        """Return whether the timing of a version held at the newest past date; None where there was nothing to time."""
        found = self.version(key, version)
        return versions.timing_test(folders.version(self._sandbox.path, key, found.number))

    def card(self, key: str, version: int | None = None) -> Card:
        """Return the model card of a version."""
        return reading.card(self.version(key, version))

    def scores(
        self,
        key: str,
        run: str = "latest",
        format: Literal["parquet", "csv", "ndjson"] | None = None,  # noqa: A002
        path: str | Path | None = None,
    ) -> ScoresFile:
        """Write the scores of a run, with their reasons, to a file; default one in the folder of exports."""
        self.get(key)
        return reading.scores(self._sandbox, key, run, format, None if path is None else Path(path))

    def page(self, key: str, run: str = "latest", limit: int = 100, after: str | None = None) -> ScoresPage:
        """Return some of the scores of a run with their reasons, the likeliest first.

        Parameters
        ----------
        key : str
            The model.
        run : str
            Number of the run.
        limit : int
            At most so many people.
        after : str, optional
            The `next` of the page before.
        """
        self.get(key)
        return reading.page(self._sandbox, key, run, limit, after)

    # -- one person -------------------------------------------------------------------------------------------------

    def explain(self, key: str, person: str) -> Prediction:
        """Return what a model says of a person on the profile, and why.

        Parameters
        ----------
        key : str
            The model.
        person : str
            An identity as ``Namespace:value``, or the id of a person (``p-…``).
        """
        return stored(self._sandbox, key, person)

    def score(self, key: str, person: str, at: str | int | None = None, *, what_if: bool = False) -> Prediction:
        """Score one person as of an instant, default now, by the version in use; nothing is saved.

        Parameters
        ----------
        key : str
            The model.
        person : str
            An identity as ``Namespace:value``, or the id of a person (``p-…``).
        at : str or int, optional
            The instant.
        what_if : bool
            Whether to look for what would move the person to another bucket too: days without activity, and other
            values of attributes. It takes longer than the score.
        """
        return self._desk.score(key, person, instant(at), what_if=what_if)

    def predictions(self, person: str) -> builtins.list[Prediction]:
        """Return everything that is predicted of a person and still counts."""
        return all_stored(self._sandbox, person)

    @cached_property
    def _desk(self) -> Desk:
        return Desk(self._sandbox)

    # -- audiences --------------------------------------------------------------------------------------------------

    def audience_from(
        self,
        key: str,
        name: str,
        *,
        bucket: str | None = None,
        range: Iterable[int] | None = None,  # noqa: A002
        top: float | None = None,
        reach: float | None = None,
        factor: str | None = None,
        values: str | None = None,
        title: str = "",
    ) -> Audience:
        """Make an audience of the people with some scores, and fill it.

        Its description says what a high score does not: that an offer makes a difference.

        Parameters
        ----------
        key : str
            The model.
        name : str
            Of the audience.
        bucket : {"low", "medium", "high"}, optional
            The people of a bucket.
        range : pair of int, optional
            Those with a score from the one to the other.
        top : float, optional
            The likeliest people of each run: a share below 1, or a number.
        reach : float, optional
            So many of the likeliest as are expected to hold this share of those for whom it comes true.
        factor : str, optional
            Only people who have the factor of this code among their reasons.
        values : str, optional
            With a factor and a bucket: only people whose value lies in a range, named as the insights name it.
        title : str
            Words for people.
        """
        bounds = None if range is None else tuple(range)
        rule = audiences.rule(self._sandbox, key, bucket, bounds, top, reach, factor, values)
        model = self.get(key)
        likely = bucket == "high" or top is not None or reach is not None
        said = " ".join(warnings.of_likely(model)) if likely else ""
        made = self._workspace.audiences.put(name, rule, title=title, description=said, view=model.view)
        self._workspace.audiences.evaluate([name])
        return made


def request_cancel(root: str | Path, sandbox: str, key: str) -> builtins.list[int]:
    """Ask the run of a model that another process has under way to stop; return its number, if there is one.

    The workspace need not be opened for it, and cannot be while the run has it.
    """
    return folders.request_cancel(Path(root) / sandbox, key)
