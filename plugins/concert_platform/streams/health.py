"""How the stream stands: lag, dead letters, failed batches, freshness and spill, in metrics and one line. No Airflow.

StreamIteratorAgeSeconds   how far the stream's function is behind, the worst of the last minutes; 0 when it was idle
StreamDeadLetters          records that it could not use, seen and in redrive
StreamFailedBatches        batches that it gave up after 12 hours; their records lie in the stream for a while longer
StreamFreshnessSeconds     age of the newest event in core; not reported while core has none
StreamSpilledObjects       objects that wait in the spill
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.metrics import publish
from concert_platform.settings import settings
from concert_platform.streams.spill import Spill
from concert_platform.warehouse import StatementFailedError, query

WINDOW = timedelta(minutes=15)
LONGEST_LAG = 300.0  # seconds; the alarm of the monitoring stack has its own threshold
NEWEST_SQL = """
    SELECT MAX(occurred_at) FROM (
        SELECT MAX(occurred_at) AS occurred_at FROM core.fact_fan_event
        UNION ALL
        SELECT MAX(occurred_at) AS occurred_at FROM core.fact_event_change
    ) AS newest
"""


@dataclass(frozen=True)
class Health:
    """:param freshness: seconds since the newest event in core occurred; None while core has none"""

    iterator_age: float
    dead_letters: int
    freshness: float | None
    spilled: int
    failed_batches: int = 0

    @property
    def troubles(self) -> list[str]:
        found = {
            f"the function is {self.iterator_age:.0f} s behind: look at its errors and throttles": (
                self.iterator_age > LONGEST_LAG
            ),
            f"{self.dead_letters} dead letters: mend their reason, then run monitor_stream with redrive": (
                self.dead_letters > 0
            ),
            f"{self.failed_batches} batches were given up: mend their reason, then send their records again": (
                self.failed_batches > 0
            ),
            f"{self.spilled} objects wait in the spill: the stream throttles, give it shards": self.spilled > 0,
        }
        return [trouble for trouble, is_so in found.items() if is_so]

    def __str__(self) -> str:
        verdict = "; ".join(self.troubles) or "stream in order"
        fresh = "core has no event" if self.freshness is None else f"newest event in core {self.freshness:.0f} s old"
        figures = f"lag {self.iterator_age:.0f} s, {self.dead_letters} dead letters, {self.spilled} spilled, {fresh}"
        return f"{verdict} ({figures})"

    def metrics(self) -> dict[str, float]:
        fresh = {} if self.freshness is None else {"StreamFreshnessSeconds": self.freshness}
        return {
            "StreamIteratorAgeSeconds": self.iterator_age,
            "StreamDeadLetters": self.dead_letters,
            "StreamFailedBatches": self.failed_batches,
            "StreamSpilledObjects": self.spilled,
            **fresh,
        }


def look() -> Health:
    """Ask CloudWatch, the queues, the warehouse and the spill, and report what they say."""
    now = datetime.now(UTC)
    spilled = len(Spill(settings().interaction_stream).waiting())
    found = Health(
        _iterator_age(now), _messages(settings().dead_letter_queue), _freshness(now), spilled,
        _messages(settings().failed_batches_queue),
    )  # fmt: skip
    publish(found.metrics())
    return found


def _iterator_age(now: datetime) -> float:
    import boto3

    answer: dict[str, Any] = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName="IteratorAge", StartTime=now - WINDOW, EndTime=now, Period=60,
        Statistics=["Maximum"],
        Dimensions=[{"Name": "FunctionName", "Value": settings().function("concert-data-processor")}],
    )  # fmt: skip
    newest = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])[-5:]
    return max((point["Maximum"] for point in newest), default=0.0) / 1000


def _messages(queue: str) -> int:
    import boto3

    sqs = boto3.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _freshness(now: datetime) -> float | None:
    try:
        [[newest]] = query(NEWEST_SQL)
    except StatementFailedError as error:
        if "does not exist" not in str(error):
            raise
        return None  # no load has created the tables yet
    return None if newest is None else (now - newest).total_seconds()
