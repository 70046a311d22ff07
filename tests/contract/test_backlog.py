"""What a failed or killed run has left is taken up by the next run of the chain."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform import backlog, settings, warehouse
from concert_platform.partitions import Partition
from tests.contract.conftest import REGION, ROOT_KEYS, Emulator

DAY = "2020-03-04"


@pytest.fixture
def put(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Put an empty object into a bucket of a platform of its own."""
    names = settings.Settings("production", "000000000001", REGION)  # an account that no other test has buckets of
    monkeypatch.setattr(backlog, "settings", lambda: names)
    for name, value in {
        "AWS_ENDPOINT_URL": emulator.endpoint_url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT_KEYS["aws_secret_access_key"],
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3, made = emulator.client("s3"), []
    for bucket in (names.raw_bucket, names.curated_bucket):
        s3.create_bucket(Bucket=bucket)

    def put_object(bucket: str, key: str) -> None:
        s3.put_object(Bucket=names.bucket(bucket), Key=key, Body=b"{}")
        made.append((names.bucket(bucket), key))

    yield put_object
    for bucket, key in made:
        s3.delete_object(Bucket=bucket, Key=key)
    for bucket in (names.raw_bucket, names.curated_bucket):
        s3.delete_bucket(Bucket=bucket)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def context(*partitions: str, by_hand: bool = False) -> dict[str, Any]:
    wanted = {"partitions": [[DAY, run] for run in partitions]}
    event = SimpleNamespace(extra=wanted)
    return {
        "dag_run": SimpleNamespace(conf=wanted if by_hand else {}, logical_date=None, run_after=None),
        "triggering_asset_events": {} if by_hand else {"asset": [event]},
    }


def test_an_ingest_run_without_a_report_is_curated_with_the_next_one(put: Callable[[str, str], None]) -> None:
    put("raw", f"raw/_runs/dt={DAY}/killed.json")
    put("raw", f"raw/_runs/dt={DAY}/done.json")
    put("curated", f"curated/_reports/dt={DAY}/run=done.json")
    assert backlog.to_curate(context("next")) == [Partition(DAY, "killed"), Partition(DAY, "next")]


def test_data_that_was_refused_waits_for_a_person(put: Callable[[str, str], None]) -> None:
    put("raw", f"raw/_runs/dt={DAY}/refused.json")
    put("curated", f"curated/_failed/dt={DAY}/run=refused.json")
    assert backlog.to_curate(context("next")) == [Partition(DAY, "next")]
    assert backlog.to_curate(context("refused", by_hand=True)) == [Partition(DAY, "refused")]


def test_a_curated_run_without_an_account_is_loaded_with_the_next_one(
    put: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("curated", f"curated/_reports/dt={DAY}/run=lost.json")
    put("curated", f"curated/_reports/dt={DAY}/run=loaded.json")
    monkeypatch.setattr(warehouse, "query", lambda sql: [["loaded"]])
    assert backlog.to_load(context("next")) == [Partition(DAY, "lost"), Partition(DAY, "next")]


def test_a_run_by_hand_takes_what_it_is_given(put: Callable[[str, str], None]) -> None:
    put("raw", f"raw/_runs/dt={DAY}/killed.json")
    put("curated", f"curated/_reports/dt={DAY}/run=lost.json")
    assert backlog.to_curate(context("one", by_hand=True)) == [Partition(DAY, "one")]
    assert backlog.to_load(context("one", by_hand=True)) == [Partition(DAY, "one")]
