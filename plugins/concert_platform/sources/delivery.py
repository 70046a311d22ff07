"""What all sources share: put files into the raw bucket, and commit them with their manifest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.client import Answer
from concert_platform.sources.errors import RunIdTakenError
from concert_platform.sources.manifests import Manifest, RawFile, raw_prefix, read_manifest, write_manifest
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import IngestState

# S3 takes an object of more than 5 GB in parts only; a larger file than 10,000 parts hold has larger ones.
LARGE, PART = 1024 * 2**20, 64 * 2**20  # bytes


class Delivery:
    """One entity of one source in one run.

    A repeated run goes on from what its predecessor committed, and does the rest again under the same keys.

    :param source: name of the source; for box-office files that of the mapping
    :raises RunIdTakenError: when a run of another day had the id
    """

    def __init__(
        self, run: IngestRun, source: str, entity: str, *, s3: Any = None, state: IngestState | None = None
    ) -> None:
        if s3 is None:
            import boto3

            s3 = boto3.client("s3")
        self.run, self.source, self.entity = run, source, entity
        self.s3, self.bucket = s3, settings().raw_bucket
        self.state = state or IngestState()
        self._settle()
        self.manifest = Manifest(source, entity, run.dt, run.run_id, created_at=_now())
        committed = self.state.run(run)
        if committed is None and (days := self.state.days_of(run.run_id)):
            raise RunIdTakenError(
                f"run {run.run_id} has brought {', '.join(sorted(days))} already and cannot bring {run.dt} too, since "
                "rows are loaded and withdrawn by the run's id: trigger ingest_concerts under another id"
            )
        self.is_committed = committed is not None and self.manifest.key in committed.manifests
        if self.is_committed:
            self.manifest = read_manifest(self.s3, self.bucket, self.manifest.key)
        self._changed = not self.is_committed
        self._versions = self.state.versions(source)
        self._noted: dict[str, str] = {}

    def _settle(self) -> None:
        """Mark what a run has committed when it was killed before it could."""
        for pending in self.state.unpublished():
            prefix = raw_prefix(self.source, self.entity, pending.run)
            for key in pending.manifests:
                if key.startswith(f"{prefix}/"):
                    self.state.mark(read_manifest(self.s3, self.bucket, key))

    def is_new(self, item: str, version: str) -> bool:
        """Whether no committed run has delivered this version of an item."""
        return self._versions.get(item) != version

    def known(self, item: str) -> str | None:
        """Last committed version of an item, or the one that was noted since."""
        return self._noted.get(item) or self._versions.get(item)

    def items(self, prefix: str) -> dict[str, str]:
        """Last versions of the items whose name begins with a prefix, by the rest of the name."""
        known = {**self._versions, **self._noted}
        return {item.removeprefix(prefix): version for item, version in known.items() if item.startswith(prefix)}

    def note(self, item: str, version: str) -> None:
        """Set an item of the ingest state with the commit, such as a watermark; call it after the files are added."""
        if self.known(item) != version:
            self._noted[item] = version
            self.manifest.notes[item] = [version, _now()]
            self._changed = True

    def add(self, name: str, content: bytes | Path, *, item: str, version: str | None = None, **facts: Any) -> RawFile:
        """Upload a file of the source, unchanged.

        :param name: file name, also with folders; characters that paths do not bear are replaced
        :param version: version of the item; default the hash of the content
        :param facts: further fields of RawFile
        """
        size, digest = _size(content), _sha256(content)
        taken = {file.name for file in self.manifest.files}
        name = safe_name(name, taken, digest)
        key = f"{raw_prefix(self.source, self.entity, self.run)}/{name}"
        if isinstance(content, bytes):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        else:
            from boto3.s3.transfer import TransferConfig

            limits = TransferConfig(multipart_threshold=LARGE, multipart_chunksize=PART, use_threads=False)
            with content.open("rb") as stream:
                self.s3.upload_fileobj(stream, self.bucket, key, Config=limits)
        file = RawFile(
            name=name, key=key, bytes=size, sha256=digest, item=item, version=version or digest,
            delivered_at=_now(), **facts,
        )  # fmt: skip
        self.manifest.files.append(file)
        self._changed = True
        return file

    def add_answer(
        self, name: str, answer: Answer, *, item: str, version: str, content: Path | None = None, **facts: Any
    ) -> RawFile:
        """Upload the bytes of an API's answer, with its request, status and headers in the manifest.

        :param content: file that holds the bytes, if the answer does not
        """
        return self.add(
            name, content or answer.content, item=item, version=version, format="json", status=answer.status,
            headers=answer.headers, request={"method": "GET", "url": answer.url}, **facts,
        )  # fmt: skip

    def commit(self) -> dict[str, Any]:
        """Write the manifest and make it part of the run; what was committed before and has not changed stays.

        :return: source, entity, number of files and records, for the task's log
        """
        if self._changed:
            if self.is_committed:
                # The manifest grows: the run must count as unpublished before it does, or a kill would hide the rest.
                self.state.reopen(self.run, self.manifest.key)
            self.manifest.created_at = _now()
            write_manifest(self.s3, self.bucket, self.manifest)
            self.state.commit(self.manifest)
            self.is_committed, self._changed = True, False
        counts = {"files": len(self.manifest.files), "records": self.manifest.records}
        return {"source": self.source, "entity": self.entity, **counts}


def safe_name(name: str, taken: Iterable[str], digest: str) -> str:
    """A file name that paths, globs and SQL bear; with the content's hash where that would make two names one.

    >>> safe_name("week 1.csv.gz", [], "9f86d081884c7d65")
    'week-1-9f86d081.csv.gz'
    >>> safe_name("week.csv", ["week.csv"], "9f86d081884c7d65")
    'week-9f86d081.csv'
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")
    if safe == name and safe not in taken:
        return safe
    suffix = "".join(PurePosixPath(safe).suffixes[-2:])
    return f"{safe.removesuffix(suffix)}-{digest[:8]}{suffix}".lstrip("-")


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
