"""Spark tests of the Glue job, for the job's environment: `.local/venvs/spark/bin/python -m pytest tests/spark`.

Fixtures:
    spark      one session for all tests, with the job's own settings and s3:// paths below a folder
    buckets    Buckets: an empty raw and curated bucket, as folders that both Spark and the S3 client see
    deliver    deliver(source, entity, {name: content}, ...) puts files and their manifest into the raw bucket
    run_job    run_job(*partitions) -> Outcome: runs main() of the job script on the session, without the gates, which
               take seconds; run_whole_job runs them too
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

REPOSITORY = Path(__file__).parents[2]
# The places of the zip file's packages, and of the stand-in for awsglue.
sys.path[:0] = [
    str(REPOSITORY),
    *(str(REPOSITORY / path) for path in ("include", "include/glue", "plugins", "local/glue_runtime/library")),
]
DT, RUN = "2020-03-04", "manual-1"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from local.glue_runtime.worker import provide_java

    folder = tmp_path_factory.mktemp("spark")
    provide_java(folder)
    os.environ |= {
        "PYSPARK_PYTHON": sys.executable,
        # Short jobs never earn back what the second compiler and a collector with threads of its own cost.
        "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # a handful of rows do not earn back a compiler either
        "spark.local.dir": str(folder / "scratch"),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        **{
            f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback": _bucket_folder(folder, bucket).as_uri()
            for bucket in ("raw", "curated")
        },
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    import concert_etl_job

    concert_etl_job.create_session()  # gets this session and gives it the job's settings
    session.bucket_root = folder
    yield session
    session.stop()


def _bucket_folder(root: Path, bucket: str) -> Path:
    folder = root / bucket
    folder.mkdir(exist_ok=True)
    return folder


class FolderS3:
    """As much of an S3 client as the job uses, on folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tagged: dict[str, dict[str, str]] = {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        path = self.root / Bucket / Key
        if not path.is_file():
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        body = path.read_bytes()
        return {"Body": io.BytesIO(body), "ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:
        path = self.root / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)

    def put_object_tagging(self, *, Bucket: str, Key: str, Tagging: dict[str, Any]) -> None:
        self.tagged[f"s3://{Bucket}/{Key}"] = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}

    def get_paginator(self, _: str) -> "FolderS3":
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:
        folder = self.root / Bucket
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(folder).as_posix()
            is_deeper = bool(Delimiter) and Delimiter in key.removeprefix(Prefix)
            if path.is_file() and key.startswith(Prefix) and not path.name.startswith(".") and not is_deeper:
                yield {"Contents": [{"Key": key, "Size": path.stat().st_size}]}


class Catalogue:
    """As much of a Glue client as the job uses."""

    def __init__(self) -> None:
        self.partitions: dict[tuple[str, ...], str] = {}
        self.calls: list[str] = []

    def get_table(self, **_: str) -> dict[str, Any]:
        return {"Table": {"StorageDescriptor": {"Columns": []}}}

    def get_partition(self, *, TableName: str, PartitionValues: list[str], **_: str) -> dict[str, Any]:
        location = self.partitions.get((TableName, *PartitionValues))
        if location is None:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": TableName}}, "GetPartition")
        return {"Partition": {"StorageDescriptor": {"Location": location}}}

    def batch_create_partition(self, *, TableName: str, PartitionInputList: list[dict], **_: str) -> dict[str, Any]:
        self.calls.append("create")
        errors = []
        for item in PartitionInputList:
            key = (TableName, *item["Values"])
            if key in self.partitions:
                detail = {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "exists"}
                errors.append({"PartitionValues": item["Values"], "ErrorDetail": detail})
            self.partitions.setdefault(key, item["StorageDescriptor"]["Location"])
        return {"Errors": errors}

    def batch_update_partition(self, *, TableName: str, Entries: list[dict], **_: str) -> dict[str, Any]:
        self.calls.append("update")
        for entry in Entries:
            location = entry["PartitionInput"]["StorageDescriptor"]["Location"]
            self.partitions[TableName, *entry["PartitionValueList"]] = location
        return {}


@dataclass
class Buckets:
    """The buckets of one test."""

    s3: FolderS3
    catalogue: Catalogue

    def path(self, uri: str) -> Path:
        return self.s3.root / uri.removeprefix("s3://")

    def lines(self, uri: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path(uri).read_text("utf-8").splitlines()]


@pytest.fixture
def buckets(spark: Any) -> Buckets:
    for name in ("raw", "curated"):
        shutil.rmtree(spark.bucket_root / name)
        (spark.bucket_root / name).mkdir()
    return Buckets(FolderS3(spark.bucket_root), Catalogue())


@pytest.fixture
def deliver(buckets: Buckets) -> Callable[..., None]:
    """Put files of a source into the raw bucket, with manifest and run index as ingest writes them."""
    manifests: dict[tuple[str, str], list[str]] = {}

    def put(
        source: str,
        entity: str,
        files: dict[str, str | bytes],
        records: dict[str, int],
        *,
        dt: str = DT,
        run_id: str = RUN,
        delivered_at: dict[str, str] | None = None,
        nanosecond_columns: list[str] | None = None,
        records_path: str | None = None,
    ) -> None:
        prefix = f"raw/source={source}/entity={entity}/dt={dt}/run={run_id}"
        entries = []
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            if name.endswith(".gz") and isinstance(content, str):
                body = gzip.compress(body)
            buckets.s3.put_object(Bucket="raw", Key=f"{prefix}/{name}", Body=body)
            entries.append(
                {
                    "name": name,
                    "key": f"{prefix}/{name}",
                    "bytes": len(body),
                    "sha256": hashlib.sha256(body).hexdigest(),
                    "records": records[name],
                    "format": name.removesuffix(".gz").rsplit(".", 1)[1],
                    "mapping": source if entity == "box_office" else None,
                    "delivered_at": (delivered_at or {}).get(name, "2020-03-04T05:06:07.000001+00:00"),
                    "nanosecond_columns": nanosecond_columns or [],
                    "records_path": records_path,
                }
            )
        document = {"source": source, "entity": entity, "dt": dt, "run_id": run_id, "files": entries}
        document |= {"created_at": "2020-03-04T06:00:00+00:00", "records": sum(records.values())}
        buckets.s3.put_object(Bucket="raw", Key=f"{prefix}/manifest.json", Body=json.dumps(document).encode())
        keys = manifests.setdefault((dt, run_id), [])
        keys.append(f"{prefix}/manifest.json")
        index = {"run_id": run_id, "dt": dt, "manifests": keys}
        buckets.s3.put_object(Bucket="raw", Key=f"raw/_runs/dt={dt}/{run_id}.json", Body=json.dumps(index).encode())

    return put


@dataclass
class Outcome:
    """What a job run has published of one ingest run."""

    spark: Any
    buckets: Buckets
    report: dict[str, Any]

    @property
    def accounts(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(row["source"], row["entity"]): row for row in self.buckets.lines(self.report["accounts_uri"])}

    @property
    def checks(self) -> list[dict[str, Any]]:
        return self.buckets.lines(self.report["checks_uri"])

    def rows(self, entity: str) -> Any:
        return self.spark.read.parquet(self.report["entities"][entity]["prefix"])

    @property
    def rejected(self) -> list[dict[str, Any]]:
        uri = self.report["quarantine_manifest_uri"]
        entries = json.loads(self.buckets.path(uri).read_text())["entries"] if uri else []
        return [row for entry in entries for row in self.buckets.lines(entry["url"])]


@pytest.fixture
def run_job(run_whole_job: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    from concert_etl import gates

    monkeypatch.setattr(gates, "validate", lambda _, suite, **__: gates.Outcome(suite, [], ""))
    return run_whole_job


@pytest.fixture
def run_whole_job(spark: Any, buckets: Buckets) -> Callable[..., Outcome]:
    import boto3
    import concert_etl_job

    def run(*partitions: list[str | None]) -> Outcome:
        wanted = list(partitions) or [[DT, RUN]]
        options = {"raw_bucket": "raw", "curated_bucket": "curated", "glue_database": "concerts"}
        options |= {"partitions": json.dumps(wanted), "JOB_RUN_ID": f"jr_{uuid.uuid4().hex}"}
        clients = {"s3": buckets.s3, "glue": buckets.catalogue}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["job", *(part for name in options for part in (f"--{name}", options[name]))])
            patch.setattr(boto3, "client", clients.__getitem__)
            patch.setattr(type(spark), "stop", lambda _: None)  # the session is that of all tests
            concert_etl_job.main()
        report = buckets.path(f"s3://curated/curated/_reports/dt={DT}/run={RUN}.json")
        return Outcome(spark, buckets, json.loads(report.read_text()))

    return run
