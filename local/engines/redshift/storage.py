"""S3 under the role that a COPY or an UNLOAD names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.engines.redshift import StatementError
from local.engines.redshift.options import S3Place


@dataclass(frozen=True)
class SourceObject:
    place: S3Place
    size: int


class Storage:
    """:param client: an S3 client with the credentials of the role"""

    def __init__(self, client: Any, role: str) -> None:
        self._client = client
        self._role = role

    def objects(self, place: S3Place) -> list[SourceObject]:
        """The objects whose keys begin with the place's key, in the order of their keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
        try:
            return [
                SourceObject(S3Place(place.bucket, entry["Key"]), entry["Size"])
                for page in pages
                for entry in page.get("Contents", [])
            ]
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", place, error) from error

    def read(self, place: S3Place) -> bytes:
        try:
            return self._client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", place, error) from error

    def size(self, place: S3Place) -> int | None:
        """Length in bytes; None when there is no such object."""
        try:
            return int(self._client.head_object(Bucket=place.bucket, Key=place.key)["ContentLength"])
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise self._failed("read", place, error) from error
        except BotoCoreError as error:
            raise self._failed("read", place, error) from error

    def write(self, place: S3Place, body: bytes) -> None:
        try:
            self._client.put_object(Bucket=place.bucket, Key=place.key, Body=body)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("write", place, error) from error

    def delete(self, place: S3Place) -> None:
        try:
            self._client.delete_object(Bucket=place.bucket, Key=place.key)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("delete", place, error) from error

    def _failed(self, what: str, place: S3Place, error: Exception) -> StatementError:
        detail = error.response["Error"] if isinstance(error, ClientError) else {"Code": type(error).__name__}
        code, message = detail.get("Code", ""), detail.get("Message", str(error))
        status = {"403": 403, "AccessDenied": 403, "404": 404, "NoSuchKey": 404, "NoSuchBucket": 404}.get(code, "")
        hint = f": allow it to {what} there" if status == 403 else ""
        return StatementError(
            f"ERROR: S3ServiceException: {message},Status {status},Error {code}: "
            f"cannot {what} {place} as {self._role}{hint}"
        )


def manifest_entries(storage: Storage, manifest: S3Place, *, columnar: bool) -> list[SourceObject]:
    """The objects that a manifest names; an optional one that is missing is left out.

    :raises StatementError: when the manifest is wrong, or a mandatory object is missing or has another length
    """
    try:
        entries = json.loads(storage.read(manifest))["entries"]
        named = [
            (S3Place.parse(entry["url"]), entry.get("mandatory", False), entry.get("meta", {}).get("content_length"))
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StatementError(
            f"ERROR: manifest {manifest} is no COPY manifest: {type(error).__name__} {error}"
        ) from error
    found = []
    for place, mandatory, length in named:
        if columnar and not isinstance(length, int):
            raise StatementError(f"ERROR: manifest {manifest}: the entry {place} needs meta.content_length for Parquet")
        size = storage.size(place)
        if size is None:
            if mandatory:
                raise StatementError(f"ERROR: the mandatory file {place} of manifest {manifest} does not exist")
            continue
        if length is not None and size != length:
            raise StatementError(f"ERROR: {place} has {size} bytes, manifest {manifest} says {length}")
        found.append(SourceObject(place, size))
    if not found:
        raise StatementError(f"ERROR: manifest {manifest} names no file that exists")
    return found
