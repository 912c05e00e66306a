"""A run over a history of more than two years looks at the same dates a year before."""

from tests.pipeline import shopping as shop

import coterie
from coterie.core.clock import DAY, FixedClock
from coterie.prediction.run import Status


def test_a_long_history_is_asked_for_the_same_date_a_year_before(tmp_path):
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock(shop.NOW)) as ws:
        shop.define(ws)
        shop.load(ws, tmp_path, shop.events(130, first=1_000))
        ws.predictions.create({**shop.BUYS, "seasonal": True, "publish": False})
        run = ws.predictions.run("buys")
        assert run.status is Status.SUCCEEDED, run.error
        season = ws.predictions.evaluation("buys").season
        assert season is not None
        assert season.cutoff == run.as_of - 365 * DAY
        assert 0 < season.observed < 1
        assert season.applied, season.reason
        assert "seasonal" in season.reason
        assert season.mean_with is not None
        assert season.mean_without is not None
        assert (season.mean_with > season.mean_without) == (season.shift > 0)
