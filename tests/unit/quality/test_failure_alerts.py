"""One alert for a DAG run that fails: which tasks, why, where their logs are."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from concert_platform import failure_alerts
from concert_platform.failure_alerts import alert_on_failure, keep_reason, take_back_reason

DAG_ID, RUN = "retrain_models", "scheduled__2026-01-31T03:00:00+00:00"
KEY = "failure-retrain_models-scheduled-2026-01-31t03-00-00-00-00"
PAGE = "https://airflow.example/dags/retrain_models/runs/scheduled__2026-01-31T03%3A00%3A00%2B00%3A00"


class Variables:
    """Airflow's variables, as tasks and the DAG processor reach them."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: Any, deserialize_json: bool) -> Any:
        assert deserialize_json
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any, description: str, serialize_json: bool) -> None:
        assert serialize_json
        self.kept[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        del self.kept[key]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    found = Variables()
    for name in ("get", "set", "delete"):
        monkeypatch.setattr(Variable, name, getattr(found, name))
    return found


@pytest.fixture
def told(variables: Variables, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []

    def send(subject: str, message: str) -> str:
        sent.append((subject, message))
        return "m-1"

    monkeypatch.setattr(failure_alerts, "send_alert", send)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    return sent


def failed(task_id: str, error: Exception | None, map_index: int = -1, try_number: int = 3) -> dict[str, Any]:
    """Context of a task's callback; the error is None when the DAG processor calls it for a task that was lost."""
    ti = SimpleNamespace(
        dag_id=DAG_ID, run_id=RUN, task_id=task_id, map_index=map_index, try_number=try_number, max_tries=2
    )
    return {"ti": ti, "exception": error}


def ended() -> dict[str, Any]:
    """Context of a DAG's callback."""
    return {"dag": SimpleNamespace(dag_id=DAG_ID), "run_id": RUN, "reason": "task_failure"}


def test_an_alert_names_task_reason_and_log_and_has_no_stack_trace(told: list[tuple[str, str]]) -> None:
    keep_reason(failed("sales.train", ValueError("no GPU\nat all")))
    alert_on_failure(ended())
    [(subject, message)] = told
    assert subject == "Concert platform: retrain_models failed"
    assert message.splitlines() == [
        f"Run {RUN} has failed (task_failure).",
        "sales.train: ValueError: no GPU at all",
        f"{PAGE}/tasks/sales.train?try_number=3",
        PAGE,
    ]


def test_a_run_sends_one_alert_for_all_of_its_tasks_and_keeps_nothing(
    told: list[tuple[str, str]], variables: Variables
) -> None:
    keep_reason(failed("load_partition", ValueError("first"), map_index=1))
    keep_reason(failed("record_failure", ValueError("second")))
    assert list(variables.kept) == [KEY]
    alert_on_failure(ended())
    [(_, message)] = told
    assert "load_partition [1]: ValueError: first" in message
    assert "/tasks/load_partition/mapped/1?try_number=3" in message
    assert "record_failure: ValueError: second" in message
    assert variables.kept == {}


def test_a_run_whose_task_left_no_reason_is_told_all_the_same(told: list[tuple[str, str]]) -> None:
    alert_on_failure(ended())
    assert failure_alerts.NO_REASON in told[0][1]


def test_reasons_that_cannot_be_read_hold_up_no_alert(
    told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500}))

    monkeypatch.setattr(Variable, "get", refuse)
    alert_on_failure(ended())
    assert len(told) == 1
    assert f"the reasons in variable {KEY} cannot be read" in caplog.text


def test_a_task_that_was_lost_is_named_after_its_last_try_only(told: list[tuple[str, str]]) -> None:
    """Airflow calls back for each try whose heartbeat stops, also for those that are tried again."""
    keep_reason(failed("sales.train", None, try_number=2))
    keep_reason(failed("venues.train", None, try_number=3))
    alert_on_failure(ended())
    [(_, message)] = told
    assert "sales.train" not in message
    assert f"venues.train: {failure_alerts.KILLED}" in message


def test_a_reason_is_cut_and_a_run_of_many_failures_keeps_the_first_and_the_newest(
    told: list[tuple[str, str]], variables: Variables
) -> None:
    for index in range(100):
        keep_reason(failed("load_partition", ValueError("x" * 9_000), map_index=index))
    kept = json.loads(variables.kept[KEY])
    assert [one["task"] for one in kept["reasons"]] == [f"load_partition [{index}]" for index in (*range(7), 99)]
    assert {len(one["reason"]) for one in kept["reasons"]} == {failure_alerts.LONGEST_REASON}
    alert_on_failure(ended())
    lines = told[0][1].splitlines()
    assert "92 more failures are left out here: Airflow shows them." in lines
    assert sum(line.startswith("load_partition [") for line in lines) == 8


def test_a_task_that_fails_again_replaces_its_reason(told: list[tuple[str, str]]) -> None:
    keep_reason(failed("sales.train", ValueError("old")))
    keep_reason(failed("sales.train", ValueError("new"), try_number=6))
    alert_on_failure(ended())
    [(_, message)] = told
    assert "old" not in message
    assert "sales.train: ValueError: new" in message


def test_a_run_whose_cleared_tasks_succeed_after_all_leaves_no_variable(variables: Variables) -> None:
    keep_reason(failed("sales.train", ValueError("one")))
    keep_reason(failed("load_partition", ValueError("two"), map_index=1))
    take_back_reason(failed("load_partition", None, map_index=0, try_number=4))
    take_back_reason(failed("load_partition", None, map_index=1, try_number=4))
    assert [one["task"] for one in json.loads(variables.kept[KEY])["reasons"]] == ["sales.train"]
    take_back_reason(failed("sales.train", None, try_number=4))
    assert variables.kept == {}
    take_back_reason(failed("sales.train", None, try_number=5))


def test_a_task_that_succeeds_in_its_first_try_asks_airflow_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Variable, "get", lambda key, **_: asked.append(key))
    take_back_reason(failed("sales.train", None, try_number=1))
    assert asked == []


@pytest.mark.parametrize("sent", [True, False])
def test_reasons_of_an_alert_that_was_not_sent_are_in_the_log_before_they_are_forgotten(
    variables: Variables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sent: bool
) -> None:
    monkeypatch.setattr(failure_alerts, "send_alert", lambda subject, message: "m-1" if sent else None)
    keep_reason(failed("sales.train", ValueError("no GPU")))
    alert_on_failure(ended())
    assert ("sales.train: ValueError: no GPU" in caplog.text) is not sent
    assert variables.kept == {}


def test_without_an_address_of_airflow_there_is_no_link(
    told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    keep_reason(failed("sales.train", ValueError("no GPU")))
    alert_on_failure(ended())
    assert told[0][1].endswith("sales.train: ValueError: no GPU")
