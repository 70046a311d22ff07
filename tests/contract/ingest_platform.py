"""What the sources of ingest_concerts work with in tests: the local AWS under Airflow's role, and the replay server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from concert_platform.cloudformation import Deployment
from concert_platform.settings import ENVIRONMENT_VARIABLE, SOURCE_URLS, Settings, settings, source_url_variable
from concert_platform.sources import publication
from concert_platform.sources.run import IngestRun
from local.replay.server import ReplayServer
from tests.contract.conftest import ACCOUNT, REGION, REPOSITORY, ROOT_KEYS, Emulator
from tests.contract.scratch_stacks import log_in_as_root

DAY = "2020-03-04"
FIRST, SECOND = IngestRun(DAY, "first-run"), IngestRun(DAY, "second-run")
KEY = "a-key-of-tests"
HEADER = "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd\n"
WEEK = HEADER + "Cats,Winter Garden Theatre,1990-01-07,8,0,1482,9000,300000\n"
DROP = "landing/box_office/mapping=broadway_weekly_grosses/"
ROLE = "concert-platform-production-airflow-execution"
SECRET = "concert-platform-production/sources/ticketmaster"
SECRETS = {
    SECRET: {"api_key": KEY},
    "concert-platform-production/sources/spotify": {"client_id": KEY, "client_secret": KEY},
    "concert-platform-production/sources/setlistfm": {"api_key": KEY},
}


@pytest.fixture(scope="module")
def airflow_role(own_emulator: Emulator) -> None:
    """The orchestration stack with Airflow's role."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in_as_root(monkeypatch, own_emulator)
        Deployment(Settings("production", ACCOUNT, REGION), run="first").deploy("orchestration")


class Platform:
    """The resources that the sources use, seen with the root's eyes."""

    def __init__(self, emulator: Emulator, replay: ReplayServer) -> None:
        self.s3, self.replay = emulator.client("s3"), replay
        self.secrets = emulator.client("secretsmanager")
        self.dynamodb = boto3.resource("dynamodb", endpoint_url=emulator.endpoint_url, region_name=REGION, **ROOT_KEYS)
        self.bucket = f"concert-platform-production-raw-{ACCOUNT}"
        self.table = "concert-platform-production-ingest-state"

    def create(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket)
        names = {"source": "HASH", "item": "RANGE"}
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
        )
        for name, keys in SECRETS.items():
            self.secrets.create_secret(Name=name, SecretString=json.dumps(keys))

    def remove(self) -> None:
        for key in self.keys():
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.s3.delete_bucket(Bucket=self.bucket)
        self.dynamodb.Table(self.table).delete()
        for name in SECRETS:
            self.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def drop(self, name: str, content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket=self.bucket, Key=DROP + name, Body=body)

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def manifest(self, source: str, entity: str, run: IngestRun) -> dict[str, Any]:
        prefix = f"raw/source={source}/entity={entity}/dt={run.dt}/run={run.run_id}"
        return json.loads(self.read(f"{prefix}/manifest.json"))


@pytest.fixture
def ingest(own_emulator: Emulator, airflow_role: None, tmp_path: Path, monkeypatch) -> Iterator[Platform]:
    replay = ReplayServer(port=0, samples=REPOSITORY / "samples", state_dir=tmp_path, key=KEY)
    thread = threading.Thread(target=replay.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own_emulator.role_environment(ROLE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "production")
    for api in SOURCE_URLS:
        monkeypatch.setenv(source_url_variable(api), f"http://127.0.0.1:{replay.server_port}")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    settings.cache_clear()
    made = Platform(own_emulator, replay)
    made.create()
    yield made
    made.remove()
    settings.cache_clear()
    replay.shutdown()
    replay.server_close()
    thread.join()


def publish(run: IngestRun) -> list[IngestRun]:
    """What the two last tasks of the DAG do; returns the partitions of the asset event."""
    runs = publication.write_indexes(run)
    publication.confirm([[*entry.run, entry.revision] for entry in runs])
    return [entry.run for entry in runs]
