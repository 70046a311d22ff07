"""Glue curation of interactions against a bare PySpark script that does the same work, side by side in one run.

    .local/venvs/spark/bin/python tests/performance/curation.py [--millions 1 10] [--rounds 2]

Generates interactions from the sample's distributions (users grow with the rows; artists, plays and names are drawn
from the sample), then runs, each in a process of its own and in turns, the job's own script and `bare` below.
Both read the TSV files, type and judge the cells, count them by file, quarantine what is bad, keep the newest of each
key, give each artist an id, write Parquet sorted by key in files of one size, and check what was written: rows, nulls,
ranges, unique keys. Prints seconds, rows a second, peak memory (Python and JVM) and the size of the largest file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "lastfm" / "interactions.tsv.gz"
PATHS = [
    ROOT,
    *(ROOT / name for name in ("include", "include/glue", "plugins", "local/glue_runtime/library", "tests/spark")),
]
DT, RUN = "2020-03-04", "bench"
ROWS_PER_FILE = 2_000_000
LIMIT = 1.1
PREFIX = f"raw/source=lastfm/entity=interaction/dt={DT}/run={RUN}"
RULE = "user_id IS NULL OR artist_id IS NULL OR artist IS NULL OR NOT coalesce(try_cast(weight AS DOUBLE) > 0, false)"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--part", choices=["job", "bare"])
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    if given.part:
        {"job": job, "bare": bare}[given.part](given.folder)
        return
    print("million rows   job s   bare s   ratio   rows/s of the job   peak MB   largest file MB")
    for millions in given.millions:
        with tempfile.TemporaryDirectory(dir=ROOT / ".local") as folder:
            compare(Path(folder), millions, given.rounds)


def compare(folder: Path, millions: float, rounds: int) -> None:
    generate(folder, int(millions * 1_000_000))
    times: dict[str, list[float]] = {"job": [], "bare": []}
    for _ in range(rounds):  # in turns: the machine is not the same from one minute to the next
        for part, found in times.items():
            shutil.rmtree(folder / "curated", ignore_errors=True)
            (folder / "curated").mkdir()
            command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            figures = json.loads(output.strip().splitlines()[-1])
            found.append(figures["seconds"])
            if part == "job":
                peak, largest = figures["peak_mb"], figures["largest_mb"]
    own, bare_s = (min(found) for found in times.values())
    mark = "" if own <= LIMIT * bare_s else f"   above {LIMIT}"
    print(f"{millions:12g} {own:7.1f} {bare_s:8.1f} {own / bare_s:7.2f} {millions * 1e6 / own:19,.0f} {peak:9.0f} "
          f"{largest:17.1f}{mark}", flush=True)  # fmt: skip


def generate(folder: Path, rows: int) -> None:
    """Files of a run, with manifest and index: plays and artists as in the sample, and as many per user."""
    lines = gzip.decompress(SAMPLE.read_bytes()).decode().splitlines()
    header, known = lines[0], [line.split("\t", 1)[1] for line in lines[1:]]
    users = len({line.split("\t", 1)[0] for line in lines[1:]})
    choice = random.Random(7)  # noqa: S311 - the same rows each time
    entries, written = [], 0
    (folder / "raw" / PREFIX).mkdir(parents=True)
    while written < rows:
        count = min(ROWS_PER_FILE, rows - written)
        per_user = max(1, len(known) // users)
        name, number = f"{len(entries):04d}.tsv", written // per_user
        with (folder / "raw" / PREFIX / name).open("w", encoding="utf-8") as file:
            file.write(header + "\n")
            for start in range(0, count, per_user):
                drawn = choice.sample(known, min(per_user, count - start))
                file.writelines(f"{number}\t{item}\n" for item in drawn)
                number += 1
        entries.append({"name": name, "key": f"{PREFIX}/{name}", "records": count, "format": "tsv", "mapping": None})
        written += count
    manifest = {"source": "lastfm", "entity": "interaction", "created_at": f"{DT}T06:00:00+00:00", "files": entries}
    (folder / "raw" / PREFIX / "manifest.json").write_text(json.dumps(manifest))
    index = folder / "raw" / "raw" / "_runs" / f"dt={DT}" / f"{RUN}.json"
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps({"dt": DT, "run_id": RUN, "manifests": [f"{PREFIX}/manifest.json"]}))


def settings(folder: Path) -> None:
    """Spark as a run of the local Glue has it."""
    from local.glue_runtime.worker import provide_java

    provide_java(folder)
    mounts = "spark.hadoop.fs.viewfs.mounttable"
    buckets = {f"{mounts}.{name}.linkFallback": (folder / name).as_uri() for name in ("raw", "curated")}
    found = {
        "spark.master": "local[2]", "spark.driver.memory": "2g", "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false", "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC", "spark.local.dir": str(folder / "scratch"),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
        **buckets,
    }  # fmt: skip
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in found.items()))
    sys.path[:0] = [str(path) for path in PATHS]
    os.environ |= {"SPARK_CONF_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
                   "PYTHONPATH": os.pathsep.join(map(str, PATHS))}  # fmt: skip


def report(folder: Path, started: float) -> None:
    sizes = [path.stat().st_size for path in (folder / "curated").rglob("*.parquet")]
    seconds = time.monotonic() - started
    # The JVM is a child that lives on until this process ends.
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    peak = sum(_highest(pid) for pid in ("self", *children))
    figures = {"seconds": seconds, "peak_mb": peak, "largest_mb": max(sizes) / 2**20}
    print(json.dumps(figures))


def _highest(pid: str) -> float:
    """Highest resident memory that a process has had, in MB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def job(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    settings(folder)
    import boto3
    from conftest import Catalogue, FolderS3

    clients: dict[str, Any] = {"s3": FolderS3(folder), "glue": Catalogue()}
    boto3.client = clients.__getitem__
    started = time.monotonic()
    import concert_etl_job

    options = {"raw_bucket": "raw", "curated_bucket": "curated", "glue_database": "bench",
               "partitions": json.dumps([[DT, RUN]]), "JOB_RUN_ID": f"jr_{uuid.uuid4().hex}"}  # fmt: skip
    sys.argv = ["job", *(part for name, value in options.items() for part in (f"--{name}", value))]
    concert_etl_job.main()
    report(folder, started)


def bare(folder: Path) -> None:
    """The same rows by a script of one's own, without accounts, gates or catalogue."""
    sys.path.insert(0, str(ROOT))
    settings(folder)
    started = time.monotonic()
    from pyspark.sql import SparkSession, Window
    from pyspark.sql import functions as F

    spark = SparkSession.builder.appName("bare").getOrCreate()
    records = json.loads((folder / "raw" / PREFIX / "manifest.json").read_text())["files"]
    tasks = max(4, sum(file["records"] for file in records) // 500_000)  # as the job has
    spark.conf.set("spark.sql.shuffle.partitions", tasks)
    schema = "user_id string, artist_id string, artist string, weight string"
    raw = spark.read.csv(f"s3://raw/{PREFIX}/*.tsv", schema=schema, header=True, sep="\t", quote="")
    rows = raw.select(
        *(F.nullif(F.trim(name), F.lit("")).alias(name) for name in raw.columns),
        F.col("_metadata.file_name").alias("file_name"),
        F.monotonically_increasing_id().alias("position"),
    )
    newest = Window.partitionBy("is_bad", "user_id", "artist_id").orderBy(F.desc("file_name"), F.desc("position"))
    is_repeat = ~F.col("is_bad") & (F.row_number().over(newest) > 1)
    judged = rows.withColumn("is_bad", F.expr(RULE)).withColumn("is_repeat", is_repeat).persist()
    counts = judged.groupBy("file_name", "is_bad", "is_repeat").count().collect()
    if any(row["is_bad"] for row in counts):
        judged.where("is_bad").write.json("s3://curated/quarantine/")
    kept = judged.where("NOT is_bad AND NOT is_repeat")
    normalise = F.udf(_normalise, "string")
    names = (
        kept.select("artist")
        .distinct()
        .select("artist", F.concat(F.lit("a"), F.substring(F.sha2(normalise("artist"), 256), 1, 16)).alias("id"))
    )
    found = kept.join(F.broadcast(names), "artist").select(
        F.lit("lastfm").alias("source"), "user_id", F.col("artist_id").alias("source_artist_id"),
        F.col("id").alias("artist_id"), "artist", F.col("weight").cast("double").alias("weight"),
        F.lit(DT).cast("timestamp").alias("ingested_at"), "file_name", F.lit(RUN).alias("run_id"),
    )  # fmt: skip
    count = sum(row["count"] for row in counts if not row["is_bad"] and not row["is_repeat"])
    files = max(1, count * 11 // 2**26)
    found.coalesce(files).sortWithinPartitions("source", "user_id", "source_artist_id").write.parquet(
        "s3://curated/interaction/"
    )
    written = spark.read.parquet("s3://curated/interaction/")
    nulls = [F.count_if(F.col(name).isNull()).alias(name) for name in written.columns]
    written.agg(F.count("*").alias("rows"), F.min("weight").alias("least"), *nulls,
                F.count_if(~F.col("artist_id").rlike("^a[0-9a-f]{16}$")).alias("wrong")).collect()  # fmt: skip
    key = written.groupBy("source", "user_id", "source_artist_id").count()
    assert key.where("count > 1").count() == 0
    spark.stop()
    report(folder, started)


def _normalise(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in folded).split()) or folded


if __name__ == "__main__":
    main()
