"""The SageMaker requests of a model, as templates: names of environment and run are filled in when the task runs.

They read what tasks of the model's group have returned: look_for_new_data (code, champion_uri) and choose_champion
(version, model_uri, code).
"""

from __future__ import annotations

from typing import Any

from concert_platform.models.descriptions import Model
from concert_platform.models.names import AS_OF

INSTANCE_TYPE = "ml.m5.large"
VOLUME_GB = 10
LONGEST_RUN = 3600  # seconds
RUN, TASK = "dag_run.run_id", "ti, task"
_INPUT, _OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"


def training_job(model: Model) -> dict[str, Any]:
    """CreateTrainingJob; the channel ``champion`` has no address while there is no champion."""
    channels = {name: f"{{{{ feature_uri({RUN}, '{model.name}', '{name}') }}}}" for name in model.learns_from}
    looked = f"ti.xcom_pull(task_ids='{model.name}.look_for_new_data')"
    channels["champion"] = f"{{{{ {looked}['champion_uri'] }}}}"
    return {
        "TrainingJobName": f"{{{{ job_name({TASK}, '{model.name}', 'train') }}}}",
        "AlgorithmSpecification": {
            "TrainingImage": "{{ model_image() }}",
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                *(_metric(name, "metrics") for name in model.metrics),
                *(_metric(name, "baseline") for name in model.baseline),
            ],
        },
        "HyperParameters": {
            "sagemaker_program": f"ml/{model.name}/train.py",
            "sagemaker_submit_directory": f"{{{{ {looked}['code'] }}}}",
            "version": f"{{{{ model_version({TASK}, params.as_of or (dag_run.run_after | ds)) }}}}",
        },
        "RoleArn": "{{ settings().role_arn('training') }}",
        "InputDataConfig": [_channel(name, uri) for name, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": f"{{{{ model_uri('{model.name}') }}}}"},
        "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_RUN},
    }


def scoring_job(model: Model) -> dict[str, Any]:
    """CreateProcessingJob that scores with the champion."""
    champion = f"ti.xcom_pull(task_ids='{model.name}.choose_champion')"
    version, model_file = f"{champion}['version']", f"{{{{ {champion}['model_uri'] }}}}"
    inputs = ("model", *model.scores_with)
    return {
        "ProcessingJobName": f"{{{{ job_name({TASK}, '{model.name}', 'score', {version}) }}}}",
        "AppSpecification": {
            "ImageUri": "{{ model_image() }}",
            "ContainerEntrypoint": ["bash", "-euc", _script(model), "score"],
            "ContainerArguments": [
                *(part for name in inputs for part in (f"--{name}", f"{_INPUT}/{name}")),
                *("--output", _OUTPUT),
                *("--run-id", f"{{{{ run_slug({RUN}) }}}}"),
                *("--as-of", AS_OF),
                *("--model-uri", model_file),
            ],
        },
        "RoleArn": "{{ settings().role_arn('training') }}",
        "ProcessingInputs": [
            _input("code", f"{{{{ {champion}['code'] }}}}"),
            _input("model", model_file),
            *(_input(name, f"{{{{ feature_uri({RUN}, '{model.name}', '{name}') }}}}") for name in model.scores_with),
        ],
        "ProcessingOutputConfig": {
            "Outputs": [_output("scores", f"{{{{ score_uri({TASK}, '{model.name}', {version}) }}}}")]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_RUN},
    }


def _script(model: Model) -> str:
    """The image knows no script mode for processing: unpack the bundle, install what it asks for, run the module."""
    return (
        "mkdir -p /opt/ml/processing/code"
        f" && tar -xzf {_INPUT}/code/source.tar.gz -C /opt/ml/processing/code"
        " && cd /opt/ml/processing/code"
        " && python3 -m pip install --quiet --requirement requirements.txt"
        f' && python3 -m ml.{model.name}.predict "$@"'
    )


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _input(name: str, uri: str) -> dict[str, Any]:
    place = {"S3Uri": uri, "LocalPath": f"{_INPUT}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": place}


def _output(name: str, uri: str) -> dict[str, Any]:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": _OUTPUT, "S3UploadMode": "EndOfJob"}}


def _metric(name: str, owner: str) -> dict[str, str]:
    """A figure that train.py prints as ``metrics:wape=0.03`` or ``baseline:wape=0.04``."""
    return {"Name": f"{owner}:{name}", "Regex": rf"{owner}:{name}=(-?[0-9.eE+-]+)"}
