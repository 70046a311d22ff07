"""What the launcher remembers: secrets, ports and processes, in .local (never in the repository)."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.bootstrap import ENVIRONMENTS, ROOT, STATE

LOGS = STATE / "logs"
MWAA = STATE / "mwaa"  # the unpacked dist/, from which Airflow runs
AWS_STATE = STATE / "aws"
ENDPOINTS = STATE / "endpoints.json"
RUN_REPORT = STATE / "run-report.json"
SECRETS = STATE / "secrets.json"
PORTS = STATE / "ports.json"
HOST = "127.0.0.1"
SERVICES = ("warehouse", "aws", "replay", "airflow")

__all__ = ["ENVIRONMENTS", "ROOT", "STATE"]


class PlatformError(RuntimeError):
    """Something that a user can put right; the message is one line: the thing, the reason and the next step."""


def write_json(path: Path, document: Any) -> None:
    """Replace a file as a whole; only its owner may read it.

    :raises PlatformError: when the state folder is full or read-only
    """
    scratch = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(document, file, indent=2)
        scratch.replace(path)
    except OSError as error:
        raise PlatformError(f"{path} cannot be written ({error.strerror}): free some space, then run again") from None


def read_json(path: Path) -> Any:
    """Content of a file, or None when there is none or it was cut off."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def platform_secrets() -> dict[str, str]:
    """Passwords and tokens of this checkout, drawn once."""
    known = read_json(SECRETS)
    if known is None:
        names = (
            "postgres_password",
            "airflow_password",
            "jwt_secret",
            "token",
            "root_key",
            "root_secret",
            "api_secret",
        )
        known = {name: secrets.token_hex(16) for name in names}
        known["root_key"] = f"LOCALROOT{secrets.token_hex(5).upper()}"
        write_json(SECRETS, known)
    return known


# ---------------------------------------------------------------- ports


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(running: set[str]) -> dict[str, int]:
    """A port for each service: $CONCERT_PORT_<SERVICE>, else the one of last time, else a free one.

    :param running: services that run now and keep their port
    :raises PlatformError: when a port that the user asked for is taken by another program
    """
    known: dict[str, int] = read_json(PORTS) or {}
    chosen = {service: known[service] for service in SERVICES if service in running}
    rest = [service for service in SERVICES if service not in running]
    for service in rest:
        if asked := os.environ.get(f"CONCERT_PORT_{service.upper()}"):
            if not asked.isdigit() or int(asked) in chosen.values() or not is_free(int(asked)):
                raise PlatformError(
                    f"port {asked} for {service} is taken by another program or service, or is no port: "
                    f"choose another one in CONCERT_PORT_{service.upper()}, or unset it"
                )
            chosen[service] = int(asked)
    for service in (service for service in rest if service not in chosen):
        last, taken = known.get(service), set(chosen.values())
        chosen[service] = last if last and last not in taken and is_free(last) else _free_port(taken)
    write_json(PORTS, chosen)
    return chosen


def _free_port(taken: set[int]) -> int:
    """A port that no program has now, nor a service that has not started yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


# ---------------------------------------------------------------- one launcher at a time


@contextmanager
def only_launcher() -> Iterator[None]:
    """Hold the lock of this checkout.

    :raises PlatformError: when another `make` command of it is at work
    """
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlatformError(
                "another `make run`, `up` or `stop` of this checkout is at work: wait for it, or end it with Ctrl-C"
            ) from None
        yield
