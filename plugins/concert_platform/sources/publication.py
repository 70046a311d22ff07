"""Publish what the sources have committed: the run index, and the partitions of the asset event.

A run that was killed between its commit and its asset event is published by the next one. Sending a partition twice
does no harm, losing one would: runs are confirmed only after the task that sends the event has succeeded.
"""

from __future__ import annotations

from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.manifests import write_run_index
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import IngestState, RunState


def write_indexes(run: IngestRun, *, state: IngestState | None = None, s3: Any = None) -> list[RunState]:
    """Write the index of this run and of each earlier one that nobody published; return them.

    A run whose sources have all failed has nothing committed and is not among them.
    """
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    state = state or IngestState()
    own = state.run(run)
    runs = {entry.run: entry for entry in [*state.unpublished(), *([own] if own else [])]}
    for entry in runs.values():
        write_run_index(s3, settings().raw_bucket, entry.run, entry.manifests, entry.revision)
    return sorted(runs.values(), key=lambda entry: entry.run)


def confirm(published: list[list[Any]], *, state: IngestState | None = None) -> None:
    """Note runs as published.

    :param published: [day, run id, revision] of each
    """
    state = state or IngestState()
    for dt, run_id, revision in published:
        state.confirm(IngestRun(dt, run_id), revision)
