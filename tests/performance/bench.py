"""`make bench`: what the platform adds to its engines, as ratios measured side by side; needs a finished `make run`.

orchestration   wall time of each DAG / time of the engines' own work in it (Glue, SageMaker, Redshift statements)
COPY, MERGE     through the Redshift Data API (COPY of Parquet) / the same rows by psycopg2 into the same server
DAG files       seconds to import each, beyond Airflow itself
ingest          pages by the Ticketmaster connector / by a bare requests session; PAGES=10000
stream          records from PutRecords to the aggregate in DynamoDB: STREAM_SECONDS=120
curation        the Glue job on interactions / a bare PySpark script that does the same work: MILLIONS="1 10 50"
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import psycopg2

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".local"
ROWS = 200_000


def main() -> None:
    known = json.loads((STATE / "endpoints.json").read_text())
    report = json.loads((STATE / "run-report.json").read_text())
    orchestration(known, report)
    loads(known)
    dag_files()
    ingest()
    stream()
    curation()
    print(f"resident memory of the platform: {report['resident_mb']} MB")


def client(known: dict[str, Any], service: str) -> Any:
    return boto3.client(
        service, endpoint_url=known["aws_endpoint_url"], region_name=known["aws_region"],
        aws_access_key_id=known["aws_access_key_id"], aws_secret_access_key=known["aws_secret_access_key"],
    )  # fmt: skip


def orchestration(known: dict[str, Any], report: dict[str, Any]) -> None:
    """Wall time of the DAGs of the last run against the engines' own seconds in that time."""
    since, until = (datetime.fromisoformat(report[name]).timestamp() for name in ("started_at", "finished_at"))

    def within(moment: datetime) -> bool:
        return since <= moment.timestamp() <= until

    glue = client(known, "glue")
    name = glue.get_jobs()["Jobs"][0]["Name"]
    runs = [run for run in glue.get_job_runs(JobName=name)["JobRuns"] if within(run["StartedOn"])]
    curate = sum((run["CompletedOn"] - run["StartedOn"]).total_seconds() for run in runs)
    statements = [
        statement
        for page in client(known, "redshift-data").get_paginator("list_statements").paginate()
        for statement in page["Statements"]
        if within(statement["CreatedAt"])
    ]
    warehouse = sum((item["UpdatedAt"] - item["CreatedAt"]).total_seconds() for item in statements)
    models = sagemaker_seconds(report)
    wall = {dag["dag_id"]: dag["seconds"] for dag in report["dags"]}
    print("DAG                wall s   engines s   ratio")
    for dag_id, engines in (("curate_concerts", curate), ("load_warehouse", warehouse), ("retrain_models", models)):
        print(f"{dag_id:18s} {wall[dag_id]:6.1f} {engines:11.1f} {wall[dag_id] / engines:7.2f}")
    total = curate + warehouse + models
    print(f"{'run_platform':18s} {wall['run_platform']:6.1f} {total:11.1f} {wall['run_platform'] / total:7.2f}")


def sagemaker_seconds(report: dict[str, Any]) -> float:
    """From the logs' times: a job's log begins with its process and ends with it."""
    since = datetime.fromisoformat(report["started_at"]).timestamp()
    found = 0.0
    for path in (STATE / "logs" / "sagemaker").glob("*.log"):
        stat = path.stat()
        started = getattr(stat, "st_birthtime", None) or _born(path)
        if started >= since:
            found += stat.st_mtime - started
    return found


def _born(path: Path) -> float:
    answer = subprocess.run(["stat", "--format=%W", str(path)], capture_output=True, text=True, check=True)
    return float(answer.stdout)


def loads(known: dict[str, Any]) -> None:
    """COPY and MERGE of the same rows: by the Data API, and by psycopg2 as the bare engine."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "value": np.random.default_rng(7).random(ROWS)})
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    bucket, key = known["buckets"]["curated"], "curated/_bench/rows.parquet"
    client(known, "s3").put_object(Bucket=bucket, Key=key, Body=parquet.getvalue())
    role = f"arn:aws:iam::000000000000:role/{known['redshift_workgroup']}"
    for name in ("bench", "bench_target"):
        run(known, f"CREATE TABLE IF NOT EXISTS staging.{name} (id BIGINT, value DOUBLE PRECISION)")
    copy = f"COPY staging.bench FROM 's3://{bucket}/{key}' IAM_ROLE '{role}' FORMAT AS PARQUET"
    text = io.StringIO("".join(f"{row['id']}\t{row['value']}\n" for row in table.to_pylist()))
    # Half of the rows are known to the target, as a day's load meets those of the day before.
    half = (
        "TRUNCATE staging.bench_target; INSERT INTO staging.bench_target SELECT * FROM staging.bench WHERE id % 2 = 0"
    )
    merge = (
        "MERGE INTO staging.bench_target USING staging.bench AS rows ON bench_target.id = rows.id "
        "WHEN MATCHED THEN UPDATE SET value = rows.value WHEN NOT MATCHED THEN INSERT VALUES (rows.id, rows.value)"
    )
    try:
        with closing(psycopg2.connect(known["warehouse_dsn"])) as connection, connection.cursor() as cursor:
            connection.autocommit = True  # `with connection` would hold its locks to the end
            bare_copy = timed(lambda: cursor.copy_expert("COPY staging.bench FROM STDIN", text))
            cursor.execute("TRUNCATE staging.bench")
            compare("COPY", timed(lambda: run(known, copy)), bare_copy)
            cursor.execute(half)
            bare_merge = timed(lambda: cursor.execute(merge))
            cursor.execute(half)
            compare("MERGE", timed(lambda: run(known, merge)), bare_merge)
    finally:
        for name in ("bench", "bench_target"):
            run(known, f"DROP TABLE IF EXISTS staging.{name}")
        client(known, "s3").delete_object(Bucket=bucket, Key=key)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(what: str, through_api: float, bare: float) -> None:
    print(f"{what} of {ROWS:,} rows: {through_api:.2f} s ({ROWS / through_api:,.0f} rows/s), "
          f"bare engine {bare:.2f} s ({ROWS / bare:,.0f} rows/s), ratio {through_api / bare:.2f}")  # fmt: skip


def dag_files() -> None:
    """Seconds to import each DAG file as the platform's Airflow does, beyond what importing Airflow takes."""
    worker = STATE / "mwaa"
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(worker / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(worker / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/unused.db",
            "PYTHONPATH": str(worker / "plugins"),
        }
        output = Path(home) / "dags.json"
        command = [sys.executable, ROOT / "tests" / "dags" / "read_dags.py", output, "--time"]
        subprocess.run(command, env=environment, cwd=home, check=True, capture_output=True)
        seconds = json.loads(output.read_text())["seconds"]
    slowest = max(seconds, key=seconds.get)
    print(
        f"import of {len(seconds)} DAG files beyond Airflow: {sum(seconds.values()):.2f} s together, "
        f"longest {seconds[slowest]:.2f} s ({slowest})"
    )


def ingest() -> None:
    """The connector's pages / the same pages by a bare reader: PAGES=10000 for a long listing."""
    command = [sys.executable, ROOT / "tests" / "performance" / "ingest.py", os.environ.get("PAGES", "1000")]
    subprocess.run(command, check=True)


def stream() -> None:
    """500 records a second through Kinesis and the processor; there is no bare engine beside it, so seconds alone."""
    command = [
        sys.executable,
        ROOT / "tests" / "performance" / "stream.py",
        "--seconds",
        os.environ.get("STREAM_SECONDS", "20"),
    ]
    subprocess.run(command, check=True)


def curation() -> None:
    """In Spark's own environment, as the job; rows are made for it, so the platform's data stays as it is."""
    command = [STATE / "venvs" / "spark" / "bin" / "python", ROOT / "tests" / "performance" / "curation.py"]
    millions = os.environ.get("MILLIONS", "1 10").split()
    subprocess.run([*command, "--millions", *millions], check=True)


def run(known: dict[str, Any], sql: str) -> None:
    data = client(known, "redshift-data")
    statement = data.execute_statement(
        WorkgroupName=known["redshift_workgroup"], Database=known["redshift_database"], Sql=sql
    )["Id"]
    while (state := data.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.01)
    if state["Status"] != "FINISHED":
        sys.exit(f"bench: {sql[:60]}... {state.get('Error')}")


if __name__ == "__main__":
    main()
