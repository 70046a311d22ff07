"""Glue jobs really run: the job's own script, in Spark, under the job's role."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import ACCOUNT, Emulator
from tests.deadlines import until

JOB, BUCKET = "contract-job", "contract-glue"
ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")

SPARK_SCRIPT = """
import sys, boto3
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
from numbers_library import double
options = getResolvedOptions(sys.argv, ["JOB_NAME", "bucket"])
root = "s3://" + options["bucket"]
spark = SparkSession.builder.getOrCreate()
rows = spark.read.json(root + "/in/")
rows.selectExpr("n * " + str(double(5)) + " AS n").coalesce(1).write.parquet(root + "/out/")
keys = boto3.client("s3").list_objects_v2(Bucket=options["bucket"], Prefix="out/")["Contents"]
boto3.client("s3").put_object(Bucket=options["bucket"], Key="report.json", Body=keys[0]["Key"].encode())
print(spark.read.parquet(root + "/out/").count())
"""
SLEEPING_SCRIPT = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"
ALLOWED = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
]


@pytest.fixture
def bucket(emulator: Emulator) -> Iterator[Any]:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="numbers_library.py", Body=b"def double(n):\n    return 2 * n\n")
    s3.put_object(Bucket=BUCKET, Key="in/rows.json", Body=b'{"n": 1}\n{"n": 2}\n')
    yield s3
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def start(emulator: Emulator, bucket: Any, make_role: Callable[..., str]) -> Iterator[Callable[..., str]]:
    """Make a job of a script and start it; gives the run's id."""
    glue = emulator.client("glue")

    def start_job(script: str, statements: list[dict] = ALLOWED) -> str:
        bucket.put_object(Bucket=BUCKET, Key="script.py", Body=script.encode())
        role = make_role("contract-glue-job", statements, ("glue.amazonaws.com",))
        glue.create_job(
            Name=JOB, Role=role, Command={"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/script.py"},
            DefaultArguments={"--bucket": BUCKET, "--extra-py-files": f"s3://{BUCKET}/numbers_library.py",
                              "--data": f"s3://{BUCKET}/"},
        )  # fmt: skip
        return glue.start_job_run(JobName=JOB)["JobRunId"]

    yield start_job
    glue.delete_job(JobName=JOB)


def wait(emulator: Emulator, run_id: str, states: tuple[str, ...] = ENDED, seconds: float = 600) -> dict[str, Any]:
    glue = emulator.client("glue")

    def ended() -> dict[str, Any] | None:
        run = glue.get_job_run(JobName=JOB, RunId=run_id)["JobRun"]
        return run if run["JobRunState"] in states else None

    return until(ended, seconds)


def process_of(emulator: Emulator, run_id: str) -> int:
    """Process id of a run's driver, once it has begun to print."""
    log = emulator.directory / "logs" / "glue" / f"{run_id}.log"
    until(lambda: log.exists() and "asleep" in log.read_text())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if run_id in os.readlink(entry / "cwd"):
                    return int(entry.name)
            except OSError:
                continue
    raise AssertionError(f"{run_id} has no process")


def test_a_script_reads_and_writes_s3_paths_in_spark_and_its_report_comes_last(
    emulator: Emulator, bucket: Any, start: Callable[..., str]
) -> None:
    run = wait(emulator, start(SPARK_SCRIPT))
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    # The script saw its own Parquet file in S3 before it wrote the report.
    assert bucket.get_object(Bucket=BUCKET, Key="report.json")["Body"].read().endswith(b".snappy.parquet")
    roles = {call["role"] for call in emulator.calls(service="s3", action="PutObject")}
    assert "contract-glue-job" in roles


def test_a_script_that_its_role_may_not_read_is_not_run(emulator: Emulator, start: Callable[..., str]) -> None:
    run = wait(emulator, start("print('never')", [{**ALLOWED[0], "Action": "s3:PutObject"}]))
    assert run["JobRunState"] == "FAILED"
    assert "could not be started" in run["ErrorMessage"]
    assert "not authorized to perform: s3:GetObject" in run["ErrorMessage"]


def test_a_killed_process_fails_its_run_with_the_signals_name_and_the_log(
    emulator: Emulator, start: Callable[..., str]
) -> None:
    run_id = start(SLEEPING_SCRIPT)
    os.kill(process_of(emulator, run_id), signal.SIGKILL)
    run = wait(emulator, run_id)
    assert run["JobRunState"] == "FAILED"
    assert "killed by SIGKILL; log: " in run["ErrorMessage"]


def test_a_stopped_run_is_stopped_and_the_job_is_free_again(emulator: Emulator, start: Callable[..., str]) -> None:
    glue, run_id = emulator.client("glue"), start(SLEEPING_SCRIPT)
    process_of(emulator, run_id)
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName=JOB)
    glue.batch_stop_job_run(JobName=JOB, JobRunIds=[run_id])
    assert wait(emulator, run_id)["JobRunState"] == "STOPPED"


def test_an_exception_of_the_script_is_the_runs_error_message(emulator: Emulator, start: Callable[..., str]) -> None:
    run = wait(emulator, start("raise ValueError('column price is missing')"))
    assert run["ErrorMessage"].startswith("ValueError: column price is missing (exit code 1); log: ")


def test_a_job_passes_only_a_role_that_its_creator_may_pass(emulator: Emulator, make_role: Callable[..., str]) -> None:
    make_role("creator", [{"Effect": "Allow", "Action": "glue:CreateJob", "Resource": "*"}])
    glue = emulator.role_client("glue", "creator")
    role = f"arn:aws:iam::{ACCOUNT}:role/creator"
    with pytest.raises(glue.exceptions.ClientError, match="iam:PassRole") as error:
        glue.create_job(Name="other", Role=role, Command={"Name": "glueetl", "ScriptLocation": "s3://a/b.py"})
    assert json.dumps(error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == "403"
