"""The curation job killed half-way: nothing of it counts, and its repetition publishes all of it once.

The job's own script runs in its own Spark process; a script around it sends SIGKILL to the whole process group at the
request that is half of the publication: all files are written, some tables point at them, and no report says so.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from concert_platform.artifacts import glue_package, zip_archive
from tests.contract.conftest import REPOSITORY, Emulator
from tests.contract.test_glue_jobs import wait

JOB, RAW, CURATED, DATABASE = "contract-job", "contract-kill-raw", "contract-kill-curated", "contract_kill"
DAY, RUN = "2020-03-04", "run-1"
DATASETS = ("box_office", "event", "identity_match")
TABLES = ("identity_registry", *DATASETS)
KILLED_AT = """
import os, runpy, signal, sys
from botocore.client import BaseClient

action, left = sys.argv[sys.argv.index("--kill_at") + 1].split()
left, call = int(left), BaseClient._make_api_call

def call_or_die(self, operation, arguments):
    global left
    if operation == action:
        left -= 1
        if left == 0:
            os.killpg(0, signal.SIGKILL)  # driver, JVM and Python workers, before the request is sent
    return call(self, operation, arguments)

BaseClient._make_api_call = call_or_die
runpy.run_path(os.path.join(os.getcwd(), "concert_etl_job.py"), run_name="__main__")
"""
HALF_WAY, NEVER = "BatchCreatePartition 3", "None 0"  # of the tables' partitions

REPORTS = (
    "source,report_id,artist,show,venue,city,country,period_start,period_end,performances,capacity,tickets_sold,"
    "gross,currency,average_price,top_price\n"
    "hall,r1,Björk,,Harpa,Reykjavík,IS,2020-01-01,2020-01-02,2,3200,3000,150000.50,USD,,\n"
    "hall,r1,Björk,,Harpa,Reykjavík,IS,2020-01-01,2020-01-02,2,3200,3100,150000.50,USD,,\n"
    "hall,r2,中島みゆき,,Harpa,Reykjavík,IS,2020-01-03,2020-01-03,1,1600,1500,90000,USD,,\n"
    "hall,r3,Björk,,Harpa,Reykjavík,IS,2020-01-04,2020-01-04,1,1600,1500,-1,USD,,\n"
)
EVENTS = {"_embedded": {"events": [
    {"id": f"e{number}", "name": "Björk live", "dates": {"start": {"localDate": "2020-05-06"}},
     "_embedded": {"attractions": [{"id": "a1", "name": "Björk"}], "venues": [
         {"id": "v1", "name": "Harpa", "city": {"name": "Reykjavík"}, "country": {"countryCode": "IS"}}]}}
    for number in range(2)]}}  # fmt: skip
FILES = {  # source, entity -> file name, content, records, mapping
    ("canonical", "box_office"): ("reports.csv", REPORTS, 4, "canonical"),
    ("ticketmaster", "event"): ("page.json", json.dumps(EVENTS), 2, None),
}


@pytest.fixture
def lake(emulator: Emulator) -> Iterator[Any]:
    """Buckets with one ingest run, and a catalogue without a partition; gives the S3 client."""
    s3, glue = emulator.client("s3"), emulator.client("glue")
    for bucket in (RAW, CURATED):
        s3.create_bucket(Bucket=bucket)
    manifests = []
    for (source, entity), (name, content, records, mapping) in FILES.items():
        prefix, body = f"raw/source={source}/entity={entity}/dt={DAY}/run={RUN}", content.encode()
        entry = {"name": name, "key": f"{prefix}/{name}", "bytes": len(body), "records": records, "mapping": mapping,
                 "sha256": hashlib.sha256(body).hexdigest(), "format": name.rpartition(".")[2]}  # fmt: skip
        manifest = {"source": source, "entity": entity, "dt": DAY, "run_id": RUN, "files": [entry],
                    "created_at": "2020-03-04T06:00:00+00:00", "records": records}  # fmt: skip
        s3.put_object(Bucket=RAW, Key=f"{prefix}/{name}", Body=body)
        s3.put_object(Bucket=RAW, Key=f"{prefix}/manifest.json", Body=json.dumps(manifest).encode())
        manifests.append(f"{prefix}/manifest.json")
    index = {"run_id": RUN, "dt": DAY, "manifests": manifests}
    s3.put_object(Bucket=RAW, Key=f"raw/_runs/dt={DAY}/{RUN}.json", Body=json.dumps(index).encode())
    glue.create_database(DatabaseInput={"Name": DATABASE})
    for table in TABLES:
        columns = {"Columns": [], "Location": f"s3://{CURATED}/curated/{table}/"}
        glue.create_table(DatabaseName=DATABASE, TableInput={"Name": table, "StorageDescriptor": columns})
    yield s3
    glue.delete_database(Name=DATABASE)
    for bucket in (RAW, CURATED):
        for key in keys(s3, bucket):
            s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)


@pytest.fixture
def curate(emulator: Emulator, lake: Any, make_role: Callable[..., str]) -> Iterator[Callable[[str], dict[str, Any]]]:
    """curate(kill_at) -> the ended job run."""
    glue = emulator.client("glue")
    role = make_role("contract-kill", [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "glue:*"], "Resource": "*"}
    ], ("glue.amazonaws.com",))  # fmt: skip
    lake.put_object(Bucket=RAW, Key="code/killed.py", Body=KILLED_AT.encode())
    script = (REPOSITORY / "include" / "glue" / "concert_etl_job.py").read_bytes()
    lake.put_object(Bucket=RAW, Key="code/concert_etl_job.py", Body=script)
    lake.put_object(Bucket=RAW, Key="code/concert_etl.zip", Body=zip_archive(glue_package()))
    glue.create_job(
        Name=JOB, Role=role, Command={"Name": "glueetl", "ScriptLocation": f"s3://{RAW}/code/killed.py"},
        DefaultArguments={
            "--extra-py-files": f"s3://{RAW}/code/concert_etl.zip,s3://{RAW}/code/concert_etl_job.py",
            "--raw_bucket": RAW, "--curated_bucket": CURATED, "--glue_database": DATABASE,
            "--partitions": json.dumps([[DAY, RUN]]),
        },
    )  # fmt: skip

    def run(kill_at: str) -> dict[str, Any]:
        return wait(emulator, glue.start_job_run(JobName=JOB, Arguments={"--kill_at": kill_at})["JobRunId"])

    yield run
    glue.delete_job(JobName=JOB)


def keys(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def locations(emulator: Emulator) -> dict[str, str]:
    """Table to the prefix that its only partition points at."""
    glue, found = emulator.client("glue"), {}
    for table in TABLES:
        for partition in glue.get_partitions(DatabaseName=DATABASE, TableName=table)["Partitions"]:
            assert table not in found
            found[table] = partition["StorageDescriptor"]["Location"]
    return found


def rows(s3: Any, location: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key in keys(s3, CURATED, location.removeprefix(f"s3://{CURATED}/")):
        body = s3.get_object(Bucket=CURATED, Key=key)["Body"].read()
        found += pq.read_table(io.BytesIO(body)).to_pylist()
    return found


def lines(s3: Any, uri: str) -> list[dict[str, Any]]:
    body = s3.get_object(Bucket=CURATED, Key=uri.removeprefix(f"s3://{CURATED}/"))["Body"].read()
    return [json.loads(line) for line in body.decode().splitlines()]


def report_of(s3: Any) -> dict[str, Any] | None:
    try:
        body = s3.get_object(Bucket=CURATED, Key=f"curated/_reports/dt={DAY}/run={RUN}.json")["Body"].read()
    except ClientError:
        return None
    return json.loads(body)


def test_a_job_that_is_killed_half_way_publishes_nothing_and_its_repetition_everything_once(
    emulator: Emulator, lake: Any, curate: Callable[[str], dict[str, Any]]
) -> None:
    killed = curate(HALF_WAY)
    assert (killed["JobRunState"], "killed by SIGKILL" in killed["ErrorMessage"]) == ("FAILED", True)
    half = locations(emulator)
    assert 0 < len(half) < len(TABLES), "half of the tables"
    assert report_of(lake) is None, "what the warehouse loads from comes last"

    done = curate(NEVER)
    assert done["JobRunState"] == "SUCCEEDED", done["ErrorMessage"]
    report, pointed = report_of(lake), locations(emulator)
    assert report is not None
    published = {name: entity["prefix"] for name, entity in report["entities"].items()}
    assert {name: pointed[name] for name in DATASETS} == {name: published[name] for name in DATASETS}
    assert not {half.get(name) for name in DATASETS} & set(published.values()), "nothing stays at the killed run's"
    assert len({prefix.rstrip("/").rpartition("-")[2] for prefix in published.values()}) == 1, "all of one job run"

    registered = [(row["entity"], row["source_id"]) for row in rows(lake, pointed["identity_registry"])]
    assert sorted(registered) == [("artist", "a1"), ("venue", "v1")]
    assert sorted(row["source_id"] for row in rows(lake, pointed["identity_match"])) == ["a1", "v1"]
    assert sorted((row["report_id"], row["tickets_sold"]) for row in rows(lake, pointed["box_office"])) == [
        ("r1", 3100), ("r2", 1500)]  # fmt: skip
    assert sorted(row["event_id"] for row in rows(lake, pointed["event"])) == ["e0", "e1"]
    accounts = {row["entity"]: (row["read"], row["quarantined"], row["deduplicated"])
                for row in lines(lake, report["accounts_uri"]) if row["read"]}  # fmt: skip
    assert accounts == {"box_office": (4, 1, 1), "event": (2, 0, 0)}
    (entry,) = json.loads(
        lake.get_object(Bucket=CURATED, Key=report["quarantine_manifest_uri"].removeprefix(f"s3://{CURATED}/"))[
            "Body"
        ].read()
    )["entries"]
    assert [row["rule"] for row in lines(lake, entry["url"])] == ["gross_invalid"]
