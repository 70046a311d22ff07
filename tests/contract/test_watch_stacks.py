"""The monitoring and tracing stacks on the emulator, with stand-ins for what other stacks give them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from concert_platform import metrics
from concert_platform.cloudformation.templates import environment_file
from concert_platform.settings import Settings
from tests.contract.conftest import PATIENTLY
from tests.unit.template_reader import read

ENVIRONMENT = "production"  # other tests of the session deploy staging and development
HOME = "us-east-1:000000000000"
KEY = f"arn:aws:kms:{HOME}:key/11111111-2222-4333-8444-555555555555"
BUCKET = "watch-templates"
TEMPLATE_URL = f"https://s3.us-east-1.amazonaws.com/{BUCKET}/{{}}"
STAND_INS = {"DataKeyArn": KEY, "DistributionId": "E1A2B3C4D5E6F7"}


def parameters(name: str, **given: str) -> list[dict[str, str]]:
    declared = read(name)["Parameters"]
    own = {"Environment": ENVIRONMENT, **environment_file(ENVIRONMENT)["stacks"][name], **given}
    own |= {"AlertEmail": "on-call@example.org"} if name == "monitoring" and "AlertEmail" not in given else {}
    outputs = {
        key: STAND_INS.get(key, f"watched-{key.lower()}") for key, spec in declared.items() if "Default" not in spec
    }
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in (outputs | own).items()]


@pytest.fixture(scope="module")
def stacks(emulator: Any) -> Iterator[dict[str, dict[str, str]]]:
    """Outputs of both stacks, by name."""
    cloudformation, logs, s3 = (emulator.client(service) for service in ("cloudformation", "logs", "s3"))
    s3.create_bucket(Bucket=BUCKET)
    groups = [item["ParameterValue"] for item in parameters("tracing") if item["ParameterKey"].endswith("LogGroupName")]
    for group in groups:
        logs.create_log_group(logGroupName=group)
    outputs = {}
    for name in ("monitoring", "tracing"):
        s3.put_object(Bucket=BUCKET, Key=name, Body=json.dumps(read(name)).encode())  # too large to go inline
        cloudformation.create_stack(
            StackName=f"watch-{name}", TemplateURL=TEMPLATE_URL.format(name),
            Parameters=parameters(name), Capabilities=["CAPABILITY_NAMED_IAM"], OnFailure="DO_NOTHING",
        )  # fmt: skip
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=f"watch-{name}", WaiterConfig=PATIENTLY)
        stack = cloudformation.describe_stacks(StackName=f"watch-{name}")["Stacks"][0]
        outputs[name] = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    yield outputs
    for name in outputs:
        cloudformation.delete_stack(StackName=f"watch-{name}")
        waiter = cloudformation.get_waiter("stack_delete_complete")
        waiter.wait(StackName=f"watch-{name}", WaiterConfig=PATIENTLY)
    for group in groups:
        logs.delete_log_group(logGroupName=group)


def test_outputs_have_the_form_of_aws(stacks: dict[str, dict[str, str]]) -> None:
    prefix = f"concert-platform-{ENVIRONMENT}"
    watching, tracing = stacks["monitoring"], stacks["tracing"]
    assert watching["AlertTopicArn"] == f"arn:aws:sns:{HOME}:{prefix}-alerts"
    boards = ("platform", "stream", "models", "cost")
    assert watching["DashboardNames"] == ",".join(f"{prefix}-{name}" for name in boards)
    assert tracing["LakeTrailArn"] == f"arn:aws:cloudtrail:{HOME}:trail/{prefix}-lake"
    assert tracing["TrailLogGroupName"] == f"/{prefix}/trail"


@pytest.mark.parametrize("name", ["monitoring", "tracing"])
def test_a_second_deployment_changes_nothing(name: str, stacks: Any, root: Callable[[str], Any]) -> None:
    cloudformation = root("cloudformation")
    change_set = cloudformation.create_change_set(
        StackName=f"watch-{name}", ChangeSetName="again", ChangeSetType="UPDATE", TemplateURL=TEMPLATE_URL.format(name),
        Parameters=parameters(name), Capabilities=["CAPABILITY_NAMED_IAM"],
    )["Id"]  # fmt: skip
    found = cloudformation.describe_change_set(ChangeSetName=change_set)
    assert (found["Status"], found["Changes"]) == ("FAILED", [])


def test_production_is_not_deployed_while_nobody_is_told(stacks: Any, root: Callable[[str], Any]) -> None:
    cloudformation = root("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError, match="production needs AlertEmail") as refused:
        cloudformation.create_change_set(
            StackName="watch-nobody", ChangeSetName="first", ChangeSetType="CREATE",
            TemplateURL=TEMPLATE_URL.format("monitoring"), Parameters=parameters("monitoring", AlertEmail=""),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )  # fmt: skip
    assert "include/cfn/parameters/production.json" in str(refused.value)


def test_dashboards_arrive_as_json(stacks: dict[str, dict[str, str]], root: Callable[[str], Any]) -> None:
    for name in stacks["monitoring"]["DashboardNames"].split(","):
        body = json.loads(root("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
        assert body["widgets"] and "${" not in json.dumps(body)


def test_alarms_arrive_as_they_are_declared(stacks: dict[str, dict[str, str]], root: Callable[[str], Any]) -> None:
    cloudwatch = root("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"concert-platform-{ENVIRONMENT}-")
    alarms = {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}
    declared = [item for item in read("monitoring")["Resources"].values() if item["Type"] == "AWS::CloudWatch::Alarm"]
    names = [item["Properties"]["AlarmName"]["Fn::Sub"] for item in declared]
    assert sorted(alarms) == sorted(name.replace("${Environment}", ENVIRONMENT) for name in names)


@pytest.mark.parametrize(
    ("rule", "kind", "failed", "other"),
    [
        (
            "etl-job-failed", "Glue Job State Change",
            {"jobName": "watched-etljobname", "state": "TIMEOUT"}, {"jobName": "payroll", "state": "FAILED"},
        ),
        (
            "training-failed", "SageMaker Training Job State Change",
            {"TrainingJobName": f"concert-platform-{ENVIRONMENT}-sales-train-1", "TrainingJobStatus": "Failed"},
            {"TrainingJobName": f"concert-platform-{ENVIRONMENT}-sales-train-1", "TrainingJobStatus": "Completed"},
        ),
        (
            "scoring-failed", "SageMaker Processing Job State Change",
            {"ProcessingJobName": f"concert-platform-{ENVIRONMENT}-sales-score-1", "ProcessingJobStatus": "Failed"},
            {"ProcessingJobName": "payroll", "ProcessingJobStatus": "Failed"},
        ),
    ],
)  # fmt: skip
def test_a_rule_sees_the_failures_of_the_platform_only(
    rule: str, kind: str, failed: dict, other: dict, stacks: dict[str, dict[str, str]], root: Callable[[str], Any]
) -> None:
    events = root("events")
    name = f"concert-platform-{ENVIRONMENT}-{rule}"
    pattern = events.describe_rule(Name=name)["EventPattern"]
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"] == stacks["monitoring"]["AlertTopicArn"]

    def matches(detail: dict[str, str]) -> bool:
        source = f"aws.{kind.partition(' ')[0].lower()}"
        event = {"id": "1", "account": "000000000000", "source": source, "region": "us-east-1",
                 "time": "2026-01-01T00:00:00Z", "resources": [], "detail-type": kind, "detail": detail}  # fmt: skip
        return events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]

    assert matches(failed) and not matches(other)


def test_a_load_is_reported_within_the_namespace_of_the_role(
    stacks: Any, emulator: Any, make_role: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
               "Condition": {"StringEquals": {"cloudwatch:namespace": metrics.NAMESPACE}}}  # fmt: skip
    make_role("watch-reporter", [allowed])
    cloudwatch = emulator.role_client("cloudwatch", "watch-reporter")
    settings = Settings(environment=ENVIRONMENT, account_id="000000000000", region="us-east-1")
    monkeypatch.setattr(metrics, "settings", lambda: settings)
    monkeypatch.setattr(metrics, "query", lambda sql, **params: [[42]])
    with monkeypatch.context() as patch:
        patch.setattr("boto3.client", lambda service: cloudwatch)
        metrics.publish_load([{"run_id": "one"}, {"run_id": "two"}])

    root = emulator.client("cloudwatch")
    found = root.list_metrics(Namespace=metrics.NAMESPACE)["Metrics"]
    assert {(item["MetricName"], item["Dimensions"][0]["Value"]) for item in found} >= {
        ("LoadedPartitions", ENVIRONMENT), ("LoadedRows", ENVIRONMENT)}  # fmt: skip
    (call,) = emulator.calls(action="PutMetricData", role="watch-reporter")
    assert call["outcome"] == "executed"
    (freshness,) = root.describe_alarms(AlarmNames=[f"concert-platform-{ENVIRONMENT}-freshness"])["MetricAlarms"]
    assert freshness["StateValue"] == "OK"
    with pytest.raises(cloudwatch.exceptions.ClientError, match="not authorized"):
        cloudwatch.put_metric_data(Namespace="Payroll", MetricData=[{"MetricName": "m", "Value": 1}])
