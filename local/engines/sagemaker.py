"""Runs SageMaker training and processing jobs: the job's own code and data, in a process with SageMaker's environment.

A container sees its files below /opt/ml; here each job has a folder of its own in that place, so that prefix is
replaced in what the job is told. Environment and folders: SageMaker's documents of script mode and of processing,
https://docs.aws.amazon.com/sagemaker/latest/dg/adapt-training-container.html.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

from local.engines.jobs import JobProcess, environment_of_child
from local.extensions import registry

CONTAINER_ROOT = "/opt/ml"
S3_URI = re.compile(r"s3://([^/]+)/(.*)")


def job_folder(name: str) -> Path:
    """Where a job's files lie while it runs."""
    return Path(os.environ["LOCAL_STATE_DIR"]) / "sagemaker" / name


class SageMakerJob:
    """One training or processing job.

    :param request: the body of CreateTrainingJob or CreateProcessingJob
    """

    def __init__(self, name: str, request: dict[str, Any], log: Path) -> None:
        self.name = name
        self.request = request
        self.log = log
        self.root = job_folder(name)
        self._s3 = registry.role_client("s3", request["RoleArn"])

    def _environment(self, extra: dict[str, str]) -> dict[str, str]:
        python = Path(os.environ["LOCAL_ML_PYTHON"])
        return {
            **environment_of_child(),
            "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            # Here a job shares its cores: threads that spin while they wait would take them from the others.
            "OMP_WAIT_POLICY": "PASSIVE",
            **registry.role_environment(self.request["RoleArn"]),
            **extra,
        }

    def _here(self, text: str) -> str:
        """A text of the request with the container's root replaced by the job's folder."""
        return text.replace(CONTAINER_ROOT, str(self.root))

    def download(self, uri: str, folder: Path) -> int:
        """Copy one object, or all below a prefix, into a folder; returns their number.

        :raises FileNotFoundError: when there is none
        """
        bucket, prefix = _split(uri)
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                relative = item["Key"][len(prefix) :].lstrip("/") or Path(item["Key"]).name
                target = folder / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
                count += 1
        if count == 0:
            raise FileNotFoundError(f"{uri} holds no object")
        return count

    def upload(self, folder: Path, uri: str) -> None:
        bucket, prefix = _split(uri)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


class TrainingJob(SageMakerJob):
    """A training job in script mode (hyperparameters sagemaker_program and sagemaker_submit_directory)."""

    def start(self) -> JobProcess:
        """Fetch code and channels, and start the program.

        :raises ValueError: when a hyperparameter of script mode is missing
        """
        given = {name: json_or_text(value) for name, value in self.request.get("HyperParameters", {}).items()}
        missing = [name for name in ("sagemaker_program", "sagemaker_submit_directory") if name not in given]
        if missing:
            raise ValueError(f"hyperparameter {', '.join(missing)} is missing: only script mode runs here")
        code, model = self.root / "code", self.root / "model"
        output = self.root / "output" / "data"
        for folder in (model, output):
            folder.mkdir(parents=True, exist_ok=True)
        self.download(str(given["sagemaker_submit_directory"]), self.root / "input" / "source")
        unpack(next((self.root / "input" / "source").iterdir()), code)
        channels = {}
        for channel in self.request.get("InputDataConfig", []):
            folder = self.root / "input" / "data" / channel["ChannelName"]
            self.download(channel["DataSource"]["S3DataSource"]["S3Uri"], folder)
            channels[channel["ChannelName"]] = str(folder)
        own = {name: value for name, value in given.items() if not name.startswith("sagemaker_")}
        environment = {
            "PYTHONPATH": str(code),
            "SM_MODEL_DIR": str(model),
            "SM_OUTPUT_DATA_DIR": str(output),
            "SM_HPS": json.dumps(own),
            "SM_CHANNELS": json.dumps(sorted(channels)),
            "SM_NUM_CPUS": str(os.cpu_count()),
            "SM_NUM_GPUS": "0",
            "TRAINING_JOB_NAME": self.name,
            **{f"SM_CHANNEL_{name.upper()}": folder for name, folder in channels.items()},
            **self.request.get("Environment", {}),
        }
        arguments = [part for name, value in sorted(own.items()) for part in (f"--{name}", str(value))]
        command = [os.environ["LOCAL_ML_PYTHON"], str(given["sagemaker_program"]), *arguments]
        return JobProcess(command, environment=self._environment(environment), cwd=code, log=self.log)

    def finish(self) -> str:
        """Upload model.tar.gz; returns its URI."""
        return self._upload_packed(self.root / "model", "model.tar.gz")

    def upload_output(self) -> None:
        """Upload output.tar.gz with what the program left in SM_OUTPUT_DATA_DIR, also of a job that has failed."""
        folder = self.root / "output" / "data"
        if folder.exists() and any(folder.iterdir()):
            self._upload_packed(folder, "output.tar.gz")

    def _upload_packed(self, folder: Path, name: str) -> str:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted(folder.rglob("*")):
                archive.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False)
        uri = f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/{name}"
        bucket, key = _split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())
        return uri


class ProcessingJob(SageMakerJob):
    """A processing job: inputs are copied in, the entry point runs, outputs are copied out at the end."""

    def start(self) -> JobProcess:
        for item in self.request.get("ProcessingInputs", []):
            source = item["S3Input"]
            self.download(source["S3Uri"], Path(self._here(source["LocalPath"])))
        for output in self._outputs():
            Path(self._here(output["LocalPath"])).mkdir(parents=True, exist_ok=True)
        specification = self.request["AppSpecification"]
        words = [*specification.get("ContainerEntrypoint", []), *specification.get("ContainerArguments", [])]
        if not words:
            raise ValueError("AppSpecification names no ContainerEntrypoint: an image's own does not run here")
        environment = {name: self._here(value) for name, value in self.request.get("Environment", {}).items()}
        environment["PROCESSING_JOB_NAME"] = self.name
        command = [self._here(word) for word in words]
        return JobProcess(command, environment=self._environment(environment), cwd=self.root, log=self.log)

    def finish(self) -> str:
        for output in self._outputs():
            self.upload(Path(self._here(output["LocalPath"])), output["S3Uri"])
        return ""

    def _outputs(self) -> list[dict[str, Any]]:
        return [item["S3Output"] for item in self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])]


def json_or_text(value: str) -> object:
    """A hyperparameter's value: the SageMaker SDK sends JSON, others plain text."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")


def _split(uri: str) -> tuple[str, str]:
    match = S3_URI.fullmatch(uri)
    if match is None:
        raise ValueError(f"{uri!r} is no s3:// address")
    return match[1], match[2]
