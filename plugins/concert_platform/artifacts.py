"""The code that runs outside Airflow, as one bundle below a content hash in the artifacts bucket.

    artifacts/<hash>/glue/concert_etl_job.py   script of the Glue job
    artifacts/<hash>/glue/concert_etl.zip      its package, with mappings and expectations as data inside
    artifacts/<hash>/lambda/<function>.zip     a function: its folder, what all share, and of ml/ what it serves
    artifacts/<hash>/ml/source.tar.gz          training and scoring: requirements.txt and ml/

The same files give the same bytes and the same hash on every machine, so the hash can be a parameter of a stack before
anything is uploaded, and a bundle that is there already is never written again.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from concert_platform.resources import resource

ROOT = "artifacts"
FUNCTIONS = ("api", "chatbot", "concert_data_processor")
# Modules of ml/ by which a function serves what is published; they import each other, the standard library and boto3.
SERVED = {
    "api": (
        "__init__.py", "published.py", "recommender/__init__.py", "recommender/schema.py", "recommender/service.py",
        "recommender/store.py", "recommender/table.py", "sales/__init__.py", "sales/service.py", "venues/__init__.py",
        "venues/errors.py", "venues/service.py",
    ),
}  # fmt: skip
HASH_LENGTH = 32
FIRST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format knows no earlier time
SKIPPED_SUFFIXES = (".pyc", ".pyo")


@dataclass(frozen=True)
class Bundle:
    """Files by their path inside the bundle."""

    files: dict[str, bytes]

    @property
    def hash(self) -> str:
        digest = sha256()
        for path in sorted(self.files):
            digest.update(f"{path}\0{len(self.files[path])}\0".encode() + self.files[path])
        return digest.hexdigest()[:HASH_LENGTH]

    @property
    def prefix(self) -> str:
        """Where the bundle lies in the artifacts bucket: ``artifacts/<hash>``."""
        return f"{ROOT}/{self.hash}"


def build() -> Bundle:
    """Build the bundle from include/ and ml/.

    :raises ResourceNotFoundError: when a folder is missing
    """
    return Bundle(
        {
            "glue/concert_etl_job.py": resource("include/glue/concert_etl_job.py").read_bytes(),
            "glue/concert_etl.zip": zip_archive(glue_package()),
            **{f"lambda/{name}.zip": zip_archive(lambda_package(name)) for name in FUNCTIONS},
            "ml/source.tar.gz": tar_archive(
                {"requirements.txt": resource("ml/requirements.txt").read_bytes(), **folder("ml", "ml")}
            ),
        }
    )


def glue_package() -> dict[str, bytes]:
    """Files of concert_etl.zip: the package, and beside it the data and suites that it reads."""
    return {
        **folder("include/glue/concert_etl", "concert_etl"),
        **folder("include/mappings", "mappings"),
        **folder("include/expectations", "expectations"),
    }


def lambda_package(name: str) -> dict[str, bytes]:
    """Files of a function's bundle: its modules at the root, from which Lambda imports, and the package ml."""
    served = {f"ml/{path}": resource(f"ml/{path}").read_bytes() for path in SERVED.get(name, ())}
    return {**folder("include/lambda/shared"), **folder(f"include/lambda/{name}"), **served}


def publish(bucket: str, bundle: Bundle | None = None) -> str:
    """Upload what the bucket does not hold yet; returns the bundle's prefix.

    A key is named by the content of the whole bundle, so what is there is what would be written.
    """
    import boto3

    bundle, client = bundle or build(), boto3.client("s3")
    for path, body in bundle.files.items():
        key = f"{bundle.prefix}/{path}"
        if not exists(client, bucket, key):
            client.put_object(Bucket=bucket, Key=key, Body=body)
    return bundle.prefix


def exists(client: Any, bucket: str, key: str) -> bool:
    """Whether a bucket holds a key; one that is named by its content needs no second upload."""
    from botocore.exceptions import ClientError

    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def folder(relative: str, inside: str = "") -> dict[str, bytes]:
    """Files below a folder of the project, by their path inside an archive."""
    root = resource(relative)
    prefix = f"{inside}/" if inside else ""
    return {f"{prefix}{path.relative_to(root).as_posix()}": path.read_bytes() for path in _files(root)}


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(root).parts)
        if path.is_file() and not hidden and path.suffix not in SKIPPED_SUFFIXES:
            yield path


def zip_archive(files: dict[str, bytes]) -> bytes:
    """A zip file whose bytes depend on nothing but the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIRST_ZIP_TIME)
            entry.create_system = 3  # Unix, wherever it was built
            entry.external_attr = 0o644 << 16
            # Stored, not deflated: another zlib makes other bytes, and with them another hash.
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)
    return buffer.getvalue()


def tar_archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz file whose bytes depend on nothing but the files."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=0, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()
