"""Parts of a training side by side: what comes of them, what ends them, and linear algebra on one thread."""

from __future__ import annotations

import time
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from coterie.prediction.modelling import lanes as lanes_
from coterie.prediction.modelling.lanes import Abandoned, Lanes, single_threaded


class Stop(Exception):
    pass


def endless(lanes: Lanes, ended: Event) -> None:
    """Work until nobody waits for it."""
    try:
        while True:
            lanes.check()
            time.sleep(0.001)
    except Abandoned:
        ended.set()
        raise


def test_parts_give_what_they_worked_out() -> None:
    with Lanes(lambda: None, 2) as lanes:
        parts = [lanes.begin(divmod, number, 3) for number in range(20)]
        lanes.join(*parts)
        assert [part.result() for part in parts] == [divmod(number, 3) for number in range(20)]


def test_what_stops_the_one_that_waits_ends_all_parts() -> None:
    asked: list[float] = []
    ended = Event()

    def stop() -> None:
        asked.append(time.monotonic())
        if len(asked) == 3:
            raise Stop

    with Lanes(stop, 1) as lanes:
        running, never = lanes.begin(endless, lanes, ended), lanes.begin(endless, lanes, Event())
        with pytest.raises(Stop):
            lanes.join(running, never)
    assert ended.is_set()
    assert isinstance(running.exception(), Abandoned)
    assert never.cancelled()


def test_a_part_that_fails_ends_the_others() -> None:
    ended = Event()
    with pytest.raises(ZeroDivisionError), Lanes(lambda: None, 2) as lanes:
        lanes.join(lanes.begin(endless, lanes, ended), lanes.begin(divmod, 1, 0))
    assert ended.is_set()


def test_progress_is_told_by_the_one_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_, "LOOK", 0.001)
    told: list[int] = []
    enough = Event()

    def tell() -> None:
        told.append(len(told))
        if len(told) > 4:
            enough.set()

    with Lanes(lambda: None, 1) as lanes:
        part = lanes.begin(enough.wait, 60)
        lanes.join(part, tell=tell)
    assert part.result()
    assert len(told) > 4


def test_linear_algebra_keeps_to_one_thread_and_has_its_threads_back() -> None:
    def threads() -> list[int]:
        np.ones((8, 8)) @ np.ones((8, 8))
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = threads()
    with single_threaded():
        assert set(threads()) == {1}
    assert threads() == before
