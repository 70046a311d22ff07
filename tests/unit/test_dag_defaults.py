"""How long a task outlives an outage, counted by Airflow itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.models.taskinstance import TaskInstance

from concert_platform import clients, notifications
from concert_platform.cloudformation.documents import parse_document
from concert_platform.dag_defaults import DEFAULT_ARGS, JOB_RETRIES
from local.platform import services

TEMPLATE = Path(__file__).parents[2] / "include" / "cfn" / "orchestration.yaml"
FAILED = datetime(2026, 1, 31, 3, tzinfo=UTC)


def waited(task_id: str, first: int, retries: int) -> timedelta:
    """All delays between the tries of a task.

    :param first: option core.default_task_retry_delay in seconds
    """
    task = SimpleNamespace(
        retry_delay=timedelta(seconds=first), retry_exponential_backoff=DEFAULT_ARGS["retry_exponential_backoff"],
        max_retry_delay=DEFAULT_ARGS["max_retry_delay"],
    )  # fmt: skip
    found = timedelta()
    for number in range(1, retries + 1):
        ti = SimpleNamespace(
            task=task, dag_id="load_warehouse", task_id=task_id, logical_date=None, try_number=number, end_date=FAILED
        )
        found += TaskInstance.next_retry_datetime(ti) - FAILED
    return found


def on_aws(option: str = "core.default_task_retry_delay") -> int:
    properties = parse_document(TEMPLATE.read_text())["Resources"]["AirflowEnvironment"]["Properties"]
    return int(properties["AirflowConfigurationOptions"][option])


@pytest.fixture
def local_options(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(services, "platform_secrets", lambda: dict.fromkeys(("api_secret", "jwt_secret", "token"), ""))
    return services.airflow_environment({"aws": 1, "airflow": 2, "replay": 3, "warehouse": 4})


@pytest.mark.parametrize("task_id", ["list_loads", "refresh_marts", "check_warehouse", "find_partitions"])
def test_a_task_outlives_an_outage_of_five_minutes_on_aws_and_gives_up_after_ten(task_id: str) -> None:
    assert timedelta(minutes=5) <= waited(task_id, on_aws(), DEFAULT_ARGS["retries"]) <= timedelta(minutes=10)
    assert timedelta(minutes=1) <= waited(task_id, on_aws(), JOB_RETRIES) <= timedelta(minutes=2)


def test_a_local_task_that_fails_whatever_is_tried_ends_within_a_minute(local_options: dict[str, str]) -> None:
    first = int(local_options["AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY"])
    assert waited("list_loads", first, DEFAULT_ARGS["retries"]) <= timedelta(minutes=1)


def test_the_first_delay_is_left_to_the_option() -> None:
    assert "retry_delay" not in DEFAULT_ARGS


def test_an_alert_that_aws_does_not_answer_is_given_up_before_the_process_that_sends_it_is_killed(
    local_options: dict[str, str],
) -> None:
    limit = on_aws("dag_processor.dag_file_processor_timeout")
    assert int(local_options["AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT"]) == limit
    calls, backoff = 2, 1  # describe_stacks and publish; seconds at most between two tries
    longest = calls * clients.TRIES * (clients.CONNECT_TIMEOUT + notifications.READ_TIMEOUT + backoff)
    assert longest <= limit / 2, "the other half is for the DAG's file, the credentials and the reasons"
