"""Glue job concert-etl-job: curate ingest runs and publish them.

Arguments: raw_bucket, curated_bucket, glue_database, and partitions, a JSON list of [day, run id or null].

Each run is read from raw/ and judged record by record; the artists and venues of its good records are resolved to the
platform's ids; then all of it is written as Parquet and quarantine below a prefix that nobody knows yet, and checked by
Great Expectations. Only when all runs have passed does the catalogue point at the new prefixes, and
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
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib import import_module
from time import monotonic
from typing import Any

import boto3
from awsglue.utils import getResolvedOptions
from concert_etl import accounts, curation, gates
from concert_etl.data_docs import documents
from concert_etl.deliveries import DDL as DELIVERY_DDL
from concert_etl.deliveries import SUITE as RAW_SUITE
from concert_etl.deliveries import deliveries, volumes
from concert_etl.entities import ENTITIES, IDENTITY_MATCH, Entity
from concert_etl.errors import SPARK_ERRORS, CurationError, GateError, one_line
from concert_etl.history import History, quantiles_of, read_history, write_entry
from concert_etl.publishing import CuratedBucket, Load, publish_partitions, write_documents
from concert_etl.raw import Manifest, RawBucket, RunIndex
from concert_etl.references import Mention, mentions, with_ids
from concert_etl.registry import Registry
from concert_etl.resolution import Resolution, match_rows, resolve
from concert_etl.sources import judged_records
from pyspark.sql import DataFrame, SparkSession

LARGEST_CACHED = 1_000_000  # rows
ROWS_PER_TASK, FEWEST_TASKS = 500_000, 4  # of a shuffle
DRIFT_DDL = "entity string, amount string, shift double"
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


@dataclass
class Judged:
    """What a run delivered of an entity, judged.

    :param manifests: of the sources that can be used
    :param frame: None when they delivered nothing
    """

    entity: Entity
    manifests: list[Manifest]
    frame: DataFrame | None
    counts: list[accounts.Count]
    history: History
    mentions: list[Mention] = field(default_factory=list)

    @property
    def records(self) -> int:
        return sum(manifest.records for manifest in self.manifests)


def log_step(step: str, load: Load, started: float, **figures: object) -> None:
    """One JSON line per step: the tracing stack makes metrics of some, and the others say where the time goes."""
    seconds = round(monotonic() - started, 1)
    print(json.dumps({"step": step, "run_id": load.run_id, "seconds": seconds, **figures}), flush=True)


class Curation:
    """Curates ingest runs: writes what they delivered below new prefixes, and checks it.

    :param token: what makes the prefixes of this job run new
    """

    def __init__(
        self, spark: SparkSession, raw: RawBucket, curated: CuratedBucket, registry: Registry, token: str
    ) -> None:
        self._spark, self._raw, self._curated, self._token = spark, raw, curated, token
        self._registry = registry

    def curate_all(self, indexes: Iterable[RunIndex]) -> tuple[list[Load], list[str]]:
        """Curate runs independently of each other: what passed, and why others or parts were refused for their data."""
        loads, refused = [], []
        for index in indexes:
            load = Load(index.dt, index.run_id, self._token, index.etag)
            identities = self._registry.added
            try:
                self.curate(index, load)
            except (CurationError, *SPARK_ERRORS) as error:
                reason = one_line(error)
                if not isinstance(reason, CurationError):
                    raise
                self._registry.added = identities  # what is not published has named nobody
                self._spark.catalog.clearCache()
                told = "; ".join([str(reason), *(f"{name}: {why}" for name, why in load.complaints.items())])
                refused.append(f"{load.dt} {load.run_id}: {told}")
                self.note_refusal(load, told, reason.checks if isinstance(reason, GateError) else ())
            else:
                loads.append(load)
                refused += [f"{load.dt} {load.run_id}: {name}: {why}" for name, why in load.complaints.items()]
        return loads, refused

    def note_refusal(self, load: Load, reason: str, checks: Sequence[dict[str, Any]] = ()) -> None:
        """Leave the reason where later runs look: data that was refused is not tried again by itself."""
        document = {"reason": reason, "index_etag": load.index_etag, "checks": [*checks]}
        self._curated.put(load.failure_key, json.dumps(document, ensure_ascii=False, indent=1))
        self.write_docs(load)

    def write_docs(self, load: Load) -> None:
        """Write the pages of Data Docs, also of a run that is not published."""
        for name, text in documents(load.dt, load.run_id, load.checks, load.pages).items():
            self._curated.put(load.docs_prefix + name, text, "text/html; charset=utf-8")

    def remember(self, load: Load) -> None:
        """Keep what later runs are compared with."""
        for entity, volume in load.volumes.items():
            write_entry(self._curated, entity, load.run_id, volume, load.quantiles.get(entity, {}))

    def curate(self, index: RunIndex, load: Load) -> None:
        """Curate one run.

        :raises CurationError: when nothing of it can be used, or a gate does not pass
        """
        run = self._raw.run(index)
        self._tune(sum(manifest.records for manifest in run.manifests))
        delivered = [(entity, found) for entity in ENTITIES.values() if (found := run.of(entity.name))]
        # An entity's files are few and its Spark jobs short: one alone leaves most of the cores idle.
        with ThreadPoolExecutor(max(1, len(delivered))) as pool:
            judged = list(pool.map(lambda item: self._judge_entity(item[1], load, item[0]), delivered))
            self._require_the_published(load, usable=len(load.refused) < len(run.manifests))
            started = monotonic()
            resolution = self._resolve(judged, load)
            log_step("resolve", load, started, identities=len(resolution.matches))
            written = [pool.submit(self._write_entity, item, load, resolution) for item in judged]
            written.append(pool.submit(self._write_matches, load, resolution))
            written.append(pool.submit(self._check_deliveries, judged, load))
            outcomes = [item.result() for item in written]
        outcomes.append(self._check_drift(judged, load))
        for outcome in filter(None, outcomes):
            load.checks += outcome.checks
            load.pages[outcome.suite] = outcome.page
        gates.require_success(load.checks, self._curated.uri(load.failure_key))

    def _tune(self, records: int) -> None:
        """A few hundred records are not worth two hundred tasks, nor code that is compiled for each of their plans."""
        self._spark.conf.set("spark.sql.shuffle.partitions", max(FEWEST_TASKS, records // ROWS_PER_TASK))
        self._spark.conf.set("spark.sql.codegen.wholeStage", str(records > LARGEST_CACHED).lower())

    def _require_the_published(self, load: Load, *, usable: bool) -> None:
        """A load may do without the sources it refuses, but not without one that the warehouse has by an earlier load:
        its rows would stay there without an account."""
        if not load.refused:
            return
        earlier = self._curated.read(load.report_key)
        if not usable or (earlier and load.refused.keys() - earlier.get("refused", {}).keys()):
            raise CurationError("; ".join(f"{name}: {reason}" for name, reason in load.refused.items()))

    def _judge_entity(self, manifests: list[Manifest], load: Load, entity: Entity) -> Judged:
        """Judge what can be read of an entity; sources that cannot are noted in the load."""
        started = monotonic()
        try:
            judged = self._judge(manifests, load, entity)
        except (CurationError, *SPARK_ERRORS) as error:
            if not isinstance(one_line(error), CurationError):
                raise
            judged = self._judge(self._usable(manifests, load, entity), load, entity)
        if judged.frame is not None:
            judged.mentions = mentions(curation.good_records(judged.frame), entity)
        log_step("judge", load, started, entity=entity.name)
        return judged

    def _judge(self, manifests: list[Manifest], load: Load, entity: Entity) -> Judged:
        frame = judged_records(self._spark, self._raw, manifests, load.run_id, entity)
        history = read_history(self._curated, entity.name).without(load.run_id)
        if frame is None:
            return Judged(entity, manifests, None, [], history)
        try:
            counts = accounts.count(frame.persist())
            accounts.check_files(counts, {(m.source, file.name): file.records for m in manifests for file in m.files})
            dropped = {(m.source, file.name) for m in manifests for file in m.files if file.format != "json"}
            if bad := accounts.bad_files(counts, dropped):
                frame.unpersist()
                frame = judged_records(self._spark, self._raw, manifests, load.run_id, entity, bad).persist()
                counts = accounts.count(frame)
                load.rejected_files |= {f"{source}/{entity.name}/{name}": why for (source, name), why in bad.items()}
        except (CurationError, *SPARK_ERRORS):
            frame.unpersist()
            raise
        return Judged(entity, manifests, frame, counts, history)

    def _resolve(self, judged: list[Judged], load: Load) -> Resolution:
        """Ids of all artists and venues of the run; the same again for a run that is repeated as it was."""
        earlier = self._curated.read(load.report_key) or {}
        load.rejected_before = frozenset(earlier.get("rejected_files", ()))
        is_repeat = earlier.get("index_etag") == load.index_etag
        found = [mention for item in judged for mention in item.mentions]
        resolution = resolve(
            found, self._registry, load.run_id, earlier.get("identity_snapshot") if is_repeat else None
        )
        load.identity_snapshot = resolution.snapshot
        return resolution

    def _usable(self, manifests: list[Manifest], load: Load, entity: Entity) -> list[Manifest]:
        """The sources whose files can all be read; the others are noted in the load.

        A source counts as a whole: its account closes only when each of its records has a fate.
        """
        usable = []
        for manifest in manifests:
            try:
                judged = self._judge([manifest], load, entity)
            except (CurationError, *SPARK_ERRORS) as error:
                reason = one_line(error)
                if not isinstance(reason, CurationError):
                    raise
                load.refused[f"{manifest.source}/{entity.name}"] = str(reason)
            else:
                usable.append(manifest)
                if judged.frame is not None:
                    judged.frame.unpersist()
        return usable

    def _check_deliveries(self, judged: list[Judged], load: Load) -> gates.Outcome | None:
        """Check what the sources delivered as a whole; how much it was is compared with earlier runs."""
        found = [
            row for item in judged for row in deliveries(item.entity.name, item.manifests, item.counts, item.history)
        ]
        load.volumes = {item.entity.name: dict(volumes(item.manifests)) for item in judged}
        if not found:
            return None
        frame = self._spark.createDataFrame(found, DELIVERY_DDL)
        records = sum(row.records for row in found)
        return gates.validate(frame, RAW_SUITE, dt=load.dt, run_id=load.run_id, rows=len(found), records=records)

    def _check_drift(self, judged: list[Judged], load: Load) -> gates.Outcome | None:
        """Compare the spread of amounts with earlier runs, once there are enough of them."""
        found = [
            (item.entity.name, amount, shift)
            for item in judged
            for amount, shift in item.history.shifts(load.quantiles.get(item.entity.name, {})).items()
        ]
        if not found:
            return None
        frame = self._spark.createDataFrame(found, DRIFT_DDL)
        return gates.validate(frame, "drift", dt=load.dt, run_id=load.run_id, rows=len(found), records=len(found))

    def _write_entity(self, judged: Judged, load: Load, resolution: Resolution) -> gates.Outcome | None:
        """Write an entity's rows and rejected records, close its accounts and check the rows as read from the files."""
        started, entity, counts = monotonic(), judged.entity, judged.counts
        load.planned[entity.name] = sum(item.rows for item in counts if item.is_curated)
        load.quarantined[entity.name] = sum(item.reports for item in counts if item.rule)
        rows, written = self._spark.createDataFrame([], entity.ddl), {}
        load.rows[entity.name] = 0
        if judged.frame is not None:
            self._write_rejected(judged.frame, counts, load, entity)
            if load.planned[entity.name]:
                good = curation.good_records(judged.frame)
                identified = with_ids(self._spark, good, entity, resolution.ids, resolution.aliases)
                rows = self._write_rows(curation.curated_rows(identified, entity), entity, load)
                written, load.rows[entity.name] = accounts.written(rows, entity)
            judged.frame.unpersist()
        sources = [manifest.source for manifest in judged.manifests]
        closed = accounts.close(entity.name, load.dt, load.run_id, sources, counts, written)
        load.accounts += closed
        for account in closed:
            print(json.dumps(asdict(account) | {"seconds": round(monotonic() - started, 1)}), flush=True)
        return self._check(rows, entity, load, judged.records) if judged.records else None

    def _write_rows(self, rows: DataFrame, entity: Entity, load: Load) -> DataFrame:
        prefix = load.prefix(f"curated/{entity.name}")
        self._curated.write_rows(rows, entity, prefix, load.planned[entity.name])
        return self._spark.read.schema(entity.ddl).parquet(self._curated.uri(prefix))

    def _write_matches(self, load: Load, resolution: Resolution) -> gates.Outcome | None:
        """Write how each artist and venue came to its id; derived data, which has no account."""
        if not resolution.matches:
            return None
        entity = IDENTITY_MATCH
        load.planned[entity.name] = load.rows[entity.name] = len(resolution.matches)
        frame = self._spark.createDataFrame(match_rows(resolution, load.run_id), entity.ddl)
        return self._check(self._write_rows(frame, entity, load), entity, load, len(resolution.matches))

    def _check(self, rows: DataFrame, entity: Entity, load: Load, records: int) -> gates.Outcome:
        started, planned = monotonic(), load.planned[entity.name]
        is_small = planned <= LARGEST_CACHED  # an expectation is a Spark job or two, and each reads the files again
        if is_small:
            rows = rows.persist()
        outcome = gates.validate(rows, entity.name, dt=load.dt, run_id=load.run_id, rows=planned, records=records)
        load.quantiles[entity.name] = quantiles_of(rows, entity.name, planned)
        if is_small:
            rows.unpersist()
        log_step("check", load, started, entity=entity.name)
        return outcome

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
        registry = Registry(spark, glue, options["glue_database"], curated)
        curator = Curation(spark, raw, curated, registry, token)
        loads, refused = curator.curate_all(raw.indexes(partitions))
        reports = {load.report_key: write_documents(curated, load, job_run_id) for load in loads}
        snapshot = registry.write(token) if loads else None
        if snapshot:
            registry.publish(snapshot)
        publish_partitions(glue, options["glue_database"], curated, loads)
        for key, report in reports.items():
            earlier = curated.read(key)
            curated.put(key, json.dumps(report, indent=1))
            print(f"published {curated.uri(key)}")
            if earlier:
                curated.retire(earlier, report)
        for load in loads:
            curator.write_docs(load)
            curator.remember(load)
        for load in loads:
            if load.complaints:  # noted after the report: until that is there, the run must count as not curated
                reasons = "; ".join(f"{name}: {reason}" for name, reason in load.complaints.items())
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
