"""What TrainModelOperator and ScoreModelOperator ask for, and when they ask for nothing."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from concert_platform.compat import AirflowSkipException
from concert_platform.operators import sagemaker
from concert_platform.operators.sagemaker import ScoreModelOperator, TrainModelOperator


def channel(name: str, uri: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": uri}}}


def operator(**changes: Any) -> TrainModelOperator:
    config = {
        "TrainingJobName": "x" * 63,
        "InputDataConfig": [channel("history", "s3://a/b/"), channel("champion", "")],
    }
    return TrainModelOperator(task_id="train", config=config, aws_conn_id=None, **changes)


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Configurations of the jobs that were created; each has completed at once."""
    found: list[dict[str, Any]] = []
    statuses: dict[str, str] = {}

    def create(self: TrainModelOperator) -> None:
        found.append(self.config)
        statuses[self.config["TrainingJobName"]] = "Completed"

    monkeypatch.setattr(TrainModelOperator, "_create", create)
    monkeypatch.setattr(TrainModelOperator, "_result", lambda self, name: f"s3://models/{name}")
    monkeypatch.setattr(TrainModelOperator, "defer", lambda self, trigger, method_name: trigger.job_name)
    monkeypatch.setattr(sagemaker, "describe_job", lambda kind, name: {"status": statuses.get(name, "Missing")})
    return found


def test_a_channel_without_an_address_is_left_out(created: list[dict[str, Any]]) -> None:
    operator().execute({})
    assert [item["ChannelName"] for item in created[0]["InputDataConfig"]] == ["history"]


def test_a_reason_to_skip_ends_the_task_with_it_and_creates_nothing(created: list[dict[str, Any]]) -> None:
    with pytest.raises(AirflowSkipException, match="sales: no new data since v1 was trained"):
        operator(skip_reason="sales: no new data since v1 was trained, so there is no training").execute({})
    assert created == []


def test_the_name_of_a_job_has_at_most_63_characters_with_the_number_of_its_attempt(
    created: list[dict[str, Any]],
) -> None:
    operator().execute({})
    assert created[0]["TrainingJobName"] == "x" * 61 + "-0"


def test_a_job_that_has_completed_is_not_trained_again(created: list[dict[str, Any]]) -> None:
    operator().execute({})
    assert operator().execute({}) == f"s3://models/{'x' * 61}-0"
    assert len(created) == 1


def test_a_folder_without_an_object_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[dict[str, Any]] = []
    filled = {("bucket", "features/history/")}

    def listed(**asked: Any) -> dict[str, int]:
        return {"KeyCount": int((asked["Bucket"], asked["Prefix"]) in filled)}

    hook = SimpleNamespace(create_processing_job=lambda config, wait_for_completion: created.append(config))
    monkeypatch.setattr(boto3, "client", lambda name: SimpleNamespace(list_objects_v2=listed))
    monkeypatch.setattr(ScoreModelOperator, "hook", hook)
    monkeypatch.setattr(ScoreModelOperator, "preprocess_config", lambda self: None)
    places = {"model": "model.tar.gz", "history": "features/history/", "upcoming": "features/upcoming/"}
    inputs = [
        {"InputName": name, "S3Input": {"S3Uri": f"s3://bucket/{place}", "LocalPath": f"/opt/ml/{name}"}}
        for name, place in places.items()
    ]
    config = {"ProcessingJobName": "score", "ProcessingInputs": inputs}
    ScoreModelOperator(task_id="score", config=config, aws_conn_id=None)._create()
    assert [one["InputName"] for one in created[0]["ProcessingInputs"]] == ["model", "history"]
