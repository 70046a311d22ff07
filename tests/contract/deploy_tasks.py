"""Runs the tasks of deploy_infrastructure against the local AWS, on a stack and template of the test's own.

Fixtures (import them where they are used):
    airflow_role   module: orchestration is deployed in an environment of its own; this process works under its role
    scratch        Scratch: use(template), review(), execute(), run() -> what the tasks of one DAG run leave behind
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from airflow.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskDeferred
from airflow.sdk import DAG
from botocore.exceptions import ClientError

from concert_platform.cloudformation import Deployment, deployment, request
from concert_platform.cloudformation.templates import parse_template
from concert_platform.compat import AirflowSkipException
from concert_platform.operators import cloudformation as operators
from concert_platform.operators.cloudformation import ExecuteChangesOperator, ReviewChangesOperator
from concert_platform.settings import Settings
from tests.contract.conftest import PATIENTLY
from tests.contract.test_cloudformation import log_in

ENVIRONMENT = "production"  # no other test of the session works in it
ROLE = f"concert-platform-{ENVIRONMENT}-airflow-execution"
SERVICE_ROLE = f"concert-platform-{ENVIRONMENT}-cloudformation"
ACCOUNT = "000000000000"


class ScratchSettings(Settings):
    """The stack "networking" is another one, so that nothing real is in its way."""

    def stack(self, name: str) -> str:
        return f"{self.prefix}-scratch" if name == "networking" else super().stack(name)


SETTINGS = ScratchSettings(ENVIRONMENT, ACCOUNT, "us-east-1")
STACK = SETTINGS.stack("networking")


class Answering:
    """A client that answers one call as AWS does and the local AWS does not; `answer` gets the real method.

    :param times: how often, before the local AWS answers again
    """

    def __init__(self, client: Any, method: str, answer: Callable[..., Any], times: int = 1_000) -> None:
        self._client, self._method, self._answer, self.left = client, method, answer, times

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name != self._method or self.left == 0:
            return real
        self.left -= 1
        return lambda **arguments: self._answer(real, **arguments)


def refusing(operation: str, code: str, message: str) -> Callable[..., Any]:
    """An answer that is an error."""

    def refuse(_real: Any, **_arguments: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    return refuse


class TaskInstance:
    """Keeps XComs, as far as the operators use it."""

    map_index = -1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


@dataclass
class Outcome:
    """What a task has left behind."""

    state: str
    result: Any
    xcoms: dict[str, Any]
    link: str = ""
    deferred: list[str] = field(default_factory=list)  # stacks that triggers have waited for

    @property
    def rows(self) -> list[dict[str, str]]:
        return self.xcoms["change_set"]["changes"]

    @property
    def touched(self) -> list[tuple[str, str]]:
        return [(row["action"], row["logical_id"]) for row in self.rows]


def failure_of(run: Callable[..., Any], /, **arguments: Any) -> str:
    """Message of a task that fails for good; always one line."""
    with pytest.raises(AirflowFailException) as caught:
        run(**arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def template(*resources: str, before: str = "", after: str = "") -> str:
    return before + "Resources:\n" + "".join(resources) + after


class Scratch:
    """One stack, whose template each test chooses."""

    def __init__(self, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.emulator = emulator
        self.monkeypatch = monkeypatch
        self.root = emulator.client("cloudformation")
        self.runs = 0
        self.change_set: dict[str, Any] = {}
        monkeypatch.setattr(operators, "settings", lambda: SETTINGS)
        monkeypatch.setattr(request, "environment_file", lambda _: {"CostCenter": "tests", "stacks": {}})

    def use(self, body: str) -> "Scratch":
        """Change the template; what runs from now on is another DAG run."""
        self.runs += 1
        self.monkeypatch.setattr(deployment, "load_template", lambda name: parse_template(name, body))
        return self

    def task(self, task: Any, **params: Any) -> Outcome:
        """Any other task of the DAG."""
        return self._run(task, params)

    def review(self, *, parameters: dict[str, str] | None = None, **params: Any) -> Outcome:
        with DAG("deploy_infrastructure", schedule=None):
            task = ReviewChangesOperator(task_id="review_changes", stack="networking", parameters=parameters)
            task >> ExecuteChangesOperator(task_id="execute_changes", stack="networking", change_set={})
        outcome = self._run(task, params)
        outcome.link = task.report_link
        self.change_set = outcome.xcoms.get("change_set", {})
        return outcome

    def execute(self, **params: Any) -> Outcome:
        change_set = self.change_set
        return self._run(
            ExecuteChangesOperator(task_id="execute_changes", stack="networking", change_set=change_set), params
        )

    def run(self, **params: Any) -> Outcome:
        """Both tasks, as the scheduler would run them; what is returned is the review's."""
        outcome = self.review(**params)
        if outcome.state == "success":
            self.execute(**params)
        return outcome

    def answer(self, method: str, answer: Callable[..., Any], times: int = 1) -> None:
        """Let the library's next client of CloudFormation answer as AWS does; see Answering."""
        client = Answering(boto3.client("cloudformation"), method, answer, times)
        self.monkeypatch.setattr(Deployment, "client", client)

    def status(self) -> str:
        return Deployment(SETTINGS, run="looking").stack("networking").status()

    def calls(self, action: str) -> int:
        return sum(call["count"] for call in self.emulator.calls(service="cloudformation", action=action, role=ROLE))

    def resource(self, logical_id: str) -> dict[str, Any]:
        found = self.root.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]

    def _run(self, task: Any, params: dict[str, Any]) -> Outcome:
        given = {"environment": None, "stacks": ["networking"], "dry_run": False, "allow_replacement": False, **params}
        ti = TaskInstance()
        context = {"params": given, "run_id": f"manual__{self.runs}", "ti": ti, "task": task}
        deferred: list[str] = []
        step: Any = lambda: task.execute(context)  # noqa: E731
        while True:
            try:
                return Outcome("success", step(), ti.xcoms, deferred=deferred)
            except TaskDeferred as wait:
                event = asyncio.run(anext(wait.trigger.run())).payload
                deferred.append(wait.trigger.stack)
                kwargs = {**(wait.kwargs or {}), "event": event}
                step = lambda name=wait.method_name, kwargs=kwargs: task.resume_execution(name, kwargs, context)  # noqa: E731
            except DownstreamTasksSkipped as skip:
                return Outcome(f"skips {', '.join(skip.tasks)}", None, ti.xcoms, deferred=deferred)
            except AirflowSkipException as skip:
                return Outcome("skipped", str(skip), ti.xcoms, deferred=deferred)

    def remove(self) -> None:
        for name in (f"{STACK}-other", STACK):
            self.root.delete_stack(StackName=name)
            self.root.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=PATIENTLY)


@pytest.fixture(scope="module")
def airflow_role(emulator: Any) -> Iterator[None]:
    """Orchestration is there and boto3 works under Airflow's role, as in a task."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        keys = {"AWS_ACCESS_KEY_ID": "root-of-tests", "AWS_SECRET_ACCESS_KEY": "secret-of-tests"}
        log_in(monkeypatch, {**emulator.role_environment("unused"), **keys})
        monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        first = Deployment(Settings(ENVIRONMENT, ACCOUNT, "us-east-1"), run="first")
        for name in ("networking", "orchestration"):
            first.deploy(name)
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in(monkeypatch, emulator.role_environment(ROLE))
        yield
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def scratch(airflow_role: None, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    found = Scratch(emulator, monkeypatch)
    yield found
    found.remove()
