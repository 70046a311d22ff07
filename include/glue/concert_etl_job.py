"""Glue job concert-etl-job: curate ingest runs and publish them.

Arguments: raw_bucket, curated_bucket, glue_database, and partitions, a JSON list of [day, run id or null].

Each run is read from raw/, judged record by record, written as Parquet and quarantine below a prefix that nobody knows
yet, and checked by Great Expectations. Only when all runs have passed does the catalogue point at the new prefixes, and
the reports, from which the warehouse loads, come last. A job that is killed publishes nothing; running it again
publishes the same rows under a new prefix. A source with a file that cannot be used is left out, and a run that does
not pass a gate is not published; the others are, and the job fails at its end with the reasons, which are also left
in curated/_failed/.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from importlib import import_module
from time import monotonic
from typing import Any

import boto3
from awsglue.utils import getResolvedOptions
from concert_etl import accounts, curation, gates
from concert_etl.entities import ENTITIES, Entity
from concert_etl.errors import SPARK_ERRORS, CurationError, GateError, one_line
from concert_etl.publishing import CuratedBucket, Load, publish_partitions, write_documents
from concert_etl.raw import Manifest, RawBucket, RunIndex
from concert_etl.sources import judged_records
from pyspark.sql import DataFrame, SparkSession

ARGUMENTS = ["raw_bucket", "curated_bucket", "glue_database", "partitions"]
SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # Spark 3.5 and 4.1 then agree on what a cast does
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # pandas writes moments in nanoseconds, which Spark has no type for; raw.py makes moments of the numbers.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
}


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

    def curate_all(self, indexes: Iterable[RunIndex]) -> tuple[list[Load], list[str]]:
        """Curate runs independently of each other: what passed, and why others or parts were refused for their data."""
        loads, refused = [], []
        for index in indexes:
            load = Load(index.dt, index.run_id, self._token, index.etag)
            try:
                self.curate(index, load)
            except (CurationError, *SPARK_ERRORS) as error:
                reason = one_line(error)
                if not isinstance(reason, CurationError):
                    raise
                refused.append(f"{load.dt} {load.run_id}: {reason}")
                self.note_refusal(load, str(reason), reason.checks if isinstance(reason, GateError) else ())
            else:
                loads.append(load)
                refused += [f"{load.dt} {load.run_id}: {name}: {reason}" for name, reason in load.refused.items()]
        return loads, refused

    def note_refusal(self, load: Load, reason: str, checks: Sequence[dict[str, Any]] = ()) -> None:
        """Leave the reason where later runs look: data that was refused is not tried again by itself."""
        document = {"reason": reason, "index_etag": load.index_etag, "checks": [*checks]}
        self._curated.put(load.failure_key, json.dumps(document, ensure_ascii=False, indent=1))

    def curate(self, index: RunIndex, load: Load) -> None:
        """Curate one run.

        :raises CurationError: when nothing of it can be used, or a gate does not pass
        """
        run = self._raw.run(index)
        # An entity's files are few and its Spark jobs short: one alone leaves most of the cores idle.
        with ThreadPoolExecutor(len(ENTITIES)) as pool:
            written = list(
                pool.map(lambda entity: self._write_entity(run.of(entity.name), load, entity), ENTITIES.values())
            )
        self._require_the_published(load, usable=len(load.refused) < len(run.manifests))
        for entity, (rows, records) in zip(ENTITIES, written, strict=True):
            if records:
                load.checks += gates.validate(
                    rows, entity, dt=run.dt, run_id=run.run_id, rows=load.planned[entity], records=records
                )
        gates.require_success(load.checks, self._curated.uri(load.failure_key))

    def _require_the_published(self, load: Load, *, usable: bool) -> None:
        """A load may do without the sources it refuses, but not without one that the warehouse has by an earlier load:
        its rows would stay there without an account."""
        if not load.refused:
            return
        earlier = self._curated.read(load.report_key)
        if not usable or (earlier and load.refused.keys() - earlier.get("refused", {}).keys()):
            raise CurationError("; ".join(f"{name}: {reason}" for name, reason in load.refused.items()))

    def _judge(
        self, manifests: Sequence[Manifest], load: Load, entity: Entity
    ) -> tuple[DataFrame | None, list[accounts.Count]]:
        judged = judged_records(self._spark, self._raw, manifests, load.run_id, entity)
        if judged is None:
            return None, []
        try:
            counts = accounts.count(judged.persist())
            accounts.check_files(counts, {(m.source, file.name): file.records for m in manifests for file in m.files})
        except (CurationError, *SPARK_ERRORS):
            judged.unpersist()
            raise
        return judged, counts

    def _usable(self, manifests: Sequence[Manifest], load: Load, entity: Entity) -> list[Manifest]:
        """The sources whose files can all be read; the others are noted in the load.

        A source counts as a whole: its account closes only when each of its records has a fate.
        """
        usable = []
        for manifest in manifests:
            try:
                judged, _ = self._judge([manifest], load, entity)
            except (CurationError, *SPARK_ERRORS) as error:
                reason = one_line(error)
                if not isinstance(reason, CurationError):
                    raise
                load.refused[f"{manifest.source}/{entity.name}"] = str(reason)
            else:
                usable.append(manifest)
                if judged is not None:
                    judged.unpersist()
        return usable

    def _write_entity(self, manifests: Sequence[Manifest], load: Load, entity: Entity) -> tuple[DataFrame, int]:
        """Write an entity's rows and rejected records and close its accounts.

        :return: the rows as read from the files, and how many records were delivered
        """
        started = monotonic()
        try:
            judged, counts = self._judge(manifests, load, entity)
        except (CurationError, *SPARK_ERRORS) as error:
            if not isinstance(one_line(error), CurationError):
                raise
            manifests = self._usable(manifests, load, entity)
            judged, counts = self._judge(manifests, load, entity)
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
        closed = accounts.close(entity.name, load.dt, load.run_id, sources, counts, written)
        load.accounts += closed
        load.rows[entity.name] = sum(written.values())
        for account in closed:
            # One JSON line per account: the tracing stack makes metrics of it.
            print(json.dumps(asdict(account) | {"seconds": round(monotonic() - started, 1)}), flush=True)
        return rows, sum(manifest.records for manifest in manifests)

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
        curator = Curation(spark, raw, curated, token)
        loads, refused = curator.curate_all(raw.indexes(partitions))
        reports = {load.report_key: write_documents(curated, load, job_run_id) for load in loads}
        publish_partitions(glue, options["glue_database"], curated, loads)
        for key, report in reports.items():
            curated.put(key, json.dumps(report, indent=1))
            print(f"published {curated.uri(key)}")
        for load in loads:
            if load.refused:  # noted after the report: until that is there, the run must count as not curated
                reasons = "; ".join(f"{name}: {reason}" for name, reason in load.refused.items())
                curator.note_refusal(load, reasons)
        if refused:
            raise CurationError("; ".join(refused))
    except SPARK_ERRORS as error:
        traceback.print_exc()  # the whole of it for the log; the last line is the run's error message
        raise one_line(error) from None
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
