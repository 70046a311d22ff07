"""Processes that run a job for the local AWS: a Glue job run, a training or a processing job."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

KILL_AFTER_SECONDS = 10
LONGEST_LINE, MOST_LINES = 1_000, 500  # of a log that go to CloudWatch
# The last line of a Python traceback, with or without the module of the exception.
EXCEPTION_LINE = re.compile(r"^(?:[\w]+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning|Failure): .+|^\w+Error$")


@dataclass(frozen=True)
class JobResult:
    """How a process ended; the reason is one line that names the log."""

    succeeded: bool
    reason: str = ""


class JobProcess:
    """One child process in a process group of its own, with its output in a log file."""

    def __init__(self, command: Sequence[str], *, environment: dict[str, str], cwd: Path, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._stopped = threading.Event()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    @property
    def was_stopped(self) -> bool:
        return self._stopped.is_set()

    def wait(self, timeout_seconds: float | None = None) -> JobResult:
        """Wait for the end; a job that takes longer is stopped and has failed."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return JobResult(False, f"timed out after {timeout_seconds:.0f} s; log: {self._log}")
        finally:
            self._kill_group()
        if code == 0:
            return JobResult(True)
        if code < 0:
            name = signal.Signals(-code).name
            return JobResult(False, f"the process was killed by {name}; log: {self._log}")
        return JobResult(False, f"{self._last_exception()} (exit code {code}); log: {self._log}")

    def stop(self) -> None:
        """Ask the process group to end, and kill it when it does not."""
        self._stopped.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_group()

    def _kill_group(self) -> None:
        # A driver that died leaves its JVM and Python workers behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _last_exception(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        found = [line.strip() for line in lines if EXCEPTION_LINE.match(line.strip())]
        return found[-1][:500] if found else (lines[-1][:500] if lines else "no output")


def environment_of_child() -> dict[str, str]:
    """The emulator's environment without its own settings, keys and token: a job has only its role."""
    own = ("AWS_", "LOCAL_", "MINISTACK_", "AIRFLOW", "S3_", "PERSIST_", "STATE_DIR", "AUTH", "GATEWAY_", "BIND_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def publish_log(logs: Any, group: str, stream: str, log: Path) -> None:
    """Bring the end of a log to CloudWatch Logs; a job whose log may not be written there has ended all the same.

    :param logs: client under the job's role
    """
    lines = [line[:LONGEST_LINE] for line in log.read_text(errors="replace").splitlines() if line.strip()]
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines[-MOST_LINES:]]
    with contextlib.suppress(BotoCoreError, ClientError):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        if events:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
