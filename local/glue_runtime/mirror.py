"""A folder that mirrors S3 for Spark, which has no S3 client here: objects come before the job, and go before a call.

Spark reads and writes `s3://<bucket>/...` in `<mirror>/<bucket>/...` (see local/engines/glue.py). What the job has
written is uploaded before its next request to AWS, so that a report is never visible before its data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

INDEX = ".index.json"
PARALLEL_TRANSFERS = 8


class Mirror:
    """The mirror folders of the buckets that a job names.

    :param s3: client under the job's role; its requests must not trigger a flush themselves
    """

    def __init__(self, root: Path, buckets: list[str], s3: Any) -> None:
        self._root = root
        self._buckets = buckets
        self._s3 = s3
        self._known: dict[str, dict[str, str]] = {}

    def pull(self) -> int:
        """Bring new and changed objects, and remove files that S3 does not hold (a killed job's leftovers)."""
        return sum(self._pull(bucket) for bucket in self._buckets)

    def push(self) -> int:
        """Upload what Spark has finished writing since the last push or pull."""
        return sum(self._push(bucket) for bucket in self._buckets)

    def _pull(self, bucket: str) -> int:
        folder, index = self._root / bucket, self._root / f"{bucket}{INDEX}"
        folder.mkdir(parents=True, exist_ok=True)
        before = json.loads(index.read_text()) if index.exists() else {}
        remote = {item["Key"]: item["ETag"] for item in self._list(bucket)}
        for path in list(_files(folder)):
            key = path.relative_to(folder).as_posix()
            if remote.get(key) is None or before.get(key) != remote[key]:
                path.unlink()
        wanted = [key for key in remote if not (folder / key).exists()]
        with ThreadPoolExecutor(PARALLEL_TRANSFERS) as pool:
            list(pool.map(lambda key: self._download(bucket, key), wanted))
        self._known[bucket] = remote
        index.write_text(json.dumps(remote))
        return len(wanted)

    def _list(self, bucket: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield from (item for item in page.get("Contents", []) if not item["Key"].endswith("/"))

    def _download(self, bucket: str, key: str) -> None:
        target = self._root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            # What the role may not read is not there for Spark either: a job that needs it fails on the missing path.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (403, 404):
                raise

    def _push(self, bucket: str) -> int:
        folder, known = self._root / bucket, self._known[bucket]
        new = [path for path in _files(folder) if path.relative_to(folder).as_posix() not in known]
        for path in new:
            key = path.relative_to(folder).as_posix()
            known[key] = self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())["ETag"]
        if new:
            (self._root / f"{bucket}{INDEX}").write_text(json.dumps(known))
        return len(new)


def _files(folder: Path) -> Iterator[Path]:
    """Finished files: no checksums, no markers, nothing of a write in progress."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and "_temporary" not in parts and not parts[-1].startswith((".", "_SUCCESS")):
            yield path
