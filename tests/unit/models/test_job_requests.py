"""The SageMaker requests of every model, with every name filled in."""

import importlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from concert_platform.models import MODEL_MACROS, MODELS, Model, names, scoring_job, training_job
from concert_platform.partitions import run_slug
from concert_platform.settings import MODEL_IMAGE_VARIABLE, Settings

NAMES = Settings(environment="development", account_id="000000000000", region="us-east-1")
RUN_ID = "manual__2020-03-04T05:06:07.123456+00:00"
LONGEST_JOB_NAME = 63
CODE = "s3://code/artifacts/0a/ml/source.tar.gz"
CHAMPION = "s3://artifacts/models/sales/job/output/"
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "settings", lambda: NAMES)
    monkeypatch.setenv(MODEL_IMAGE_VARIABLE, "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5")


TASK = SimpleNamespace(retries=2)


def task_instance(
    run_id: str = RUN_ID, dag_id: str = "retrain_models", max_tries: int = 2, told: Any = None
) -> SimpleNamespace:
    return SimpleNamespace(dag_id=dag_id, run_id=run_id, max_tries=max_tries, xcom_pull=lambda task_ids: told)


def filled(
    request: Any,
    run_id: str = RUN_ID,
    version: str = "2020-03-03-0a1b2c3d",
    dag_id: str = "retrain_models",
    max_tries: int = 2,
) -> Any:
    """A request as Airflow renders it.

    :param max_tries: those of the task: its retries, and the tries before it was cleared
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["ds"] = str
    told = {"code": CODE, "champion_uri": CHAMPION, "version": version, "model_uri": f"{CHAMPION}model.tar.gz"}
    context = {
        "settings": lambda: NAMES, "run_slug": run_slug, **MODEL_MACROS,
        "dag_run": SimpleNamespace(run_id=run_id, run_after="2020-03-09"),
        "params": SimpleNamespace(as_of="2020-03-04"),
        "ti": task_instance(run_id, dag_id, max_tries, told), "task": TASK,
    }  # fmt: skip

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return environment.from_string(value).render(context)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    return fill(request)


@each_model
@pytest.mark.parametrize(
    ("make", "operation"), [(training_job, "CreateTrainingJob"), (scoring_job, "CreateProcessingJob")]
)
def test_a_request_is_what_the_api_accepts(make: Any, operation: str, model: Model) -> None:
    shape = get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    report = ParamValidator().validate(filled(make(model)), shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("run_id", [RUN_ID, "x" * 250, "manual__Ünïcode__" + "z" * 200])
def test_job_names_differ_and_leave_room_for_the_number_of_the_attempt(run_id: str) -> None:
    jobs = [filled(training_job(model), run_id)["TrainingJobName"] for model in MODELS]
    jobs += [filled(scoring_job(model), run_id)["ProcessingJobName"] for model in MODELS]
    assert len(set(jobs)) == 2 * len(MODELS)
    assert all(re.fullmatch(r"[a-z0-9](-*[a-z0-9])*", job) and len(job) + 3 <= LONGEST_JOB_NAME for job in jobs)
    assert all(job.startswith("concert-platform-development-") for job in jobs)


@each_model
def test_another_champion_scores_in_a_job_and_a_place_of_its_own(model: Model) -> None:
    first, second = (filled(scoring_job(model), version=version) for version in ("v1", "v2"))
    assert first["ProcessingJobName"] != second["ProcessingJobName"]
    assert first["ProcessingOutputConfig"] != second["ProcessingOutputConfig"]


@each_model
@pytest.mark.parametrize("change", [{"dag_id": "roll_back_model"}, {"run_id": "another"}, {"max_tries": 3}],
                         ids=["another DAG", "another run", "cleared"])  # fmt: skip
def test_another_dag_or_run_or_a_cleared_task_makes_jobs_and_versions_of_its_own(
    model: Model, change: dict[str, Any]
) -> None:
    for make, name in ((training_job, "TrainingJobName"), (scoring_job, "ProcessingJobName")):
        first, again, other = filled(make(model)), filled(make(model)), filled(make(model), **change)
        assert first == again, "a retry finds what the try before has made"
        assert first[name] != other[name]
    versions = [filled(training_job(model), **made)["HyperParameters"]["version"] for made in ({}, change)]
    assert len(set(versions)) == 2


@each_model
def test_what_a_cleared_task_scores_does_not_touch_what_is_published(model: Model) -> None:
    places = [
        filled(scoring_job(model), max_tries=tries)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        for tries in (2, 3)
    ]
    assert len({names.publication_name(place, "v1") for place in places}) == 2


@each_model
def test_a_job_runs_the_code_that_its_task_was_told(model: Model) -> None:
    assert filled(training_job(model))["HyperParameters"]["sagemaker_submit_directory"] == CODE
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in filled(scoring_job(model))["ProcessingInputs"]}
    assert inputs["code"] == CODE


def test_the_moment_of_a_run_sorts_by_time() -> None:
    first = datetime(2020, 3, 4, 3, tzinfo=UTC)
    moments = [names.run_moment(SimpleNamespace(run_after=first + timedelta(microseconds=step))) for step in (0, 1, 10)]
    east = SimpleNamespace(run_after=first.astimezone(timezone(timedelta(hours=9))))
    assert moments == sorted(moments) and len(set(moments)) == 3
    assert names.run_moment(east) == moments[0] == "20200304T030000-000000"


@each_model
def test_training_reads_the_unloaded_features_and_the_champion(model: Model) -> None:
    channels = {
        item["ChannelName"]: item["DataSource"]["S3DataSource"]["S3Uri"]
        for item in filled(training_job(model))["InputDataConfig"]
    }
    unloaded = {name: names.feature_uri(RUN_ID, model.name, name) for name in model.learns_from}
    assert channels == unloaded | {"champion": CHAMPION}
    assert set(model.learns_from) | set(model.scores_with) <= set(model.features)


@each_model
def test_scoring_reads_the_features_of_its_own_run_beside_the_model(model: Model) -> None:
    given = {item["InputName"]: item["S3Input"]["S3Uri"] for item in filled(scoring_job(model))["ProcessingInputs"]}
    unloaded = {name: names.feature_uri(RUN_ID, model.name, name) for name in model.scores_with}
    assert unloaded, "a champion of former nights would score nothing but its own data"
    assert given == unloaded | {
        "code": "s3://code/artifacts/0a/ml/source.tar.gz", "model": f"{CHAMPION}model.tar.gz"
    }  # fmt: skip


@each_model
def test_training_and_scoring_understand_their_arguments(model: Model) -> None:
    given = filled(training_job(model))["HyperParameters"]
    own = [part for name, value in given.items() if not name.startswith("sagemaker_") for part in (f"--{name}", value)]
    train = importlib.import_module(f"ml.{model.name}.train")
    assert given["sagemaker_program"] == f"ml/{model.name}/train.py"
    assert train.parse_arguments(own).version.startswith("2020-03-04-")
    predict = importlib.import_module(f"ml.{model.name}.predict")
    options = predict.parse_arguments(filled(scoring_job(model))["AppSpecification"]["ContainerArguments"])
    assert (options.run_id, options.as_of) == ("manual-2020-03-04t05-06-07-123456-00-00", "2020-03-04")
    assert options.model_uri.endswith("model.tar.gz")


@each_model
def test_the_metric_patterns_find_what_training_prints(model: Model) -> None:
    printed = "\n".join(
        f"{owner}:{name}={value}"
        for owner, figures in (("metrics", model.metrics), ("baseline", model.baseline))
        for name, value in zip(figures, (0.0331, -1e-05, 12.5, 3), strict=False)
    )
    found = {
        item["Name"]: float(match[1])
        for item in training_job(model)["AlgorithmSpecification"]["MetricDefinitions"]
        if (match := re.search(item["Regex"], printed)) is not None
    }
    assert found == {line.partition("=")[0]: float(line.partition("=")[2]) for line in printed.splitlines()}


@each_model
def test_scoring_writes_where_the_publication_reads(model: Model) -> None:
    job = filled(scoring_job(model))
    [output] = job["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == names.score_uri(task_instance(), TASK, model.name, "2020-03-03-0a1b2c3d")


def test_a_hyperparameter_stays_text_when_it_is_read_as_json() -> None:
    version = filled(training_job(MODELS[0]))["HyperParameters"]["version"]
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
    pretend_deployed(monkeypatch, stack)
    bucket = "concert-platform-development-artifacts-000000000000"
    assert names.model_code() == f"s3://{bucket}/{expected}/ml/source.tar.gz"


def test_a_stack_without_code_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_deployed(monkeypatch, {})
    with pytest.raises(names.CodeNotPublishedError, match=r"has no ArtifactsPrefix: run deploy_infrastructure"):
        names.model_code()
