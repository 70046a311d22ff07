"""The end of a local Glue run's log lies where Glue would have put it."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.engines import jobs

GROUP, RUN = "/glue/output", "jr_1"


class Logs:
    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.streams: dict[tuple[str, str], list[str]] = {}

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "CreateLogStream")
        self.streams[logGroupName, logStreamName] = []

    def put_log_events(self, *, logGroupName: str, logStreamName: str, logEvents: list[dict[str, Any]]) -> None:
        self.streams[logGroupName, logStreamName] += [event["message"] for event in logEvents]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run.log"
    path.write_text("\n".join(f"line {number}" for number in range(jobs.MOST_LINES + 2)) + "\n\n")
    return path


def test_the_last_lines_lie_in_the_stream_of_the_run(log: Path) -> None:
    logs = Logs()

    jobs.publish_log(logs, GROUP, RUN, log)

    [(place, lines)] = logs.streams.items()
    assert place == (GROUP, RUN)
    assert (lines[0], lines[-1], len(lines)) == ("line 2", f"line {jobs.MOST_LINES + 1}", jobs.MOST_LINES)


def test_a_role_that_may_not_log_ends_its_run_all_the_same(log: Path) -> None:
    logs = Logs(refuses=True)

    jobs.publish_log(logs, GROUP, RUN, log)

    assert logs.streams == {}
