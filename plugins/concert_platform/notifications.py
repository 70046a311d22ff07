"""One message to the alert topic of the monitoring stack. No Airflow import."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from concert_platform.clients import impatient
from concert_platform.settings import stack_name

TOPIC_OUTPUT = "AlertTopicArn"  # of the monitoring stack
LONGEST_SUBJECT = 100  # characters that SNS takes
LONGEST_MESSAGE = 20_000  # characters; SNS takes 256 KiB, nobody reads as much
# The process that tells of a failed run is killed after dag_processor.dag_file_processor_timeout (120 s), in which it
# also reads the DAG's file. Botocore's 60 s a try and Airflow's 8 tries would lose the alert without a line in the log.
READ_TIMEOUT = 5  # seconds of a try

log = logging.getLogger(__name__)


@cache
def _client(service: str) -> Any:
    return impatient(service, READ_TIMEOUT)


def alert_topic() -> str | None:
    """ARN of the alert topic; None while the monitoring stack is not deployed."""
    from botocore.exceptions import ClientError

    try:
        [stack] = _client("cloudformation").describe_stacks(StackName=stack_name("monitoring"))["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return outputs.get(TOPIC_OUTPUT)


def send_alert(subject: str, message: str) -> str | None:
    """Tell those who subscribe to alerts; returns the message's id.

    An alert that cannot be sent is logged and fails nothing: it follows a failure that must stay visible as it is.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    line = " ".join(subject.split())[:LONGEST_SUBJECT]
    try:
        topic = alert_topic()
        if topic is None:
            log.warning("monitoring is not deployed, so there is no topic to tell: %s", line)
            return None
        return str(_client("sns").publish(TopicArn=topic, Subject=line, Message=message[:LONGEST_MESSAGE])["MessageId"])
    except (BotoCoreError, ClientError) as error:
        log.warning("alert %r was not sent: %s", line, error)
        return None
