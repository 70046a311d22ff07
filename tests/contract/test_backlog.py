"""What a failed or killed run has left is taken up by the next run of the chain."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform import backlog, notifications, settings, warehouse
from concert_platform.partitions import Partition
from tests.contract.conftest import REGION, ROOT_KEYS, Emulator

DAY = "2020-03-04"
Put = Callable[[str, str, dict[str, Any]], str]


@pytest.fixture
def put(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Put a document into a bucket of a platform of its own; gives its ETag."""
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

    def put_object(bucket: str, key: str, document: dict[str, Any]) -> str:
        answer = s3.put_object(Bucket=names.bucket(bucket), Key=key, Body=json.dumps(document).encode())
        made.append((names.bucket(bucket), key))
        return answer["ETag"].strip('"')

    yield put_object
    for bucket, key in made:
        s3.delete_object(Bucket=bucket, Key=key)
    for bucket in (names.raw_bucket, names.curated_bucket):
        s3.delete_bucket(Bucket=bucket)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def context(*partitions: str | None, by_hand: bool = False) -> dict[str, Any]:
    wanted = {"partitions": [[DAY, run] for run in partitions]}
    event = SimpleNamespace(extra=wanted)
    return {
        "dag_run": SimpleNamespace(conf=wanted if by_hand else {}, logical_date=None, run_after=None),
        "triggering_asset_events": {} if by_hand else {"asset": [event]},
    }


def index(run: str) -> str:
    return f"raw/_runs/dt={DAY}/{run}.json"


def report(run: str, kind: str = "_reports") -> str:
    return f"curated/{kind}/dt={DAY}/run={run}.json"


def test_an_ingest_run_without_a_report_is_curated_with_the_next_one(put: Put) -> None:
    put("raw", index("killed"), {"manifests": []})
    etag = put("raw", index("done"), {"manifests": ["a"]})
    put("curated", report("done"), {"index_etag": etag})
    assert backlog.to_curate(context("next")) == [Partition(DAY, "killed"), Partition(DAY, "next")]


def test_an_ingest_run_that_grew_after_its_curation_is_curated_again(put: Put) -> None:
    etag = put("raw", index("grown"), {"manifests": ["a"]})
    put("curated", report("grown"), {"index_etag": etag})
    put("raw", index("grown"), {"manifests": ["a", "b"]})
    assert backlog.to_curate(context("next")) == [Partition(DAY, "grown"), Partition(DAY, "next")]


def test_data_that_was_refused_waits_for_a_person(put: Put) -> None:
    etag = put("raw", index("refused"), {"manifests": []})
    put("curated", report("refused", "_failed"), {"index_etag": etag, "reason": "a gate"})
    assert backlog.to_curate(context("next")) == [Partition(DAY, "next")]
    assert backlog.to_curate(context("refused", by_hand=True)) == [Partition(DAY, "refused")]


def test_a_run_that_is_too_old_to_be_taken_up_is_told_unless_it_came_out(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(notifications, "send_alert", lambda subject, message: told.append(message))
    put("raw", index("done"), {"manifests": []})
    put("curated", report("done"), {"index_etag": "of an earlier version"})
    put("raw", index("refused"), {"manifests": []})
    put("curated", report("refused", "_failed"), {"index_etag": "1"})
    monkeypatch.setattr(backlog, "LOOK_BACK", -timedelta(days=1))  # whatever was written is older
    assert backlog.to_curate(context("next")) == [Partition(DAY, "next")]
    assert told == []
    for number in range(7):
        put("raw", index(f"lost-{number}"), {"manifests": []})
    assert backlog.to_curate(context("next")) == [Partition(DAY, "next")]
    [message] = told
    assert message.startswith(", ".join(f"{DAY} lost-{number}" for number in range(5)) + " and 2 more: ")
    monkeypatch.setattr(backlog, "LOOK_BACK", timedelta(days=14))
    assert len(backlog.to_curate(context("next"))) == 10, "within the look-back they are taken up, and nobody is told"
    assert len(told) == 1


def test_a_forgotten_run_that_is_being_curated_now_is_not_told(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(notifications, "send_alert", lambda subject, message: told.append(message))
    monkeypatch.setattr(backlog, "LOOK_BACK", -timedelta(days=1))  # whatever was written is older
    for run in ("lost", "taken-up"):
        put("raw", index(run), {"manifests": []})
    assert backlog.to_curate(context("taken-up")) == [Partition(DAY, "taken-up")]
    [message] = told
    assert message.startswith(f"{DAY} lost: ")
    told.clear()
    assert backlog.to_curate(context(None)) == [Partition(DAY)]
    assert told == [], "a partition without run id stands for its day"


def test_a_forgotten_run_is_told_once_the_runs_to_curate_are_known(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(notifications, "send_alert", lambda subject, message: told.append(message))
    put("raw", index("lost"), {"manifests": []})

    listed = backlog._versions

    def refuse_the_young(*which: Any, since: Any = None, **rest: Any) -> Any:
        if since:
            raise ConnectionError("S3 does not answer")
        return listed(*which, **rest)

    monkeypatch.setattr(backlog, "LOOK_BACK", -timedelta(days=1))
    monkeypatch.setattr(backlog, "_versions", refuse_the_young)
    with pytest.raises(ConnectionError):
        backlog.to_curate(context("next"))
    assert told == [], "the retry would tell again"


def test_a_curated_run_without_an_account_is_loaded_with_the_next_one(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("curated", report("lost"), {"index_etag": "1"})
    etag = put("curated", report("loaded"), {"index_etag": "2"})
    put("curated", report("again"), {"index_etag": "3"})
    monkeypatch.setattr(warehouse, "query", lambda sql: [["loaded", etag], ["again", "an older report"]])
    assert backlog.to_load(context("next")) == [Partition(DAY, run) for run in ("again", "lost", "next")]


def failed_with(job_run: str | None) -> SimpleNamespace:
    return SimpleNamespace(xcom_pull=lambda **asked: job_run if asked["key"] == "job_run_id" else None)


def test_of_a_failed_curation_the_runs_that_passed_are_announced(put: Put) -> None:
    put("curated", report("passed"), {"job_run_id": "jr-2", "refused": {}})
    put("curated", report("partly"), {"job_run_id": "jr-2", "refused": {"lastfm/interaction": "damaged"}})
    put("curated", report("earlier"), {"job_run_id": "jr-1"})
    put("curated", report("not-asked"), {"job_run_id": "jr-2"})
    wanted = [Partition(DAY, run) for run in ("passed", "partly", "earlier", "refused")]

    assert backlog.passed(failed_with("jr-2"), wanted) == [Partition(DAY, "passed")]
    assert backlog.passed(failed_with("jr-1"), [Partition(DAY)]) == [Partition(DAY, "earlier")]
    assert backlog.passed(failed_with(None), wanted) == []


def test_of_a_failed_curation_the_other_runs_are_told_and_a_day_stands_for_its_runs(put: Put) -> None:
    for run in ("passed", "refused", "untouched"):
        put("raw", index(run), {"manifests": []})
    put("curated", report("passed"), {"job_run_id": "jr-2"})
    named = [Partition(DAY, run) for run in ("passed", "refused")]
    left = [Partition(DAY, "refused"), Partition(DAY, "untouched")]
    assert backlog.not_passed(failed_with("jr-2"), named) == [Partition(DAY, "refused")]
    assert backlog.not_passed(failed_with("jr-2"), [Partition(DAY)]) == left
    assert backlog.not_passed(failed_with("jr-2"), [Partition(DAY), *named]) == left
    assert backlog.not_passed(failed_with("jr-3"), [Partition(DAY)]) == [Partition(DAY)]
    assert backlog.not_passed(failed_with(None), named) == named


def test_a_run_by_hand_takes_what_it_is_given(put: Put) -> None:
    put("raw", index("killed"), {})
    put("curated", report("lost"), {"index_etag": "1"})
    assert backlog.to_curate(context("one", by_hand=True)) == [Partition(DAY, "one")]
    assert backlog.to_load(context("one", by_hand=True)) == [Partition(DAY, "one")]
