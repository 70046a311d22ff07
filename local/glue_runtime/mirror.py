"""A folder that stands in for S3 under Spark, which has no S3 client here.

Spark reads and writes `s3://<bucket>/...` in `<mirror>/<bucket>/...` (see local/engines/glue.py). Objects are fetched
when the script reads them, and what Spark has written is uploaded before the script's next request to AWS, so that a
report is never visible before its data. All of it happens under the job's role, and each run has a folder of its own:
nothing that a killed run has left is ever seen by another.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

S3_URI = re.compile(r"s3://([^/]+)/(.*)")
WILDCARD = re.compile(r"[*?\[{]")
PARALLEL_TRANSFERS = 8


class Mirror:
    """The mirror folder of one job run.

    A script may read and write in several threads.

    :param s3: client under the job's role; its requests must not trigger an upload themselves
    """

    def __init__(self, root: Path, s3: Any) -> None:
        self._root = root
        self._s3 = s3
        self._same_as_s3: set[Path] = set()
        self._fetching = threading.Lock()  # who finds an object fetched finds all of it

    def fetch(self, uri: str) -> int:
        """Bring the objects that a path of Spark names (object, folder or pattern); returns how many were new.

        :raises botocore.exceptions.ClientError: when the role may not list or read them
        """
        match = S3_URI.fullmatch(uri)
        if match is None:
            return 0
        bucket, path = match.groups()
        prefix = WILDCARD.split(path)[0]
        with self._fetching:
            wanted = [
                (key, target)
                for key in self._keys(bucket, prefix)
                if (target := self._root / bucket / key) not in self._same_as_s3
            ]
            with ThreadPoolExecutor(PARALLEL_TRANSFERS) as pool:
                list(pool.map(lambda item: self._download(bucket, *item), wanted))
        return len(wanted)

    def push(self) -> int:
        """Upload what Spark has finished writing since the last push; returns the number of files."""
        new = [path for path in self._finished_files() if path not in self._same_as_s3]
        for path in new:
            bucket, _, key = path.relative_to(self._root).as_posix().partition("/")
            self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
            self._same_as_s3.add(path)
        return len(new)

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []) if not item["Key"].endswith("/"))

    def _download(self, bucket: str, key: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}")
        scratch.write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        self._same_as_s3.add(target)  # before it can be seen: a push of another thread would take it for Spark's
        scratch.replace(target)

    def _finished_files(self) -> Iterator[Path]:
        """No checksums, no markers, nothing of a write in progress, whose folders may vanish at any time."""
        for folder, folders, names in os.walk(self._root):
            folders[:] = [name for name in folders if name != "_temporary"]
            yield from (Path(folder, name) for name in names if not name.startswith((".", "_SUCCESS")))
