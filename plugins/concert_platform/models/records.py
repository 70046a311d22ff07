"""What the warehouse is told of versions: rows of ml.model_registry and ml.model_drift, as JSON lines for COPY."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from concert_platform.models.descriptions import Model
from concert_platform.models.evaluation import Evaluation, EvaluationError, read_evaluation
from concert_platform.models.names import record_key
from concert_platform.models.registry import Version
from concert_platform.partitions import run_slug
from concert_platform.settings import settings

log = logging.getLogger(__name__)


def record_training(model: Model, run_id: str, version: Version, evaluation: Evaluation) -> dict[str, str]:
    """Write the version that a run has trained, and the drift it has found; returns the values of
    load/record_version.sql."""
    return _write_both(model, run_id, ("registry", "drift"), [(version, evaluation)])


def record_known(model: Model, run_id: str, versions: Iterable[Version | None]) -> dict[str, str]:
    """Write versions that may lack in the warehouse, because the run that has trained them died before its record;
    returns the values of load/shared/record_missing_versions.sql."""
    found: list[tuple[Version, Evaluation | None]] = []
    for version in {version.arn: version for version in versions if version}.values():
        try:
            found.append((version, read_evaluation(version.model_uri)))
        except EvaluationError as error:
            log.warning("%s %s would be recorded without figures: %s", model.name, version.version, error)
            found.append((version, None))
    return _write_both(model, run_id, ("known", "known_drift"), found)


def record_statuses(model: Model, run_id: str, changed: Iterable[Version]) -> dict[str, str]:
    """Write versions whose status a rollback has changed; returns the values of load/record_version.sql."""
    rows = [_named(model, version.properties.get("run_id", run_slug(run_id)), version) for version in changed]
    return {"registry_uri": _write(record_key(run_id, model.name, "registry"), rows), "drift_uri": ""}


def _write_both(
    model: Model, run_id: str, parts: tuple[str, str], found: Sequence[tuple[Version, Evaluation | None]]
) -> dict[str, str]:
    """Write rows of versions and, where there is any, rows of drift; returns their URIs."""
    rows, drift = [], []
    for version, evaluation in found:
        run = version.properties.get("run_id", run_slug(run_id))
        rows.append({**_named(model, run, version), **(_judged(evaluation) if evaluation else {})})
        drift += [
            {"name": model.name, "version": version.version, "run_id": run, **comparison}
            for comparison in (evaluation.comparisons() if evaluation else [])
        ]
    registry, drifted = parts
    return {
        "registry_uri": _write(record_key(run_id, model.name, registry), rows),
        "drift_uri": _write(record_key(run_id, model.name, drifted), drift) if drift else "",
    }


def _judged(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "metrics": json.dumps(evaluation.metrics),
        "baseline": json.dumps(evaluation.baseline),
        "decision": json.dumps(evaluation.decision),
        "data_from": evaluation.data_from,
        "data_through": evaluation.data_through,
    }


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
