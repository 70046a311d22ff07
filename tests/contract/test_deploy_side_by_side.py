"""Runs of deploy_infrastructure beside other runs and other people, who change the same stack at the same time."""

from typing import Any

import pytest

from concert_platform.cloudformation import ChangeSet, Deployment, StackFailedError, deployment
from concert_platform.cloudformation.stacks import Stack
from concert_platform.cloudformation.templates import parse_template
from tests.contract.deploy_tasks import SETTINGS, STACK, Scratch, airflow_role, failure_of, refusing, scratch, template
from tests.contract.test_deploy_infrastructure import FAILING, bucket, queue, visibility

__all__ = ["airflow_role", "scratch"]

BUSY = f"Stack:arn:aws:cloudformation:::stack/{STACK}/1 is in UPDATE_IN_PROGRESS state and can not be updated."


def test_a_change_set_is_obsolete_once_another_run_has_executed_its_own(scratch: Scratch) -> None:
    scratch.use(template(queue())).run()
    scratch.use(template(queue(seconds=60))).review()
    first = scratch.change_set
    scratch.use(template(queue(seconds=90))).run()
    scratch.change_set = first
    assert failure_of(scratch.execute) == (
        f"stack {STACK} was changed by others since its change set was reviewed: deploy again"
    )
    assert visibility(scratch) == "90"


def test_a_change_set_that_becomes_obsolete_between_two_calls_is_no_other_failure(scratch: Scratch) -> None:
    scratch.use(template(queue())).run()
    scratch.use(template(queue(seconds=60))).review()
    gone = refusing("ExecuteChangeSet", "ChangeSetNotFound", "ChangeSet [x] does not exist")

    def executed_by_others(_real: Any, **arguments: Any) -> Any:
        scratch.root.delete_change_set(ChangeSetName=arguments["ChangeSetName"])
        gone(_real)

    scratch.answer("execute_change_set", executed_by_others)
    assert failure_of(scratch.execute).endswith("changed by others since its change set was reviewed: deploy again")


def test_a_new_stack_that_waits_for_another_run_is_left_to_it(scratch: Scratch) -> None:
    scratch.use(template(queue())).review()
    first = scratch.change_set
    message = failure_of(scratch.use(template(queue(seconds=60))).review)
    assert message.startswith(f"stack {STACK} is REVIEW_IN_PROGRESS since ")
    assert message.endswith(
        " UTC, for another run: let that run execute its change set, or deploy again 15 minutes after its review, when "
        "the stack is deleted as abandoned"
    )
    scratch.change_set = first
    assert scratch.execute().state == "success"
    assert (scratch.status(), visibility(scratch)) == ("CREATE_COMPLETE", "30")


def test_an_update_that_was_rolled_back_has_failed_whatever_others_have_done_since(scratch: Scratch) -> None:
    scratch.use(template(bucket())).run()
    scratch.use(template(bucket(), FAILING)).review()
    change_set = ChangeSet(**scratch.change_set)
    run = Deployment(SETTINGS, run="any")
    run.execute(change_set)
    assert Stack(scratch.root, STACK).wait_until_idle() == "UPDATE_ROLLBACK_COMPLETE"
    scratch.root.update_stack(StackName=STACK, TemplateBody=template(bucket(), queue()))
    assert Stack(scratch.root, STACK).wait_until_idle() == "UPDATE_COMPLETE"
    with pytest.raises(StackFailedError, match="is EXECUTE_FAILED, and others have changed the stack since"):
        run.outcome("networking", change_set)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that waits in the worker for the stack fails here."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the worker waits")

    monkeypatch.setattr(Deployment, "_wait_until_ready", refuse)


@pytest.mark.usefixtures("no_sleep")
def test_a_stack_that_becomes_busy_after_the_look_at_it_is_waited_for_outside_the_worker(
    scratch: Scratch,
) -> None:
    scratch.use(template(queue())).run()
    looks: list[str] = []

    def describe(real: Any, **arguments: Any) -> Any:
        answer = real(**arguments)
        [found] = answer["Stacks"]
        if len(looks) == 1:
            found["StackStatus"] = "UPDATE_IN_PROGRESS"
        looks.append(found["StackStatus"])
        return answer

    scratch.answer("describe_stacks", describe, times=1_000)
    reviewed = scratch.use(template(queue(seconds=60))).run()
    assert (looks[:2], reviewed.deferred[0]) == (["CREATE_COMPLETE", "UPDATE_IN_PROGRESS"], STACK)
    assert visibility(scratch) == "60"


@pytest.mark.usefixtures("no_sleep")
def test_a_change_set_that_is_refused_since_the_stack_is_busy_is_asked_for_again(scratch: Scratch) -> None:
    scratch.use(template(queue())).run()
    scratch.answer("create_change_set", refusing("CreateChangeSet", "ValidationError", BUSY))
    reviewed = scratch.use(template(queue(seconds=60))).run()
    assert (reviewed.deferred, reviewed.touched) == ([STACK], [("Modify", "Queue")])


def test_an_execution_that_is_refused_since_the_stack_is_busy_is_asked_for_again(scratch: Scratch) -> None:
    scratch.use(template(queue())).run()
    scratch.use(template(queue(seconds=60))).review()
    scratch.answer("execute_change_set", refusing("ExecuteChangeSet", "ValidationError", BUSY))
    executed = scratch.execute()
    assert (executed.state, executed.deferred) == ("success", [STACK])
    assert visibility(scratch) == "60"


def test_the_command_line_waits_for_a_stack_that_becomes_busy(scratch: Scratch) -> None:
    scratch.use(template(queue())).run()
    scratch.use(template(queue(seconds=60)))
    scratch.answer("create_change_set", refusing("CreateChangeSet", "ValidationError", BUSY))
    Deployment(SETTINGS, run="command line").deploy("networking")
    assert visibility(scratch) == "60"


def test_a_stack_under_review_of_this_run_makes_room_for_its_next_try(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.use(template(queue())).review()
    runs_change_set, changed = scratch.change_set["id"], template(queue(seconds=60))

    def describe(real: Any, **arguments: Any) -> Any:  # the local AWS does not name the change set
        answer = real(**arguments)
        for found in answer["Stacks"]:
            found["ChangeSetId"] = runs_change_set
        return answer

    scratch.answer("describe_stacks", describe, times=1_000)
    monkeypatch.setattr(deployment, "load_template", lambda name: parse_template(name, changed))
    scratch.run()
    assert visibility(scratch) == "60"
