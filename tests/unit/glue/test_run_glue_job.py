"""RunGlueJobOperator and its trigger, against a Glue that answers as the service documents."""

import asyncio
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from concert_platform import metrics
from concert_platform.compat import AirflowFailException
from concert_platform.operators.fresh_retry import ATTEMPT
from concert_platform.operators.glue import TOKEN_ARGUMENT, GlueJobRunError, RunGlueJobOperator, error_of
from concert_platform.triggers.glue import GlueJobRunTrigger
from tests.deadlines import until_in_loop

JOB = "concert-platform-development-concert-etl-job"


class ConcurrentRunsExceededException(Exception):
    pass


class ResourceNotFoundException(Exception):
    pass


class Glue:
    """One job with room for one run at a time, its log and its metrics."""

    exceptions = SimpleNamespace(
        ConcurrentRunsExceededException=ConcurrentRunsExceededException,
        ResourceNotFoundException=ResourceNotFoundException,
    )

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.script = "s3://artifacts/artifacts/1/glue/concert_etl_job.py"
        self.stopped: list[str] = []
        self.looks = 0
        self.log_events: dict[tuple[str, str], list[str]] = {}
        self.metrics: list[dict[str, Any]] = []

    def get_log_events(self, *, logGroupName: str, logStreamName: str, limit: int, startFromHead: bool) -> Any:
        if (logGroupName, logStreamName) not in self.log_events:
            raise ResourceNotFoundException
        lines = self.log_events[logGroupName, logStreamName]
        return {"events": [{"message": line} for line in (lines[:limit] if startFromHead else lines[-limit:])]}

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self.metrics += MetricData

    def get_job(self, *, JobName: str) -> dict[str, Any]:
        assert JobName == JOB
        return {"Job": {"Command": {"ScriptLocation": self.script}}}

    def get_job_runs(self, *, JobName: str, MaxResults: int) -> dict[str, Any]:
        return {"JobRuns": self.runs[:MaxResults]}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:
        self.looks += 1
        return {"JobRun": next(run for run in self.runs if run["Id"] == RunId)}

    def start_job_run(self, *, JobName: str, Arguments: dict[str, str]) -> dict[str, str]:
        if any(run["JobRunState"] == "RUNNING" for run in self.runs):
            raise ConcurrentRunsExceededException
        number = len(self.runs)
        run = {"Id": f"jr_{number}", "JobRunState": "RUNNING", "Arguments": Arguments, "StartedOn": number}
        self.runs.append(run)
        return {"JobRunId": run["Id"]}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> None:
        self.stopped += JobRunIds

    async def seen(self, times: int) -> None:
        """Until the run was looked at so often."""
        await until_in_loop(lambda: self.looks >= times)

    def end(self, state: str, message: str = "") -> None:
        self.runs[-1] |= {"JobRunState": state, "ErrorMessage": message}


class TaskInstance(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(dag_id="curate_concerts", task_id="curate_records", run_id="manual__1", map_index=-1, xcoms={})

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids: str, key: str) -> str | None:
        return self.xcoms.get(key)


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Glue:
    fake = Glue()
    monkeypatch.setattr(boto3, "client", lambda _, **__: fake)
    monkeypatch.setattr(metrics, "settings", lambda: SimpleNamespace(environment="development"))
    return fake


@pytest.fixture
def context() -> Any:
    return {"ti": TaskInstance()}


def operator(glue: Glue, partitions: str = "[]") -> RunGlueJobOperator:
    """The operator as a fresh worker process has it."""
    task = RunGlueJobOperator(
        task_id="curate_records", job_name=JOB, script_args={"--partitions": partitions}, poll_interval=0.01,
        aws_conn_id=None, log_groups="/etl/output,/etl/error",
    )  # fmt: skip
    vars(task)["hook"] = SimpleNamespace(conn=glue)
    return task


def execute(glue: Glue, context: Any, partitions: str = "[]") -> GlueJobRunTrigger:
    with pytest.raises(TaskDeferred) as deferred:
        operator(glue, partitions).execute(context)
    assert isinstance(deferred.value.trigger, GlueJobRunTrigger)
    return deferred.value.trigger


async def first_event(trigger: GlueJobRunTrigger) -> dict[str, Any]:
    return (await anext(trigger.run())).payload


def test_the_run_gets_the_arguments_and_a_token(glue: Glue, context: Any) -> None:
    trigger = execute(glue, context)

    assert trigger.run_id == "jr_0"
    assert glue.runs[0]["Arguments"]["--partitions"] == "[]"
    assert len(glue.runs[0]["Arguments"][TOKEN_ARGUMENT]) == 64


def test_a_task_that_is_cleared_with_other_partitions_runs_anew_and_its_retry_finds_that_run(
    glue: Glue, context: Any
) -> None:
    execute(glue, context, '[["2020-03-04", "a"]]')
    glue.end("SUCCEEDED")
    more = '[["2020-03-04", "a"], ["2020-03-05", "b"]]'
    assert [execute(glue, context, more).run_id for _ in range(2)] == ["jr_1", "jr_1"]
    assert glue.runs[-1]["Arguments"]["--partitions"] == more


def test_a_retry_reattaches_to_the_run_under_way(glue: Glue, context: Any) -> None:
    first, second = execute(glue, context), execute(glue, context)

    assert first.run_id == second.run_id == "jr_0" and len(glue.runs) == 1


def test_a_retry_takes_the_run_that_succeeded(glue: Glue, context: Any) -> None:
    execute(glue, context)
    glue.end("SUCCEEDED")

    assert operator(glue).execute(context) == "jr_0" and len(glue.runs) == 1


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "TIMEOUT", "ERROR"])
def test_a_retry_after_a_failure_starts_a_new_run(glue: Glue, context: Any, state: str) -> None:
    execute(glue, context)
    glue.end(state)

    assert execute(glue, context).run_id == "jr_1"


def test_a_new_script_means_a_new_run(glue: Glue, context: Any) -> None:
    execute(glue, context)
    glue.end("SUCCEEDED")
    glue.script = "s3://artifacts/artifacts/2/glue/concert_etl_job.py"

    assert execute(glue, context).run_id == "jr_1"


def test_another_dag_run_starts_its_own(glue: Glue, context: Any) -> None:
    execute(glue, context)
    glue.end("SUCCEEDED")
    context["ti"].run_id = "manual__2"

    assert execute(glue, context).run_id == "jr_1"


def test_a_job_held_by_another_run_is_waited_for(glue: Glue, context: Any) -> None:
    glue.start_job_run(JobName=JOB, Arguments={})

    trigger = execute(glue, context)
    assert trigger.run_id is None
    glue.end("SUCCEEDED")
    event = asyncio.run(first_event(trigger))
    with pytest.raises(TaskDeferred) as deferred:
        operator(glue).execute_complete(context, event)

    assert deferred.value.trigger.run_id == "jr_1"


def test_the_trigger_fires_when_the_run_has_ended(glue: Glue, context: Any) -> None:
    trigger = execute(glue, context)

    async def run() -> dict[str, Any]:
        waiting = asyncio.ensure_future(first_event(trigger))
        await glue.seen(2)
        assert not waiting.done()
        glue.end("FAILED", "out of disk")
        return await asyncio.wait_for(waiting, 60)

    assert asyncio.run(run()) == {"run_id": "jr_0", "state": "FAILED", "reason": "out of disk"}


def test_a_failed_run_fails_the_task_with_its_message_as_one_line(glue: Glue, context: Any) -> None:
    execute(glue, context)
    event = {"run_id": "jr_0", "state": "FAILED", "reason": "killed\nby SIGKILL"}

    with pytest.raises(GlueJobRunError, match=f"^Glue job {JOB} run jr_0 ended as FAILED: killed by SIGKILL$") as error:
        operator(glue).execute_complete(context, event)

    assert not isinstance(error.value, AirflowFailException)  # it is tried again
    assert error_of(context["ti"], "curate_records") == str(error.value)
    assert context["ti"].xcom_pull(task_ids="curate_records", key="job_run_id") == "jr_0"


def test_a_retry_forgets_the_run_and_the_error_of_the_try_before(glue: Glue, context: Any) -> None:
    """Airflow keeps the XComs of a try that begins with a return, and blamed a task that had succeeded since."""
    execute(glue, context)
    glue.end("FAILED")
    failed = {"event": {"run_id": "jr_0", "state": "FAILED", "reason": "killed"}, ATTEMPT: 1}
    context["ti"].try_number = 1
    with pytest.raises(GlueJobRunError):
        operator(glue).resume_execution("execute_complete", failed, context)
    assert context["ti"].xcom_pull(task_ids="curate_records", key="job_run_id") == "jr_0"
    context["ti"].try_number = 2
    with pytest.raises(TaskDeferred):
        operator(glue).resume_execution("execute_complete", failed, context)
    assert (
        error_of(context["ti"], "curate_records") == "no Glue run has failed; look at the tasks around curate_records"
    )
    assert context["ti"].xcom_pull(task_ids="curate_records", key="job_run_id") == ""


def test_bad_data_is_not_tried_again(glue: Glue, context: Any) -> None:
    execute(glue, context)
    reason = "concert_etl.errors.CurationError: gate box_office failed"

    with pytest.raises(AirflowFailException, match="gate box_office failed"):
        operator(glue).execute_complete(context, {"run_id": "jr_0", "state": "FAILED", "reason": reason})


def test_the_end_of_a_failed_runs_log_stands_in_the_tasks_log(
    glue: Glue, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    execute(glue, context)
    glue.log_events["/etl/output", "jr_0"] = [f"line {number}\n" for number in range(100)]

    with caplog.at_level("ERROR"), pytest.raises(GlueJobRunError):
        operator(glue).execute_complete(context, {"run_id": "jr_0", "state": "FAILED", "reason": "killed"})

    shown = [record.getMessage() for record in caplog.records if "line" in record.getMessage()]
    assert shown == [f"jr_0 | line {number}" for number in range(60, 100)]


def test_a_log_that_may_not_be_read_hides_no_failure(glue: Glue, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(glue, context)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetLogEvents")

    monkeypatch.setattr(glue, "get_log_events", refuse)

    with pytest.raises(GlueJobRunError, match="ended as FAILED: killed"):
        operator(glue).execute_complete(context, {"run_id": "jr_0", "state": "FAILED", "reason": "killed"})


@pytest.mark.parametrize(
    ("billed", "expected"),
    [({"WorkerType": "G.1X", "NumberOfWorkers": 2}, 240.0), ({"MaxCapacity": 0.5}, 60.0), ({"DPUSeconds": 7.5}, 7.5)],
)
def test_seconds_and_dpu_seconds_of_a_run_are_kept(
    glue: Glue, context: Any, billed: dict[str, Any], expected: float
) -> None:
    execute(glue, context)
    glue.end("SUCCEEDED")
    glue.runs[0] |= {"ExecutionTime": 120, **billed}

    operator(glue).execute_complete(context, {"run_id": "jr_0", "state": "SUCCEEDED", "reason": ""})

    assert context["ti"].xcoms["figures"] == {"seconds": 120.0, "dpu_seconds": expected}
    assert {item["MetricName"]: item["Value"] for item in glue.metrics} == {
        "JobRunSeconds": 120.0, "JobRunDpuSeconds": expected
    }  # fmt: skip
    assert glue.metrics[0]["Dimensions"][1] == {"Name": "JobName", "Value": JOB}


def test_a_kill_stops_the_run(glue: Glue, context: Any) -> None:
    task = operator(glue)
    with pytest.raises(TaskDeferred):
        task.execute(context)

    task.on_kill()

    assert glue.stopped == ["jr_0"]


def cancel(glue: Glue, trigger: GlueJobRunTrigger) -> None:
    async def run() -> None:
        waiting = asyncio.ensure_future(first_event(trigger))
        await glue.seen(glue.looks + 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())


@pytest.mark.parametrize(("state", "stopped"), [("failed", ["jr_0"]), ("deferred", [])])
def test_a_cancelled_trigger_stops_the_run_of_a_task_that_waits_no_more(
    glue: Glue, context: Any, monkeypatch: pytest.MonkeyPatch, state: str, stopped: list[str]
) -> None:
    trigger = execute(glue, context)
    trigger.task_instance = context["ti"]
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = {"manual__1": {"curate_records": state}}
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **_: states))

    cancel(glue, trigger)

    assert glue.stopped == stopped


def test_a_retry_does_not_wait_for_a_run_that_is_being_stopped(glue: Glue, context: Any) -> None:
    execute(glue, context)
    glue.end("STOPPING")

    assert execute(glue, context).run_id == "jr_1"


def test_the_trigger_survives_serialisation(glue: Glue) -> None:
    trigger = GlueJobRunTrigger(job_name=JOB, run_id="jr_0", poll_interval=2)
    path, arguments = trigger.serialize()

    assert path == "concert_platform.triggers.glue.GlueJobRunTrigger"
    assert vars(GlueJobRunTrigger(**arguments)) == vars(trigger)
