"""BG/NBD: repeat purchases from how many, how lately and since when alone (Fader, Hardie, Lee 2005).

Customers buy at random moments at a rate of their own (gamma distributed over customers: `r`, `alpha`); after each
purchase they may stop for good (with a probability of their own, beta distributed: `a`, `b`). It learns from histories
alone, without knowing what came of them, so it serves where too few reached the goal to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from coterie.prediction.learners.learner import Values
from coterie.prediction.modelling.roles import Repeats
from coterie.prediction.odds import Floats, log_odds
from coterie.prediction.problems import SIMPLEST

FILE = "bgnbd.json"
MOST_PEOPLE = 50_000


class Parameters(msgspec.Struct, frozen=True):
    """The distributions of purchase rates (gamma) and of stopping (beta); rates are per day."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class BgNbd:
    """The closed form of BG/NBD.

    Parameters
    ----------
    repeats : Repeats
        Where histories are found.
    parameters : Parameters
        What was fitted.
    usual : tuple of float
        Count, recency and tenure of a middling customer, against whom contributions are told.
    """

    repeats: Repeats
    parameters: Parameters
    usual: tuple[float, float, float]
    algorithm: Literal["bgnbd"] = "bgnbd"

    def log_odds(self, values: Values) -> Floats:
        """Return the log-odds of each row; somebody without any such event counts as a middling customer."""
        return self._odds(*self._history(values))

    def contributions(self, values: Values) -> tuple[Floats, float]:
        """Return what count, recency and tenure add to the log-odds of each row, and the base.

        Shapley values against a middling customer (Shapley 1953): the mean, over the orders in which the three are
        told, of what each changes.
        """
        told = self._history(values)
        known = {chosen: self._odds(*self._mixed(told, chosen)) for chosen in product((False, True), repeat=3)}
        added = np.zeros(values.shape)
        for i, column in enumerate((self.repeats.count, self.repeats.recency, self.repeats.tenure)):
            for chosen, odds in known.items():
                if not chosen[i]:
                    with_it = (*chosen[:i], True, *chosen[i + 1 :])
                    share = factorial(sum(chosen)) * factorial(2 - sum(chosen)) / factorial(3)
                    added[:, column] += share * (known[with_it] - odds)
        base = self._odds(*(np.array([value]) for value in self.usual))
        return added, float(base[0])

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
        return {
            FILE: msgspec.json.encode({"repeats": self.repeats, "parameters": self.parameters, "usual": self.usual})
        }

    def _history(self, values: Values) -> tuple[Floats, Floats, Floats]:
        columns = history(values, self.repeats)
        count, recency, tenure = (
            np.where(np.isnan(column), usual, column) for column, usual in zip(columns, self.usual, strict=True)
        )
        return count, recency, tenure

    def _mixed(self, told: Sequence[Floats], chosen: Sequence[bool]) -> list[Floats]:
        return [
            column if use else np.full_like(column, usual)
            for column, use, usual in zip(told, chosen, self.usual, strict=True)
        ]

    def _odds(self, count: Floats, recency: Floats, tenure: Floats) -> Floats:
        p = again(self.parameters, count - 1, tenure - recency, tenure, self.repeats.days)
        odds = log_odds(np.clip(p, 1e-6, 1 - 1e-6))
        return odds if self.repeats.occurs else -odds


def read(files: Mapping[str, bytes]) -> BgNbd:
    """Read what `files` returned."""
    kept = msgspec.json.decode(files[FILE])
    count, recency, tenure = kept["usual"]
    return BgNbd(
        msgspec.convert(kept["repeats"], Repeats),
        msgspec.convert(kept["parameters"], Parameters),
        (float(count), float(recency), float(tenure)),
    )


def history(values: Values, repeats: Repeats) -> tuple[Floats, Floats, Floats]:
    """Return count, recency and tenure of rows of features; NaN for whoever has no such event."""
    count = np.asarray(values[:, repeats.count], np.float64)
    count = np.where(count >= 1, count, np.nan)
    recency = np.asarray(values[:, repeats.recency], np.float64)
    return count, recency, np.maximum(np.asarray(values[:, repeats.tenure], np.float64), recency)


def again(parameters: Parameters, repeats: Floats, last: Floats, age: Floats, days: float) -> Floats:
    """Return the probability of at least one more event within some days.

    Parameters
    ----------
    parameters : Parameters
        The population.
    repeats : array of float
        Events after the first.
    last : array of float
        Days from the first to the last.
    age : array of float
        Days from the first until now.
    days : float
        The window.
    """
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    x = np.maximum(repeats, 0.0)
    t, age = np.maximum(last, 0.0), np.maximum(age, 0.0)
    idle = np.log(alpha + age) - np.log(alpha + np.minimum(t, age))
    gone = np.where(
        x > 0,
        np.exp(np.minimum(np.log(a) - np.log(b + np.maximum(x, 1) - 1) + (r + x) * idle, 700.0)),
        0.0,
    )
    some = -np.expm1((r + x) * (np.log(alpha + age) - np.log(alpha + age + days)))
    found: Floats = some / (1.0 + gone)
    return found


def fit(values: Values, repeats: Repeats, *, seed: int) -> BgNbd | None:
    """Fit the histories of people, a row each, by greatest likelihood; None when hardly anybody has any."""
    count, recency, tenure = history(values, repeats)
    rows = np.flatnonzero(~(np.isnan(count) | np.isnan(recency) | np.isnan(tenure)))
    if len(rows) < SIMPLEST:
        return None
    if len(rows) > MOST_PEOPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_PEOPLE, replace=False))
    count, recency, tenure = count[rows], recency[rows], tenure[rows]
    parameters = estimate(count - 1, tenure - recency, tenure)
    usual = (float(np.median(count)), float(np.median(recency)), float(np.median(tenure)))
    return BgNbd(repeats, parameters, usual)


def estimate(repeats: Floats, last: Floats, age: Floats) -> Parameters:
    """Return the parameters under which histories are likeliest (arguments as of `again`).

    The logarithms of the parameters are searched, with a slight pull towards 1 (of one part in a thousand of the mean
    likelihood), without which they run away on histories that say nothing about stopping.
    """
    unit = max(float(age.mean()), 1e-9)
    x, t, whole = np.maximum(repeats, 0.0), np.maximum(last, 0.0) / unit, age / unit

    def loss(logs: npt.NDArray[np.float64]) -> float:
        r, alpha, a, b = np.exp(logs)
        first = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
        alive = -(r + x) * np.log(alpha + whole)
        stopped = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t)
        likelihood = first + np.where(x > 0, np.logaddexp(alive, stopped), alive)
        return float(-likelihood.mean() + 1e-3 * (logs**2).mean())

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=[(-8.0, 8.0)] * 4)
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return Parameters(r, alpha * unit, a, b)
