"""Networking, Airflow's files and Airflow, brought up and taken down by the command line behind deploy_stacks.sh."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import CloudFormationError, Deployment, ReplacementRefusedError, bootstrap
from concert_platform.cloudformation.__main__ import main
from concert_platform.cloudformation.documents import parse_document
from concert_platform.cloudformation.environment_files import VERSIONED
from concert_platform.settings import Settings
from tests.contract.conftest import PATIENTLY, REPOSITORY
from tests.contract.test_cloudformation import log_in

SETTINGS = Settings("production", "000000000000", "us-east-1")
# Production: one NAT gateway per zone, and no other test of the session uses it.
PREFIX = "concert-platform-production"
BUCKET = f"{PREFIX}-airflow-000000000000"
FILES = {
    "plugins.zip": "plugins",
    "requirements.txt": "boto3",
    "startup.sh": "true",
    "dags/one.py": "1",
    "dags/two.py": "2",
}


def package(folder: Path, files: dict[str, str]) -> Path:
    """A built package in the form of `make package`."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    sums = [f"{hashlib.sha256(content.encode()).hexdigest()}  {path}\n" for path, content in files.items()]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("dist"), FILES)


@pytest.fixture(scope="module")
def emulator(own_emulator: Any) -> Any:
    return own_emulator


@pytest.fixture(scope="module")
def run(emulator: Any, dist: Path) -> Iterator[Callable[..., int]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in(monkeypatch, {**emulator.role_environment("unused"), "AWS_ACCESS_KEY_ID": "root-of-tests",
                             "AWS_SECRET_ACCESS_KEY": "secret-of-tests"})  # fmt: skip
        monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")

        def call(command: str, *stack: str, package: Path = dist, confirm: str = "production") -> int:
            confirmation = ["--confirm", confirm] if command == "destroy" and confirm else []
            return main([command, "production", "us-east-1", *stack, "--dist", str(package), *confirmation])

        yield call


@pytest.fixture
def deployed(run: Callable[..., int]) -> None:
    """Both stacks as the package wants them, whatever an earlier test has left."""
    assert run("deploy") == 0


def stack(root: Any, name: str) -> dict[str, Any]:
    return root("cloudformation").describe_stacks(StackName=f"{PREFIX}-{name}")["Stacks"][0]


def outputs(root: Any, name: str) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack(root, name)["Outputs"]}


def versions(root: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in root("s3").list_object_versions(Bucket=BUCKET)["Versions"]:
        found.setdefault(item["Key"], []).append(item["VersionId"])
    return found


def parameters(root: Any) -> dict[str, str]:
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack(root, "orchestration")["Parameters"]}


def test_without_a_package_nothing_is_deployed(run: Callable, root: Any, tmp_path: Path, caplog: Any) -> None:
    def stacks() -> list[Any]:
        return [(item["StackName"], item.get("LastUpdatedTime")) for item in
                root("cloudformation").describe_stacks()["Stacks"]]  # fmt: skip

    before = stacks()
    assert run("deploy", package=tmp_path) == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"{tmp_path} does not hold Airflow's files: run `make package`, then deploy again"
    ]
    assert stacks() == before


def test_one_call_brings_up_the_network_the_files_and_airflow(deployed: None, root: Any) -> None:
    assert {stack(root, name)["StackStatus"] for name in ("networking", "orchestration")} <= {
        "CREATE_COMPLETE", "UPDATE_COMPLETE"}  # fmt: skip
    assert outputs(root, "orchestration")["EnvironmentName"] == PREFIX
    assert set(versions(root)) >= set(FILES)
    assert parameters(root)["PluginsS3ObjectVersion"] == versions(root)["plugins.zip"][0]


def test_airflow_stands_in_the_subnets_and_the_group_of_networking(deployed: None, root: Any) -> None:
    network = outputs(root, "networking")
    assert parameters(root)["PrivateSubnetIds"] == network["PrivateSubnetIds"]
    assert parameters(root)["AirflowSecurityGroupId"] == network["AirflowSecurityGroupId"]


def test_production_has_a_nat_gateway_in_each_zone(deployed: None, root: Any) -> None:
    found = root("cloudformation").describe_stack_resources(StackName=f"{PREFIX}-networking")["StackResources"]
    gateways = [item["LogicalResourceId"] for item in found if item["ResourceType"] == "AWS::EC2::NatGateway"]
    assert sorted(gateways) == ["NatGatewayOne", "NatGatewayTwo"]


def test_an_environment_chooses_its_zones(emulator: Any, root: Any) -> None:
    client, name = root("cloudformation"), "zones"
    template = parse_document((REPOSITORY / "include/cfn/networking.yaml").read_text())
    kept = {"Vpc", *(name for name in template["Resources"] if name.startswith("DataSubnet") and len(name) < 16)}
    part = {key: template[key] for key in ("Parameters", "Conditions")}
    part["Resources"] = {key: value for key, value in template["Resources"].items() if key in kept}
    for zones in ("", "us-east-1a,us-east-1c,us-east-1b"):
        parameters = {"Environment": "staging", "AvailabilityZones": zones}
        client.create_stack(StackName=name, TemplateBody=json.dumps(part), Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])  # fmt: skip
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=PATIENTLY)
        found = client.describe_stack_resources(StackName=name)["StackResources"]
        ids = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}
        subnets = root("ec2").describe_subnets(
            SubnetIds=[ids[f"DataSubnet{number}"] for number in ("One", "Two", "Three")]
        )
        placed = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets["Subnets"]}
        assert [placed[ids[f"DataSubnet{number}"]] for number in ("One", "Two", "Three")] == (
            zones or "us-east-1a,us-east-1b,us-east-1c").split(",")  # fmt: skip
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=PATIENTLY)


@pytest.mark.parametrize(("least", "most", "fits"), [("2", "1", False), ("5", "4", False), ("2", "2", True)])
def test_no_fewer_workers_at_most_than_always(least: str, most: str, fits: bool, emulator: Any, root: Any) -> None:
    template = parse_document((REPOSITORY / "include/cfn/orchestration.yaml").read_text())
    part = {key: template[key] for key in ("Parameters", "Rules", "Conditions")}
    part["Resources"] = {"Queue": {"Type": "AWS::SQS::Queue"}}
    parameters = {"Environment": "staging", "MinWorkers": least, "MaxWorkers": most}
    request = {"StackName": "workers", "TemplateBody": json.dumps(part), "Parameters": [
        {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]}  # fmt: skip
    client = root("cloudformation")
    if not fits:
        with pytest.raises(ClientError, match=rf"MaxWorkers must be at least MinWorkers \({least}\)"):
            client.create_stack(**request)
        return
    client.create_stack(**request)
    client.get_waiter("stack_create_complete").wait(StackName="workers", WaiterConfig=PATIENTLY)
    client.delete_stack(StackName="workers")


def test_security_groups_name_each_other(deployed: None, root: Any) -> None:
    network = outputs(root, "networking")
    groups = root("ec2").describe_security_groups(GroupIds=[network["GlueSecurityGroupId"]])["SecurityGroups"]
    (rule,) = groups[0]["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [network["GlueSecurityGroupId"]]


def test_nothing_reaches_the_warehouse_through_the_network(deployed: None, root: Any) -> None:
    network = outputs(root, "networking")
    groups = root("ec2").describe_security_groups(GroupIds=[network["WarehouseSecurityGroupId"]])["SecurityGroups"]
    assert groups[0]["IpPermissions"] == []


def test_airflow_stays_when_nobody_names_the_versions_of_its_files(deployed: None, root: Any) -> None:
    before = parameters(root)
    assert Deployment(SETTINGS, run="without versions").deploy("orchestration")["EnvironmentName"] == PREFIX
    assert parameters(root) == before


def test_airflow_is_removed_only_by_who_asks_for_it(deployed: None, root: Any) -> None:
    without = dict.fromkeys(VERSIONED.values(), "")
    with pytest.raises(ReplacementRefusedError, match=r"it would remove AirflowEnvironment \(AWS::MWAA::Environment\)"):
        Deployment(SETTINGS, run="removal").deploy("orchestration", without)
    assert outputs(root, "orchestration")["EnvironmentName"] == PREFIX


def test_a_second_call_changes_nothing(deployed: None, run: Callable, root: Any) -> None:
    def state() -> list[Any]:
        return [versions(root), *(stack(root, name).get("LastUpdatedTime") for name in ("networking", "orchestration"))]

    before = state()
    assert run("deploy") == 0
    assert state() == before


def test_a_changed_file_is_uploaded_alone_and_airflow_takes_its_version(
    deployed: None, run: Callable, root: Any, tmp_path: Path
) -> None:
    before = versions(root)
    changed = FILES | {"plugins.zip": "new plugins"}
    del changed["dags/two.py"]
    assert run("deploy", package=package(tmp_path, changed)) == 0
    after = versions(root)
    assert {path for path in changed if after[path] != before[path]} == {"plugins.zip"}
    assert parameters(root)["PluginsS3ObjectVersion"] == after["plugins.zip"][0] != before["plugins.zip"][0]
    keys = {item["Key"] for item in root("s3").list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert "dags/one.py" in keys and "dags/two.py" not in keys


def test_what_others_stand_on_is_not_deleted(deployed: None, run: Callable, root: Any, caplog: Any) -> None:
    client, name = root("cloudformation"), f"{PREFIX}-tracing"
    body = "Resources: {Queue: {Type: AWS::SQS::Queue}}"
    client.create_stack(StackName=name, TemplateBody=body)
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=PATIENTLY)
    assert run("destroy") == 1
    assert "networking and orchestration cannot be deleted before tracing" in caplog.text
    assert run("destroy", "orchestration") == 1
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=PATIENTLY)
    assert stack(root, "networking")["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_a_file_that_somebody_deleted_comes_back(deployed: None, run: Callable, root: Any) -> None:
    root("s3").delete_object(Bucket=BUCKET, Key="startup.sh")
    assert run("deploy") == 0
    head = root("s3").head_object(Bucket=BUCKET, Key="startup.sh")
    assert parameters(root)["StartupScriptS3ObjectVersion"] == head["VersionId"]


@pytest.mark.parametrize("name", ["all", "storage-processing", "tracing"])
def test_destroy_of_anything_else_is_the_teardown_dags(name: str, run: Callable, capsys: Any) -> None:
    with pytest.raises(SystemExit) as usage:
        run("destroy", name)
    assert usage.value.code == 2
    assert "tear_down_infrastructure deletes the rest" in capsys.readouterr().err
    with pytest.raises(CloudFormationError, match="tear_down_infrastructure deletes the rest"):
        bootstrap.destroy(Deployment(SETTINGS, run="destroy"), [name], confirm="production")


@pytest.mark.parametrize("confirm", ["", "Production", "development", "yes"])
def test_production_is_destroyed_only_when_its_name_is_repeated(
    confirm: str, deployed: None, run: Callable, root: Any, caplog: Any
) -> None:
    for names in ((), ("networking",), ("orchestration",)):
        assert run("destroy", *names, confirm=confirm) == 1
        assert "production was not deleted: repeat its name, --confirm production," in caplog.text
    assert stack(root, "networking") and stack(root, "orchestration")


def test_one_of_the_two_is_not_deleted_from_under_the_other(deployed: None, run: Callable, caplog: Any) -> None:
    assert run("destroy", "networking") == 1
    assert "networking cannot be deleted before orchestration" in caplog.text
    assert run("destroy", "orchestration") == 1
    assert "orchestration cannot be deleted before networking" in caplog.text


def test_the_script_explains_itself() -> None:
    found = subprocess.run(
        [REPOSITORY / "deploy_stacks.sh", "--destroy", "production"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2 and "--destroy production REGION" in found.stderr
    assert "--confirm production" in found.stderr


def test_production_is_protected_against_deletion(deployed: None, root: Any) -> None:
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        root("cloudformation").delete_stack(StackName=f"{PREFIX}-networking")


def test_the_url_of_airflow_is_shown(deployed: None, run: Callable, root: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    assert run("deploy") == 0
    assert f"Airflow: {outputs(root, 'orchestration')['AirflowUrl']}" in caplog.messages


def test_destroy_names_what_it_keeps_and_the_next_deployment_takes_it_back(
    deployed: None, run: Callable, root: Any, caplog: Any
) -> None:
    key = outputs(root, "orchestration")["EnvironmentKeyArn"]
    caplog.set_level("INFO")
    assert run("destroy") == 0
    assert not any(item["StackName"].startswith(PREFIX) for item in root("cloudformation").describe_stacks()["Stacks"])
    kept = [record.getMessage() for record in caplog.records if "deleted; kept" in record.getMessage()]
    assert [f"{PREFIX}-networking" in kept[0], f"{PREFIX}-orchestration" in kept[1]] == [True, True]
    assert "FlowLogKey" in kept[0] and "EnvironmentKey" in kept[1] and BUCKET in kept[1]
    assert run("deploy") == 0
    assert outputs(root, "orchestration")["EnvironmentKeyArn"] == key
    assert run("destroy") == 0
