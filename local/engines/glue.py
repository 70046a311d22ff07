"""Runs a Glue job: the job's own script, fetched from S3 under the job's role, in a Spark process of its own."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from local.engines.jobs import JobProcess, environment_of_child, publish_log
from local.extensions import registry

REPOSITORY = Path(__file__).parents[2]
S3_URI = re.compile(r"s3://([^/]+)/(.+)")
DRIVER_MEMORY = "2g"


class GlueJob:
    """One run of a job.

    :param arguments: ``--NAME`` to value, default arguments and those of the run together
    """

    def __init__(self, *, run_id: str, script: str, arguments: dict[str, str], role_arn: str) -> None:
        self.run_id = run_id
        self._script = script
        self._arguments = arguments
        self._role_arn = role_arn
        self._state = Path(os.environ["LOCAL_STATE_DIR"])
        self._folder = self._state / "glue" / run_id
        self._mirror = self._folder / "mirror"
        self.log = self._state / "logs" / "glue" / f"{run_id}.log"

    def start(self) -> JobProcess:
        """Fetch the script and its libraries and start Spark.

        :raises botocore.exceptions.ClientError: when the role may not read the script, or it is not there
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        s3 = registry.role_client("s3", self._role_arn)  # a role that may not read its script fails here
        script = self._fetch(s3, self._script)
        libraries = [self._fetch(s3, uri) for uri in self._arguments.get("--extra-py-files", "").split(",") if uri]
        self._write_spark_defaults()
        environment = {
            **environment_of_child(),
            **registry.role_environment(self._role_arn),
            "PYTHONPATH": os.pathsep.join(
                map(str, [*libraries, REPOSITORY / "local" / "glue_runtime" / "library", REPOSITORY])
            ),
            "PYSPARK_PYTHON": os.environ["LOCAL_SPARK_PYTHON"],
            # On the samples a run is over before the second compiler, or a collector with threads of its own, has
            # earned back what it costs on few cores.
            "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "SPARK_CONF_DIR": str(self._folder),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            "GLUE_MIRROR": str(self._mirror),
        }
        arguments = [part for name, value in self._arguments.items() for part in (name, value)]
        command = [os.environ["LOCAL_SPARK_PYTHON"], "-m", "local.glue_runtime.worker", str(script), *arguments]
        return JobProcess(command, environment=environment, cwd=self._folder, log=self.log)

    def publish_log(self) -> None:
        """Bring the end of the log to CloudWatch Logs, into the stream that Glue would have written."""
        prefix, role = self._arguments.get("--custom-logGroup-prefix"), self._role_arn.rpartition("/")[2]
        if prefix is None or not self.log.exists():
            return
        group = f"{prefix}/{role.removesuffix('glue-job')}etl-role/{role}/output"
        publish_log(registry.role_client("logs", self._role_arn), group, self.run_id, self.log)

    def clean_up(self) -> None:
        """Remove the run's folder; its log stays."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self, s3: Any, uri: str) -> Path:
        match = S3_URI.fullmatch(uri)
        if match is None:
            raise ValueError(f"{uri!r} of the job is no s3:// address of a file")
        target = self._folder / Path(match[2]).name
        target.write_bytes(s3.get_object(Bucket=match[1], Key=match[2])["Body"].read())
        return target

    def _buckets(self) -> list[str]:
        """Buckets that the arguments name, as s3:// address or as ``--..._bucket``."""
        found = {match[1] for value in self._arguments.values() for match in re.finditer(r"s3://([^/,\s]+)", value)}
        found |= {value for name, value in self._arguments.items() if name.endswith("_bucket")}
        return sorted(found)

    def _write_spark_defaults(self) -> None:
        settings = {
            "spark.master": "local[2]",
            "spark.driver.memory": DRIVER_MEMORY,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
            "spark.sql.session.timeZone": "UTC",
            "spark.local.dir": str(self._folder / "scratch"),
            "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
            # s3:// without an S3 client for Java: each bucket is a mount of its mirror folder.
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
            "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
        }
        for bucket in self._buckets():
            folder = self._mirror / bucket
            folder.mkdir(parents=True, exist_ok=True)
            settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"] = folder.as_uri()
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        (self._folder / "spark-defaults.conf").write_text("".join(lines))
        (self._folder / "log4j2.properties").write_text(
            "rootLogger.level = warn\nrootLogger.appenderRef.stderr.ref = stderr\n"
            "appender.stderr.type = Console\nappender.stderr.name = stderr\nappender.stderr.target = SYSTEM_ERR\n"
            "appender.stderr.layout.type = PatternLayout\nappender.stderr.layout.pattern = %d %p %c{1}: %m%n%ex\n"
        )
