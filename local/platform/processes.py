"""Background processes: started in a session of their own, without any descriptor of the caller, and found again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local.platform.state import LOGS, STATE, PlatformError, read_json, write_json

PROCESSES = STATE / "processes.json"
STOP_SECONDS = 20


@dataclass(frozen=True)
class Service:
    """A background process.

    :param ready: tells whether it answers
    :param user: numeric user and group that it runs as when the launcher is root
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    cwd: Path
    ready: Callable[[], bool]
    ready_seconds: float = 90.0
    user: int | None = None
    stop_signal: int = signal.SIGTERM
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"


def running() -> dict[str, int]:
    """Services of this checkout that are alive: name to process id."""
    known = read_json(PROCESSES) or {}
    return {
        name: entry["pid"]
        for name, entry in known.items()
        # A service that had ended before its start time was read has none.
        if entry["started_at"] is not None and _started_at(entry["pid"]) == entry["started_at"]
    }


def start(service: Service) -> int:
    """Start a service; returns its process id.

    :raises PlatformError: when its program cannot be started
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        with service.log.open("ab") as log:
            process = subprocess.Popen(
                service.command,
                env=service.environment,
                cwd=service.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                user=service.user,
                group=service.user,
                extra_groups=[] if service.user is not None else None,
            )
    except OSError as error:
        raise PlatformError(f"{service.name} cannot be started ({error}): run `make clean`, then again") from None
    known = read_json(PROCESSES) or {}
    known[service.name] = {"pid": process.pid, "started_at": _started_at(process.pid)}
    write_json(PROCESSES, known)
    return int(process.pid)


def wait_until_ready(service: Service) -> None:
    """Wait until a service answers.

    :raises PlatformError: when it ends or takes too long, with the last line of its log
    """
    deadline = time.monotonic() + service.ready_seconds
    while not service.ready():
        if service.name not in running():
            raise PlatformError(f"{service.name} has ended: {last_line(service.log)} (log: {service.log})")
        if time.monotonic() > deadline:
            raise PlatformError(
                f"{service.name} does not answer after {service.ready_seconds:.0f} s: {last_line(service.log)} "
                f"(log: {service.log})"
            )
        time.sleep(0.1)


def stop(name: str, with_signal: int = signal.SIGTERM) -> None:
    """End a service and its whole session; one that does not listen is killed."""
    pid = running().get(name)
    if pid is not None:
        members = _session(pid)
        _signal([pid], with_signal)
        if not _wait_gone(members, STOP_SECONDS):
            _signal(_session(pid) or members, signal.SIGKILL)
            _wait_gone(members, 5)
        # What the leader left behind ends with it.
        _signal(_session(pid), signal.SIGKILL)
    known = read_json(PROCESSES) or {}
    if known.pop(name, None) is not None:
        write_json(PROCESSES, known)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in pids if _is_alive(pid)]:
        if time.monotonic() > deadline:
            return False
        _reap(alive)
        time.sleep(0.05)
    return True


def _reap(pids: list[int]) -> None:
    """Collect children of this launcher, which would stay as zombies."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _stat(pid: int) -> list[str] | None:
    try:
        # The name in parentheses may hold blanks; what follows it does not.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_alive(pid: int) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def _started_at(pid: int) -> str | None:
    """Start time of a process in clock ticks after boot: a recycled process id has another one."""
    stat = _stat(pid)
    return None if stat is None or stat[0] == "Z" else stat[19]


def working_in(folder: Path) -> list[int]:
    """Process ids of what has this working folder, as far as this user may know; the dead have none."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


def _session(leader: int) -> list[int]:
    """Process ids of a session, leader included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None and stat[0] != "Z" and int(stat[3]) == leader:
                found.append(int(entry.name))
    return found


def resident_megabytes() -> float:
    """Resident memory of all services with their children, in MB; shared pages count once (proportional set size)."""
    total = 0
    for leader in running().values():
        for pid in _session(leader):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def last_line(log: Path) -> str:
    """What a log ends with, to be told beside its path."""
    if not log.exists():
        return "no log"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "its log is empty"
