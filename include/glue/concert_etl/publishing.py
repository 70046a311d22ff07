"""Writing a load: files under a prefix of its own, then the catalogue, then the report that makes it known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

from concert_etl.accounts import Account
from concert_etl.entities import DATASETS, Entity
from concert_etl.gates import Check

# Redshift reads files of 64 to 256 MB best. Their number is no multiple of the slices: Serverless does not say how many
# it has, changes them with the capacity, and splits Parquet from 128 MB on by itself.
# What a row takes in Parquet, measured on the samples:
ROW_BYTES = {"interaction": 11, "box_office": 28, "setlist": 30}
OTHER_ROW_BYTES = 100
SMALLEST_FILE = 64 * 2**20  # bytes, where there is that much
PARTITIONS_PER_CALL = 100  # limit of BatchCreatePartition and BatchUpdatePartition
KNOWN = "AlreadyExistsException"
SUPERSEDED = {"Key": "superseded", "Value": "true"}


@dataclass
class Load:
    """One ingest run as curated by one job run.

    :param planned: entity -> rows that should be written, of each entity that the run delivers
    :param rows: dataset -> rows in the files
    :param identity_snapshot: number of the registry's snapshot that the ids were made with
    :param index_etag: version of the run's index that this was made from
    :param refused: "source/entity" -> why nothing of it is part of the load
    :param rejected_files: "source/entity/file" -> why all of its records are in quarantine
    :param pages: suite -> its page of Data Docs
    :param volumes: entity -> source -> records, for the comparison with later runs; quantiles: the same of amounts
    """

    dt: str
    run_id: str
    token: str
    index_etag: str
    identity_snapshot: int = 0
    planned: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    rejected_files: dict[str, str] = field(default_factory=dict)
    rejected_before: frozenset[str] = frozenset()
    pages: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, dict[str, int]] = field(default_factory=dict)
    quantiles: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def prefix(self, root: str) -> str:
        return f"{root}/dt={self.dt}/run={self.run_id}-{self.token}/"

    @property
    def complaints(self) -> dict[str, str]:
        """What a person has to mend, though the load is published. A file that the report before names is known: its
        records do not keep a replay of the quarantine from its end."""
        new = {name: why for name, why in self.rejected_files.items() if name not in self.rejected_before}
        return {**self.refused, **new}

    @property
    def report_key(self) -> str:
        return f"curated/_reports/dt={self.dt}/run={self.run_id}.json"

    @property
    def docs_prefix(self) -> str:
        return f"curated/_data_docs/dt={self.dt}/run={self.run_id}/"

    @property
    def failure_key(self) -> str:
        return f"curated/_failed/dt={self.dt}/run={self.run_id}.json"


class CuratedBucket:
    """The curated bucket: Parquet and quarantine by Spark, documents by the S3 client."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def write_rows(self, rows: DataFrame, entity: Entity, prefix: str, count: int) -> None:
        """Write few files, sorted by key: the same rows give the same files."""
        files = max(1, count * ROW_BYTES.get(entity.name, OTHER_ROW_BYTES) // SMALLEST_FILE)
        rows.coalesce(files).sortWithinPartitions(*entity.key).write.parquet(self.uri(prefix), compression="snappy")

    def write_rejected(self, rejected: DataFrame, prefix: str) -> None:
        rejected.coalesce(1).write.json(self.uri(prefix), ignoreNullFields=False)

    def write_large(self, records: DataFrame) -> None:
        """Write each record that is too long for the warehouse as an object of its own."""
        for row in records.toLocalIterator():
            self.put(row["uri"].removeprefix(self.uri("")), row["record"])

    def put(self, key: str, text: str, content_type: str = "application/json") -> str:
        """Write a document; returns its address."""
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode(), ContentType=content_type)
        return self.uri(key)

    def read(self, key: str) -> dict[str, Any] | None:
        """A JSON document, if there is one."""
        from botocore.exceptions import ClientError

        try:
            return json.loads(self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return None

    def put_rows(self, key: str, rows: Iterable[dict[str, Any]]) -> str:
        """Write JSON lines, which COPY reads."""
        return self.put(key, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def put_manifest(self, key: str, prefixes: Iterable[str], ending: str) -> str:
        """Write a COPY manifest of the files directly below some prefixes."""
        entries = [
            {"url": self.uri(name), "mandatory": True, "meta": {"content_length": size}}
            for prefix in prefixes
            for name, size in self._files(prefix)
            if name.endswith(ending)
        ]
        return self.put(key, json.dumps({"entries": entries}, indent=1))

    def retire(self, report: Mapping[str, Any], successor: Mapping[str, Any]) -> None:
        """Tag the rows of a report that another one has replaced: the bucket's lifecycle expires what bears the tag."""
        kept = {entity["prefix"] for entity in successor["entities"].values()}
        for entity in report["entities"].values():
            if entity["prefix"] not in kept:
                for key, _ in self._files(entity["prefix"].removeprefix(self.uri(""))):
                    self._s3.put_object_tagging(Bucket=self.bucket, Key=key, Tagging={"TagSet": [SUPERSEDED]})

    def _files(self, prefix: str) -> list[tuple[str, int]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        return sorted((entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", []))


def write_documents(bucket: CuratedBucket, load: Load, job_run_id: str) -> dict[str, Any]:
    """Write accounts, checks and manifests of a load; returns its report, which is not yet written."""
    folder = load.prefix("curated/_loads")
    entities = {}
    for name in DATASETS:
        rows = load.rows.get(name, 0)
        prefix = load.prefix(f"curated/{name}")
        manifest = bucket.put_manifest(f"{folder}{name}.manifest", [prefix], ".parquet") if rows else None
        entities[name] = {"prefix": bucket.uri(prefix), "manifest_uri": manifest, "rows": rows}
    rejected = [load.prefix(f"quarantine/{name}") for name, count in load.quarantined.items() if count]
    sorted_accounts = sorted(load.accounts, key=lambda account: (account.entity, account.source))
    return {
        "dt": load.dt,
        "run_id": load.run_id,
        "index_etag": load.index_etag,
        "job_run_id": job_run_id,
        "identity_snapshot": load.identity_snapshot,
        "records": sum(account.read for account in load.accounts),
        "entities": entities,
        "accounts_uri": bucket.put_rows(f"{folder}accounts.json", (account.row() for account in sorted_accounts)),
        "checks_uri": bucket.put_rows(f"{folder}checks.json", (check.row() for check in load.checks)),
        "quarantine_manifest_uri": (
            bucket.put_manifest(f"{folder}quarantine.manifest", rejected, ".json") if rejected else None
        ),
        "quarantined": sum(load.quarantined.values()),
        "refused": load.refused,
        "rejected_files": load.rejected_files,
    }


def publish_partitions(glue: Any, database: str, bucket: CuratedBucket, loads: Sequence[Load]) -> None:
    """Point the catalogue's partitions (day, run) at the new prefixes of what was delivered: one call a table, and one
    for known ones."""
    for dataset in DATASETS:
        locations = {
            (load.dt, load.run_id): bucket.uri(load.prefix(f"curated/{dataset}"))
            for load in loads
            if dataset in load.rows
        }
        point_partitions(glue, database, dataset, locations)


def point_partitions(glue: Any, database: str, table: str, locations: Mapping[tuple[str, ...], str]) -> None:
    """Point partitions of a table, named by their values, at prefixes."""
    if not locations:
        return
    storage = glue.get_table(DatabaseName=database, Name=table)["Table"]["StorageDescriptor"]
    inputs = [
        {"Values": list(values), "StorageDescriptor": {**storage, "Location": location}}
        for values, location in locations.items()
    ]
    for start in range(0, len(inputs), PARTITIONS_PER_CALL):
        _point(glue, {"DatabaseName": database, "TableName": table}, inputs[start : start + PARTITIONS_PER_CALL])


def _point(glue: Any, table: dict[str, str], inputs: list[dict[str, Any]]) -> None:
    errors = glue.batch_create_partition(**table, PartitionInputList=inputs).get("Errors", [])
    known = [error["PartitionValues"] for error in errors if error["ErrorDetail"]["ErrorCode"] == KNOWN]
    if known:
        entries = [{"PartitionValueList": item["Values"], "PartitionInput": item} for item in inputs]
        wanted = [entry for entry in entries if entry["PartitionValueList"] in known]
        errors += glue.batch_update_partition(**table, Entries=wanted).get("Errors", [])
    for error in errors:
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] != KNOWN:
            raise RuntimeError(f"partition of {table['TableName']} not published: {detail.get('ErrorMessage', detail)}")
