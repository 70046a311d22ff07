"""The report of a load counts the rows that core really has of its runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.metrics import NAMESPACE, publish_load
from tests.contract.curated_runs import FIRST, NEXT_DAY, SECOND, Platform, event

pytest_plugins = ["tests.contract.warehouse_platform"]


def test_a_load_of_two_runs_is_reported_as_one(loaded: Platform, root: Callable[[str], Any]) -> None:
    loaded.curate(SECOND, NEXT_DAY, event=[event(8), event(9)])
    loaded.load(SECOND, NEXT_DAY)
    publish_load([{"run_id": FIRST}, {"run_id": SECOND}])
    now = datetime.now(UTC)
    sums = {
        name: root("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE, MetricName=name, Dimensions=[{"Name": "Environment", "Value": "development"}],
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=5), Period=600, Statistics=["Sum"],
        )["Datapoints"]
        for name in ("LoadedPartitions", "LoadedRows")
    }  # fmt: skip
    assert {name: sum(point["Sum"] for point in points) for name, points in sums.items()} == {
        "LoadedPartitions": 2, "LoadedRows": 9}  # fmt: skip
