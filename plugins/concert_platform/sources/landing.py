"""The sample files, put into the drop zone as a box office or a web site would."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from concert_platform.resources import resource
from concert_platform.settings import settings
from concert_platform.sources.files import BOX_OFFICE, INTERACTIONS
from concert_platform.sources.watch_list import DROP_ZONE

# file below samples/ -> folder of the drop zone
SAMPLES = {
    "broadway_weekly_grosses/broadway_weekly_grosses.csv.gz": f"{BOX_OFFICE}broadway_weekly_grosses",
    "taylor_swift_tours/taylor_swift_tours.csv": f"{BOX_OFFICE}taylor_swift_tours",
    "lastfm/interactions.tsv.gz": f"{INTERACTIONS}lastfm",
}


def land_samples(s3: Any = None) -> list[str]:
    """Upload each sample file that the drop zone lacks or has otherwise; return the keys of what was uploaded."""
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    samples, bucket = resource("samples"), settings().raw_bucket
    uploaded = []
    landed = {samples / name: f"{folder}/{Path(name).name}" for name, folder in SAMPLES.items()}
    landed |= {path: f"{DROP_ZONE}{path.name}" for path in sorted((samples / "watch_list").glob("*.yaml"))}
    for path, key in landed.items():
        digest = _sha256(path)
        if _landed_digest(s3, bucket, key) != digest:
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), Metadata={"sha256": digest})
            uploaded.append(key)
    return uploaded


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _landed_digest(s3: Any, bucket: str, key: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        return s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise
