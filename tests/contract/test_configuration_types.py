"""Types that are only configuration: created, changed, imported and deleted with identifiers of the real form."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError, WaiterError

from tests.contract.conftest import PATIENTLY

TYPES = yaml.safe_load(
    (Path(__file__).parents[2] / "local" / "extensions" / "configuration_types.yaml").read_text()
)  # fmt: skip
HEX17 = "[0-9a-f]{17}"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
ACCOUNT = "us-east-1:000000000000"

NETWORK = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
    "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.1.0/24"}},
    "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}}},
}
RULE = {"GroupId": {"Ref": "Group"}, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
PRINCIPAL = {"DataLakePrincipalIdentifier": "arn:aws:iam::000000000000:role/analyst"}
DATABASE = {"CatalogId": "000000000000", "Name": "concerts"}

# type -> properties, and the form of what Ref returns
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "AWS::ApiGateway::ClientCertificate": ({"Description": "d"}, "[0-9a-f]{6}"),
    "AWS::Athena::NamedQuery": ({"Database": "d", "QueryString": "SELECT 1"}, UUID),
    "AWS::Budgets::Budget": ({"Budget": {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY"}}, "b"),
    "AWS::CE::AnomalyMonitor": (
        {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"},
        f"arn:aws:ce::000000000000:anomalymonitor/{UUID}",
    ),
    "AWS::CE::AnomalySubscription": (
        {"SubscriptionName": "s", "Frequency": "DAILY", "MonitorArnList": ["arn:aws:ce::000000000000:anomalymonitor/a"],
         "Subscribers": [{"Type": "EMAIL", "Address": "a@example.com"}]},
        f"arn:aws:ce::000000000000:anomalysubscription/{UUID}",
    ),
    "AWS::CloudTrail::Trail": ({"TrailName": "lake", "IsLogging": True, "S3BucketName": "b"}, "lake"),
    "AWS::CloudWatch::AnomalyDetector": ({"Namespace": "N", "MetricName": "M", "Stat": "Sum"}, "[0-9a-f]{32}"),
    "AWS::CloudWatch::CompositeAlarm": ({"AlarmName": "all", "AlarmRule": "ALARM(one)"}, "all"),
    "AWS::EC2::EIP": ({"Domain": "vpc"}, r"240\.\d+\.\d+\.\d+"),
    "AWS::EC2::FlowLog": (
        {"ResourceId": {"Ref": "Vpc"}, "ResourceType": "VPC", "TrafficType": "ALL"}, f"fl-{HEX17}",
    ),
    "AWS::EC2::NatGateway": (
        {"SubnetId": {"Ref": "Subnet"}, "AllocationId": {"Fn::GetAtt": ["EIP", "AllocationId"]}}, f"nat-{HEX17}",
    ),
    "AWS::EC2::NetworkAcl": ({"VpcId": {"Ref": "Vpc"}}, f"acl-{HEX17}"),
    "AWS::EC2::NetworkAclEntry": (
        {"NetworkAclId": {"Ref": "NetworkAcl"}, "RuleNumber": 100, "Protocol": 6, "RuleAction": "allow",
         "CidrBlock": "10.9.0.0/16"}, "configuration-types-NetworkAclEntry-[0-9A-F]{13}",
    ),
    "AWS::EC2::SecurityGroupEgress": ({**RULE, "CidrIp": "10.9.0.0/16"}, f"sgr-{HEX17}"),
    "AWS::EC2::SecurityGroupIngress": ({**RULE, "SourceSecurityGroupId": {"Ref": "Group"}}, f"sgr-{HEX17}"),
    "AWS::EC2::SubnetNetworkAclAssociation": (
        {"SubnetId": {"Ref": "Subnet"}, "NetworkAclId": {"Ref": "NetworkAcl"}}, f"aclassoc-{HEX17}",
    ),
    "AWS::Events::Archive": (
        {"ArchiveName": "a", "SourceArn": f"arn:aws:events:{ACCOUNT}:event-bus/default"}, "a",
    ),
    "AWS::Glue::DataCatalogEncryptionSettings": (
        {"CatalogId": "000000000000", "DataCatalogEncryptionSettings": {}}, "000000000000",
    ),
    "AWS::Glue::SecurityConfiguration": ({"Name": "lake", "EncryptionConfiguration": {}}, "lake"),
    "AWS::LakeFormation::DataLakeSettings": ({"Admins": [PRINCIPAL]}, "configuration-types-DataLakeSettings-.+"),
    "AWS::LakeFormation::PrincipalPermissions": (
        {"Principal": PRINCIPAL, "Resource": {"Database": DATABASE}, "Permissions": ["DESCRIBE"],
         "PermissionsWithGrantOption": []}, r"[0-9a-f]{64}\|[0-9a-f]{64}",
    ),
    "AWS::LakeFormation::Resource": (
        {"ResourceArn": "arn:aws:s3:::lake", "UseServiceLinkedRole": True}, "arn:aws:s3:::lake",
    ),
    "AWS::LakeFormation::Tag": ({"TagKey": "domain", "TagValues": ["concerts"]}, "domain"),
    "AWS::LakeFormation::TagAssociation": (
        {"Resource": {"Database": DATABASE},
         "LFTags": [{"CatalogId": "000000000000", "TagKey": "domain", "TagValues": ["concerts"]}]},
        r"[0-9a-f]{64}\|[0-9a-f]{64}",
    ),
    "AWS::Logs::Delivery": (
        {"DeliverySourceName": {"Ref": "DeliverySource"},
         "DeliveryDestinationArn": {"Fn::GetAtt": ["DeliveryDestination", "Arn"]}}, "[0-9a-f]{16}",
    ),
    "AWS::Logs::DeliveryDestination": ({"Name": "web", "DestinationResourceArn": "arn:aws:s3:::logs"}, "web"),
    "AWS::Logs::DeliverySource": (
        {"Name": "web", "LogType": "ACCESS_LOGS", "ResourceArn": "arn:aws:cloudfront::000000000000:distribution/E"},
        "web",
    ),
    "AWS::Logs::QueryDefinition": ({"Name": "q", "QueryString": "fields @message"}, UUID),
    "AWS::MWAA::Environment": ({"Name": "concerts"}, "concerts"),
    "AWS::SageMaker::ModelPackageGroup": (
        {"ModelPackageGroupName": "sales"}, f"arn:aws:sagemaker:{ACCOUNT}:model-package-group/sales",
    ),
    "AWS::WAFv2::LoggingConfiguration": (
        {"ResourceArn": f"arn:aws:wafv2:{ACCOUNT}:regional/webacl/a/1",
         "LogDestinationConfigs": [f"arn:aws:logs:{ACCOUNT}:log-group:aws-waf-logs-a"]},
        f"arn:aws:wafv2:{ACCOUNT}:regional/webacl/a/1",
    ),
    "AWS::WAFv2::WebACLAssociation": (
        {"ResourceArn": "arn:aws:apigateway:us-east-1::/restapis/a/stages/v1",
         "WebACLArn": f"arn:aws:wafv2:{ACCOUNT}:regional/webacl/a/1"}, r"arn:aws:apigateway:.+\|arn:aws:wafv2:.+",
    ),
    "AWS::XRay::Group": ({"GroupName": "api"}, f"arn:aws:xray:{ACCOUNT}:group/api/[0-9a-f]{{26}}"),
    "AWS::XRay::ResourcePolicy": ({"PolicyName": "p", "PolicyDocument": "{}"}, "p"),
    "AWS::XRay::SamplingRule": (
        {"SamplingRule": {"RuleName": "api", "FixedRate": 0.05, "ReservoirSize": 1, "Priority": 100, "Version": 1,
                          "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
                          "ResourceARN": "*"}},
        f"arn:aws:xray:{ACCOUNT}:sampling-rule/api",
    ),
}  # fmt: skip


def template(**changed: dict[str, Any]) -> dict[str, Any]:
    """Every type once, its logical id being the last part of its name; properties of some changed."""
    resources: dict[str, Any] = dict(NETWORK)
    for kind, (properties, _) in CASES.items():
        name = "XRay" * (kind in ("AWS::XRay::Group", "AWS::XRay::ResourcePolicy")) + kind.rpartition("::")[2]
        resources[name] = {"Type": kind, "Properties": {**properties, **changed.get(name, {})}}
    attributes = {"Trail": "Arn", "CompositeAlarm": "Arn", "NatGateway": "EniId", "XRayGroup": "GroupARN",
                  "Environment": "LoggingConfiguration.WorkerLogs.CloudWatchLogGroupArn"}  # fmt: skip
    outputs = {name: {"Value": {"Fn::GetAtt": [name, attribute]}} for name, attribute in attributes.items()}
    return {"Resources": resources, "Outputs": outputs}


def update(cloudformation: Any, name: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Change a stack by change set; the changes as the change set gives them."""
    change_set = cloudformation.create_change_set(
        StackName=name, ChangeSetName=f"c{len(json.dumps(body))}", TemplateBody=json.dumps(body)
    )["Id"]
    changes = cloudformation.describe_change_set(ChangeSetName=change_set)["Changes"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=PATIENTLY)
    return [change["ResourceChange"] for change in changes]


def resources(cloudformation: Any, name: str) -> dict[str, str]:
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}


def test_every_type_has_a_case() -> None:
    assert set(CASES) == set(TYPES)


def test_resources_have_identifiers_of_the_real_form(deploy_stack: Callable, root: Any) -> None:
    outputs = deploy_stack(template(), "configuration-types")
    found = root("cloudformation").describe_stack_resources(StackName="configuration-types")["StackResources"]
    identifiers = {one["ResourceType"]: one["PhysicalResourceId"] for one in found}
    wrong = {kind: identifiers[kind] for kind, (_, form) in CASES.items() if not re.fullmatch(form, identifiers[kind])}
    assert not wrong
    assert outputs["Trail"] == f"arn:aws:cloudtrail:{ACCOUNT}:trail/lake"
    assert outputs["CompositeAlarm"] == f"arn:aws:cloudwatch:{ACCOUNT}:alarm:all"
    assert outputs["Environment"] == f"arn:aws:logs:{ACCOUNT}:log-group:airflow-concerts-Worker"
    assert re.fullmatch(f"eni-{HEX17}", outputs["NatGateway"])
    assert outputs["XRayGroup"] == identifiers["AWS::XRay::Group"]


def test_a_change_keeps_the_resource_unless_the_schema_says_otherwise(deploy_stack: Callable, root: Any) -> None:
    cloudformation = root("cloudformation")
    deploy_stack(template(), "configuration-types")
    before = resources(cloudformation, "configuration-types")
    changed = template(NamedQuery={"Description": "new"}, Environment={"MaxWorkers": 3})
    changes = update(cloudformation, "configuration-types", changed)
    replaced = {change["LogicalResourceId"]: change["Replacement"] for change in changes}
    assert replaced == {"NamedQuery": "True", "Environment": "False"}
    after = resources(cloudformation, "configuration-types")
    assert {name for name in before if before[name] != after[name]} == {"NamedQuery"}


def test_a_rule_takes_effect_in_its_security_group(deploy_stack: Callable, root: Any) -> None:
    deploy_stack(template(), "configuration-types")
    group = resources(root("cloudformation"), "configuration-types")["Group"]

    def rules() -> tuple[list, list]:
        found = root("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        ingress = [pair["GroupId"] for rule in found["IpPermissions"] for pair in rule["UserIdGroupPairs"]]
        return ingress, [one["CidrIp"] for rule in found["IpPermissionsEgress"] for one in rule["IpRanges"]]

    assert rules() == ([group], ["0.0.0.0/0", "10.9.0.0/16"])
    without = template(SecurityGroupEgress={"CidrIp": "10.9.1.0/24"})
    del without["Resources"]["SecurityGroupIngress"]
    update(root("cloudformation"), "configuration-types", without)
    assert rules() == ([], ["0.0.0.0/0", "10.9.1.0/24"])


def test_a_second_resource_under_the_same_name_is_refused(deploy_stack: Callable, root: Any) -> None:
    deploy_stack(template(), "configuration-types")
    for name in ("Tag", "ModelPackageGroup", "Budget"):
        alone = {"Resources": {name: template()["Resources"][name]}}
        with pytest.raises(WaiterError):
            deploy_stack(alone, f"second-{name}")
        events = root("cloudformation").describe_stack_events(StackName=f"second-{name}")["StackEvents"]
        assert any("already exists" in event.get("ResourceStatusReason", "") for event in events)


def test_a_retained_resource_is_imported_and_survives_a_restart(
    deploy_stack: Callable, root: Any, emulator: Any
) -> None:
    cloudformation = root("cloudformation")
    group = {"Type": "AWS::SageMaker::ModelPackageGroup", "DeletionPolicy": "Retain",
             "Properties": {"ModelPackageGroupName": "kept"}}  # fmt: skip
    body = {"Resources": {"Group": group}}
    deploy_stack(body, "keeps")
    arn = resources(cloudformation, "keeps")["Group"]
    cloudformation.delete_stack(StackName="keeps")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="keeps", WaiterConfig=PATIENTLY)
    emulator.restart()

    def adopt(identifier: str) -> dict[str, Any]:
        change_set = cloudformation.create_change_set(
            StackName="keeps", ChangeSetName="adopt", ChangeSetType="IMPORT", TemplateBody=json.dumps(body),
            ResourcesToImport=[{"ResourceType": group["Type"], "LogicalResourceId": "Group",
                                "ResourceIdentifier": {"ModelPackageGroupArn": identifier}}],
        )["Id"]  # fmt: skip
        return cloudformation.describe_change_set(ChangeSetName=change_set)

    assert "was not found" in adopt(f"{arn}-other")["StatusReason"]
    cloudformation.delete_change_set(ChangeSetName="adopt", StackName="keeps")
    cloudformation.execute_change_set(ChangeSetName=adopt(arn)["ChangeSetId"])
    cloudformation.get_waiter("stack_import_complete").wait(StackName="keeps", WaiterConfig=PATIENTLY)
    assert resources(cloudformation, "keeps") == {"Group": arn}
    body["Resources"]["Group"].pop("DeletionPolicy")
    update(cloudformation, "keeps", {**body, "Outputs": {"Arn": {"Value": {"Ref": "Group"}}}})


def test_a_type_outside_the_list_is_refused_before_anything_is_made(root: Any) -> None:
    body = {"Resources": {"A": {"Type": "AWS::IoTFleetHub::Application", "Properties": {}}}}
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        root("cloudformation").create_stack(StackName="unknown", TemplateBody=json.dumps(body))
