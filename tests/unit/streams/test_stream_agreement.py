"""What the stream's code names and does is what the templates create and allow."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from concert_platform.sources import changes
from concert_platform.streams import micro_batches, redrive
from tests.unit.lambdas.conftest import FOLDER
from tests.unit.template_reader import SETTINGS, Reader, covers, resources

SQL = Path(__file__).parents[3] / "include" / "sql"
RAW = f"arn:aws:s3:::{SETTINGS.raw_bucket}"
QUEUE = f"arn:aws:sqs:{SETTINGS.region}:{SETTINGS.account_id}:{SETTINGS.dead_letter_queue}"
FAILURES = f"arn:aws:sqs:{SETTINGS.region}:{SETTINGS.account_id}:{SETTINGS.failed_batches_queue}"
CONCERTS = f"arn:aws:dynamodb:{SETTINGS.region}:{SETTINGS.account_id}:table/{SETTINGS.concert_artist_table}"
STREAM = f"arn:aws:kinesis:{SETTINGS.region}:{SETTINGS.account_id}:stream/{SETTINGS.interaction_stream}"


def named(value: Any) -> str:
    return value["Fn::Sub"].replace("${Environment}", SETTINGS.environment)


def test_stream_and_queues_bear_the_names_that_the_code_builds() -> None:
    stream = resources("storage-processing")["Stream"]["Properties"]
    queues = [
        named(resources("compute-application")[name]["Properties"]["QueueName"])
        for name in ("ProcessorDeadLetterQueue", "StreamFailureQueue")
    ]
    assert named(stream["Name"]) == SETTINGS.interaction_stream
    assert queues == [SETTINGS.dead_letter_queue, SETTINGS.failed_batches_queue]


@pytest.mark.parametrize(
    ("action", "arn"),
    [("kinesis:PutRecords", STREAM), ("cloudwatch:GetMetricStatistics", "*"),
     *((f"s3:{call}Object", f"{RAW}/spill/x/2026-07-03/a.jsonl.gz") for call in ("Get", "Put", "Delete")),
     ("s3:GetObject", f"{RAW}/stream/dt=2026-07-03/12/a.jsonl.gz"),
     ("s3:PutObject", f"{RAW}/stream/_loads/run=x/manifest.json"), ("s3:ListBucket", RAW),
     *((f"sqs:{call}", QUEUE) for call in ("GetQueueUrl", "GetQueueAttributes", "ReceiveMessage", "DeleteMessage")),
     *((f"sqs:{call}", FAILURES) for call in ("GetQueueUrl", "GetQueueAttributes")),
     ("dynamodb:BatchWriteItem", CONCERTS)],
)  # fmt: skip
def test_airflow_may_do_what_the_stream_asks_of_it(action: str, arn: str) -> None:
    grants = Reader("orchestration").grants("Airflow")
    assert any(one.action == action and (one.resource == "*" or covers(one.resource, arn)) for one in grants)


def test_airflow_may_not_write_micro_batches() -> None:
    grants = [one for one in Reader("orchestration").grants("Airflow") if one.action == "s3:PutObject"]
    assert not any(covers(one.resource, f"{RAW}/stream/dt=2026-07-03/12/a.jsonl.gz") for one in grants)


def test_a_load_looks_back_longer_than_a_batch_is_tried() -> None:
    mapping = resources("compute-application")["ProcessorEventSource"]["Properties"]
    assert timedelta(seconds=mapping["MaximumRecordAgeInSeconds"]) + timedelta(hours=1) < micro_batches.LATEST


def test_a_batch_is_given_up_for_its_age_alone() -> None:
    """A service that refuses at once would use up any number of attempts within minutes."""
    mapping = resources("compute-application")["ProcessorEventSource"]["Properties"]
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (-1, 12 * 3600)


def test_producer_processor_and_warehouse_know_the_same_kinds_of_change() -> None:
    text = (FOLDER / "shared" / "stream_events.py").read_text()
    processor = re.findall(r'"(\w+)"', text.partition("CHANGE_TYPES = (")[2].partition(")")[0])
    warehouse = re.findall(
        r"'(\w+)'", (SQL / "stream/classify.sql").read_text().partition("type IN (")[2].partition(")")[0]
    )
    assert sorted(["event_listed", *changes.KINDS]) == sorted(processor) == sorted(warehouse)


def test_an_id_that_the_processor_takes_fits_its_column() -> None:
    text = (FOLDER / "shared" / "interactions.py").read_text()
    widths = dict(re.findall(r'"(\w+)": (\d+)', text.partition("WIDTHS = {")[2].partition("}")[0]))
    (table,) = SQL.glob("migrations/*_core_fact_fan_event.sql")
    columns = dict(re.findall(r"^    (\w+) VARCHAR\((\d+)\)", table.read_text(), re.MULTILINE))
    assert widths and all(columns[name] == width for name, width in widths.items())


def test_core_is_read_from_the_oldest_day_of_the_load_on() -> None:
    """Not the whole history every five minutes: event_date is its sort key."""
    read = [
        (file.name, where)
        for file in SQL.glob("stream/*.sql")
        for where in re.findall(r"FROM core\.fact_\w+\s+(WHERE [^\n]+)", file.read_text())
    ]
    assert len(read) == 6 and all(
        "event_date >= (SELECT stream_span.oldest_date FROM stream_span)" in where for _, where in read
    )
    for file in SQL.glob("stream/*.sql"):
        assert "quality.stream_loaded" not in file.read_text()  # a view over all of core
        for condition in re.findall(r"^ON (fact_.+)$", file.read_text(), re.MULTILINE):
            assert "event_date = staged.event_date" in condition


def test_core_and_redrive_look_as_far_back_as_the_function() -> None:
    files = ("stream/classify.sql", "checks/fan_event_duplicate.sql", "checks/event_change_duplicate.sql")
    days = [re.findall(r"(?:day, -|<= )(\d\d+)", (SQL / file).read_text()) for file in files]
    assert days == [["31"]] * 3
    hours = re.search(
        r"LONGEST_RETENTION = timedelta\(hours=(\d+)", (FOLDER / "shared" / "interactions.py").read_text()
    )
    assert hours and timedelta(hours=int(hours[1])) == redrive.LONGEST_DELAY
    assert timedelta(days=31) > 3 * timedelta(hours=int(hours[1])) + timedelta(days=2)
