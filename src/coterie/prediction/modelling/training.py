"""Training: learners tried on past cut-offs, one taken and fitted to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from msgspec import structs

from coterie.core.errors import Invalid
from coterie.core.progress import Progress, Quiet
from coterie.prediction import odds
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.definition import Goal
from coterie.prediction.frame import Examples
from coterie.prediction.learners import base, bgnbd, logistic
from coterie.prediction.learners.blend import Blend
from coterie.prediction.learners.learner import Algorithm, Learner
from coterie.prediction.learners.trees import MOST_ROUNDS, Binned, Trees
from coterie.prediction.modelling import backtest, calibration, roles
from coterie.prediction.modelling import splits as splits_
from coterie.prediction.modelling.backtest import NaiveRule
from coterie.prediction.modelling.contest import compare
from coterie.prediction.modelling.evaluation import Evaluation
from coterie.prediction.modelling.interval import Interval
from coterie.prediction.modelling.lanes import Lanes, single_threaded
from coterie.prediction.modelling.scoremap import ScoreMap
from coterie.prediction.modelling.season import YearAgo, look_back
from coterie.prediction.modelling.splits import Rows, Split
from coterie.prediction.modelling.trained import OutOfTime, Trained
from coterie.prediction.odds import Floats
from coterie.prediction.problems import ADVISED, FLOOR

TOLD = 0.01
"""The part of one fit from which on progress is reported again."""
MORE_ROUNDS = 1.1
"""The final trees learn from more than those of the back-tests did: this much longer."""


def train(
    examples: Examples,
    cutoffs: Cutoffs,
    goal: Goal,
    *,
    year_ago: YearAgo | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    stop: Callable[[], None] | None = None,
    lanes: Lanes | None = None,
) -> Trained:
    """Train a model.

    Parameters
    ----------
    examples : Examples
        People at the training cut-offs, with what came of it.
    cutoffs : Cutoffs
        Those cut-offs, and the folds to test on.
    goal : Goal
        What is predicted.
    year_ago : YearAgo, optional
        People at `cutoffs.year_ago`, when the history reaches so far.
    seed : int
        Of all that is drawn at random: the same seed and examples give the same model.
    progress : Progress, optional
        Told how much is done.
    stop : callable, optional
        Called often; what it raises ends the training.
    lanes : Lanes, optional
        Threads to learn on, which ask whether to stop; its own, which ask `stop`, when not given.

    Returns
    -------
    Trained
        The model, its evaluation and its back-tests.

    Notes
    -----
    Logistic regression and boosted trees are fitted for each fold. The mean of their log-odds is taken, unless one of
    them is better beyond doubt. With fewer than 500 persons of either outcome the logistic regression is the one to
    beat. With fewer than 100 nothing is learnt from outcomes: BG/NBD when the goal is one more of an event, else
    everybody has the base rate.
    """
    if not len(examples):
        raise Invalid(
            "model.no-input",
            "there are no people to learn from at any past date.",
            hint="Check that the population holds somebody and that the events reach back far enough.",
        )
    with single_threaded(), nullcontext(lanes) if lanes else Lanes(stop or _nothing) as ours:
        return _Training(examples, cutoffs, goal, seed, progress or Quiet(), ours).run(year_ago)


def _nothing() -> None:
    """Do not stop."""


class _Training:
    def __init__(
        self,
        examples: Examples,
        cutoffs: Cutoffs,
        goal: Goal,
        seed: int,
        progress: Progress,
        lanes: Lanes,
    ) -> None:
        self.examples, self.frame = examples, examples.frame
        self.features, self.values = self.frame.features, self.frame.values
        self.cutoffs, self.goal, self.seed = cutoffs, goal, seed
        self.splits = splits_.split(examples, cutoffs, seed)
        self.repeats = roles.repeats(self.features, goal)
        self.positive, self.negative = (
            len(np.unique(self.frame.people[examples.label == outcome])) for outcome in (True, False)
        )
        self.rounds: list[int] = []
        self._binned: Binned | None = None
        self._progress, self._lanes = progress, lanes
        self._passed, self._told = [0.0] * (len(self.splits) + 1), 0.0

    def run(self, year_ago: YearAgo | None = None) -> Trained:
        if not self.splits:
            raise Invalid(
                "model.not-enough-population",
                f"of {len(np.unique(self.frame.people)):,} people none is left to test on, whichever are learnt from.",
                hint="Lengthen the look-back of the population, or drop some of its conditions.",
                where={"number": 401},
            )
        fewest = min(self.positive, self.negative)
        default: Algorithm
        if fewest < FLOOR:
            default = "bgnbd" if self._repeated(slice(None)) is not None else "base"
            predicted: dict[Algorithm, Floats] = {
                default: _gathered([self._simple(default, one) for one in self.splits])
            }
        else:
            default = "blend" if fewest >= ADVISED else "logistic"
            predicted = self._learners()
        tested = splits_.tested(self.examples, self.splits)
        candidates = compare(tested, predicted, default, self.seed)
        chosen = next((one.algorithm for one in candidates if one.chosen), default)
        self._lanes.stop()
        correction, tried = calibration.choose(tested, predicted[chosen], splits_.older(self.splits))
        probability: Floats = np.round(odds.probability(correction.apply(predicted[chosen])), 6)
        learner = self._fitted(chosen)
        season = None
        if year_ago is not None and len(year_ago.examples) and fewest >= FLOOR:
            corrected = correction.apply(predicted[chosen])
            season = look_back(year_ago, self.examples, self.cutoffs, tested, corrected, self.seed)
        if season is not None and season.applied:
            correction = structs.replace(correction, season=season.shift)
        rules = [
            NaiveRule(rule.name, rule.feature, rule.order[tested.rows]) for rule in roles.naive(self.frame, self.goal)
        ]
        everything = np.arange(len(tested))
        pooled = backtest.measure(probability, tested.label, tested.weight, tested.people, self.seed)
        evaluation = Evaluation(
            algorithm=chosen,
            by_time=any(one.closed for one in self.splits),
            people=len(np.unique(self.frame.people)),
            positive=self.positive,
            negative=self.negative,
            pooled=pooled,
            backtests=backtest.backtests(tested, probability, rules, self.seed),
            deciles=backtest.deciles(probability, tested.label, tested.weight),
            reliability=backtest.reliability(probability, tested.label, tested.weight),
            gains=backtest.gains(probability, tested.label, tested.weight),
            rules=backtest.judged(rules, tested.label, tested.weight, everything),
            candidates=candidates,
            calibration=tried,
            gate=backtest.gate(pooled.auc),
            season=season,
        )
        self._passed = [1.0] * len(self._passed)
        self._tell()
        return Trained(
            features=self.features,
            learner=learner,
            calibration=correction,
            scores=ScoreMap.learn(probability, tested.weight),
            interval=Interval.learn(tested, probability),
            evaluation=evaluation,
            seed=self.seed,
            out_of_time=OutOfTime(tested, probability),
        )

    def _learners(self) -> dict[Algorithm, Floats]:
        """Return what each learner predicted at the back-tests, having learnt from what came before them."""
        self._lanes.stop()
        binned = self._trees()
        grown = [self._lanes.begin(self._grown, binned, number) for number in range(len(self.splits))]
        others = self._lanes.begin(self._linear_and_simple)
        self._lanes.join(*grown, others, tell=self._tell)
        boosters = [part.result()[0] for part in grown]
        self.rounds = [part.result()[1] for part in grown]
        # As many rounds as were best for the other back-tests: those best for its own would flatter it.
        trees = [
            booster.predict(self.values[one.test], raw_score=True, num_iteration=self._others(i), num_threads=1)
            for i, (one, booster) in enumerate(zip(self.splits, boosters, strict=True))
        ]
        linear, simple = others.result()
        predicted: dict[Algorithm, Floats] = {"logistic": _gathered(linear), "trees": _gathered(trees)}
        predicted["blend"] = (predicted["logistic"] + predicted["trees"]) / 2
        if simple:
            predicted["bgnbd"] = _gathered(simple)
        return predicted

    def _grown(self, binned: Binned, number: int) -> tuple[Any, int]:
        one = self.splits[number]
        found = binned.until_no_better(one.train, one.test, partial(self._round, number))
        self._passed[number] = 1.0
        return found

    def _linear_and_simple(self) -> tuple[list[Floats], list[Floats]]:
        """Return what logistic regression and BG/NBD predict, one back-test after the other.

        Their columns are what takes memory, so there are never those of two fits.
        """
        linear, simple = [], []
        for one in self.splits:
            linear.append(self._logistic(one.train).log_odds(self.values[one.test]))
            if self.repeats is not None:
                simple.append(self._simple("bgnbd", one))
        return linear, simple

    def _others(self, fold: int) -> int:
        others = [rounds for i, rounds in enumerate(self.rounds) if i != fold] or self.rounds
        return max(1, round(float(np.median(others))))

    def _simple(self, algorithm: Algorithm, one: Split) -> Floats:
        """Return what BG/NBD, or else the base rate, predicts at a back-test."""
        model: Learner | None = self._repeated(one.train) if algorithm == "bgnbd" else None
        return (model or self._base(one.train)).log_odds(self.values[one.test])

    def _fitted(self, algorithm: Algorithm) -> Learner:
        """Return a learner fitted to all examples."""
        everything = slice(None)
        match algorithm:
            case "logistic":
                return self._logistic(everything)
            case "trees":
                trees = self._lanes.begin(self._all_trees)
                self._lanes.join(trees, tell=self._tell)
                return trees.result()
            case "blend":
                trees, linear = self._lanes.begin(self._all_trees), self._lanes.begin(self._logistic, everything)
                self._lanes.join(linear, trees, tell=self._tell)
                return Blend((linear.result(), trees.result()))
            case "bgnbd" | "base":
                return self._repeated(everything) or self._base(everything)

    def _all_trees(self) -> Trees:
        return self._trees().fit(self._most(), partial(self._round, -1))

    def _most(self) -> int:
        return max(1, round(MORE_ROUNDS * float(np.median(self.rounds))))

    def _logistic(self, rows: Rows | slice) -> Learner:
        self._lanes.check()
        weight = self.examples.weight[rows]
        return logistic.fit(self.features, self.values[rows], self.examples.label[rows], weight, seed=self.seed)

    def _trees(self) -> Binned:
        if self._binned is None:
            self._binned = Binned(self.features, self.values, self.examples.label, self.examples.weight, seed=self.seed)
        return self._binned

    def _repeated(self, rows: Rows | slice) -> Learner | None:
        """Return BG/NBD of histories, those of the newest cut-off alone: a person's earlier ones are part of them."""
        if self.repeats is None:
            return None
        cutoffs = self.frame.cutoffs[rows]
        return bgnbd.fit(self.values[rows][cutoffs == cutoffs.max()], self.repeats, seed=self.seed)

    def _base(self, rows: Rows | slice) -> Learner:
        return base.fit(self.examples.label[rows], self.examples.weight[rows])

    def _round(self, part: int, number: int) -> None:
        self._lanes.check()
        self._passed[part] = number / MOST_ROUNDS

    def _tell(self) -> None:
        passed = sum(self._passed)
        if passed >= self._told + TOLD or passed == len(self._passed):
            self._told = passed
            self._progress.report("training", passed, len(self._passed))


def _gathered(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.asarray(part, np.float64) for part in parts])
