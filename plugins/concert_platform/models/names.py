"""Where the files of the models lie in the artifacts bucket, and what jobs and versions are called.

features/<model>/run=<slug>/<feature>/                      UNLOAD writes, jobs read
models/<model>/<training job>/output/model.tar.gz           training writes, scoring reads
models/<model>/<training job>/output/output.tar.gz          training writes: evaluation.json
models/<model>/records/run=<slug>/{registry,drift}.json     registration writes, COPY reads
models/<model>/scores/run=<slug>/<version>/                 scoring writes, COPY and the publication read
<ArtifactsPrefix>/ml/source.tar.gz                          the code, published by deploy_infrastructure
"""

from __future__ import annotations

import os
from hashlib import sha256

from concert_platform.partitions import run_slug
from concert_platform.settings import settings

IMAGE_VARIABLE = "AIRFLOW__CONCERT_PLATFORM__MODEL_IMAGE"
# AWS keeps its images in another account in each region: the setting names the one of yours. Code and requirements
# travel in the source bundle, so any image with SageMaker's script mode and the Python of ml/requirements.txt will do.
DEFAULT_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
AS_OF = "{{ params.as_of or (dag_run.run_after | ds) }}"


class CodeNotPublishedError(RuntimeError):
    """The stack that names the published code bundle does not say where it lies."""


def model_image() -> str:
    """Container image of training and scoring, from the Airflow option concert_platform.model_image."""
    return os.environ.get(IMAGE_VARIABLE, DEFAULT_IMAGE)


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
    """Key of what a run records of a version: part is ``registry`` or ``drift``."""
    return f"models/{model}/records/run={run_slug(run_id)}/{part}.json"


def score_uri(run_id: str, model: str, version: str) -> str:
    """Prefix of what scoring with a version has written in a run."""
    return f"{model_uri(model)}scores/run={run_slug(run_id)}/{version}/"


def job_name(run_id: str, model: str, part: str, version: str = "") -> str:
    """Name of a job without the number of its attempt, at most 60 characters.

    :param version: of the model that scores: after a rollback the same run scores with another
    """
    return f"{settings().prefix}-{model}-{part}-{_short(run_id + version)}"


def model_version(run_id: str, as_of: str) -> str:
    """Version of the model that a run trains, such as ``2020-03-04-1f3870be``: the day first, for the eye."""
    return f"{as_of}-{_short(run_id)}"


def publication_name(run_id: str, version: str) -> str:
    """Name of what a run publishes with a version; the same again when the run is repeated."""
    return f"{version}-{_short(run_id)}"


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


MODEL_MACROS = {
    "model_image": model_image,
    "model_code": model_code,
    "feature_uri": feature_uri,
    "score_uri": score_uri,
    "model_uri": model_uri,
    "job_name": job_name,
    "model_version": model_version,
}
