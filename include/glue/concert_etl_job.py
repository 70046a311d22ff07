"""Glue job concert-etl-job: curate ingest runs and publish them.

Arguments: raw_bucket, curated_bucket, glue_database, and partitions, a JSON list of [day, run id or null].

Each run is read from raw/, judged record by record, written as Parquet and quarantine below a prefix that nobody knows
yet, and checked by Great Expectations. Only when all runs have passed does the catalogue point at the new prefixes, and
the reports, from which the warehouse loads, come last. A job that is killed or fails publishes nothing; running it
again publishes the same rows under a new prefix.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib import import_module
from time import monotonic
from typing import Any

import boto3
from awsglue.utils import getResolvedOptions
from concert_etl import accounts, curation, gates
from concert_etl.entities import ENTITIES, Entity
from concert_etl.errors import CurationError, GateError
from concert_etl.publishing import CuratedBucket, Load, publish_partitions, write_documents
from concert_etl.raw import RawBucket, Run
from concert_etl.sources import judged_records
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

ARGUMENTS = ["raw_bucket", "curated_bucket", "glue_database", "partitions"]
SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # Spark 3.5 and 4.1 then agree on what a cast does
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
# How Spark's message names a file that it cannot read; the footer's one is that of 3.5.
UNREADABLE = re.compile(r"(?:while reading file|read footer for file:|Path does not exist:) (\S+[^\s.])")
LONGEST_REASON = 300  # characters


def create_session() -> SparkSession:
    session = SparkSession.builder.appName("concert-etl").getOrCreate()
    for name, value in SPARK_SETTINGS.items():
        session.conf.set(name, value)
    return session


class Curation:
    """Curates ingest runs: writes what they delivered below new prefixes, and checks it.

    :param token: what makes the prefixes of this job run new
    """

    def __init__(self, spark: SparkSession, raw: RawBucket, curated: CuratedBucket, token: str) -> None:
        self._spark, self._raw, self._curated, self._token = spark, raw, curated, token

    def curate_all(self, runs: Iterable[Run]) -> tuple[list[Load], list[str]]:
        """Curate runs independently of each other: what passed, and why the others were refused for their data."""
        loads, refused = [], []
        for run in runs:
            try:
                loads.append(self.curate(run))
            except (CurationError, PySparkException, Py4JJavaError) as error:
                reason = error if isinstance(error, CurationError) else one_line(error)
                if not isinstance(reason, CurationError):
                    raise
                refused.append(f"{run.dt} {run.run_id}: {reason}")
                if not isinstance(reason, GateError):  # a gate has left its checks there
                    self._note_refusal(run, str(reason))
        return loads, refused

    def _note_refusal(self, run: Run, reason: str) -> None:
        """Leave the reason where later runs look: data that was refused is not tried again by itself."""
        load = Load(run.dt, run.run_id, self._token)
        self._curated.put(load.failure_key, json.dumps({"reason": reason}))

    def curate(self, run: Run) -> Load:
        """Curate one run.

        :raises CurationError: when a file is damaged or a gate does not pass
        """
        load = Load(run.dt, run.run_id, self._token)
        # An entity's files are few and its Spark jobs short: one alone leaves most of the cores idle.
        with ThreadPoolExecutor(len(ENTITIES)) as pool:
            written = list(pool.map(lambda entity: self._write_entity(run, load, entity), ENTITIES.values()))
        for entity, rows in zip(ENTITIES, written, strict=True):
            records = sum(manifest.records for manifest in run.of(entity))
            if records:
                load.checks += gates.validate(
                    rows, entity, dt=run.dt, run_id=run.run_id, rows=load.planned[entity], records=records
                )
        self._pass_gates(load)
        return load

    def _write_entity(self, run: Run, load: Load, entity: Entity) -> DataFrame:
        """Write an entity's rows and rejected records and close its accounts; returns the rows read from the files."""
        started = monotonic()
        judged = judged_records(self._spark, self._raw, run, entity)
        counts = [] if judged is None else accounts.count(judged.persist())
        manifests = run.of(entity.name)
        accounts.check_files(counts, {(m.source, file.name): file.records for m in manifests for file in m.files})
        load.planned[entity.name] = sum(item.reports for item in counts if item.is_curated)
        load.quarantined[entity.name] = sum(item.reports for item in counts if item.rule)
        rows, written = self._spark.createDataFrame([], entity.ddl), {}
        if judged is not None:
            self._write_rejected(judged, counts, load, entity)
            if load.planned[entity.name]:
                rows = self._write_rows(judged, load, entity)
                written = {row["source"]: row["count"] for row in rows.groupBy("source").count().collect()}
            judged.unpersist()
        sources = [manifest.source for manifest in manifests]
        closed = accounts.close(entity.name, run.dt, run.run_id, sources, counts, written)
        load.accounts += closed
        load.rows[entity.name] = sum(written.values())
        for account in closed:
            print(f"{run.dt} {run.run_id} {account} in {monotonic() - started:.1f} s", flush=True)
        return rows

    def _write_rows(self, judged: DataFrame, load: Load, entity: Entity) -> DataFrame:
        prefix = load.prefix(f"curated/{entity.name}")
        self._curated.write_rows(curation.curated_rows(judged, entity), entity, prefix, load.planned[entity.name])
        return self._spark.read.schema(entity.ddl).parquet(self._curated.uri(prefix))

    def _write_rejected(self, judged: DataFrame, counts: list[accounts.Count], load: Load, entity: Entity) -> None:
        if not load.quarantined[entity.name]:
            return
        prefix = load.prefix(f"quarantine/{entity.name}")
        large_prefix = self._curated.uri(f"{prefix}large/")
        rejected = curation.rejected_records(judged, entity, dt=load.dt, large_prefix=large_prefix)
        self._curated.write_rejected(rejected, prefix)
        if any(item.large for item in counts):
            self._curated.write_large(curation.large_records(judged, large_prefix=large_prefix))

    def _pass_gates(self, load: Load) -> None:
        try:
            gates.require_success(load.checks, self._curated.uri(load.failure_key))
        except CurationError:
            self._curated.put_rows(load.failure_key, (check.row() for check in load.checks))
            raise


def one_line(error: Exception) -> Exception:
    """Spark's error as one line; as one about the data when a file cannot be read."""
    text = " ".join(str(error).split())
    if found := UNREADABLE.search(text):
        return CurationError(f"{found[1]} cannot be read: it is damaged or was removed after ingest")
    return RuntimeError(f"Spark: {text[:LONGEST_REASON]}")


def main() -> None:
    options = getResolvedOptions(sys.argv, ARGUMENTS)
    partitions: list[Any] = json.loads(options["partitions"])
    job_run_id = options["JOB_RUN_ID"]
    token = sha256(job_run_id.encode()).hexdigest()[:16]
    # Great Expectations takes seconds to import, which pass while the JVM starts.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(import_module, "great_expectations")
        spark = create_session()
    s3, glue = boto3.client("s3"), boto3.client("glue")
    raw, curated = RawBucket(s3, options["raw_bucket"]), CuratedBucket(s3, options["curated_bucket"])
    try:
        loads, refused = Curation(spark, raw, curated, token).curate_all(raw.runs(partitions))
        reports = {load.report_key: write_documents(curated, load, job_run_id) for load in loads}
        publish_partitions(glue, options["glue_database"], curated, loads)
        for key, report in reports.items():
            curated.put(key, json.dumps(report, indent=1))
            print(f"published {curated.uri(key)}")
        if refused:
            raise CurationError("; ".join(refused))
    except (PySparkException, Py4JJavaError) as error:
        traceback.print_exc()  # the whole of it for the log; the last line is the run's error message
        raise one_line(error) from None
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
