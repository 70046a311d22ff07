"""What the warehouse is told of versions: rows of ml.model_registry and ml.model_drift, as JSON lines for COPY."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from concert_platform.models.descriptions import Model
from concert_platform.models.evaluation import Evaluation
from concert_platform.models.names import record_key
from concert_platform.models.registry import Version
from concert_platform.partitions import run_slug
from concert_platform.settings import settings


def record_training(model: Model, run_id: str, version: Version, evaluation: Evaluation) -> dict[str, str]:
    """Write the version that a run has trained, and the drift it has found; returns the values of
    load/record_version.sql."""
    run = run_slug(run_id)
    row = {
        **_named(model, run, version),
        "metrics": json.dumps(evaluation.metrics),
        "baseline": json.dumps(evaluation.baseline),
        "decision": json.dumps(evaluation.decision),
        "data_from": evaluation.data_from,
        "data_through": evaluation.data_through,
    }
    drift = [
        {"name": model.name, "version": version.version, "run_id": run, **comparison}
        for comparison in evaluation.comparisons()
    ]
    return {
        "registry_uri": _write(record_key(run_id, model.name, "registry"), [row]),
        "drift_uri": _write(record_key(run_id, model.name, "drift"), drift) if drift else "",
    }


def record_statuses(model: Model, run_id: str, changed: Iterable[Version]) -> dict[str, str]:
    """Write versions whose status a rollback has changed; returns the values of load/record_version.sql."""
    rows = [_named(model, version.properties.get("run_id", run_slug(run_id)), version) for version in changed]
    return {"registry_uri": _write(record_key(run_id, model.name, "registry"), rows), "drift_uri": ""}


def _named(model: Model, run: str, version: Version) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": version.version,
        "run_id": run,
        "status": version.status,
        "reason": version.reason,
        "model_uri": version.model_uri,
        "package_arn": version.arn,
        "fingerprint": version.fingerprint,
    }


def _write(key: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Put JSON lines into the artifacts bucket; returns their URI."""
    import boto3

    body = "".join(json.dumps(row) + "\n" for row in rows)
    boto3.client("s3").put_object(Bucket=settings().artifacts_bucket, Key=key, Body=body.encode())
    return f"s3://{settings().artifacts_bucket}/{key}"
