"""The jobs of the sales model as SageMaker requests, and where their files lie in the artifacts bucket.

    features/sales/run=<slug>/{history,upcoming}/      UNLOAD writes, both jobs read
    models/sales/<training job>/output/model.tar.gz    training writes, scoring reads
    models/sales/scores/run=<slug>/{forecasts,registry}/    scoring writes, COPY reads
    <ArtifactsPrefix>/ml/source.tar.gz                 the code of both, published by deploy_infrastructure

The requests are templates: names of environment and run are filled in when the task runs. MODEL_MACROS are their names.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from concert_platform.partitions import run_slug
from concert_platform.settings import settings

MODEL_NAME = "sales"
INSTANCE_TYPE = "ml.m5.large"
VOLUME_GB = 10
LONGEST_RUN = 3600  # seconds
IMAGE_VARIABLE = "AIRFLOW__CONCERT_PLATFORM__MODEL_IMAGE"
# AWS keeps its images in another account in each region: the setting names the one of yours. Code and requirements
# travel in the source bundle, so any image with SageMaker's script mode and the Python of ml/requirements.txt will do.
DEFAULT_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"


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


def feature_uri(run_id: str, part: str) -> str:
    """Prefix of the features of a run: part is ``history`` or ``upcoming``."""
    return f"s3://{settings().artifacts_bucket}/features/{MODEL_NAME}/run={run_slug(run_id)}/{part}/"


def score_uri(run_id: str, part: str) -> str:
    """Prefix of what scoring has written in a run: part is ``forecasts`` or ``registry``."""
    return f"s3://{settings().artifacts_bucket}/models/{MODEL_NAME}/scores/run={run_slug(run_id)}/{part}/"


def model_uri() -> str:
    return f"s3://{settings().artifacts_bucket}/models/{MODEL_NAME}/"


def job_name(run_id: str, part: str) -> str:
    """Name of a job without the number of its attempt, at most 60 characters: a run has one of each part."""
    return f"{settings().prefix}-{MODEL_NAME}-{part}-{_short(run_id)}"


def model_version(run_id: str, as_of: str) -> str:
    """Version of the model that a run trains, such as ``2020-03-04-1f3870be``: the day first, for the eye."""
    return f"{as_of}-{_short(run_id)}"


def _short(run_id: str) -> str:
    return sha256(run_id.encode()).hexdigest()[:8]


MODEL_MACROS = {
    "model_image": model_image,
    "model_code": model_code,
    "feature_uri": feature_uri,
    "score_uri": score_uri,
    "model_uri": model_uri,
    "job_name": job_name,
    "model_version": model_version,
}

RUN = "dag_run.run_id"
AS_OF = "{{ params.as_of or (dag_run.run_after | ds) }}"
_MODEL = "{{ ti.xcom_pull(task_ids='train_sales_model') }}"
_INPUT, _OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
# The image knows no script mode for processing: unpack the bundle, install what it asks for, run the module.
_SCORE_SCRIPT = (
    "mkdir -p /opt/ml/processing/code"
    f" && tar -xzf {_INPUT}/code/source.tar.gz -C /opt/ml/processing/code"
    " && cd /opt/ml/processing/code"
    " && python3 -m pip install --quiet --requirement requirements.txt"
    ' && python3 -m ml.sales.predict "$@"'
)


def _channel(uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _input(name: str, uri: str) -> dict[str, Any]:
    place = {"S3Uri": uri, "LocalPath": f"{_INPUT}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": place}


def _output(name: str) -> dict[str, Any]:
    uri = f"{{{{ score_uri({RUN}, '{name}') }}}}"
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{_OUTPUT}/{name}", "S3UploadMode": "EndOfJob"},
    }


def _metric(name: str, owner: str) -> dict[str, str]:
    """A figure that train.py prints as ``metrics:wape=0.03`` or ``baseline:wape=0.04``."""
    return {"Name": f"{owner}:{name}", "Regex": rf"{owner}:{name}=(-?[0-9.eE+-]+)"}


TRAINING_JOB: dict[str, Any] = {
    "TrainingJobName": f"{{{{ job_name({RUN}, 'train') }}}}",
    "AlgorithmSpecification": {
        "TrainingImage": "{{ model_image() }}",
        "TrainingInputMode": "File",
        "MetricDefinitions": [
            *(_metric(name, "metrics") for name in ("wape", "utilisation_r2", "interval_80_coverage")),
            *(_metric(name, "baseline") for name in ("wape", "utilisation_r2")),
        ],
    },
    "HyperParameters": {
        "sagemaker_program": "ml/sales/train.py",
        "sagemaker_submit_directory": "{{ model_code() }}",
        "version": f"{{{{ model_version({RUN}, params.as_of or (dag_run.run_after | ds)) }}}}",
    },
    "RoleArn": "{{ settings().role_arn('training') }}",
    "InputDataConfig": [{"ChannelName": "history", **_channel(f"{{{{ feature_uri({RUN}, 'history') }}}}")}],
    "OutputDataConfig": {"S3OutputPath": "{{ model_uri() }}"},
    "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB},
    "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_RUN},
}

SCORING_JOB: dict[str, Any] = {
    "ProcessingJobName": f"{{{{ job_name({RUN}, 'score') }}}}",
    "AppSpecification": {
        "ImageUri": "{{ model_image() }}",
        "ContainerEntrypoint": ["bash", "-euc", _SCORE_SCRIPT, "score"],
        "ContainerArguments": [
            *(part for name in ("model", "history", "upcoming") for part in (f"--{name}", f"{_INPUT}/{name}")),
            *("--output", _OUTPUT),
            *("--run-id", f"{{{{ run_slug({RUN}) }}}}"),
            *("--as-of", AS_OF),
            *("--model-uri", _MODEL),
        ],
    },
    "RoleArn": "{{ settings().role_arn('training') }}",
    "ProcessingInputs": [
        _input("code", "{{ model_code() }}"),
        _input("model", _MODEL),
        *(_input(part, f"{{{{ feature_uri({RUN}, '{part}') }}}}") for part in ("history", "upcoming")),
    ],
    "ProcessingOutputConfig": {"Outputs": [_output("forecasts"), _output("registry")]},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB}
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_RUN},
}
