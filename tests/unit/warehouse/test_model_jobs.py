"""The SageMaker requests of the sales model, with every name filled in."""

import json
import re
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from concert_platform import models
from concert_platform.partitions import run_slug
from concert_platform.settings import Settings
from ml.sales import predict, train

NAMES = Settings(environment="development", account_id="000000000000", region="us-east-1")
RUN_ID = "manual__2020-03-04T05:06:07.123456+00:00"
LONGEST_JOB_NAME = 63


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "settings", lambda: NAMES)
    monkeypatch.setitem(models.MODEL_MACROS, "model_code", lambda: "s3://code/artifacts/0a/ml/source.tar.gz")


def filled(request: Any) -> Any:
    """A request as Airflow renders it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["ds"] = str
    context = {
        "settings": lambda: NAMES, "run_slug": run_slug, **models.MODEL_MACROS,
        "dag_run": SimpleNamespace(run_id=RUN_ID, run_after="2020-03-09"),
        "params": SimpleNamespace(as_of="2020-03-04"),
        "ti": SimpleNamespace(xcom_pull=lambda task_ids: "s3://artifacts/models/sales/job/output/model.tar.gz"),
    }  # fmt: skip

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return environment.from_string(value).render(context)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    return fill(request)


@pytest.mark.parametrize(
    ("request_", "operation"),
    [(models.TRAINING_JOB, "CreateTrainingJob"), (models.SCORING_JOB, "CreateProcessingJob")],
)
def test_a_request_is_what_the_api_accepts(request_: dict[str, Any], operation: str) -> None:
    shape = get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    report = ParamValidator().validate(filled(request_), shape)
    assert not report.has_errors(), report.generate_report()


def test_job_names_leave_room_for_the_number_of_the_attempt() -> None:
    jobs = [filled(models.TRAINING_JOB)["TrainingJobName"], filled(models.SCORING_JOB)["ProcessingJobName"]]
    assert len(set(jobs)) == 2
    assert all(re.fullmatch(r"[a-z0-9](-*[a-z0-9])*", job) and len(job) + 3 <= LONGEST_JOB_NAME for job in jobs)
    assert all(job.startswith("concert-platform-development-sales-") for job in jobs)


def test_the_metric_patterns_find_what_training_prints() -> None:
    report = {
        "metrics": {"wape": 0.0331, "utilisation_r2": -1e-05, "interval_80_coverage": 0.8},
        "baseline": {"name": "last", "wape": 0.039, "utilisation_r2": 0.4},
    }
    printed = "\n".join(
        f"{owner}:{name}={value}"
        for owner in ("metrics", "baseline")
        for name, value in train.figures(report, owner).items()
    )
    definitions = models.TRAINING_JOB["AlgorithmSpecification"]["MetricDefinitions"]
    found = {
        item["Name"]: float(match[1])
        for item in definitions
        if (match := re.search(item["Regex"], printed)) is not None
    }
    assert found == {
        "metrics:wape": 0.0331, "metrics:utilisation_r2": -1e-05, "metrics:interval_80_coverage": 0.8,
        "baseline:wape": 0.039, "baseline:utilisation_r2": 0.4,
    }  # fmt: skip


def test_training_and_scoring_understand_their_arguments() -> None:
    given = filled(models.TRAINING_JOB)["HyperParameters"]
    own = [part for name, value in given.items() if not name.startswith("sagemaker_") for part in (f"--{name}", value)]
    assert train.parse_arguments(own).version.startswith("2020-03-04-")
    options = predict.parse_arguments(filled(models.SCORING_JOB)["AppSpecification"]["ContainerArguments"])
    assert (options.run_id, options.as_of) == ("manual-2020-03-04t05-06-07-123456-00-00", "2020-03-04")
    assert options.model_uri.endswith("model.tar.gz")


def test_scoring_reads_what_was_unloaded_and_writes_what_is_copied() -> None:
    job = filled(models.SCORING_JOB)
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in job["ProcessingInputs"]}
    outputs = {item["OutputName"]: item["S3Output"]["S3Uri"] for item in job["ProcessingOutputConfig"]["Outputs"]}
    assert {part: inputs[part] for part in ("history", "upcoming")} == {
        part: models.feature_uri(RUN_ID, part) for part in ("history", "upcoming")
    }
    assert outputs == {part: models.score_uri(RUN_ID, part) for part in ("forecasts", "registry")}


def test_a_hyperparameter_stays_text_when_it_is_read_as_json() -> None:
    version = filled(models.TRAINING_JOB)["HyperParameters"]["version"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(version)


def pretend_deployed(monkeypatch: pytest.MonkeyPatch, stack: dict[str, Any]) -> None:
    answer = {"Stacks": [stack]}
    monkeypatch.setattr("boto3.client", lambda _: SimpleNamespace(describe_stacks=lambda StackName: answer))


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ({"Parameters": [{"ParameterKey": "ArtifactsPrefix", "ParameterValue": "artifacts/0a"}]}, "artifacts/0a"),
        ({"Outputs": [{"OutputKey": "ArtifactsPrefix", "OutputValue": "artifacts/1b"}]}, "artifacts/1b"),
    ],
)
def test_the_code_is_where_the_deployed_stack_says(
    monkeypatch: pytest.MonkeyPatch, stack: dict[str, Any], expected: str
) -> None:
    monkeypatch.setattr(
        "boto3.client", lambda _: SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [stack]})
    )
    bucket = "concert-platform-development-artifacts-000000000000"
    assert models.model_code() == f"s3://{bucket}/{expected}/ml/source.tar.gz"


def test_a_stack_without_code_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_deployed(monkeypatch, {})
    with pytest.raises(models.CodeNotPublishedError, match=r"has no ArtifactsPrefix: run deploy_infrastructure"):
        models.model_code()
