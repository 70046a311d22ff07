"""Templates that passed validation are remembered in S3 by their content, so that a run without changes is quick.

s3://<environment bucket>/reports/validated-templates/<digest>.json   which run has found them good
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from concert_platform import validate
from concert_platform.resources import resource

FOLDER = "reports/validated-templates"
ABSENT = ("403", "404", "AccessDenied", "NoSuchKey", "NotFound")


def content_digest() -> str:
    """Names templates, parameter files and what judges them: another rule or linter judges anew."""
    digest = sha256(_linter().encode())
    for path in _files():
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _linter() -> str:
    try:
        return version("cfn-lint")
    except PackageNotFoundError:
        return "none"


def _files() -> Iterator[Path]:
    yield from sorted(path for path in resource("include/cfn").rglob("*") if path.is_file())
    yield from sorted(Path(validate.__file__).parent.rglob("*.py"))


def is_remembered(client: Any, bucket: str, digest: str) -> bool:
    """Whether an earlier run has found this very content good."""
    from botocore.exceptions import ClientError

    try:
        client.head_object(Bucket=bucket, Key=f"{FOLDER}/{digest}.json")
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return False
        raise
    return True


def remember(client: Any, bucket: str, digest: str, run: str) -> None:
    body = json.dumps({"run": run, "cfn-lint": _linter()}).encode()
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/{digest}.json", Body=body, ContentType="application/json")
