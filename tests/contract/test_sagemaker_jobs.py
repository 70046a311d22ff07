"""SageMaker jobs really run: script-mode training and processing jobs, under the job's role."""

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.conftest import Emulator
from tests.deadlines import until

BUCKET = "contract-sagemaker"
TRAIN = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--power", type=int)
power = parser.parse_args().power
rows = [int(line) for path in pathlib.Path(os.environ["SM_CHANNEL_HISTORY"]).iterdir() for line in path.open()]
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(str(sum(row ** power for row in rows)))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "evaluation.json").write_text("{}")
print("metrics:loss=0.25")
"""
ALLOWED = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
]
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}


def source_bundle(program: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("train.py")
        entry.size = len(program.encode())
        archive.addfile(entry, io.BytesIO(program.encode()))
    return packed.getvalue()


@pytest.fixture
def s3(emulator: Emulator) -> Iterator[Any]:
    client = emulator.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="source.tar.gz", Body=source_bundle(TRAIN))
    client.put_object(Bucket=BUCKET, Key="history/a.txt", Body=b"2\n3\n")
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


def training(name: str, role: str, **changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": "any", "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "metrics:loss=([0-9.]+)"}],
        },
        "RoleArn": role,
        "HyperParameters": {
            "sagemaker_program": "train.py", "sagemaker_submit_directory": f"s3://{BUCKET}/source.tar.gz", "power": "2",
        },
        "InputDataConfig": [{"ChannelName": "history", "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/history/"}}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }  # fmt: skip


def ended(client: Any, kind: str, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = getattr(client, f"describe_{kind.lower()}_job")(**{f"{kind}JobName": name})
        return None if job[f"{kind}JobStatus"] in ("InProgress", "Stopping") else job

    return until(look)


def test_training_runs_the_program_with_its_channel_and_uploads_the_model(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**training("squares", make_role("contract-training", ALLOWED)))
    job = ended(sagemaker, "Training", "squares")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/models/squares/output/model.tar.gz"
    assert [(item["MetricName"], item["Value"]) for item in job["FinalMetricDataList"]] == [("loss", 0.25)]
    body = s3.get_object(Bucket=BUCKET, Key="models/squares/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.extractfile("model.txt").read() == b"13"
    assert packed_names(s3, "models/squares/output/output.tar.gz") == ["evaluation.json"]
    assert not (emulator.directory / "sagemaker" / "squares").exists()


def packed_names(s3: Any, key: str) -> list[str]:
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return archive.getnames()


def test_a_failed_program_leaves_its_output_data_and_no_model(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="source.tar.gz", Body=source_bundle(TRAIN + "raise ValueError('late')"))
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**training("late", make_role("contract-training", ALLOWED)))
    assert ended(sagemaker, "Training", "late")["TrainingJobStatus"] == "Failed"
    assert packed_names(s3, "models/late/output/output.tar.gz") == ["evaluation.json"]
    kept = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix="models/late/")["Contents"]]
    assert kept == ["models/late/output/output.tar.gz"]


def test_a_failed_program_fails_the_job_with_its_error_and_log(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="source.tar.gz", Body=source_bundle("raise ValueError('no rows')"))
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**training("broken", make_role("contract-training", ALLOWED)))
    job = ended(sagemaker, "Training", "broken")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ValueError: no rows (exit code 1); log: ")


def test_an_empty_channel_and_a_second_job_of_a_name_are_refused(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    sagemaker, role = emulator.client("sagemaker"), make_role("contract-training", ALLOWED)
    s3.delete_object(Bucket=BUCKET, Key="history/a.txt")
    sagemaker.create_training_job(**training("empty", role))
    assert "history/ holds no object" in ended(sagemaker, "Training", "empty")["FailureReason"]
    with pytest.raises(sagemaker.exceptions.ClientError, match="already exists"):
        sagemaker.create_training_job(**training("empty", role))


def test_a_training_role_reaches_only_what_its_policy_names(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    sagemaker = emulator.client("sagemaker")
    role = make_role("contract-training", [{**ALLOWED[0], "Resource": f"arn:aws:s3:::{BUCKET}/history/*"}, ALLOWED[1]])
    sagemaker.create_training_job(**training("curious", role))
    job = ended(sagemaker, "Training", "curious")
    assert job["TrainingJobStatus"] == "Failed"
    assert "AccessDenied" in job["FailureReason"]


def test_a_program_that_takes_too_long_is_stopped(emulator: Emulator, s3: Any, make_role: Callable[..., str]) -> None:
    s3.put_object(Bucket=BUCKET, Key="source.tar.gz", Body=source_bundle("import time; time.sleep(600)"))
    sagemaker = emulator.client("sagemaker")
    limit = {"MaxRuntimeInSeconds": 1}
    role = make_role("contract-training", ALLOWED)
    sagemaker.create_training_job(**training("slow", role, StoppingCondition=limit))
    assert "timed out after 1 s" in ended(sagemaker, "Training", "slow")["FailureReason"]


def test_processing_runs_its_entry_point_below_opt_ml_and_uploads_the_outputs(
    emulator: Emulator, s3: Any, make_role: Callable[..., str]
) -> None:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_processing_job(
        ProcessingJobName="upper",
        RoleArn=make_role("contract-training", ALLOWED),
        AppSpecification={
            "ImageUri": "any",
            "ContainerEntrypoint": ["bash", "-euc", 'tr 23 45 < "$1" > /opt/ml/processing/output/b.txt', "upper"],
            "ContainerArguments": ["/opt/ml/processing/input/a.txt"],
        },
        ProcessingInputs=[{"InputName": "in", "S3Input": {
            "S3Uri": f"s3://{BUCKET}/history/", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix"}}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": {
            "S3Uri": f"s3://{BUCKET}/out", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}]},
        ProcessingResources={"ClusterConfig": CLUSTER},
    )  # fmt: skip
    job = ended(sagemaker, "Processing", "upper")
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert s3.get_object(Bucket=BUCKET, Key="out/b.txt")["Body"].read() == b"4\n5\n"


def test_what_is_not_run_here_is_refused(emulator: Emulator) -> None:
    sagemaker = emulator.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ClientError, match="is not run by the local platform"):
        sagemaker.list_endpoints()
    assert emulator.calls(service="sagemaker", action="ListEndpoints", outcome="refused")
