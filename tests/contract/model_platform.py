"""Groups, table and trainings of the models, for tests of registration, scoring and publication."""

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from concert_platform import settings as settings_module
from concert_platform import warehouse
from concert_platform.models import MODELS, Model, evaluation, names, records, registry
from tests.contract.conftest import Emulator
from tests.contract.curated_runs import NEXT_DAY, SECOND, Platform
from tests.contract.warehouse_platform import create_table

STACK = "contract-models"
SALES, RECOMMENDER, VENUES = MODELS
DAY = "2020-03-04"
RUN = "nightly__2020-03-04"
CODE = "s3://artifacts/artifacts/0a/ml/source.tar.gz"
RECORD_MISSING = "load/shared/record_missing_versions.sql"
MOMENT = "20200304T030000-000000"  # when a run of that day was due


@pytest.fixture(scope="module")
def models(platform: Platform, emulator: Emulator) -> Iterator[Platform]:
    """The warehouse with an empty table of scores and an empty model package group of each model."""
    prefix = settings_module.settings().prefix
    groups = {
        model.name.title(): {
            "Type": "AWS::SageMaker::ModelPackageGroup",
            "Properties": {"ModelPackageGroupName": f"{prefix}-{model.name}"},
        }
        for model in MODELS
    }
    cloudformation, dynamodb = emulator.client("cloudformation"), emulator.client("dynamodb")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": groups}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    table = settings_module.settings().model_score_table
    create_table(emulator, table, "subject", "publication")
    yield platform
    dynamodb.delete_table(TableName=table)
    delete_versions(emulator)
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


@pytest.fixture
def registered(models: Platform, emulator: Emulator) -> Iterator[Platform]:
    """The same, without a version or a score."""
    models.reset()
    yield models
    delete_versions(emulator)
    delete_scores(emulator)


def delete_versions(emulator: Emulator) -> None:
    sagemaker = emulator.client("sagemaker")
    for model in MODELS:
        for version in list(registry.versions(model)):
            sagemaker.delete_model_package(ModelPackageName=version.arn)


def delete_scores(emulator: Emulator) -> None:
    dynamodb, table = emulator.client("dynamodb"), settings_module.settings().model_score_table
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("subject", "publication")})


def evaluation_of(version: str, **changes: Any) -> dict[str, Any]:
    stated = {
        "name": "sales", "version": version, "feature_schema": 3, "data_from": "2010-01-01",
        "data_through": "2020-03-01", "metrics": {"wape": 0.031, "utilisation_r2": None}, "segments": {},
        "baseline": {"name": "last_utilisation", "wape": 0.039}, "champion": None,
        "decision": {"promote": True, "reason": "better than the baseline", "margin": 0.01, "bound": 0.05},
        "drift": {"inputs": [], "errors": []},
    }  # fmt: skip
    return stated | changes


def refused(reason: str = "wape is worse than the champion's") -> dict[str, Any]:
    return {"decision": {"promote": False, "reason": reason, "margin": 0.01, "bound": 0.05}}


def trained(platform: Platform, job: str, evaluation: dict[str, Any] | None, model: Model = SALES) -> str:
    """What a training job leaves in S3; returns the URI of its model."""
    uri = f"{names.model_uri(model.name)}{job}/output/model.tar.gz"
    if evaluation is not None:
        packed, body = io.BytesIO(), json.dumps(evaluation).encode()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo("evaluation.json")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        put(platform, f"{uri.rpartition('/')[0]}/output.tar.gz", packed.getvalue())
    return uri


def scores_of(run: str, model: str) -> str:
    """Prefix of what a run's first scoring with version v1 writes."""
    return f"{names.model_uri(model)}scores/run={run}/v1/0/"


def load_next_day(platform: Platform, **entities: list[dict[str, Any]]) -> None:
    """A second run, of the day after."""
    platform.curate(SECOND, NEXT_DAY, **entities)
    platform.load(SECOND, NEXT_DAY)


def put(platform: Platform, uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    platform.s3.put_object(Bucket=bucket, Key=key, Body=body)


def put_lines(platform: Platform, uri: str, rows: list[dict[str, Any]]) -> None:
    put(platform, uri, "".join(json.dumps(row) + "\n" for row in rows).encode())


def register(
    platform: Platform, version: str, *, fingerprint: str = "1-2-3", code: str = CODE, **changes: Any
) -> registry.Version:
    """Register a version that was compared with the champion, unless `champion` says otherwise."""
    serving = registry.champion(SALES)
    compared = {"champion": {"version": serving.version} if serving else None}
    uri = trained(platform, f"job-{version}", evaluation_of(version, **(compared | changes)))
    found = registry.register(SALES, uri, evaluation.read_evaluation(uri), fingerprint, f"run-{version}", code)
    record(records.record_training(SALES, f"run-{version}", found, evaluation.read_evaluation(uri)))
    return found


def record(values: dict[str, str]) -> None:
    warehouse.execute_batch(warehouse.render(["load/record_version.sql"], model_name="sales", **values))


def forecast(concert_id: str, tickets: int) -> dict[str, Any]:
    return {"concert_id": concert_id, "expected_tickets": tickets, "lower_tickets": 1, "upper_tickets": 1000,
            "capacity": 1000, "utilisation": 0.8123, "basis": "own history",
            "capacity_basis": "venue", "as_of": DAY, "model_name": "sales",
            "model_version": "v1", "run_id": "x"}  # fmt: skip


def publish(
    platform: Platform,
    model: Any,
    rows: list[dict[str, Any]],
    version: str = "v1",
    moment: str = MOMENT,
    told: dict[str, str] | None = None,
) -> None:
    uri = f"{names.model_uri(model.name)}scores/run={RUN}/{version}/0/{model.scored}/"
    put_lines(platform, f"{uri}{model.scored}.json", rows)
    values = {f"{model.scored}_uri": uri, "as_of": DAY, "model_name": model.name, "model_version": version,
              "run_id": "x", "run_moment": moment}  # fmt: skip
    first = [RECORD_MISSING] if told else []
    warehouse.execute_batch(warehouse.render([*first, model.publish_file], **{**(told or {}), **values}))
