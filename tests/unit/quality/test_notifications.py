"""Alerts: sent when there is a topic, and never in the way of the failure that they tell of."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform import notifications
from concert_platform.settings import Settings

TOPIC = "arn:aws:sns:eu-central-1:123456789012:concert-platform-development-alerts"


class Aws:
    """CloudFormation and SNS in one."""

    def __init__(self, outputs: dict[str, str] | None = None, refuses: bool = False) -> None:
        self.outputs, self.refuses = outputs, refuses
        self.sent: list[dict[str, Any]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self.outputs is None:
            error = {"Error": {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}}
            raise ClientError(error, "DescribeStacks")
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]}]}

    def publish(self, **message: Any) -> dict[str, str]:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
        self.sent.append(message)
        return {"MessageId": "m-1"}


def use(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> Aws:
    monkeypatch.setattr(notifications, "_client", lambda _: aws)
    monkeypatch.setattr(notifications, "settings", lambda: Settings("development", "123456789012", "eu-central-1"))
    return aws


def test_an_alert_goes_to_the_topic_with_a_subject_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = use(monkeypatch, Aws({notifications.TOPIC_OUTPUT: TOPIC}))

    assert notifications.send_alert("load\nstopped " + "x" * 200, "why") == "m-1"

    [message] = aws.sent
    assert message["TopicArn"] == TOPIC and "\n" not in message["Subject"] and len(message["Subject"]) == 100


def test_without_monitoring_nobody_is_told_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, Aws())

    assert notifications.send_alert("load stopped", "why") is None
    assert "no topic to tell: load stopped" in caplog.text


def test_a_refused_alert_is_logged_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, Aws({notifications.TOPIC_OUTPUT: TOPIC}, refuses=True))

    assert notifications.send_alert("load stopped", "why") is None
    assert "was not sent" in caplog.text
