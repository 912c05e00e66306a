"""Planted truth, from the intake to the profile: drivers are named, leaks refused, shifts noticed."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import coterie
from coterie.core.clock import DAY, FixedClock
from coterie.prediction.definition import Attribute
from coterie.prediction.run import Status
from coterie.prediction.why import survival

from . import shop

PEOPLE = 500


@pytest.fixture(scope="module")
def made():
    """A shop, with a week after the run."""
    return shop.simulate(PEOPLE, seed=11, days=shop.DAYS + 7, end=shop.NOW + 7 * DAY)


@pytest.fixture(scope="module")
def before(made):
    return shop.only(made, made["at"] < shop.NOW)


@pytest.fixture(scope="module")
def trained(before, tmp_path_factory):
    """The folder of a workspace whose model has run."""
    path = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch, shop.load(path, before) as ws:
        patch.setattr(survival, "CELLS", 2_500_000)  # timing is learnt from some of the rows: that is quicker
        ws.predictions.create(shop.MODEL)
        run = ws.predictions.run("buys", seed=1)
        assert run.status is Status.SUCCEEDED, run.error
        ws.predictions.scores("buys", path=path / "scores.parquet")
    return path


@pytest.fixture
def reopened(trained, tmp_path):
    """The same a week later, to be changed."""
    shutil.copytree(trained / "ws", tmp_path / "ws")
    with coterie.open(tmp_path / "ws", clock=FixedClock(shop.NOW + 7 * DAY)) as ws:
        yield ws


@pytest.fixture(scope="module")
def reasons(trained):
    """The reasons of each customer, by the number of the simulation."""
    rows = pq.read_table(trained / "scores.parquet").to_pylist()
    return {int(row["CRMID"].removeprefix("c")): row for row in rows}


def lately(events) -> np.ndarray:
    """Who searched in the ten days before the run."""
    recent = (events["kind"] == "search") & (events["at"] >= shop.NOW - shop.LATELY * DAY)
    return np.isin(np.arange(PEOPLE), events["who"][recent])


def right(code: str, sign: int, searched: bool, tier: str) -> bool:
    """Whether a factor is a driver, and speaks in its true direction."""
    subject = code.partition(":")[2]
    if subject == "search":
        return (sign > 0) == searched
    return code == "attribute:loyalty.tier" and sign != {"gold": -1, "silver": 0, "bronze": 1}[tier]


def test_the_weightiest_reason_is_a_driver_with_the_right_sign(reasons, before):
    searched = lately(before)
    named = []
    for customer, row in reasons.items():
        each = [(abs(f["contribution"]), 1, f["code"]) for f in row["factors"][:1]]
        each += [(abs(f["contribution"]), -1, f["code"]) for f in row["factors_against"][:1]]
        _, sign, code = max(each)
        named.append(right(code, sign, searched[customer], before["tier"][customer]))
    assert len(named) > 0.9 * PEOPLE
    assert np.mean(named) >= 0.9


def test_who_has_a_driver_on_a_side_reads_of_it_there(reasons, before):
    """Searching lately and gold speak for, not searching and bronze against."""
    searched = lately(before)
    for side, sign in (("factors", 1), ("factors_against", -1)):
        named = []
        for customer, row in reasons.items():
            tier = before["tier"][customer]
            if tier == ("gold" if sign > 0 else "bronze") or (searched[customer] == (sign > 0) and tier != "silver"):
                code = row[side][0]["code"] if row[side] else ""
                named.append(right(code, sign, searched[customer], tier))
        assert len(named) > 0.3 * PEOPLE
        assert np.mean(named) >= 0.9, side


def test_decoys_and_exposures_are_not_among_weighty_reasons(reasons):
    weighty = [f["code"] for row in reasons.values() for f in (*row["factors"], *row["factors_against"])
               if f["importance"] == "high"]  # fmt: skip
    assert not any("E-mail" in code for code in weighty)
    assert np.mean([code == "attribute:shoeSize" or code.endswith(":read") for code in weighty]) < 0.05


def test_insights_and_profiles_tell_the_same(trained, reasons):
    with coterie.open(trained / "ws", clock=FixedClock(shop.NOW)) as ws:
        made = ws.predictions.insights("buys")
        assert made.people == len(reasons)
        for each in made.buckets:
            assert each.people == sum(row["bucket"] == each.bucket for row in reasons.values())
            tier = next(factor for factor in each.factors if factor.code == "attribute:loyalty.tier")
            assert sum(range_.people for range_ in tier.ranges) == each.people
            for range_ in tier.ranges:
                assert ws.audiences.count(range_.pql).count == range_.people
            assert ws.audiences.count(tier.pql).count == round(tier.top_share * each.people)
        told = ws.predictions.explain("buys", "CRMID:c5")
        assert [f.code for f in told.factors] == [f["code"] for f in reasons[5]["factors"]]
        moved = ws.predictions.score("buys", "CRMID:c5", what_if=True)
        assert all(each.bucket != moved.bucket for each in moved.counterfactuals)
        waiting = [f.counterfactual.text for f in told.factors if f.counterfactual]
        assert all("without activity" in text for text in waiting)
        assert any(f["counterfactual"] for row in reasons.values() for f in row["factors"])


def test_timing_agrees_with_the_main_probability(trained):
    """Before curves are made to end at it: the two learn the same thing in different ways."""
    with coterie.open(trained / "ws", clock=FixedClock(shop.NOW)) as ws:
        held = ws.predictions.timing("buys")
        assert held.people == PEOPLE
        assert held.days == tuple(range(1, 15))
        assert abs(held.difference) < 0.02
        assert np.abs(np.subtract(held.expected, held.observed)).max() < 0.06
        told = ws.predictions.score("buys", "CRMID:c5")
        assert told.timing.probability[-1] == pytest.approx(told.probability, abs=1e-6)
        assert told.expected_date == shop.NOW + told.timing.expected_day * DAY


def test_an_attribute_that_tells_the_outcome_is_refused(reopened):
    leaking = replace(shop.MODEL, key="leaks", attributes=(*shop.MODEL.attributes, Attribute("boughtSoon")))
    reopened.predictions.create(leaking)
    check = reopened.predictions.check("leaks", at=shop.NOW)
    assert 420 in [problem.number for problem in check.problems if problem.severity == "error"]
    run = reopened.predictions.run("leaks", at=shop.NOW)
    assert run.status is Status.FAILED
    assert run.error.number == 420
    assert "boughtSoon" in run.error.message


def test_a_week_like_those_before_raises_no_alarm(reopened, made, tmp_path):
    shop.load_events(reopened, tmp_path, shop.only(made, made["at"] >= shop.NOW))
    run = reopened.predictions.run("buys", retrain=False)
    assert run.status is Status.SUCCEEDED, run.error
    assert reopened.predictions.drift("buys").level != "alarm"


def test_a_week_in_which_everybody_searches_raises_an_alarm(reopened, tmp_path):
    busy = shop.simulate(PEOPLE, seed=12, days=20, end=shop.NOW + 7 * DAY, searching=3.0)
    shop.load_events(reopened, tmp_path, shop.only(busy, busy["at"] >= shop.NOW))
    run = reopened.predictions.run("buys", retrain=False)
    assert run.status is Status.SUCCEEDED, run.error
    found = reopened.predictions.drift("buys")
    assert found.level == "alarm"
    assert any("search" in reason for reason in found.reasons)
