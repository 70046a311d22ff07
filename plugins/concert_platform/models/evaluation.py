"""What training says of its model: evaluation.json in the output.tar.gz beside model.tar.gz."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

FILE = "evaluation.json"
LARGEST_ARCHIVE = 50_000_000  # bytes


class EvaluationError(RuntimeError):
    """A training has completed without a usable evaluation.json."""


@dataclass(frozen=True)
class Evaluation:
    """The parts of evaluation.json that are used here; figures that do not exist are None.

    champion is the version that it was compared with, empty when there was none that could be used.
    """

    version: str
    feature_schema: str
    data_from: str | None
    data_through: str | None
    metrics: Mapping[str, Any]
    baseline: Mapping[str, Any]
    champion: str
    decision: Mapping[str, Any]
    drift: Mapping[str, Any]

    @property
    def promote(self) -> bool:
        return bool(self.decision["promote"])

    @property
    def reason(self) -> str:
        return " ".join(str(self.decision["reason"]).split())

    @property
    def drifted(self) -> list[str]:
        """What has drifted, each with its figure."""
        return [
            f"{row['kind']} {row['feature']}: {row['statistic']} is {row['value']}, threshold {row['threshold']}"
            for row in self.comparisons()
            if row["drifted"]
        ]

    def comparisons(self) -> list[dict[str, Any]]:
        """Each comparison with the champion's data, of an input or of an error, as one row."""
        inputs = [("input", item["feature"], item["statistic"], item) for item in self.drift.get("inputs", [])]
        errors = [("error", item["metric"], "error", item) for item in self.drift.get("errors", [])]
        return [
            {
                "kind": kind,
                "feature": str(name),
                "statistic": str(statistic),
                "value": item["value"],
                "threshold": item["threshold"],
                "drifted": bool(item["drifted"]),
            }
            for kind, name, statistic, item in (*inputs, *errors)
        ]


def evaluation_uri(model_uri: str) -> str:
    """URI of output.tar.gz beside a model.tar.gz."""
    return f"{model_uri.rpartition('/')[0]}/output.tar.gz"


def read_evaluation(model_uri: str) -> Evaluation:
    """The evaluation of a completed training.

    :raises EvaluationError: when it is missing or lacks a part
    """
    import boto3
    from botocore.exceptions import ClientError

    uri = evaluation_uri(model_uri)
    place = urlsplit(uri)
    try:
        answer = boto3.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        raise EvaluationError(f"{uri} is missing: train.py must write {FILE} to SM_OUTPUT_DATA_DIR") from None
    if answer["ContentLength"] > LARGEST_ARCHIVE:
        raise EvaluationError(f"{uri} has {answer['ContentLength']:,} bytes, at most {LARGEST_ARCHIVE:,} are read")
    return parse_evaluation(answer["Body"].read(), uri)


def parse_evaluation(archive: bytes, uri: str) -> Evaluation:
    """:raises EvaluationError: naming what is wrong with the archive, and where it lies"""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            content = packed.extractfile(FILE)
            stated = json.load(content) if content else {}
        found = Evaluation(
            version=str(stated["version"]),
            feature_schema=str(stated["feature_schema"]),
            data_from=stated["data_from"],
            data_through=stated["data_through"],
            metrics=dict(stated["metrics"]),
            baseline=dict(stated["baseline"]),
            champion=str(stated["champion"]["version"]) if stated["champion"] else "",
            decision=dict(stated["decision"]),
            drift=dict(stated.get("drift") or {}),
        )
        _ = found.promote, found.reason, found.comparisons()
    except (KeyError, TypeError, ValueError, OSError, EOFError, tarfile.TarError) as error:
        raise EvaluationError(
            f"{uri} holds no usable {FILE} ({type(error).__name__}: {error}): mend train.py, then trigger a new run"
        ) from error
    return found
