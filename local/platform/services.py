"""The services of the platform: their commands, environments and how to tell that they answer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from local.bootstrap import ENVIRONMENTS, ROOT, STATE
from local.platform import postgres
from local.platform.processes import Service
from local.platform.state import AWS_STATE, HOST, LOGS, MWAA, PlatformError, platform_secrets, write_json

ACCOUNT = "000000000000"
REGION = "us-east-1"
ENVIRONMENT = "development"
PREFIX = f"concert-platform-{ENVIRONMENT}"
AIRFLOW_HOME = STATE / "airflow"
AIRFLOW_USER = "admin"
# Logs lie on this machine: their servers, which would listen on every address, are not needed.
AIRFLOW_COMPONENTS = {
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
    "api-server": (),
}
# What a new environment has in its secrets until someone puts real keys there (storage-processing.yaml).
REPLAY_KEY = "replace-with-your-key"
REPLAY_SPOTIFY_CLIENT = "replace-with-your-id:replace-with-your-secret"
# What the orchestration stack sets in this region; jobs run without a container here.
MODEL_IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.0-5"
SOURCE_APIS = ("ticketmaster", "spotify", "spotify_accounts", "setlistfm")


def url(port: int) -> str:
    return f"http://{HOST}:{port}"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def base_environment() -> dict[str, str]:
    """The caller's environment without settings of other AWS accounts, Airflows or virtual environments."""
    dropped = re.compile(r"^(AWS_|AIRFLOW|PYTHON|VIRTUAL_ENV|SPARK_|JAVA_|MAKE|MFLAGS|CONCERT_)")
    return {name: value for name, value in os.environ.items() if not dropped.match(name)}


def client_environment(ports: dict[str, int]) -> dict[str, str]:
    """The AWS SDK's own variables, for the account's root: what `make run` itself and a user's shell need."""
    known = platform_secrets()
    return {
        "AWS_ENDPOINT_URL": url(ports["aws"]),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": known["root_key"],
        "AWS_SECRET_ACCESS_KEY": known["root_secret"],
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def aws(ports: dict[str, int]) -> Service:
    known = platform_secrets()
    AWS_STATE.mkdir(parents=True, exist_ok=True)
    environment = {
        **base_environment(),
        "GATEWAY_PORT": str(ports["aws"]),
        "BIND_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",  # ministack's further servers would listen on every address
        "SFTP_ENABLED": "0",
        "AUTH": "true",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(AWS_STATE / "s3"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(AWS_STATE / "services"),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": known["root_key"],
        "AWS_SECRET_ACCESS_KEY": known["root_secret"],
        "LOCAL_STATE_DIR": str(STATE),
        "LOCAL_CREDENTIALS_TOKEN": known["token"],
        "LOCAL_WAREHOUSE_DSN": postgres.dsn(ports["warehouse"], postgres.WAREHOUSE),
        "LOCAL_SPARK_PYTHON": str(ENVIRONMENTS["spark"] / "bin" / "python"),
        "LOCAL_ML_PYTHON": str(ENVIRONMENTS["airflow"] / "bin" / "python"),
    }
    return Service(
        name="aws",
        command=[str(ENVIRONMENTS["aws"] / "bin" / "python"), "-m", "local.aws"],
        environment=environment,
        cwd=ROOT,
        ready=lambda: answers(f"{url(ports['aws'])}/_ministack/health"),
    )


def replay(ports: dict[str, int]) -> Service:
    python = str(ENVIRONMENTS["airflow"] / "bin" / "python")
    folder = STATE / "replay"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["--port", str(ports["replay"]), "--samples", str(ROOT / "samples"), "--state-dir", str(folder)]
    return Service(
        name="replay",
        command=[python, "-m", "local.replay", *arguments],
        environment={
            **base_environment(),
            "REPLAY_KEY": REPLAY_KEY,
            "REPLAY_SPOTIFY_CLIENT": REPLAY_SPOTIFY_CLIENT,
        },
        cwd=ROOT,
        ready=lambda: answers(f"{url(ports['replay'])}/_replay/health"),
    )


# ---------------------------------------------------------------- Airflow


def airflow_environment(ports: dict[str, int]) -> dict[str, str]:
    """Airflow as MWAA runs it: the bucket's layout, the execution role's credentials, PostgreSQL for metadata."""
    known = platform_secrets()
    role = f"{PREFIX}-airflow-execution"
    options = {
        "CORE__DAGS_FOLDER": MWAA / "dags",
        "CORE__PLUGINS_FOLDER": MWAA / "plugins",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 8,
        "CORE__LOAD_EXAMPLES": False,
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "CORE__DEFAULT_TASK_RETRY_DELAY": 2,  # seconds: nothing here is out of order for minutes, as it may be on AWS
        "CORE__FERNET_KEY": "",
        "CORE__EXECUTION_API_SERVER_URL": f"{url(ports['airflow'])}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{AIRFLOW_USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": AIRFLOW_HOME / "passwords.json",
        "API__HOST": HOST,
        "API__PORT": ports["airflow"],
        "API__BASE_URL": url(ports["airflow"]),
        "API__WORKERS": 1,
        "API__SECRET_KEY": known["api_secret"],
        "API_AUTH__JWT_SECRET": known["jwt_secret"],
        "DATABASE__SQL_ALCHEMY_CONN": postgres.dsn(ports["warehouse"], postgres.METADATA).replace(
            "postgresql://", "postgresql+psycopg2://"
        ),
        "DATABASE__LOAD_DEFAULT_CONNECTIONS": False,
        "LOGGING__BASE_LOG_FOLDER": LOGS / "airflow",
        "LOGGING__LOGGING_LEVEL": "INFO",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.1,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 15,
        "SCHEDULER__ENABLE_HEALTH_CHECK": False,
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "WORKERS__EXECUTION_API_RETRIES": 8,  # on a machine that is busy with other work the API server is slow
        "DAG_PROCESSOR__REFRESH_INTERVAL": 10,
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": 120,  # seconds, as the orchestration stack sets it
        # A changed file is read at once all the same. Every 20 s took 55 s of CPU in a quarter of an hour.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 300,
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "CONCERT_PLATFORM__ENVIRONMENT": ENVIRONMENT,
        "CONCERT_PLATFORM__MODEL_IMAGE": MODEL_IMAGE,
        **{f"CONCERT_PLATFORM__{api.upper()}_URL": url(ports["replay"]) for api in SOURCE_APIS},
    }
    return {
        **base_environment(),
        **{f"AIRFLOW__{name}": str(value) for name, value in options.items()},
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AWS_ENDPOINT_URL": url(ports["aws"]),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_RETRY_MODE": "standard",  # as startup.sh of the package sets them
        "AWS_MAX_ATTEMPTS": "8",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url(ports['aws'])}/_local/credentials/{role}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": known["token"],
        "PYTHONPATH": str(MWAA / "plugins"),
    }


def prepare_airflow(ports: dict[str, int]) -> None:
    """Write the login and bring the metadata database to Airflow's schema.

    :raises PlatformError: when the migration fails, with its log
    """
    write_json(AIRFLOW_HOME / "passwords.json", {AIRFLOW_USER: platform_secrets()["airflow_password"]})
    log = LOGS / "airflow-migrate.log"
    LOGS.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        answer = subprocess.run(
            [_airflow(), "db", "migrate"], env=airflow_environment(ports), cwd=STATE, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if answer.returncode != 0:
        raise PlatformError(f"Airflow's metadata database could not be migrated; log: {log}")


def airflow(ports: dict[str, int]) -> list[Service]:
    environment = airflow_environment(ports)
    return [
        Service(
            name=f"airflow-{component}",
            command=[_airflow(), component, *flags],
            environment=environment,
            cwd=STATE,
            ready=_airflow_ready(ports, component),
        )
        for component, flags in AIRFLOW_COMPONENTS.items()
    ]


def _airflow_ready(ports: dict[str, int], component: str) -> Callable[[], bool]:
    key = component.replace("-", "_")

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url(ports['airflow'])}/api/v2/monitor/health", timeout=5) as response:
                health = json.load(response)
        except (OSError, ValueError):
            return False
        return component == "api-server" or (health.get(key) or {}).get("status") == "healthy"

    return ready


def _airflow() -> str:
    return str(ENVIRONMENTS["airflow"] / "bin" / "airflow")


def stop_signal(name: str) -> int:
    """PostgreSQL ends at once on SIGINT (fast shutdown); SIGTERM would wait for its clients."""
    return signal.SIGINT if name == "warehouse" else signal.SIGTERM


def bucket(name: str) -> str:
    return f"{PREFIX}-{name}-{ACCOUNT}"


def log_files() -> list[Path]:
    return sorted(path for path in LOGS.rglob("*.log") if path.is_file())
