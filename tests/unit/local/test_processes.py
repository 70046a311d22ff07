"""Background processes: started without the caller's descriptors, found again, and stopped with all their children."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from local.platform import processes, state
from local.platform.processes import Service
from tests.deadlines import until

CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).wait()"


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "PROCESSES", tmp_path / "processes.json")
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(state, "PORTS", tmp_path / "ports.json")
    yield tmp_path
    for name in processes.running():
        processes.stop(name, signal.SIGKILL)


def service(folder: Path, code: str, ready: bool = True) -> Service:
    return Service(
        name="sleeper", command=[sys.executable, "-c", code], environment=dict(os.environ), cwd=folder,
        ready=lambda: ready, ready_seconds=300,
    )  # fmt: skip


def members(pid: int) -> list[int]:
    return processes._session(pid)


def test_stopping_a_service_ends_its_children_too(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The signal goes to the service itself; what it does not end is killed after that.
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    pid = processes.start(service(own_state, CHILD))
    until(lambda: len(members(pid)) == 2)
    processes.stop("sleeper")
    assert members(pid) == []
    assert processes.running() == {}


def test_a_service_that_does_not_listen_is_killed(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    started = own_state / "deaf"
    deaf = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(started)!r}, 'w'); time.sleep(600)"
    pid = processes.start(service(own_state, deaf))
    until(started.exists)
    processes.stop("sleeper")
    assert members(pid) == []


def test_a_service_that_ends_is_reported_with_the_last_line_of_its_log(own_state: Path) -> None:
    broken = service(own_state, "raise SystemExit('port 1 is taken')", ready=False)
    processes.start(broken)
    with pytest.raises(state.PlatformError, match=r"sleeper has ended: port 1 is taken \(log: .*sleeper\.log\)"):
        processes.wait_until_ready(broken)


def test_a_recycled_process_id_is_not_taken_for_the_service(own_state: Path) -> None:
    state.write_json(processes.PROCESSES, {"sleeper": {"pid": os.getpid(), "started_at": "1"}})
    assert processes.running() == {}


def test_a_background_process_holds_no_descriptor_of_the_caller(own_state: Path) -> None:
    """A pipe into `cat` ends as soon as the launcher does."""
    code = (
        "import os, sys; from pathlib import Path; from local.platform import processes;"
        f"processes.PROCESSES = Path({str(own_state / 'processes.json')!r});"
        f"processes.LOGS = Path({str(own_state / 'logs')!r});"
        "processes.start(processes.Service('sleeper', [sys.executable, '-c', 'import time; time.sleep(600)'],"
        " dict(os.environ), Path('/'), lambda: True)); print('started')"
    )
    answer = subprocess.run(
        f"{sys.executable} -c \"{code}\" | cat", shell=True, capture_output=True, text=True, timeout=300,
        cwd=state.ROOT, check=True,
    )  # fmt: skip
    assert answer.stdout == "started\n"
    assert "sleeper" in processes.running()


def test_a_port_that_the_user_asks_for_and_another_program_has_is_refused(
    own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind((state.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("CONCERT_PORT_AIRFLOW", str(port))
        with pytest.raises(state.PlatformError, match=rf"port {port} for airflow is taken"):
            state.choose_ports(set())


def test_no_port_is_drawn_for_two_services(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was drawn is free until its service has started."""
    drawn = iter([5001, 5001, 5002, 5001, 5003, 5002, 5004])
    probe = MagicMock()
    probe.return_value.__enter__.return_value.getsockname = lambda: (state.HOST, next(drawn))
    monkeypatch.setattr(state, "socket", SimpleNamespace(socket=probe))
    assert sorted(state.choose_ports(set()).values()) == [5001, 5002, 5003, 5004]


def test_a_port_that_the_user_asks_for_no_other_service_has(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = state.choose_ports(set())["aws"]
    monkeypatch.setenv("CONCERT_PORT_AIRFLOW", str(last))
    chosen = state.choose_ports(set())
    assert chosen["airflow"] == last != chosen["aws"]
    monkeypatch.setenv("CONCERT_PORT_REPLAY", str(last))
    with pytest.raises(state.PlatformError, match=f"port {last} for airflow is taken by another program or service"):
        state.choose_ports(set())


def test_the_ports_of_last_time_are_taken_again(own_state: Path) -> None:
    first = state.choose_ports(set())
    assert state.choose_ports(set()) == first


def test_a_port_of_last_time_that_is_taken_now_is_replaced(own_state: Path) -> None:
    import socket

    first = state.choose_ports(set())
    with socket.socket() as taken:
        taken.bind((state.HOST, first["aws"]))
        taken.listen()
        assert state.choose_ports(set())["aws"] != first["aws"]
