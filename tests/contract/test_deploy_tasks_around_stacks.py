"""The tasks of deploy_infrastructure that belong to no stack: validation and the code bundle."""

import pytest

from concert_platform import artifacts
from concert_platform.cloudformation import Deployment, validated
from concert_platform.operators import cloudformation as operators
from concert_platform.operators.cloudformation import PublishArtifactsOperator, ValidateTemplatesOperator
from concert_platform.validate import Finding
from tests.contract.deploy_tasks import Scratch, airflow_role, failure_of, scratch, template

__all__ = ["airflow_role", "scratch"]


@pytest.fixture
def validator(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the platform's validator finds: nothing, unless a test adds to it."""
    found: list[Finding] = []
    monkeypatch.setattr(operators, "cloudformation_templates", lambda: [*found])
    return found


def test_templates_are_judged_once_and_a_change_is_judged_again(
    scratch: Scratch, validator: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = ["first"]
    monkeypatch.setattr(validated, "content_digest", lambda: f"{content[0]}-{id(content)}")
    judge = ValidateTemplatesOperator(task_id="validate_templates")
    assert scratch.task(judge).state == "success"
    validator.append(Finding("include/cfn/chatbot.yaml", 7, "some-rule", "error", "is wrong", "do it right"))
    assert scratch.task(judge).state == "success"  # the same content is not judged again
    content[0] = "second"
    assert failure_of(scratch.task, task=judge) == (
        "1 findings in templates, the first: include/cfn/chatbot.yaml:7 [some-rule] is wrong: do it right; mend them, "
        "`python -m concert_platform.validate cloudformation-templates` lists all"
    )
    validator.clear()
    assert scratch.task(judge).state == "success"


def test_what_cloudformation_says_of_a_template_fails_the_validation(scratch: Scratch, validator: list) -> None:
    scratch.use(template("  Queue: {Type: AWS::SQS::Kueue}\n"))
    message = failure_of(scratch.task, task=ValidateTemplatesOperator(task_id="validate_templates"))
    assert message.startswith("template networking: ") and "AWS::SQS::Kueue" in message


@pytest.mark.parametrize(
    ("params", "reason"),
    [({"stacks": ["networking"]}, "no selected stack takes the code"),
     ({"stacks": ["storage-processing"], "dry_run": True}, "a dry run publishes nothing")],
    ids=["not selected", "dry run"],
)  # fmt: skip
def test_code_that_no_stack_takes_is_not_published(params: dict, reason: str, scratch: Scratch) -> None:
    skipped = scratch.task(PublishArtifactsOperator(task_id="publish_artifacts", prefix="any"), **params)
    assert (skipped.state, skipped.result) == ("skipped", reason)


def test_code_without_a_bucket_is_refused_with_the_remedy(scratch: Scratch) -> None:
    publish = PublishArtifactsOperator(task_id="publish_artifacts", prefix="any")
    assert failure_of(scratch.task, task=publish, stacks=["chatbot", "compute-application"]) == (
        "chatbot, compute-application take code from a bucket of storage-processing: deploy that stack first"
    )


def test_code_that_changes_during_a_run_is_not_published_under_another_hash_than_its_stacks_have(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = "concert-platform-production-artifacts-000000000000"
    s3 = scratch.emulator.client("s3")
    s3.create_bucket(Bucket=bucket)

    def keys() -> set[str]:
        return {item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    before = keys()
    monkeypatch.setattr(Deployment, "outputs", lambda *_: {"ArtifactsBucketName": bucket})
    bundles = [artifacts.Bundle({"lambda/api.zip": body}) for body in (b"reviewed", b"edited since")]
    monkeypatch.setattr(artifacts, "build", lambda: bundles[1])
    reviewed, edited = (
        PublishArtifactsOperator(task_id="publish_artifacts", prefix=bundle.prefix) for bundle in bundles
    )
    assert PublishArtifactsOperator.template_fields == ("prefix",)
    assert failure_of(scratch.task, task=reviewed, stacks=["chatbot"]) == (
        f"the code has changed during the run, from {bundles[0].prefix} to {bundles[1].prefix}: trigger a new run"
    )
    assert keys() == before
    assert scratch.task(edited, stacks=["chatbot"]).result == bundles[1].prefix
    assert keys() - before == {f"{bundles[1].prefix}/lambda/api.zip"}
