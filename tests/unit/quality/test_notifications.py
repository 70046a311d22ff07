"""Alerts: sent when there is a topic, and never in the way of the failure that they tell of."""

from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from concert_platform import clients, notifications
from concert_platform.settings import ENVIRONMENT_VARIABLE

TOPIC = "arn:aws:sns:eu-central-1:123456789012:concert-platform-development-alerts"


class Aws:
    """CloudFormation and SNS in one."""

    def __init__(self, outputs: dict[str, str] | None = None, refuses: bool = False) -> None:
        self.outputs, self.refuses = outputs, refuses
        self.sent: list[dict[str, Any]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "concert-platform-development-monitoring"
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
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "development")
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


class Dropped(StreamRequestHandler):
    """A call whose connection ends without an answer."""

    calls = 0

    def handle(self) -> None:
        type(self).calls += 1


def test_an_alert_is_given_up_after_two_tries_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Dropped, "calls", 0)
    with ThreadingTCPServer(("127.0.0.1", 0), Dropped) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            ENVIRONMENT_VARIABLE: "development", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_MAX_ATTEMPTS": "8", "AWS_RETRY_MODE": "standard", "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        monkeypatch.setattr(notifications, "_client", notifications._client.__wrapped__)
        assert notifications.send_alert("load stopped", "why") is None
        server.shutdown()
    assert Dropped.calls == clients.TRIES
    assert "alert 'load stopped' was not sent" in caplog.text
