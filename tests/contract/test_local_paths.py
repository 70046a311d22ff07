"""The emulator's own paths: role credentials that survive a restart, the call log, and the capabilities table."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.contract.conftest import REPOSITORY, Emulator
from tests.deadlines import until
from tests.local_postgres import AWS_VENV

READ = [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]


def test_role_credentials_need_the_platforms_token(emulator: Emulator, make_role: Callable[..., str]) -> None:
    make_role("reader", READ)
    assert emulator.local_request("/_local/credentials/reader", token=None)[0] == 403
    assert emulator.local_request("/_local/credentials/reader", token="guess")[0] == 403
    status, document = emulator.local_request("/_local/credentials/reader", token=emulator.token)
    assert status == 200
    assert set(document) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}


def test_a_role_that_does_not_exist_has_no_credentials(emulator: Emulator) -> None:
    status, document = emulator.local_request("/_local/credentials/nobody", token=emulator.token)
    assert status == 404
    assert document["message"].endswith("role/nobody does not exist: deploy the stack that holds it")


def test_credentials_are_good_after_the_emulator_was_killed(tmp_path: Path, warehouse_dsn: str) -> None:
    own = Emulator(tmp_path, {"LOCAL_WAREHOUSE_DSN": warehouse_dsn})
    own.start()
    try:
        own.client("iam").create_role(
            RoleName="reader", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}'
        )
        client = own.role_client("sts", "reader")
        before = client.get_caller_identity()["Arn"]

        def is_saved() -> bool:
            client.get_caller_identity()  # a call makes the state worth saving
            return (tmp_path / "ministack" / "iam.json").exists()

        until(is_saved)
        own.restart(with_signal=9)
        assert client.get_caller_identity()["Arn"] == before
    finally:
        own.stop()


MANY_THREADS = """
import json, pathlib, sys, threading, time
from local.extensions import registry
def register(thread):
    for number in range(50):
        registry._register(f"key-{thread}-{number}", {"Expiration": time.time() + 600, "Padding": "x" * 100 * thread})
threads = [threading.Thread(target=register, args=[thread]) for thread in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(json.loads((pathlib.Path(sys.argv[1]) / "role-sessions.json").read_text())))
"""


def test_credentials_that_many_threads_ask_for_are_all_kept(tmp_path: Path) -> None:
    answer = subprocess.run(
        [AWS_VENV / "bin" / "python", "-c", MANY_THREADS, tmp_path], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "LOCAL_STATE_DIR": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert (answer.stdout.strip(), answer.stderr.count("Error")) == ("400", 0), answer.stderr[-2000:]


def test_a_change_set_that_was_answered_is_there_after_the_emulator_was_killed(
    tmp_path: Path, warehouse_dsn: str
) -> None:
    """Airflow remembers its id: a predecessor's change set that is gone looks as if others had changed the stack."""
    own = Emulator(tmp_path, {"LOCAL_WAREHOUSE_DSN": warehouse_dsn})
    own.start()
    try:
        template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
        created = own.client("cloudformation").create_change_set(
            StackName="kept", ChangeSetName="kept", ChangeSetType="CREATE", TemplateBody=template
        )
        own.restart(with_signal=9)
        found = own.client("cloudformation").describe_change_set(ChangeSetName=created["Id"], StackName="kept")
        assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    finally:
        own.stop()


def test_each_call_is_counted_by_role_and_outcome(emulator: Emulator, make_role: Callable[..., str]) -> None:
    make_role("counted", READ)
    s3 = emulator.role_client("s3", "counted")
    s3.list_buckets()
    s3.list_buckets()
    try:
        s3.create_bucket(Bucket="not-allowed")
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
    found = {(call["action"], call["outcome"]): call["count"] for call in emulator.calls(role="counted")}
    assert found == {("ListAllMyBuckets", "executed"): 2, ("CreateBucket", "refused"): 1}


def test_the_file_holds_the_calls_as_soon_as_they_are_asked_for(tmp_path: Path) -> None:
    """The next regular save comes seconds later; a new run may have made as many calls as the one before."""
    own = Emulator(tmp_path, {})
    own.start()
    try:
        iam = own.client("iam")
        for call in (iam.list_roles, iam.list_users):
            assert own.local_request("/_local/calls", token=own.token, method="DELETE") == (200, {"calls": []})
            call()
            (asked_for,) = own.calls()
            assert json.loads((tmp_path / "aws-calls.json").read_text())["calls"] == [asked_for]
    finally:
        own.stop()


def test_what_is_only_stored_is_said_in_the_docs(emulator: Emulator) -> None:
    """Each service of the table of stored actions has a row with something in its 'stored' column."""
    text = (REPOSITORY / "local" / "extensions" / "capabilities.py").read_text()
    services = set(re.findall(r'"([a-z0-9]+):\w+"', text))
    names = {"s3": "S3", "dynamodb": "DynamoDB", "lambda": "Lambda, API Gateway", "sagemaker": "SageMaker"}
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (REPOSITORY / "docs" / "local-platform.md").read_text().splitlines()
        if line.startswith("|")
    ]
    stored = {row[0] for row in rows if len(row) == 4 and row[2] not in ("", "stored")}
    assert {names[service] for service in services if service in names} <= stored
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="stored-only")
    s3.put_bucket_lifecycle_configuration(
        Bucket="stored-only",
        LifecycleConfiguration={"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]},
    )
    assert emulator.calls(service="s3", action="PutLifecycleConfiguration", outcome="stored")
    s3.delete_bucket(Bucket="stored-only")
