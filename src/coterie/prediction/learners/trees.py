"""Boosted trees (LightGBM; Ke and others 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Literal

import lightgbm
import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Feature
from coterie.prediction.learners.learner import Values
from coterie.prediction.odds import Floats, log_loss, log_odds, probability

FILE = "trees.txt"
MOST_ROUNDS = 1000
PATIENCE = 60
"""Rounds without a lower loss after which learning stops."""

MOST_HELD_OUT = 50_000
"""Rows that are looked at after each round."""

Stop = Callable[[int], None]
"""Called after each round with its number; whatever it raises ends the learning."""


@dataclass(frozen=True)
class Trees:
    """Boosted trees, kept as the text that LightGBM writes.

    Parameters
    ----------
    text : str
        The trees. What is predicted always comes from this text, so that a model read from a file predicts to the bit
        what it predicted before it was written.
    """

    text: str
    algorithm: Literal["trees"] = "trees"

    @cached_property
    def booster(self) -> Any:
        """The trees as LightGBM holds them."""
        return lightgbm.Booster(model_str=self.text)

    @property
    def rounds(self) -> int:
        """The number of trees."""
        return int(self.booster.num_trees())

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row."""
        if not len(values):
            return np.zeros(0)
        return np.asarray(self.booster.predict(values, raw_score=True, num_threads=1), np.float64)

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what each feature adds to the log-odds of each row, and the base (TreeSHAP; Lundberg 2020)."""
        sums = np.asarray(self.booster.predict(values, pred_contrib=True, num_threads=1), np.float64)
        return sums[:, :-1], float(sums[0, -1])

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
        return {FILE: self.text.encode()}


def read(files: Mapping[str, bytes]) -> Trees:
    """Read what `files` returned."""
    return Trees(files[FILE].decode())


class Binned:
    """Examples sorted into bins once, to fit trees on several selections of their rows.

    Parameters
    ----------
    features : sequence of Feature
        The columns.
    values : array of float32, shape (n, features)
        The examples.
    label : array of bool, shape (n,)
        What is predicted.
    weight : array of float, shape (n,)
        How many people each row stands for.
    seed : int
        Of the features that each tree sees.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        values: Values,
        label: npt.NDArray[np.bool_],
        weight: Floats,
        seed: int,
    ) -> None:
        self._parameters = {
            "objective": "binary",
            "learning_rate": 0.03,
            "num_leaves": 12,
            "max_depth": 4,
            "min_data_in_leaf": 40,
            "feature_fraction": 0.5,
            "lambda_l2": 5.0,
            "max_bin": 127,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "seed": seed % 2**31,
            "verbosity": -1,
        }
        self._label, self._weight = label, weight
        self._one_by_one = Lock()
        self._data = lightgbm.Dataset(
            values,
            label=label.astype(np.float32),
            weight=(weight / weight.mean()).astype(np.float32),
            feature_name=[f"f{i}" for i in range(len(features))],
            categorical_feature=[i for i, feature in enumerate(features) if feature.values],
            params=self._parameters,
            free_raw_data=True,
        ).construct()

    def until_no_better(
        self, rows: npt.NDArray[np.intp], held_out: npt.NDArray[np.intp], stop: Stop
    ) -> tuple[Any, int]:
        """Fit on some rows until the loss on others no longer falls; return the trees and the best number of rounds."""
        seen = held_out[:: 1 + len(held_out) // MOST_HELD_OUT]
        booster = lightgbm.train(
            {**self._parameters, "metric": "None"},
            self._some(rows),
            MOST_ROUNDS,
            valid_sets=[self._some(seen)],
            feval=_Loss(self._label[seen], self._weight[seen]),
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), lambda env: stop(env.iteration + 1)],
        )
        return booster, int(booster.best_iteration)

    def _some(self, rows: npt.NDArray[np.intp]) -> Any:
        with self._one_by_one:  # back-tests are learnt side by side, and all of them copy from the same bins
            return self._data.subset(rows.tolist()).construct()

    def fit(self, rounds: int, stop: Stop) -> Trees:
        """Fit on all rows."""
        booster = lightgbm.train(self._parameters, self._data, rounds, callbacks=[lambda env: stop(env.iteration + 1)])
        return Trees(booster.model_to_string(num_iteration=-1))


class _Loss:
    """The log-loss of held-out rows, with the intercept that fits them.

    Between the windows learnt from and the one held out the base rate moves, with the season or a campaign. Were that
    part of the loss, learning would stop early where the rate fell, and late where it rose, whatever the trees know.
    """

    def __init__(self, label: npt.NDArray[np.bool_], weight: Floats) -> None:
        self._label, self._weight = label, weight
        self._shift = 0.0

    def __call__(self, predicted: Floats, _: Any) -> tuple[str, float, bool]:
        """Return name, loss, and that less is better."""
        label, weight = self._label, self._weight
        odds = log_odds(predicted)
        for _ in range(2):  # steps of Newton's method, from where the last round ended
            p = probability(odds + self._shift)
            slope = max(float(weight @ (p * (1 - p))), 1e-9)
            self._shift = min(max(self._shift - float(weight @ (p - label)) / slope, -10.0), 10.0)
        return "loss", float(weight @ log_loss(odds + self._shift, label)) / float(weight.sum()), False
