"""The dry run: counts, dates and leaks of a model, by a few statements and without any training."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.core.clock import DAY
from coterie.core.schema import Union
from coterie.engine.people import bitmap
from coterie.governance.labels import in_order
from coterie.prediction import problems
from coterie.prediction.data.cutoffs import Cutoffs, plan, required_days
from coterie.prediction.data.features import attributes
from coterie.prediction.data.features.sheet import Sheet
from coterie.prediction.data.learning import learn
from coterie.prediction.data.population import Rows
from coterie.prediction.data.store import FeatureStore
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Goal, Model
from coterie.prediction.frame import Outcomes
from coterie.prediction.goal import to_pql
from coterie.prediction.problems import ADVISED, FLOOR, SIMPLEST, Problem
from coterie.prediction.trust import leakage, policies, unseen, warnings
from coterie.prediction.trust.checks import Check, Completeness, CutoffCount, History, Role
from coterie.prediction.trust.extent import (
    Extent,
    completeness,
    extent,
    late_share,
    silence,
    usual_gap,
    usual_lag,
)
from coterie.prediction.trust.leakage import MOST_ROWS, Suspect
from coterie.profile.policy import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STALE = 3
"""As many usual delays make the newest event old."""
SILENT_DAYS, EXPECTED = 7, 5
"""Days at the end of a window that must not be silent, where as many events are usual in them."""

Carried = Callable[[Vocabulary | None], Mapping[str, Iterable[str]]]
"""Gives the fields that a model with a vocabulary reads, by the data usage labels they carry."""


@dataclass(frozen=True)
class Examined:
    """A dry run, with what a run can go on from.

    Parameters
    ----------
    check : Check
        What it found.
    cutoffs : Cutoffs or None
        The cut-offs, the instant of scoring among them; None when there are no events.
    vocabulary : Vocabulary or None
        What features are made of.
    """

    check: Check
    cutoffs: Cutoffs | None
    vocabulary: Vocabulary | None


def examine(
    con: DuckDBPyConnection,
    union: Union,
    model: Model,
    at: int,
    *,
    rule: str | None = None,
    policy: View | None = None,
    scores_with: Vocabulary | None = None,
    fixed: bool = False,
    others: Collection[Model] = (),
    carried: Carried | None = None,
    forbidden: Collection[str] = (),
) -> Examined:
    """Look at the data of a model as of an instant, without training anything.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    at : int
        The instant of the prediction, ms.
    rule : str, optional
        The rule of the population: that of its audience, or its own when left out.
    policy : View, optional
        How records are merged, for attributes as of a cut-off.
    scores_with : Vocabulary, optional
        That of the version that is to score people, where nothing is to be trained: then only the newest closed window
        is counted, and only what stands in the way of scoring is told.
    fixed : bool
        Whether people are to be scored as of that instant even when the data are older.
    others : collection of Model
        The models there are beside it.
    carried : callable, optional
        Gives the fields that it reads by their data usage labels.
    forbidden : collection of str
        Paths of fields of events that may not be learnt from; none of them is chosen.
    """
    began = time.perf_counter()
    found = _Examination(con, union, model, at, rule, fixed, policy, scores_with, forbidden)
    listed = [*found.problems(), *warnings.warnings_of(model, others)]
    labelled = {} if carried is None else carried(found.vocabulary)
    objections = policies.objections(labelled)
    listed += policies.problems_of(objections)
    check = Check(
        model=model.key,
        at=at,
        scoring_at=found.scoring_at,
        history=found.history,
        cutoffs=found.counts,
        people=found.people,
        positives=found.positives,
        negatives=found.negatives,
        completeness=found.completeness,
        attributes=found.suspects,
        labels=in_order(labelled),
        objections=objections,
        problems=problems.ordered(listed),
        seconds=round(time.perf_counter() - began, 3),
    )
    return Examined(check, found.cutoffs, found.vocabulary)


@dataclass(frozen=True)
class _Examination:
    con: DuckDBPyConnection
    union: Union
    model: Model
    at: int
    rule: str | None
    fixed: bool
    policy: View | None
    scores_with: Vocabulary | None
    forbidden: Collection[str]

    # -- what there is ----------------------------------------------------------------------------------------------

    @cached_property
    def extent(self) -> Extent:
        return extent(self.con, self.union, self.model, self.at)

    @cached_property
    def _lag(self) -> int:
        return usual_lag(self.con, self.model.view)

    @property
    def _stale(self) -> bool:
        return self.extent.last is not None and self.at - self.extent.last > STALE * self._lag

    @cached_property
    def scoring_at(self) -> int:
        """The instant people are scored as of: where data are stale, the end of the day of the newest event."""
        if self.extent.last is None or self.fixed or not self._stale:
            return self.at
        return (self.extent.last // DAY + 1) * DAY

    @cached_property
    def cutoffs(self) -> Cutoffs | None:
        if self.extent.first is None or self.extent.last is None:
            return None
        planned = plan(self.model, self.extent.first, self.extent.last, self.scoring_at)
        if self.scores_with is None:
            return planned
        return Cutoffs(planned.scoring, planned.training[:1], planned.folds[:1], by_time=planned.by_time)

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        if self.cutoffs is None or self.scores_with is not None:
            return self.scores_with
        return learn(self.con, self.union, self.model, self.cutoffs, self.policy, self.forbidden)

    @cached_property
    def history(self) -> History:
        first, last = self.extent.first, self.extent.last
        return History(
            first=first,
            last=last,
            events=self.extent.own,
            people=self.extent.people,
            days=0.0 if first is None else (self.scoring_at - first) / DAY,
            required=required_days(self.model),
            by_time=self.cutoffs is not None and self.cutoffs.by_time,
        )

    # -- who is eligible, and what came of it -----------------------------------------------------------------------

    @cached_property
    def _rows(self) -> Rows:
        if self.cutoffs is None or self.vocabulary is None:
            return Rows(np.zeros(0, np.int32), np.zeros(0, np.int64))
        store = FeatureStore(self.con, self.union, self.model, self.vocabulary, self.rule, self.policy)
        return store.population([*self.cutoffs.training, self.cutoffs.scoring])

    @cached_property
    def _outcomes(self) -> Outcomes:
        rows = self._rows
        if self.cutoffs is None or self.vocabulary is None or not self.cutoffs.training:
            none = np.zeros(0, bool)
            return Outcomes(rows.people[:0], rows.cutoffs[:0], none, none, np.zeros(0, np.int32))
        store = FeatureStore(self.con, self.union, self.model, self.vocabulary, self.rule, self.policy)
        return store.outcomes(rows.take(np.isin(rows.cutoffs, self.cutoffs.training)))

    @cached_property
    def counts(self) -> tuple[CutoffCount, ...]:
        return tuple(self._counts())

    def _counts(self) -> Iterator[CutoffCount]:
        if self.cutoffs is None:
            return
        goal, scoring = self.model.goal, self.cutoffs.scoring
        tests = {fold.test for fold in self.cutoffs.folds}
        eligible = int((self._rows.cutoffs == scoring).sum())
        yield CutoffCount(scoring, "scoring", *goal.window(scoring), eligible)
        for cutoff in self.cutoffs.training:
            label = self._outcomes.label[self._outcomes.cutoffs == cutoff]
            people, hits = len(label), int(label.sum())
            role: Role = "test" if cutoff in tests else "training"
            rate = round(hits / people, 6) if people else None
            yield CutoffCount(cutoff, role, *goal.window(cutoff), people, hits, rate)

    @cached_property
    def people(self) -> int:
        return len(np.unique(self._outcomes.people))

    @cached_property
    def positives(self) -> int:
        return len(np.unique(self._outcomes.people[self._outcomes.label]))

    @cached_property
    def negatives(self) -> int:
        return len(np.unique(self._outcomes.people[~self._outcomes.label]))

    @cached_property
    def completeness(self) -> tuple[Completeness, ...]:
        model, vocabulary = self.model, self.vocabulary
        events = {test.field for kind in model.kinds for test in kind.where}
        events |= set(model.goal.measured)
        if vocabulary is not None:
            events |= {category.field for category in vocabulary.categories}
            events |= {amount.field for amount in vocabulary.amounts}
        profiles = {attribute.field for attribute in model.attributes}
        return completeness(self.con, self.union, model.view, events, profiles, self.scoring_at)

    # -- leaks ------------------------------------------------------------------------------------------------------

    @cached_property
    def suspects(self) -> tuple[Suspect, ...]:
        """The attributes, held against what came of the newest training cut-off."""
        if self.cutoffs is None or self.vocabulary is None or not self.cutoffs.training or self.scores_with is not None:
            return ()
        cutoff = self.cutoffs.training[0]
        mine = np.flatnonzero(self._outcomes.cutoffs == cutoff)
        mine = mine[:: max(1, -(-len(mine) // MOST_ROWS))]
        if not self.vocabulary.attributes or not len(mine):
            return ()
        people, label = self._outcomes.people[mine], self._outcomes.label[mine]
        confirmed = {each.field for each in self.model.attributes if each.confirmed}
        features = tuple(attributes.features(self.vocabulary))
        sheet = Sheet(features, len(people))
        asked = np.full(len(people), cutoff, np.int64)
        attributes.fill(self.con, self.union, self.vocabulary, self.model.view, self.policy, sheet, people, asked)
        found = []
        for known, feature in zip(self.vocabulary.attributes, features, strict=True):
            values = sheet.column(feature.name)
            both = label.any() and not label.all()
            late = self._late(known.field, people, cutoff) if known.source == "snapshot" else 0.0
            found.append(
                Suspect(
                    field=known.field,
                    source=known.source,
                    auc=leakage.alone(values, label, categories=bool(feature.values)) if both else None,
                    late=late,
                    known=float((~np.isnan(values)).mean()),
                    confirmed=known.field in confirmed,
                )
            )
        return tuple(found)

    def _late(self, field: str, people: npt.NDArray[np.int32], cutoff: int) -> float:
        return late_share(self.con, self.model.view, field, bitmap(people), cutoff)

    # -- problems ---------------------------------------------------------------------------------------------------

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong; what follows from another problem is not told twice."""
        seen, model = self.extent, self.model
        if not seen.events:
            yield problems.no_input(model.view)
            return
        if seen.first is None or seen.last is None or self.cutoffs is None:
            yield problems.no_event(seen.events, seen.passed, seen.events - seen.passed - seen.own)
            return
        if self._stale and not self.fixed:
            yield problems.data_stale(seen.last, self.at, self._lag)
        never = tuple(unseen.problems_of(self.con, self.union, model, seen))
        yield from never
        if problems.errors(never):
            return
        if self.scores_with is None:
            yield from self._history(seen.first, seen.last)
            if self.cutoffs.training:
                yield from self._population()
        if not int((self._rows.cutoffs == self.cutoffs.scoring).sum()):
            yield problems.no_scoring_data(self.scoring_at, model.population.lookback_days)
        if self.scores_with is None:
            yield from leakage.problems_of(self.suspects)
            yield from self._advice()

    def _history(self, first: int, last: int) -> Iterator[Problem]:
        history = self.history
        if self.cutoffs is None or not self.cutoffs.training:
            least = required_days(self.model, windows=1)
            yield problems.not_enough_history(history.days, least, first, last, trainable=False)
        elif not self.cutoffs.by_time:
            yield problems.not_enough_history(history.days, history.required, first, last, trainable=True)

    def _population(self) -> Iterator[Problem]:
        assert self.cutoffs is not None
        goal, training = self.model.goal, self.cutoffs.training
        opens, closes = goal.window(training[-1])[0], goal.window(training[0])[1]
        if not self.people:
            yield problems.no_population(training[0], self.model.population.lookback_days, self.extent.people)
            return
        yield from self._silence(training[0])
        simple = goal.repeats and self.people >= SIMPLEST
        if self.people < 2 * ADVISED:
            trainable = simple or self.people >= 2 * FLOOR
            yield problems.not_enough_population(self.people, trainable=trainable, first=opens, last=closes)
        came, stayed = said(goal)
        if not self.positives:
            yield problems.no_objective(self.people, came, opens, closes)
        elif not self.negatives:
            yield problems.single_value(self.people, came, opens, closes)
        else:
            for outcome, found in ((came, self.positives), (stayed, self.negatives)):
                if found < ADVISED:
                    trainable = simple or found >= FLOOR
                    yield problems.not_enough_objective(outcome, found, trainable=trainable, first=opens, last=closes)

    def _silence(self, cutoff: int) -> Iterator[Problem]:
        """Yield 408 when eligible people are silent at the end of the newest window, although it is not their way."""
        people = bitmap(self._outcomes.people[self._outcomes.cutoffs == cutoff])
        end = self.model.goal.window(cutoff)[1]
        days = min(SILENT_DAYS, self.model.goal.window_days)
        if people and self.extent.first is not None:
            recent, usual = silence(self.con, self.union, self.model, people, self.extent.first, end, days)
            if not recent and usual >= EXPECTED:
                yield problems.no_recent_data(days, end, usual)

    def _advice(self) -> Iterator[Problem]:
        model, goal = self.model, self.model.goal
        if goal.window_days > self.history.days / 3:
            yield problems.long_window(goal.window_days, self.history.days)
        restricted = model.population.where is not None or model.population.audience is not None
        if goal.polarity == "will_not_occur" and not restricted:
            gap = usual_gap(self.con, self.union, model, self.scoring_at)
            days = max(goal.window_days, gap or 0)
            happening = msgspec.structs.replace(goal, polarity="will_occur")
            yield problems.churn_population(days, to_pql(happening, self.union, days))


def said(goal: Goal) -> tuple[str, str]:
    """Return words after "for whom": that the prediction came true, and that it did not."""
    happened, not_happened = "it happened", "it did not happen"
    return (happened, not_happened) if goal.polarity == "will_occur" else (not_happened, happened)
