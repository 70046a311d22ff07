"""evaluation.json as the nightly run reads it."""

import importlib
import io
import json
import tarfile
from typing import Any

import numpy as np
import pandas as pd
import pytest

from concert_platform.models import MODELS, UnknownModelError, evaluation, model_named
from ml import drift

STATED: dict[str, Any] = {
    "name": "sales", "version": "v1", "feature_schema": 3, "data_from": None, "data_through": "2020-03-01",
    "metrics": {"wape": 0.03}, "segments": {}, "baseline": {"name": "naive", "wape": 0.04}, "champion": None,
    "decision": {"promote": True, "reason": "better\n than the baseline", "margin": 0.01, "bound": 0.05},
    "drift": {"inputs": [], "errors": []},
}  # fmt: skip
URI = "s3://bucket/models/sales/job/output/output.tar.gz"


def packed(stated: Any, name: str = "evaluation.json") -> bytes:
    body, archive = json.dumps(stated).encode(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as made:
        entry = tarfile.TarInfo(name)
        entry.size = len(body)
        made.addfile(entry, io.BytesIO(body))
    return archive.getvalue()


def test_the_decision_is_read_with_its_reason_on_one_line() -> None:
    found = evaluation.parse_evaluation(packed(STATED), URI)
    assert (found.promote, found.reason, found.drifted) == (True, "better than the baseline", [])
    assert found.feature_schema == "3"


def test_only_what_has_drifted_is_told() -> None:
    psi = {"feature": "capacity", "statistic": "psi", "value": 0.3, "threshold": 0.2, "drifted": True}
    error = {"metric": "wape", "value": 1.1, "threshold": 1.5, "drifted": False}
    found = evaluation.parse_evaluation(packed(STATED | {"drift": {"inputs": [psi], "errors": [error]}}), URI)
    assert found.drifted == ["input capacity: psi is 0.3, threshold 0.2"]
    assert [row["kind"] for row in found.comparisons()] == ["input", "error"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"no archive", "ReadError"),
        (packed(STATED, "other.json"), "KeyError: .*evaluation.json"),
        (packed({"version": "v1"}), "KeyError: 'feature_schema'"),
        (packed(STATED | {"decision": {"promote": True}}), "KeyError: 'reason'"),
        (packed([]), "TypeError"),
    ],
    ids=["no archive", "another file", "a part missing", "no reason", "no object"],
)
def test_an_unusable_evaluation_is_named_with_its_place_and_reason(archive: bytes, reason: str) -> None:
    with pytest.raises(evaluation.EvaluationError, match=f"{URI} holds no usable evaluation.json .{reason}"):
        evaluation.parse_evaluation(archive, URI)


def test_what_training_writes_of_drift_is_read() -> None:
    """The rows that ml/drift.py makes, whose names both sides must know."""
    known = pd.DataFrame({"capacity": np.linspace(100, 2000, 400)})
    stated = {
        "inputs": drift.inputs(drift.reference(known), known + 5000),
        "errors": [drift.error("wape", 0.2, 0.1)],
    }
    found = evaluation.parse_evaluation(packed(STATED | {"drift": stated}), URI)
    assert [(row["kind"], row["feature"]) for row in found.comparisons()] == [("input", "capacity"), ("error", "wape")]
    assert len(found.drifted) == 2


def test_the_evaluation_lies_beside_the_model() -> None:
    assert evaluation.evaluation_uri("s3://bucket/models/sales/job/output/model.tar.gz") == URI


def test_an_unknown_model_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownModelError, match="model 'vanues' is unknown: choose one of sales, recommender, venues"):
        model_named("vanues")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_model_has_its_code(model: Any) -> None:
    for part in ("train", "predict"):
        assert importlib.util.find_spec(f"ml.{model.name}.{part}")
