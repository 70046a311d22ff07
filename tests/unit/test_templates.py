"""What every CloudFormation template keeps, and what its neighbours rely on."""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from concert_platform.cloudformation.templates import (
    LARGEST_INLINE_TEMPLATE,
    TEMPLATES,
    environment_file,
    load_template,
)
from concert_platform.settings import BUCKETS, ENVIRONMENTS, Settings

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "include" / "cfn"
CFN_LINT = REPOSITORY / ".local" / "venvs" / "aws" / "bin" / "cfn-lint"
LARGEST_MANAGED_POLICY = 6144  # characters without white space
STATEFUL = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret",
            "AWS::RedshiftServerless::Namespace")  # fmt: skip
GIVEN_BY_THE_CALLER = {"Environment", "ArtifactsPrefix"}
SETTINGS = Settings(environment="staging", account_id="123456789012", region="eu-west-1")

def policies(name: str) -> list[tuple[str, dict[str, Any]]]:
    return list(Reader(name).policies())


def actions(statement: dict[str, Any]) -> list[str]:
    value = statement.get("Action", [])
    return [value] if isinstance(value, str) else value


def cfn_lint(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [CFN_LINT, "--regions", "us-east-1", "--", *files]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.skipif(not CFN_LINT.exists(), reason=f"{CFN_LINT} is not installed")
def test_cfn_lint_finds_nothing() -> None:
    files = sorted(FOLDER.glob("*.yaml"))
    result = cfn_lint(*files)
    assert files and result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(not CFN_LINT.exists(), reason=f"{CFN_LINT} is not installed")
def test_cfn_lint_finds_an_unknown_property(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: {Q: {Type: AWS::SQS::Queue, Properties: {Colour: red}}}\n")
    assert cfn_lint(broken).returncode != 0


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_explains_its_parameters_and_outputs(name: str) -> None:
    template = read(name)
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [parameter for group in interface["ParameterGroups"] for parameter in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"]) == sorted(interface["ParameterLabels"])
    assert all("Description" in item for section in ("Parameters", "Outputs") for item in template[section].values())
    assert "TemplateVersion" in template["Outputs"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_whatever_holds_data_outlives_its_stack(name: str) -> None:
    lost = [
        logical_id
        for logical_id, item in resources(name).items()
        if item["Type"] in STATEFUL
        and (item.get("DeletionPolicy"), item.get("UpdateReplacePolicy")) != ("RetainExceptOnCreate", "Retain")
    ]
    assert lost == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_role_lies_below_the_boundary(name: str) -> None:
    free = [
        logical_id
        for logical_id, item in resources(name).items()
        if item["Type"] == "AWS::IAM::Role" and "PermissionsBoundary" not in item["Properties"]
    ]
    assert free == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_policy_allows_a_wildcard_action(name: str) -> None:
    allowed = [statement for _, document in policies(name) for statement in document["Statement"]
               if statement["Effect"] == "Allow"]  # fmt: skip
    assert [action for statement in allowed for action in actions(statement) if "*" in action] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_wildcard_resource_has_its_reason_beside_it(name: str) -> None:
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    assert [line for line in lines if re.search(r"Resource: '\*'|- '\*'", line) and "#" not in line] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_bucket_refuses_plain_http_and_the_public(name: str) -> None:
    found = resources(name)
    buckets = [logical_id for logical_id, item in found.items() if item["Type"] == "AWS::S3::Bucket"]
    guarded = [
        item["Properties"]["Bucket"]["Ref"]
        for item in found.values()
        if item["Type"] == "AWS::S3::BucketPolicy"
        and any(s["Sid"] == "TlsOnly" for s in item["Properties"]["PolicyDocument"]["Statement"])
    ]
    assert sorted(guarded) == sorted(buckets)
    assert all(all(found[b]["Properties"]["PublicAccessBlockConfiguration"].values()) for b in buckets)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_parameter_files_and_outputs_fill_every_parameter(environment: str) -> None:
    values, outputs = environment_file(environment)["stacks"], set()
    for name in TEMPLATES:
        parameters = load_template(name).parameters
        required = {key for key, spec in parameters.items() if "Default" not in spec}
        assert required <= outputs | GIVEN_BY_THE_CALLER | set(values[name]), name
        assert set(values[name]) <= set(parameters), name
        outputs |= set(read(name)["Outputs"])


def test_an_output_name_belongs_to_one_stack() -> None:
    names = [output for name in TEMPLATES for output in read(name)["Outputs"] if output != "TemplateVersion"]
    assert len(names) == len(set(names))


def test_the_orchestration_template_fits_inline() -> None:
    # Its bucket, through which larger templates pass, does not exist before it.
    assert (FOLDER / "orchestration.yaml").stat().st_size <= LARGEST_INLINE_TEMPLATE


def test_managed_policies_fit_into_the_limit() -> None:
    text = {
        logical_id: json.dumps(document, separators=(",", ":")) for logical_id, document in policies("orchestration")
    }
    longest = {key: value.replace("${Environment}", "development").replace("${AWS::AccountId}", "0" * 12)
               for key, value in text.items()}  # fmt: skip
    assert {key: len(value) for key, value in longest.items() if len(value) > LARGEST_MANAGED_POLICY} == {}


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "orchestration"])
def test_the_deployment_role_may_create_what_the_template_holds(name: str) -> None:
    granted = {
        action
        for logical_id, document in policies("orchestration")
        if logical_id.startswith("Deploy")
        for statement in document["Statement"]
        for action in actions(statement)
    }
    missing = {
        kind: sorted(set(NEEDED[kind]) - granted)
        for kind in {item["Type"] for item in resources(name).values()}
        if not set(NEEDED[kind]) <= granted
    }
    assert missing == {}


def test_a_changed_api_gets_a_new_deployment() -> None:
    found = resources("compute-application")
    kinds = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    api = {logical_id: item for logical_id, item in found.items() if item["Type"] in kinds}
    digest = hashlib.sha256(json.dumps(api, sort_keys=True).encode()).hexdigest()[:8]
    deployments = [logical_id for logical_id, item in found.items() if item["Type"] == "AWS::ApiGateway::Deployment"]
    assert deployments == [f"ApiDeployment{digest}"], "rename the deployment: the stage keeps the old API"


def test_templates_and_settings_agree_on_names() -> None:
    text = "".join((FOLDER / f"{name}.yaml").read_text() for name in TEMPLATES)
    text = text.replace("${Environment}", "staging").replace("${AWS::AccountId}", SETTINGS.account_id)
    roles = ("airflow-execution", "cloudformation", "glue-job", "warehouse", "training", "api")
    expected = [
        *(f"BucketName: !Sub {SETTINGS.bucket(name)}\n" for name in BUCKETS),
        *(f"RoleName: !Sub {SETTINGS.role_arn(name).rpartition('/')[2]}\n" for name in roles),
        f"Name: !Sub {SETTINGS.glue_database}\n",
        f"Name: !Sub {SETTINGS.etl_job}\n",
        f"TableName: !Sub {SETTINGS.ingest_state_table}\n",
        f"WorkgroupName: !Sub {SETTINGS.workgroup}\n",
        f"DbName: {SETTINGS.database}\n",
        f"Name: !Sub {SETTINGS.source_secret('ticketmaster')}\n",
    ]
    assert [name for name in expected if name not in text] == []
