"""Airflow's files: dist/, as `make package` builds it, brought into the environment bucket.

Amazon MWAA reads dags/ as it is and the other three in the versions that the orchestration stack names. SHA256SUMS says
what the bucket holds and is written last, so that what a killed upload has left out is uploaded by the next one.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from concert_platform.cloudformation.errors import CloudFormationError

logger = logging.getLogger(__name__)

DIST = Path(__file__).resolve().parents[3] / "dist"
SUMS = "SHA256SUMS"
# File -> parameter of the orchestration template that takes its version.
VERSIONED = {
    "plugins.zip": "PluginsS3ObjectVersion",
    "requirements.txt": "RequirementsS3ObjectVersion",
    "startup.sh": "StartupScriptS3ObjectVersion",
}
UPLOADS_AT_ONCE = 8


class PackageMissingError(CloudFormationError):
    """There is nothing to upload."""


def packaged(folder: Path = DIST) -> dict[str, str]:
    """SHA-256 of each file of a built package by its path.

    :raises PackageMissingError: when it was not built, or not to its end
    """
    sums = folder / SUMS
    listed = parse_sums(sums.read_text()) if sums.exists() else {}
    if not set(VERSIONED) <= set(listed) or not all((folder / path).exists() for path in listed):
        raise PackageMissingError(f"{folder} does not hold Airflow's files: run `make package`, then deploy again")
    return listed


def parse_sums(text: str) -> dict[str, str]:
    """Path to checksum, from lines as sha256sum writes them."""
    return {path: digest for digest, _, path in (line.partition("  ") for line in text.splitlines())}


def upload(client: Any, bucket: str, folder: Path = DIST) -> dict[str, str]:
    """Bring the bucket to the content of a package; returns the stack's parameters.

    Unchanged files are not written again and keep their versions. A file that left the package leaves the bucket.

    :param client: boto3 client of S3
    """
    wanted, held = packaged(folder), _held(client, bucket)
    gone = [path for path in VERSIONED if _version(client, bucket, path) is None]
    changed = sorted({path for path, digest in wanted.items() if held.get(path) != digest} | set(gone))
    stale = sorted(set(held) - set(wanted))

    def put(path: str) -> None:
        client.put_object(Bucket=bucket, Key=path, Body=(folder / path).read_bytes())

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(put, changed))
    for path in stale:
        client.delete_object(Bucket=bucket, Key=path)
    if changed or stale:
        put(SUMS)
    logger.info("%s: %d files uploaded, %d removed, of %d", bucket, len(changed), len(stale), len(wanted))
    return {parameter: _version(client, bucket, path) or "" for path, parameter in VERSIONED.items()}


def _held(client: Any, bucket: str) -> dict[str, str]:
    """What the last complete upload left; empty before it."""
    try:
        return parse_sums(client.get_object(Bucket=bucket, Key=SUMS)["Body"].read().decode())
    except client.exceptions.NoSuchKey:
        return {}


def _version(client: Any, bucket: str, path: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        return client.head_object(Bucket=bucket, Key=path)["VersionId"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
