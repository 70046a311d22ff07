"""Interactions from PutRecords to the aggregate in DynamoDB: seconds that a record takes, and whether any is lost.

    .venv/bin/python tests/performance/stream.py [--rate 500] [--seconds 120]

Needs a running platform. Each tenth of a second sends its share of the records by the platform's own client; the first
record of each share is a probe about an artist of its own, whose aggregate is looked for until it is there. At the end
the aggregates of all artists must hold exactly what was sent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
TICK = 0.1  # seconds
ARTISTS = 500
AT_ONCE = 100  # keys of a BatchGetItem
PATIENCE = 300  # seconds until the last record must have been counted
BETWEEN_LOOKS = 0.05


class Table:
    """Interactions counted of artists on this day."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name
        self._day = datetime.now(UTC).date().isoformat()

    def counts(self, artists: list[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(artists), AT_ONCE):
            keys = [
                {"subject": {"S": f"artist#{artist}"}, "day": {"S": self._day}}
                for artist in artists[start : start + AT_ONCE]
            ]
            answer = self._client.batch_get_item(RequestItems={self._name: {"Keys": keys, "ConsistentRead": True}})
            for item in answer["Responses"][self._name]:
                found[item["subject"]["S"].removeprefix("artist#")] = int(item["interactions"]["N"])
        return found


class Probes:
    """Seconds from the sending of each probe to the first look that finds its aggregate."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._sent: dict[str, float] = {}
        self._lock = threading.Lock()
        self.seconds: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def sent(self, artist: str, moment: float) -> None:
        with self._lock:
            self._sent[artist] = moment

    def close(self) -> None:
        """Wait for the last one."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = None
        while True:
            with self._lock:
                waiting = dict(self._sent)
            if not waiting and self._ended.is_set():
                return
            if self._ended.is_set():
                deadline = deadline or time.monotonic() + PATIENCE
                if time.monotonic() > deadline:
                    return
            oldest = sorted(waiting, key=waiting.__getitem__)[:AT_ONCE]
            for artist in self._table.counts(oldest) if oldest else ():
                self.seconds.append(time.monotonic() - waiting[artist])
                with self._lock:
                    del self._sent[artist]
            time.sleep(BETWEEN_LOOKS)


def record(run: str, number: int, artist: str) -> dict[str, Any]:
    document = {
        "event_id": f"{run}-{number}", "type": "view", "user_id": f"{run}-user-{number % 997}", "artist_id": artist,
        "occurred_at": datetime.now(UTC).isoformat(), "source": "bench", "schema_version": 1,
    }  # fmt: skip
    return {"Data": json.dumps(document).encode(), "PartitionKey": document["user_id"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=500, help="records a second")
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    known = json.loads((ROOT / ".local" / "endpoints.json").read_text())

    def client(service: str) -> Any:
        return boto3.client(
            service, endpoint_url=known["aws_endpoint_url"], region_name=known["aws_region"],
            aws_access_key_id=known["aws_access_key_id"], aws_secret_access_key=known["aws_secret_access_key"],
            config=Config(max_pool_connections=20),
        )  # fmt: skip

    kinesis, run = client("kinesis"), f"bench-{uuid.uuid4().hex[:8]}"
    stream = known["streams"]["interactions"]
    shards = len(kinesis.list_shards(StreamName=stream)["Shards"])
    table = Table(client("dynamodb"), next(
        name for name in client("dynamodb").list_tables()["TableNames"] if name.endswith("interaction-aggregates")
    ))  # fmt: skip
    probes, share = Probes(table), int(options.rate * TICK)
    artists = [f"{run}-{number}" for number in range(ARTISTS)]
    probed, sent, failed = [], 0, 0
    late = 0.0

    def send(records: list[dict[str, Any]]) -> int:
        return int(kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"])

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = []
        for tick in range(int(options.seconds / TICK)):
            wait = began + tick * TICK - time.monotonic()
            late = max(late, -wait)
            if wait > 0:
                time.sleep(wait)
            probe = f"{run}-probe-{tick}"
            records = [record(run, sent + n, artists[(sent + n) % ARTISTS] if n else probe) for n in range(share)]
            probes.sent(probe, time.monotonic())
            probed.append(probe)
            sent += len(records)
            answers.append(pool.submit(send, records))
        failed = sum(answer.result() for answer in answers)
    took = time.monotonic() - began
    probes.close()

    deadline = time.monotonic() + PATIENCE
    while (counted := sum(table.counts(artists + probed).values())) < sent - failed and time.monotonic() < deadline:
        time.sleep(0.5)
    cuts = statistics.quantiles(probes.seconds, n=100)
    print(
        f"stream: {sent:,} records in {took:.0f} s on {shards} shard(s), PutRecords at most {late:.1f} s late, "
        f"{failed} refused; to the aggregate p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, "
        f"longest {max(probes.seconds):.2f} s; {counted:,} counted"
    )
    if counted != sent - failed or len(probes.seconds) != len(probed):
        sys.exit(f"stream: {sent - failed - counted} records were lost or counted twice: see the dead letter queue")


if __name__ == "__main__":
    main()
