"""What a load reports to CloudWatch once it has passed its checks."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform import metrics

LOADS = [{"run_id": "one", "dt": "2020-03-04"}, {"run_id": "two", "dt": "2020-03-05"}]


class FakeCloudWatch:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.refuses = False

    def put_metric_data(self, **request: Any) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "PutMetricData")
        self.requests.append(request)


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> FakeCloudWatch:
    fake = FakeCloudWatch()
    monkeypatch.setattr("boto3.client", lambda service: fake)
    monkeypatch.setattr(metrics, "settings", lambda: SimpleNamespace(environment="staging"))
    return fake


def test_a_load_reports_its_partitions_and_the_rows_that_core_has(
    cloudwatch: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def query(sql: str, **params: object) -> list[list[int]]:
        asked.update(sql=sql, params=params)
        return [[7]]

    monkeypatch.setattr(metrics, "query", query)
    metrics.publish_load(LOADS)
    (request,) = cloudwatch.requests
    dimensions = [{"Name": "Environment", "Value": "staging"}]
    assert request["Namespace"] == "ConcertPlatform"
    assert {item["MetricName"]: item["Value"] for item in request["MetricData"]} == {
        "LoadedPartitions": 2, "LoadedRows": 7}  # fmt: skip
    assert all(item["Dimensions"] == dimensions for item in request["MetricData"])
    assert asked["params"] == {"run_0": "one", "run_1": "two"}
    assert asked["sql"].endswith("IN (:run_0, :run_1)")


def test_a_report_that_is_refused_does_not_fail_the_load(
    cloudwatch: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "query", lambda sql, **params: [[7]])
    cloudwatch.refuses = True
    with caplog.at_level(logging.WARNING):
        metrics.publish_load(LOADS)
    assert "LoadedPartitions, LoadedRows not reported to CloudWatch" in caplog.text


def test_a_curation_reports_the_records_that_its_runs_have_read(cloudwatch: FakeCloudWatch) -> None:
    metrics.publish_curation([{"records": 12}, {"records": 30}])

    [request] = cloudwatch.requests
    assert [(item["MetricName"], item["Value"]) for item in request["MetricData"]] == [("CuratedRecords", 42)]
