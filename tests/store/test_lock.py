from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coterie.core.errors import Busy
from coterie.store.lock import Holder, Lock, holder

HOLD = """
import sys, time
from pathlib import Path
from coterie.store.lock import Lock
lock = Lock.acquire(Path(sys.argv[1]))
lock.announce("http://127.0.0.1:8000")
print("held", flush=True)
time.sleep(60)
"""


ASK = """
import sys
from pathlib import Path
from coterie.store.lock import holder
while True:
    holder(Path(sys.argv[1]))
"""


def hold_elsewhere(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_process_is_told_who_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold_elsewhere(path) as process:
        try:
            assert holder(path) == Holder(process.pid, "http://127.0.0.1:8000")
            with pytest.raises(Busy, match=r"http://127\.0\.0\.1:8000") as caught:
                Lock.acquire(path)
            assert caught.value.code == "workspace.locked"
            assert caught.value.where["pid"] == process.pid
            assert caught.value.where["url"] == "http://127.0.0.1:8000"
        finally:
            process.send_signal(signal.SIGKILL)
    assert holder(path) is None  # the kernel gave it back
    Lock.acquire(path).release()


def test_nobody_holds_a_lock_never_taken_or_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    with Lock.acquire(path):
        assert holder(path) is not None
    assert holder(path) is None


def test_one_process_cannot_open_twice(tmp_path: Path) -> None:
    with Lock.acquire(tmp_path / "lock"), pytest.raises(Busy) as caught:
        Lock.acquire(tmp_path / "lock")
    assert "url" in caught.value.where
    assert caught.value.where["url"] is None


def test_asking_does_not_keep_others_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    asking = subprocess.Popen([sys.executable, "-c", ASK, str(path)])
    try:
        Lock.acquire(path).release()
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            Lock.acquire(path).release()
    finally:
        asking.kill()
        asking.wait()


def test_release_twice_and_a_shorter_announcement(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path / "lock")
    lock.announce("http://127.0.0.1:8000/a/long/path")
    lock.announce("http://a")
    found = holder(tmp_path / "lock")
    assert found is not None
    assert found.url == "http://a"
    lock.release()
    lock.release()
