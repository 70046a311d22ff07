"""The raw bucket and the state table in memory, with what the connectors ask of them, and a budget without an end."""

import io
import json
from collections.abc import Iterator
from typing import IO, Any

from concert_platform.sources.manifests import Manifest
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import RunState


class Unlimited:
    """A budget without an end."""

    def spend(self) -> None:
        return


class MemoryBucket:
    """An S3 client over one bucket; ``fails_on`` is a part of the keys that it refuses to write."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fails_on: str | None = None

    def put_object(self, *, Bucket: str, Key: str, Body: bytes | IO[bytes], **_: Any) -> None:
        if self.fails_on and self.fails_on in Key:
            raise ConnectionError(f"503 Slow Down: {Key}")
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()

    def upload_fileobj(self, Fileobj: IO[bytes], Bucket: str, Key: str, **_: Any) -> None:
        self.put_object(Bucket=Bucket, Key=Key, Body=Fileobj)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> "MemoryBucket":
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]}

    def manifest(self, source: str, entity: str, run: IngestRun) -> dict[str, Any]:
        return json.loads(
            self.objects[f"raw/source={source}/entity={entity}/dt={run.dt}/run={run.run_id}/manifest.json"]
        )

    def records(self, source: str, entity: str, run: IngestRun) -> list[dict[str, Any]]:
        """The records of a manifest's files, found by records_path as curation finds them."""
        found = []
        for file in self.manifest(source, entity, run)["files"]:
            part = json.loads(self.objects[file["key"]])
            for name in filter(None, file["records_path"].split(".")):
                part = part[name]
            records = part if file["records_path"] else [part]
            assert len(records) == file["records"], file["name"]
            found += records
        return found


class MemoryState:
    """Stands for IngestState."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, tuple[str, str]]] = {}
        self.runs: dict[IngestRun, set[str]] = {}

    def versions(self, source: str) -> dict[str, str]:
        return {item: version for item, (version, _) in self.rows.get(source, {}).items()}

    def run(self, run: IngestRun) -> RunState | None:
        return RunState(run, sorted(self.runs[run]), 1, False) if run in self.runs else None

    def days_of(self, run_id: str) -> set[str]:
        return {run.dt for run in self.runs if run.run_id == run_id}

    def unpublished(self) -> list[RunState]:
        return [RunState(run, sorted(keys), 1, False) for run, keys in self.runs.items()]

    def reopen(self, run: IngestRun, manifest_key: str) -> None:
        self.runs.setdefault(run, set()).add(manifest_key)

    def commit(self, manifest: Manifest) -> None:
        self.reopen(IngestRun(manifest.dt, manifest.run_id), manifest.key)
        self.mark(manifest)

    def mark(self, manifest: Manifest) -> None:
        marks = [(file.item, file.version, file.delivered_at) for file in manifest.files]
        marks += [(item, version, at) for item, (version, at) in manifest.notes.items()]
        rows = self.rows.setdefault(manifest.source, {})
        for item, version, at in marks:
            if rows.get(item, ("", ""))[1] <= at:
                rows[item] = (version, at)
