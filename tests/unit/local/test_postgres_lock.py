"""The lock file of a PostgreSQL that was killed keeps nobody from starting the next one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform import postgres
from local.platform.state import PlatformError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(postgres, "home", lambda: tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def at_work(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the data folder, until its input ends."""
    reading = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(reading, cwd=data, stdin=subprocess.PIPE) as process:
        yield process


def locked_by(data: Path, process: int) -> Path:
    lock = data / "postmaster.pid"
    lock.write_text(f"{process}\n{data}\n")
    return lock


def test_the_lock_of_a_killed_server_goes_although_another_process_has_its_number(data: Path) -> None:
    lock = locked_by(data, os.getpid())
    postgres.release_lock()
    assert not lock.exists()


def test_the_lock_of_a_server_that_is_not_reaped_yet_goes(data: Path, at_work: subprocess.Popen[bytes]) -> None:
    lock = locked_by(data, at_work.pid)
    at_work.kill()
    os.waitid(os.P_PID, at_work.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays as a zombie
    postgres.release_lock()
    assert not lock.exists()


def test_the_lock_of_a_server_at_work_stays(data: Path, at_work: subprocess.Popen[bytes]) -> None:
    lock = locked_by(data, at_work.pid)
    postgres.release_lock()
    assert lock.exists()


def test_what_a_killed_server_has_left_at_work_is_waited_for_and_named(
    data: Path, at_work: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locked_by(data, os.getpid())
    monkeypatch.setattr(postgres, "RELEASE_SECONDS", 0.2)
    with pytest.raises(PlatformError, match=f"process {at_work.pid} of a killed PostgreSQL still works in"):
        postgres.release_lock()
    assert lock.exists()


def test_without_a_lock_there_is_nothing_to_do(data: Path) -> None:
    postgres.release_lock()
    assert list(data.iterdir()) == []
