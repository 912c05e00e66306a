"""People whose behaviour is known: what drives it, what only goes along, and what has nothing to do with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.odds import probability

DAY = 86_400_000
WINDOWS = (7, 30, 90)


def feature(name: str, family: Family, factor: str, **more: object) -> Feature:
    subject = factor.partition(":")[2]
    return Feature(name=name, family=family, subject=subject, factor=factor, **more)  # type: ignore[arg-type]


FEATURES = (
    *(feature(f"Purchase:n_{d}d", Family.FREQUENCY, "often:Purchase", window_days=d) for d in WINDOWS),
    feature("Purchase:days_since", Family.RECENCY, "since:Purchase"),
    *(feature(f"Search:n_{d}d", Family.FREQUENCY, "often:Search", window_days=d) for d in WINDOWS),
    *(feature(f"Mail:n_{d}d", Family.FREQUENCY, "often:Mail", window_days=d, exposure=True) for d in WINDOWS),
    feature("loyalty.tier", Family.ATTRIBUTES, "attribute:loyalty.tier", values=("bronze", "silver", "gold")),
    *(feature(f"noise:{i}", Family.HABIT, f"habit:{i}") for i in range(4)),
)
DRIVERS = {"often:Purchase", "since:Purchase", "attribute:loyalty.tier"}


def counts(rng: np.random.Generator, rate: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Counts of events in growing windows: each holds the one before."""
    parts = [rng.poisson(rate * days) for days in (7, 23, 60)]
    return [part.astype(np.float64) for part in np.cumsum(parts, axis=0)]


def world(n: int, seed: int) -> tuple[Examples, dict[str, npt.NDArray[np.float64]]]:
    """Make people, and what each driver truly adds to their log-odds.

    What they buy in 90 days, how long ago they bought and their tier drive the outcome; searches, mails and noise do
    not.
    """
    rng = np.random.default_rng(seed)
    bought = counts(rng, rng.gamma(1.0, 0.03, n))
    searched = counts(rng, rng.gamma(2.0, 0.03, n))
    mailed = counts(rng, np.full(n, 0.1))
    since = rng.exponential(30, n).clip(0, 200)
    tier = rng.integers(0, 3, n)
    columns = [*bought, since, *searched, *mailed, tier, *rng.normal(size=(4, n))]
    truth = {
        "often:Purchase": 0.5 * (np.minimum(bought[2], 8) - 2.5),
        "since:Purchase": -0.04 * (np.minimum(since, 90) - 25),
        "attribute:loyalty.tier": np.array([-1.0, 0.0, 1.0])[tier],
    }
    hit = rng.random(n) < probability(-0.5 + sum(truth.values()))
    frame = Frame(
        FEATURES,
        np.arange(n, dtype=np.int32),
        np.full(n, 400 * DAY, dtype=np.int64),
        np.asfortranarray(np.column_stack(columns).astype(np.float32)),
    )
    day = np.where(hit, rng.integers(0, 30, n), -1).astype(np.int32)
    return Examples(frame, hit, hit, day, np.ones(n)), truth
