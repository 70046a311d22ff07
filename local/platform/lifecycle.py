"""Bring the platform up and down: what starts when, what is reused, what is written to .local/endpoints.json."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from functools import partial

import boto3
from botocore.exceptions import ClientError

from local.bootstrap import ENVIRONMENTS, ROOT, STATE
from local.platform import package, postgres, processes, services
from local.platform.airflow_api import AirflowApi
from local.platform.processes import Service
from local.platform.state import (
    ENDPOINTS,
    LOGS,
    PlatformError,
    choose_ports,
    platform_secrets,
    read_json,
    write_json,
)

Say = Callable[[str], None]
NEEDED_MEGABYTES = 400  # a first run of the samples writes about 200 MB
SCHEDULER = "airflow-scheduler"
START_ORDER = ("warehouse", "aws", "replay", *(f"airflow-{name}" for name in services.AIRFLOW_COMPONENTS))


def up(say: Say) -> dict[str, int]:
    """Start what does not run yet; returns the ports.

    :raises PlatformError: when a service does not come up
    """
    check_free_space()
    alive = set(processes.running())
    keep = alive & {"warehouse", "aws", "replay"}
    if "airflow-api-server" in alive:
        keep.add("airflow")
    ports = choose_ports(keep)
    package.build()
    package.unpack()
    postgres.initialise()
    if "warehouse" not in alive:
        postgres.release_lock()
    _start([postgres.service(ports["warehouse"])], say)
    postgres.create_databases(ports["warehouse"])
    _start([services.aws(ports), services.replay(ports)], say)
    deploy_orchestration(ports, say)
    if not alive.issuperset(START_ORDER):
        services.prepare_airflow(ports)
        say("metadata database is at Airflow's schema")
    components = services.airflow(ports)
    # A scheduler begins at once with the tasks that a killed one has left, and each needs the API server.
    _start([service for service in components if service.name != SCHEDULER], say)
    _start([service for service in components if service.name == SCHEDULER], say)
    write_endpoints(ports)
    return ports


def check_free_space() -> None:
    """:raises PlatformError: when the state folder's disk is nearly full, before services fail in ways of their own"""
    free = shutil.disk_usage(STATE).free // 1_000_000
    if free < NEEDED_MEGABYTES:
        raise PlatformError(
            f"{STATE} has {free} MB left on its disk and a run needs {NEEDED_MEGABYTES} MB: free some, then run again"
        )


def _start(wanted: list[Service], say: Say) -> None:
    """Start several services side by side and wait for all of them."""
    alive = processes.running()
    for service in wanted:
        if service.name not in alive:
            processes.start(service)
    for service in wanted:
        processes.wait_until_ready(service)
        verb = "runs" if service.name in alive else "is up"
        say(f"{service.name} {verb} (process {processes.running()[service.name]})")


def deploy_orchestration(ports: dict[str, int], say: Say) -> None:
    """Deploy the stacks that Airflow itself needs from the package just built, with the script that does so on AWS.

    :raises PlatformError: when the script fails
    """
    log = LOGS / "deploy-orchestration.log"
    environment = services.base_environment() | services.client_environment(ports)
    environment["PATH"] = f"{ENVIRONMENTS['airflow'] / 'bin'}:{environment.get('PATH', '')}"
    with log.open("ab") as output:
        answer = subprocess.run(
            ["./deploy_stacks.sh", services.ENVIRONMENT, services.REGION],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if answer.returncode != 0:
        why = processes.last_line(log)
        raise PlatformError(f"networking and orchestration could not be deployed: {why} (log: {log})")
    say("stacks networking and orchestration are deployed (network; Airflow's bucket, files, roles and environment)")


def begin_call_log(ports: dict[str, int]) -> None:
    """.local/aws-calls.json counts the calls of one run."""
    _ask_call_log(ports, "DELETE")


def write_call_log(ports: dict[str, int]) -> None:
    """Bring .local/aws-calls.json up to date, which otherwise is some seconds behind."""
    _ask_call_log(ports, "GET")


def _ask_call_log(ports: dict[str, int], method: str) -> None:
    headers = {"Authorization": platform_secrets()["token"]}
    request = urllib.request.Request(f"{services.url(ports['aws'])}/_local/calls", method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60):
        return


def down(say: Say) -> None:
    """Stop everything, in reverse order."""
    alive = processes.running()
    for name in sorted(alive, key=_stop_rank):
        processes.stop(name, services.stop_signal(name))
        say(f"{name} is stopped")
    ENDPOINTS.unlink(missing_ok=True)


def _stop_rank(name: str) -> int:
    return -START_ORDER.index(name) if name in START_ORDER else 1


def clean() -> None:
    """Delete all local state and the built package; installed environments stay."""
    postgres.remove()
    package.remove()
    kept = {"venvs", "bootstrap", "lock"}
    for path in STATE.iterdir():
        if path.name in kept:
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def api() -> AirflowApi:
    """A client of the running Airflow.

    :raises PlatformError: when the platform is not up
    """
    known = read_json(ENDPOINTS)
    if known is None or not processes.running():
        raise PlatformError("the platform is not up: run `make up`")
    return AirflowApi(known["airflow_url"], known["airflow_user"], known["airflow_password"])


def write_endpoints(ports: dict[str, int]) -> None:
    """Addresses and names of the platform; written again after the main job, which deploys the REST API."""
    environment = services.client_environment(ports)
    write_json(
        ENDPOINTS,
        {
            "aws_endpoint_url": environment["AWS_ENDPOINT_URL"],
            "aws_region": environment["AWS_REGION"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            "airflow_url": services.url(ports["airflow"]),
            "airflow_user": services.AIRFLOW_USER,
            "airflow_password": platform_secrets()["airflow_password"],
            "warehouse_dsn": postgres.dsn(ports["warehouse"], postgres.WAREHOUSE),
            "redshift_workgroup": f"{services.PREFIX}-warehouse",
            "redshift_database": postgres.WAREHOUSE,
            "buckets": {name: services.bucket(name) for name in ("raw", "curated", "artifacts", "web", "logs")},
            "streams": {"interactions": f"{services.PREFIX}-interactions"},
            "functions": {name: f"{services.PREFIX}-{name}" for name in ("api", "chatbot", "concert-data-processor")},
            "replay_url": services.url(ports["replay"]),
            **_deployed_api(environment),
        },
    )


def _deployed_api(environment: dict[str, str]) -> dict[str, str]:
    """Address and key of the REST API; nothing before its stack stands."""
    client = partial(
        boto3.client, endpoint_url=environment["AWS_ENDPOINT_URL"], region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"], aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    try:
        stacks = client("cloudformation").describe_stacks(StackName=f"{services.PREFIX}-compute-application")["Stacks"]
        found = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
        if "ApiId" not in found:
            return {}
        key = client("apigateway").get_api_key(apiKey=found["WebApiKeyId"], includeValue=True)["value"]
    except ClientError:  # there is no such stack, or a teardown has left half of it
        return {}
    address = f"{environment['AWS_ENDPOINT_URL']}/_aws/execute-api/{found['ApiId']}/{found['ApiStageName']}"
    return {"api_url": address, "api_key": key}
