"""Where the files of the models lie in the artifacts bucket, and what jobs and versions are called.

features/<model>/run=<slug>/<feature>/                      UNLOAD writes, jobs read
models/<model>/<training job>/output/model.tar.gz           training writes, scoring reads
models/<model>/<training job>/output/output.tar.gz          training writes: evaluation.json
models/<model>/records/run=<slug>/{registry,drift}.json     registration writes, COPY reads
models/<model>/records/run=<slug>/known{,_drift}.json       choose_champion writes, COPY reads
models/<model>/scores/run=<slug>/<version>/<n>/             scoring writes, COPY and the publication read
<ArtifactsPrefix>/ml/source.tar.gz                          the code, published by deploy_infrastructure
"""

from __future__ import annotations

from datetime import UTC
from hashlib import sha256
from typing import Any

from concert_platform.partitions import run_slug
from concert_platform.settings import model_image, settings
from concert_platform.task_tries import earlier_tries

RUN_MOMENT = "{{ run_moment(dag_run) }}"
AS_OF = "{{ params.as_of or (dag_run.run_after | ds) }}"


class CodeNotPublishedError(RuntimeError):
    """The stack that names the published code bundle does not say where it lies."""


def model_code() -> str:
    """URI of the code bundle that the deployed storage-processing stack names.

    :raises CodeNotPublishedError: when the stack has no ArtifactsPrefix
    """
    import boto3

    name = settings().stack("storage-processing")
    stack = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    known = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    known |= {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    if "ArtifactsPrefix" not in known:
        raise CodeNotPublishedError(f"stack {name} has no ArtifactsPrefix: run deploy_infrastructure")
    return f"s3://{settings().artifacts_bucket}/{known['ArtifactsPrefix'].strip('/')}/ml/source.tar.gz"


def feature_uri(run_id: str, model: str, feature: str) -> str:
    """Prefix of a feature set of a run."""
    return f"s3://{settings().artifacts_bucket}/features/{model}/run={run_slug(run_id)}/{feature}/"


def model_uri(model: str) -> str:
    """Prefix below which the training jobs of a model leave their output."""
    return f"s3://{settings().artifacts_bucket}/models/{model}/"


def record_key(run_id: str, model: str, part: str) -> str:
    """Key of what a run records of versions: part is ``registry``, ``drift``, ``known`` or ``known_drift``."""
    return f"models/{model}/records/run={run_slug(run_id)}/{part}.json"


def score_uri(ti: Any, task: Any, model: str, version: str) -> str:
    """Prefix of what a scoring task writes with a version."""
    return f"{model_uri(model)}scores/run={run_slug(ti.run_id)}/{version}/{earlier_tries(ti, task.retries)}/"


def job_name(ti: Any, task: Any, model: str, part: str, version: str = "") -> str:
    """Name of a task's job without the number of its attempt, at most 60 characters.

    DAG, run and clearings are in its hash: as words they would not fit into the 63 characters that SageMaker takes.

    :param version: of the model that scores: after a rollback the same run scores with another
    """
    return f"{settings().prefix}-{model}-{part}-{_short(_work(ti, task) + version)}"


def model_version(ti: Any, task: Any, as_of: str) -> str:
    """Version of the model that a task trains, such as ``2020-03-04-1f3870be``: the day first, for the eye."""
    return f"{as_of}-{_short(_work(ti, task))}"


def publication_name(scores_uri: str, version: str) -> str:
    """Name of the publication of what a scoring task has written; the same again when the publication is repeated."""
    return f"{version}-{_short(scores_uri)}"


def run_moment(dag_run: Any) -> str:
    """When a run was due, or was triggered, as text that sorts by time: clearing the run changes nothing about it."""
    return dag_run.run_after.astimezone(UTC).strftime("%Y%m%dT%H%M%S-%f")


def _work(ti: Any, task: Any) -> str:
    return f"{ti.dag_id}:{ti.run_id}:{earlier_tries(ti, task.retries)}:"


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


MODEL_MACROS = {
    "model_image": model_image,
    "feature_uri": feature_uri,
    "score_uri": score_uri,
    "model_uri": model_uri,
    "job_name": job_name,
    "model_version": model_version,
    "run_moment": run_moment,
}
