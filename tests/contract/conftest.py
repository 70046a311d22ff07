"""The local AWS under test: one emulator per session on a free port, with AUTH=true and a state folder of its own.

Fixtures:
    scratch_postgres   the server (ScratchPostgres): create_database(name) -> DSN
    warehouse_dsn      DSN of the database `concerts` that the emulator's warehouse engine uses
    emulator           the process (Emulator): endpoint_url, token, client(service), role_client(service, role), calls()
    own_emulator       the same, of one module alone: a module names it `emulator` in a fixture of its own
    root               root(service) -> boto3 client of the account root, which no policy limits
    make_role          make_role(name, statements, trusted=("sagemaker.amazonaws.com",)) -> ARN; removed after the test
    deploy_stack       deploy_stack(template, name=None, **create_stack_arguments) -> outputs; removed after the test
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import ContainerProvider, RefreshableCredentials
from botocore.session import get_session

from tests.local_postgres import AWS_VENV, ScratchPostgres, free_port, scratch_postgres_server

REPOSITORY = Path(__file__).parents[2]
ACCOUNT = "000000000000"
REGION = "us-east-1"
# Of waiters: five looks a second, for ten minutes.
PATIENTLY = {"Delay": 0.2, "MaxAttempts": 3000}
ROOT_KEYS = {"aws_access_key_id": "root-of-tests", "aws_secret_access_key": "secret-of-tests"}


class Emulator:
    def __init__(self, directory: Path, extra_env: dict[str, str]) -> None:
        self.directory = directory
        self.token = uuid.uuid4().hex
        self.port = free_port()
        self.extra_env = extra_env
        self.log = directory / "emulator.log"

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        passed_on = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "AIRFLOW"))}
        return passed_on | {
            "GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "AUTH": "true",
            "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
            "S3_PERSIST": "1", "S3_DATA_DIR": str(self.directory / "s3"),
            "PERSIST_STATE": "1", "STATE_DIR": str(self.directory / "ministack"),
            "MINISTACK_REGION": REGION, "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "LOCAL_STATE_DIR": str(self.directory), "LOCAL_CREDENTIALS_TOKEN": self.token,
            "AWS_ACCESS_KEY_ID": ROOT_KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": ROOT_KEYS["aws_secret_access_key"],
            **self.extra_env,
        }  # fmt: skip

    def start(self, seconds: float = 300) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [AWS_VENV / "bin" / "python", "-m", "local.aws"],
                cwd=REPOSITORY, env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the local AWS did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=30) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def wait_until_saved(self, seconds: float = 300) -> None:
        """Until every service's state has been written to disk since this call."""
        now, deadline = time.time(), time.monotonic() + seconds
        while min(path.stat().st_mtime for path in (self.directory / "ministack").glob("*.json")) < now:
            assert time.monotonic() < deadline, f"the state was not saved within {seconds} s"
            time.sleep(0.1)

    def restart(self, with_signal: int = signal.SIGTERM) -> None:
        self.stop(with_signal)
        self.start()

    def client(self, service: str, **overrides: Any) -> Any:
        arguments = {"endpoint_url": self.endpoint_url, "region_name": REGION, **ROOT_KEYS, **overrides}
        arguments.setdefault("config", Config(retries={"total_max_attempts": 2}, inject_host_prefix=False))
        return boto3.client(service, **arguments)

    def local_request(self, path: str, *, token: str | None, method: str = "GET") -> tuple[int, Any]:
        """Call one of the emulator's own paths below /_local/. Returns (status, decoded JSON)."""
        request = urllib.request.Request(self.endpoint_url + path, method=method)
        if token is not None:
            request.add_header("Authorization", token)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def role_environment(self, role_name: str) -> dict[str, str]:
        """What a process that runs under a role gets in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.endpoint_url}/_local/credentials/{role_name}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.token,
        }  # fmt: skip

    def role_session(self, role_name: str) -> boto3.Session:
        """A session with credentials of the container credentials endpoint, as in Airflow, Spark and training."""
        session = get_session()
        provider = ContainerProvider(environ=self.role_environment(role_name))
        credentials = provider.load()
        assert isinstance(credentials, RefreshableCredentials)
        session._credentials = credentials
        return boto3.Session(botocore_session=session, region_name=REGION)

    def role_client(self, service: str, role_name: str, **overrides: Any) -> Any:
        arguments = {"endpoint_url": self.endpoint_url, **overrides}
        arguments.setdefault("config", Config(retries={"total_max_attempts": 2}, inject_host_prefix=False))
        return self.role_session(role_name).client(service, **arguments)

    def calls(self, **wanted: str) -> list[dict[str, Any]]:
        """The call log as of now, filtered by equal fields (service, action, role, outcome)."""
        status, document = self.local_request("/_local/calls", token=self.token)
        assert status == 200, document
        return [call for call in document["calls"] if all(call[key] == value for key, value in wanted.items())]


@pytest.fixture(scope="session", autouse=True)
def models_of_services_are_read_once() -> Iterator[None]:
    """Tests log in anew, each with a boto3 session of its own, which reads megabytes of descriptions of services."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def scratch_postgres() -> Iterator[ScratchPostgres]:
    with scratch_postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def warehouse_dsn(scratch_postgres: ScratchPostgres) -> str:
    return scratch_postgres.create_database("concerts")


@contextmanager
def running_emulator(directory: Path, warehouse_dsn: str) -> Iterator[Emulator]:
    spark_python = REPOSITORY / ".local" / "venvs" / "spark" / "bin" / "python"
    running = Emulator(
        directory,
        {
            "LOCAL_WAREHOUSE_DSN": warehouse_dsn,
            "LOCAL_SPARK_PYTHON": str(spark_python),
            "LOCAL_ML_PYTHON": sys.executable,
        },
    )
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, warehouse_dsn: str) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("local-aws"), warehouse_dsn) as running:
        yield running


@pytest.fixture(scope="module")
def own_emulator(tmp_path_factory: pytest.TempPathFactory, warehouse_dsn: str) -> Iterator[Emulator]:
    """For a module that deploys whole stacks, whose names would meet those of other modules."""
    with running_emulator(tmp_path_factory.mktemp("local-aws"), warehouse_dsn) as running:
        yield running


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator without engines, of one module; its root's credentials are in the environment meanwhile."""
    running = Emulator(tmp_path_factory.mktemp("whole-stacks"), {})
    running.start()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in {
            "AWS_ENDPOINT_URL": running.endpoint_url, "AWS_DEFAULT_REGION": REGION,
            **{name.upper(): value for name, value in ROOT_KEYS.items()},
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield running
    running.stop()
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def root(emulator: Emulator) -> Callable[[str], Any]:
    return emulator.client


@pytest.fixture
def make_role(emulator: Emulator) -> Iterator[Callable[..., str]]:
    iam = emulator.client("iam")
    made: list[str] = []

    def make(name: str, statements: list[dict], trusted: tuple[str, ...] = ("sagemaker.amazonaws.com",)) -> str:
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": list(trusted)}, "Action": "sts:AssumeRole"}]}  # fmt: skip
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        made.append(name)
        document = {"Version": "2012-10-17", "Statement": statements}
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=json.dumps(document))
        return role["Arn"]

    yield make
    for name in made:
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)


@pytest.fixture
def deploy_stack(emulator: Emulator) -> Iterator[Callable[..., dict[str, str]]]:
    cloudformation = emulator.client("cloudformation")
    deployed: list[str] = []

    def deploy(template: dict, name: str | None = None, **arguments: Any) -> dict[str, str]:
        """:raises botocore.exceptions.WaiterError: when the stack does not reach CREATE_COMPLETE"""
        name = name or f"contract-{uuid.uuid4().hex[:8]}"
        deployed.append(name)
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"], OnFailure="DO_NOTHING", **arguments,
        )  # fmt: skip
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig=PATIENTLY)
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    yield deploy
    for name in deployed:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=PATIENTLY)
