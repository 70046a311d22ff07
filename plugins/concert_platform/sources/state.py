"""DynamoDB table of the ingest state (hash key `source`, range key `item`).

source = ticketmaster, lastfm, broadway_weekly_grosses ...   item = page, record or key in the drop zone; watermark
    version, run_id, dt, delivered_at: the last version that was delivered, and by which run
source = _budget                                       item = <source>#<day>
    requests: how many were made (budget.py)
source = _runs                                         item = <dt>#<run id>
    manifests: keys of the run's committed manifests; revision: number of commits;
    published: whether an asset event with all of them has been sent
source = _announced#<source>                           item = id of an event: see changes.py
source = _stream                                       item = <dt>#<run id>: what the run sent, see changes.py
source = _stream_load, _concert_artists                item = watermark: see streams/loading.py, concert_artists.py

expires_at (seconds since 1970) of a row that is of use for a time only: pages of a day's listing, budgets, announced
events that are over, what a run sent. DynamoDB deletes such a row within days after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.manifests import Manifest
from concert_platform.sources.run import IngestRun

RUNS = "_runs"
PAGE_OF_A_DAY = re.compile(r"page#(\d{4}-\d{2}-\d{2})#.*")  # of a listing that is read anew each day
KEPT_PAGES = timedelta(days=60)  # after the day, or the delivery if that was later; then a run of the day delivers anew


@dataclass(frozen=True)
class RunState:
    """What a run has committed, and whether it was published since."""

    run: IngestRun
    manifests: list[str]
    revision: int
    published: bool


class IngestState:
    """The state table; every write may be repeated."""

    def __init__(self, table: Any = None) -> None:
        if table is None:
            import boto3

            table = boto3.resource("dynamodb").Table(settings().ingest_state_table)
        self.table = table

    def versions(self, source: str) -> dict[str, str]:
        """Last delivered version of each item of a source."""
        return {row["item"]: row["version"] for row in self._query(source)}

    def rows(self, source: str) -> Iterator[dict[str, Any]]:
        """Every row of a source."""
        return self._query(source)

    def put_if(self, row: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None) -> bool:
        """Write a row; where a condition does not hold, the row that is there stays, and the answer is False."""
        arguments: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        if values:
            arguments |= {"ExpressionAttributeValues": values}
        return self._if_allowed(self.table.put_item, Item=row, **arguments)

    def run(self, run: IngestRun) -> RunState | None:
        row = self.table.get_item(Key=_run_key(run), ConsistentRead=True).get("Item")
        return _run_state(row) if row else None

    def days_of(self, run_id: str) -> set[str]:
        """Days of the runs of that id that have committed anything."""
        return {day for day, _, name in (row["item"].partition("#") for row in self._query(RUNS)) if name == run_id}

    def unpublished(self) -> list[RunState]:
        """Runs with a commit that no asset event has carried yet, oldest day first."""
        return [_run_state(row) for row in self._query(RUNS) if not row["published"]]

    def commit(self, manifest: Manifest) -> None:
        """Make a written manifest part of its run, then mark its files as delivered."""
        self.reopen(IngestRun(manifest.dt, manifest.run_id), manifest.key)
        self.mark(manifest)

    def reopen(self, run: IngestRun, manifest_key: str) -> None:
        """Note a run's manifest as committed and the run as unpublished."""
        self.table.update_item(
            Key=_run_key(run),
            UpdateExpression="ADD manifests :key, revision :one SET published = :no",
            ExpressionAttributeValues={":key": {manifest_key}, ":one": 1, ":no": False},
        )

    def mark(self, manifest: Manifest) -> None:
        """Mark a committed manifest's files and notes; an item that was delivered later on stays as it is."""
        marks = [(file.item, file.version, file.delivered_at) for file in manifest.files]
        marks += [(item, version, noted_at) for item, (version, noted_at) in manifest.notes.items()]
        for item, version, delivered_at in marks:
            row: dict[str, Any] = {
                "source": manifest.source,
                "item": item,
                "version": version,
                "run_id": manifest.run_id,
            }
            if of_a_day := PAGE_OF_A_DAY.fullmatch(item):
                # A day of long ago may be read today, and its next run must not read it all again.
                row["expires_at"] = max(expiry(of_a_day[1], KEPT_PAGES), expiry(delivered_at, KEPT_PAGES))
            self._put_unless_newer({**row, "dt": manifest.dt, "delivered_at": delivered_at})

    def confirm(self, run: IngestRun, revision: int) -> None:
        """Note that a run was published as of a revision; a later commit keeps it unpublished."""
        self._if_allowed(
            self.table.update_item,
            Key=_run_key(run),
            UpdateExpression="SET published = :yes",
            ConditionExpression="revision = :seen",
            ExpressionAttributeValues={":yes": True, ":seen": revision},
        )

    def _put_unless_newer(self, row: dict[str, Any]) -> None:
        self._if_allowed(
            self.table.put_item,
            Item=row,
            ConditionExpression="attribute_not_exists(delivered_at) OR delivered_at <= :at",
            ExpressionAttributeValues={":at": row["delivered_at"]},
        )

    def _if_allowed(self, call: Any, **arguments: Any) -> bool:
        """Make a conditional write whose condition may well not hold."""
        try:
            call(**arguments)
        except self.table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _query(self, source: str) -> Iterator[dict[str, Any]]:
        arguments: dict[str, Any] = {
            # `source` is a reserved word of DynamoDB's expressions.
            "KeyConditionExpression": "#source = :source",
            "ExpressionAttributeNames": {"#source": "source"},
            "ExpressionAttributeValues": {":source": source},
            "ConsistentRead": True,
        }
        while True:
            answer = self.table.query(**arguments)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def expiry(moment: str, kept: timedelta) -> int:
    """Value of expires_at.

    :param moment: day or time in ISO form, from which the row is kept on; UTC where it names no zone
    """
    begun = datetime.fromisoformat(moment)
    return int(((begun if begun.tzinfo else begun.replace(tzinfo=UTC)) + kept).timestamp())


def _run_key(run: IngestRun) -> dict[str, str]:
    return {"source": RUNS, "item": f"{run.dt}#{run.run_id}"}


def _run_state(row: dict[str, Any]) -> RunState:
    dt, run_id = row["item"].split("#", 1)
    manifests: Iterable[str] = row["manifests"]
    return RunState(IngestRun(dt, run_id), sorted(manifests), int(row["revision"]), bool(row["published"]))
