"""A dry run of deploy_infrastructure changes no stack, in whatever state it finds one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from concert_platform.cloudformation import deployment
from tests.contract.deploy_tasks import (
    ACCOUNT,
    STACK,
    Scratch,
    airflow_role,
    failure_of,
    scratch,
    template,
)
from tests.contract.test_deploy_infrastructure import FAILING, NAME, bucket, queue, stuck

__all__ = ["airflow_role", "scratch", "stuck"]

CHANGING = ("ContinueUpdateRollback", "DeleteChangeSet", "DeleteStack", "ExecuteChangeSet")


def rolled_back(scratch: Scratch) -> None:
    scratch.use(template(bucket(), FAILING)).review()
    failure_of(scratch.execute)


def not_deleted(scratch: Scratch) -> None:
    scratch.use(template(bucket())).run()
    scratch.root.delete_stack(StackName=STACK)
    scratch.root.get_waiter("stack_delete_complete")
    deployment.Stack(scratch.root, STACK).wait_until_idle()


def under_review(scratch: Scratch) -> None:
    scratch.use(template(queue())).review()


@pytest.fixture
def full_bucket(scratch: Scratch) -> Any:
    """The bucket that the stack makes cannot be deleted, since it is not empty."""
    s3, name = scratch.emulator.client("s3"), f"{NAME}-{ACCOUNT}"
    scratch.use(template(bucket())).run()
    s3.put_object(Bucket=name, Key="data", Body=b"data")
    yield
    s3.delete_object(Bucket=name, Key="data")


@pytest.fixture
def calls(scratch: Scratch) -> Callable[[], dict[str, int]]:
    return lambda: {action: scratch.calls(action) for action in CHANGING}


def dry_run(scratch: Scratch, calls: Callable[[], dict[str, int]]) -> str:
    """Why a dry run has ended; it has changed nothing."""
    status, before = scratch.status(), calls()
    shown = scratch.use(template(queue(seconds=60))).review(dry_run=True)
    assert (shown.state, shown.deferred) == ("skipped", [])
    assert (scratch.status(), calls()) == (status, before)
    return str(shown.result)


def test_what_a_failed_creation_has_left_is_not_deleted(scratch: Scratch, calls: Any) -> None:
    rolled_back(scratch)
    assert dry_run(scratch, calls) == f"stack {STACK} is ROLLBACK_COMPLETE: a real run would delete it first"


def test_what_could_not_be_deleted_is_not_deleted(full_bucket: None, scratch: Scratch, calls: Any) -> None:
    not_deleted(scratch)
    assert dry_run(scratch, calls) == f"stack {STACK} is DELETE_FAILED: a real run would delete it first"


def test_a_failed_rollback_is_not_continued(stuck: Any, scratch: Scratch, calls: Any) -> None:
    assert dry_run(scratch, calls) == (
        f"stack {STACK} is UPDATE_ROLLBACK_FAILED: a real run would continue its rollback first"
    )
    stuck()


@pytest.mark.parametrize(
    ("lifetime", "ending"),
    [(timedelta(minutes=15), "a real run would be refused"), (timedelta(0), "a real run would delete it first")],
    ids=["of a run that may live", "abandoned"],
)
def test_the_change_set_of_another_run_is_not_deleted(
    lifetime: timedelta, ending: str, scratch: Scratch, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "REVIEW_LIFETIME", lifetime)
    under_review(scratch)
    waiting = scratch.change_set
    reason = dry_run(scratch, calls)
    assert reason.startswith(f"stack {STACK} is REVIEW_IN_PROGRESS since ") and reason.endswith(ending)
    assert scratch.root.describe_change_set(ChangeSetName=waiting["id"])["ExecutionStatus"] == "AVAILABLE"
