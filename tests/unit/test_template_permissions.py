"""Who may do what, read from the templates: the deployment role, Airflow's role, the ceiling and the endpoints."""

import re
from typing import Any

import pytest

from concert_platform.cloudformation.templates import TEMPLATES
from tests.unit.template_reader import CALLS, SETTINGS, Grant, Reader, at, covers, listed, resources

OWN_STACKS = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{SETTINGS.prefix}-*/*"
NEVER = {"cloudtrail:StopLogging"}  # asked for by a template that stops the trail, and the ceiling forbids it
DEPLOYED = [name for name in TEMPLATES if name != "orchestration"]
DATA = {"kms:Decrypt", "lakeformation:GetDataAccess", "s3:GetObject", "secretsmanager:GetSecretValue"}
LOOKS = re.compile(r"[a-z0-9-]+:(Get|List|Describe|View|GET$)")
# Calls that name no stack: a template's text, a detection that has only an id, the stack of a resource.
WITHOUT_A_STACK = {"cloudformation:DescribeStackDriftDetectionStatus", "cloudformation:DescribeStackResources",
                   "cloudformation:ValidateTemplate"}  # fmt: skip


def calls(name: str) -> set[tuple[str, str]]:
    """Action and ARN of each call that a deployment role makes for a template, from nothing to deletion."""
    reader, found = Reader(name), set()
    for logical_id, item in resources(name).items():
        rule, properties = CALLS[item["Type"]], item.get("Properties", {})
        by_property = [call for section in ("properties", "changes", "removals") for key in properties
                       for call in rule.get(section, {}).get(key, [])]  # fmt: skip
        for call in [*rule.get("create", []), *rule.get("update", []), *rule.get("delete", []), *by_property]:
            action, _, own = call.partition(" ")
            place = f"arn:aws:{action.partition(':')[0]}:{SETTINGS.region}:{SETTINGS.account_id}"
            arn = reader.fill(item, own).replace("~", place) if own else reader.arn(logical_id)
            if not own and rule["arn"].startswith("~"):
                arn = reader.fill(item, rule["arn"]).replace("~", place)
            found.add((action, arn))
    return found


def reads(name: str) -> set[tuple[str, str]]:
    """Action and ARN of each call by which CloudFormation finds drift of a template."""
    reader, found = Reader(name), set()
    for item in resources(name).values():
        rule = CALLS[item["Type"]]
        assert "read" in rule, f"{item['Type']} has no read calls in local/extensions/deployment_calls.yaml"
        for call in rule["read"]:
            action, _, own = call.partition(" ")
            place = f"arn:aws:{action.partition(':')[0]}:{SETTINGS.region}:{SETTINGS.account_id}"
            found.add((action, reader.fill(item, own or rule["arn"]).replace("~", place)))
    return found


def allows(grants: list[Grant], action: str, arn: str) -> bool:
    return any(grant.action.lower() == action.lower() and (grant.resource == "*" or covers(grant.resource, arn))
               for grant in grants)  # fmt: skip


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_deployment_role_may_create_change_and_delete_what_the_template_holds(name: str) -> None:
    grants, wanted = Reader("orchestration").grants("Deploy"), calls(name) | reads(name)
    assert sorted(call for call in wanted if call[0] not in NEVER and not allows(grants, *call)) == []


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_deployment_role_may_pass_each_role_to_its_service(name: str) -> None:
    (grant,) = {grant.resource: grant for grant in Reader("orchestration").grants("Deploy")
                if grant.action == "iam:PassRole"}.values()  # fmt: skip
    services = set(grant.condition["StringEquals"]["iam:PassedToService"])
    wanted = {
        service
        for item in resources(name).values()
        for path, service in CALLS[item["Type"]].get("roles", {}).items()
        if at(item.get("Properties", {}), path.split("."))
    }
    assert wanted <= services


def test_airflow_has_cloudformation_on_the_stacks_of_its_environment_only() -> None:
    grants = [
        grant for grant in Reader("orchestration").grants("Airflow") if grant.action.startswith("cloudformation:")
    ]
    assert {grant.resource for grant in grants if grant.action not in WITHOUT_A_STACK} == {OWN_STACKS}
    assert {grant.action for grant in grants if grant.resource == "*"} == WITHOUT_A_STACK


def test_airflow_changes_stacks_with_the_deployment_role_only_and_orchestration_never() -> None:
    changing = {f"cloudformation:{call}" for call in ("CreateChangeSet", "ContinueUpdateRollback", "DeleteStack")}
    with_role = {"ArnEquals": {"cloudformation:RoleArn": SETTINGS.role_arn("cloudformation")}}
    found = [grant for grant in Reader("orchestration").grants("Airflow") if grant.action in changing]
    assert {grant.action for grant in found} == changing
    assert [grant for grant in found if grant.condition != with_role] == []
    policy = resources("orchestration")["AirflowDeployPolicy"]["Properties"]["PolicyDocument"]
    (denied,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Deny"]
    assert set(denied["Action"]) > changing
    assert Reader("orchestration").of(denied["Resource"]).endswith(f":stack/{SETTINGS.prefix}-orchestration/*")


def test_airflow_does_not_lift_the_protection_against_deletion() -> None:
    actions = {grant.action for grant in Reader("orchestration").grants("Airflow")}
    assert actions & {"cloudformation:UpdateTerminationProtection", "cloudformation:SetStackPolicy"} == set()


def test_airflow_passes_the_deployment_role_to_cloudformation_and_the_training_role_to_sagemaker() -> None:
    passed = {
        grant.resource: grant.condition["StringEquals"]["iam:PassedToService"]
        for grant in Reader("orchestration").grants("Airflow")
        if grant.action == "iam:PassRole"
    }
    assert passed == {
        SETTINGS.role_arn("cloudformation"): "cloudformation.amazonaws.com",
        SETTINGS.role_arn("training"): "sagemaker.amazonaws.com",
    }


# Services whose things have ids instead of names; what is wide there says why beside it.
BY_TAG = ("cognito-idp", "ec2", "redshift-serverless")
UNTAGGED = {  # calls about what has no tags
    "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:ReplaceNetworkAclAssociation",
    "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
}  # fmt: skip
DESTROYS = {"ce:DeleteAnomalyMonitor", "cloudfront:DeleteDistribution", "cloudfront:UpdateDistribution",
            "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "apigateway:PATCH", "logs:DeleteDelivery"}  # fmt: skip


def tags_of(grant: Grant) -> set[tuple[str, str]]:
    """Tags that a grant asks for, of the request or of the resource."""
    asked = grant.condition.get("StringEquals", {})
    return {
        (key.partition("/")[2], asked[key]) for key in asked if key.startswith(("aws:RequestTag/", "aws:ResourceTag/"))
    }


OWN_TAGS = {("Project", "concert-platform"), ("Environment", "staging")}


def test_the_deployment_role_changes_by_id_only_what_bears_the_tags_of_its_environment() -> None:
    changes = [grant for grant in Reader("orchestration").grants("Deploy")
               if (grant.action.startswith(BY_TAG) or grant.action in DESTROYS) and not LOOKS.match(grant.action)
               and not grant.resource.endswith(("/account", "/tags/*", "/requestvalidators/*"))]  # fmt: skip
    assert {grant.action for grant in changes if tags_of(grant) != OWN_TAGS} == UNTAGGED
    assert {grant.action for grant in changes} >= DESTROYS


@pytest.mark.parametrize("start", ["AirflowTearDown", "AirflowWarehouse"])
def test_airflow_works_by_id_only_on_what_bears_the_tags_of_its_environment(start: str) -> None:
    by_id = [grant for grant in Reader("orchestration").grants(start)
             if grant.resource.endswith(("namespace/*", "workgroup/*", "userpool/*", "key/*"))]  # fmt: skip
    assert by_id and {frozenset(tags_of(grant)) for grant in by_id} == {frozenset(OWN_TAGS)}


@pytest.mark.parametrize("role", ["cloudformation", "airflow-execution"])
@pytest.mark.parametrize(
    "action", ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:AttachRolePolicy"]
)
def test_the_deployment_role_changes_neither_itself_nor_airflows_role(role: str, action: str) -> None:
    reader = Reader("orchestration")
    denied = [
        statement for name, document in reader.policies() if name.startswith("Deploy")
        for statement in document["Statement"] if statement["Effect"] == "Deny" and "Condition" not in statement
    ]  # fmt: skip
    assert any(action in statement["Action"] and SETTINGS.role_arn(role) in reader.of(statement["Resource"])
               for statement in denied)  # fmt: skip


def test_airflow_may_delete_a_namespace_with_the_secret_that_redshift_keeps_in_it() -> None:
    secret = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift!{SETTINGS.prefix}-warehouse-admin-AbCdEf"
    grants = Reader("orchestration").grants("AirflowTearDown")
    assert all(allows(grants, f"secretsmanager:{action}Secret", secret) for action in ("Describe", "Delete"))


def test_airflow_changes_no_identity() -> None:
    allowed = {grant.action for grant in Reader("orchestration").grants("Airflow") if grant.action.startswith("iam:")}
    assert {action for action in allowed if not action.startswith(("iam:Get", "iam:List"))} == {"iam:PassRole"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_airflow_may_read_what_its_drift_detection_compares(name: str) -> None:
    grants = Reader("orchestration").grants("AirflowDrift")
    assert sorted(call for call in reads(name) if not allows(grants, *call)) == []


def test_drift_detection_reads_no_more_than_that_and_no_data() -> None:
    allowed = {grant.action for grant in Reader("orchestration").grants("AirflowDrift")}
    assert allowed - {action for name in TEMPLATES for action, _ in reads(name)} == set()
    assert allowed & DATA == set()
    assert not [action for action in allowed if not LOOKS.match(action)]


def test_airflow_administers_the_lake_with_its_eyes_only() -> None:
    allowed = {grant.action for grant in Reader("orchestration").grants("Airflow")}
    found = {action for action in allowed if action.startswith("lakeformation:")}
    assert found
    assert not [action for action in found - DATA if not LOOKS.match(action)]
    assert not found & DATA


def test_production_has_no_permission_to_delete_data() -> None:
    found = resources("orchestration")
    assert found["AirflowTearDownPolicy"]["Condition"] == "MayLoseData"
    attached = found["AirflowExecutionRole"]["Properties"]["ManagedPolicyArns"]
    assert {"Fn::If": ["MayLoseData", {"Ref": "AirflowTearDownPolicy"}, {"Ref": "AWS::NoValue"}]} in attached
    others = [grant for start in ("AirflowDeploy", "AirflowDrift", "AirflowIngest", "AirflowService",
                                  "AirflowWarehouse")
              for grant in Reader("orchestration").grants(start)]  # fmt: skip
    assert {grant.action for grant in others if ":Delete" in grant.action} == {
        "cloudformation:DeleteChangeSet", "cloudformation:DeleteStack", "sqs:DeleteMessage"}  # fmt: skip


def test_metrics_go_to_the_platforms_namespace_only() -> None:
    (grant,) = [
        found for found in Reader("orchestration").grants("Airflow") if found.action == "cloudwatch:PutMetricData"
    ]
    assert grant.condition == {"StringEquals": {"cloudwatch:namespace": ["AmazonMWAA", "ConcertPlatform"]}}


# ---------------------------------------------------------------- the ceiling


def ceiling() -> list[dict[str, Any]]:
    return resources("orchestration")["PermissionsBoundary"]["Properties"]["PolicyDocument"]["Statement"]


def foreign(grant: Grant) -> bool:
    """Whether a statement of several services pairs an action with another service's resource, which means nothing."""
    service, own = grant.action.partition(":")[0], grant.resource.split(":")[2] if grant.resource != "*" else ""
    return bool(own) and not service.startswith(("redshift", "sts")) and own != service


def below_the_ceiling(grant: Grant) -> bool:
    reader = Reader("orchestration")
    if foreign(grant):
        return True
    for statement in sorted(ceiling(), key=lambda found: found["Effect"], reverse=True):  # Deny comes first
        if statement["Effect"] == "Deny" and "Condition" in statement:
            continue
        named = (
            grant.action in statement["Action"] if "Action" in statement else grant.action not in statement["NotAction"]
        )
        if named and any(covers(reader.of(pattern), grant.resource) or pattern == "*"
                         for pattern in listed(statement["Resource"])):  # fmt: skip
            return statement["Effect"] == "Allow"
    return False


@pytest.mark.parametrize("name", TEMPLATES)
def test_nothing_that_a_role_is_granted_is_cut_off_by_the_ceiling(name: str) -> None:
    assert (
        sorted({(grant.action, grant.resource) for grant in Reader(name).grants() if not below_the_ceiling(grant)})
        == []
    )


def test_the_ceiling_leaves_out_people_other_environments_and_other_accounts() -> None:
    outside = [
        Grant("iam:CreateUser", "arn:aws:iam::123456789012:user/somebody", {}),
        Grant("iam:AttachRolePolicy", SETTINGS.role_arn("api"), {}),
        Grant("iam:PassRole", "arn:aws:iam::123456789012:role/concert-platform-production-api", {}),
        Grant("s3:GetObject", "arn:aws:s3:::concert-platform-production-raw-123456789012/x", {}),
        Grant("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:other", {}),
        Grant("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-x", {}),
        Grant(
            "sagemaker:DeleteModelPackageGroup", "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/o", {}
        ),
        Grant("logs:DeleteLogGroup", "arn:aws:logs:eu-west-1:123456789012:log-group:/other", {}),
        Grant("events:DeleteRule", "arn:aws:events:eu-west-1:123456789012:rule/other", {}),
        Grant("glue:DeleteTable", "arn:aws:glue:eu-west-1:123456789012:table/concert_platform_production/x", {}),
        Grant("kms:Decrypt", "arn:aws:kms:eu-west-1:999999999999:key/x", {}),
        Grant("s3:GetObject", "*", {}),
        Grant("sts:AssumeRole", SETTINGS.role_arn("api"), {}),
    ]
    assert [grant for grant in outside if below_the_ceiling(grant)] == []


def test_the_ceiling_is_not_wider_than_the_roles() -> None:
    (statement,) = [found for found in ceiling() if found["Effect"] == "Allow" and found["Resource"] == "*"]
    granted = {
        grant.action for name in TEMPLATES for grant in Reader(name).grants() if is_of_everything(grant.resource)
    }
    assert set(statement["Action"]) - granted == set()


def is_of_everything(pattern: str) -> bool:
    """Whether a grant is about all log groups or alarms of an account, as a list is, or has nothing to name."""
    return pattern == "*" or pattern.endswith((":log-group:*", ":alarm:*", ":log-group:/aws/sagemaker/*"))


# ---------------------------------------------------------------- the endpoints


# Roles whose calls come from inside the network; WarehouseRole's, because the warehouse routes them through the VPC.
INSIDE = (
    "AirflowCuratePolicy", "AirflowDeployPolicy", "AirflowIngestPolicy", "AirflowModelsPolicy", "AirflowServicePolicy",
    "AirflowStreamPolicy", "AirflowTearDownPolicy", "AirflowWarehousePolicy", "ApiRole", "ChatbotRole", "GlueJobRole",
    "ProcessorRole", "WarehouseRole",
)  # fmt: skip
# Calls of those roles that a service makes for them from outside: Lambda reads the stream.
MADE_OUTSIDE = {
    f"kinesis:{call}" for call in ("DescribeStream", "GetRecords", "GetShardIterator", "ListShards")
}  # fmt: skip
REDSHIFTS_SECRET = ":secret:redshift!"  # deleted by Redshift in Airflow's name


def endpoint_grants() -> dict[str, list[Grant]]:
    """Service to what its endpoint lets pass."""
    reader, found = Reader("networking"), {}
    for item in resources("networking").values():
        if item["Type"] == "AWS::EC2::VPCEndpoint":
            for statement in item["Properties"]["PolicyDocument"]["Statement"]:
                for grant in reader.allowed(statement):
                    found.setdefault(grant.action.partition(":")[0], []).append(grant)
    return found


def inside_grants() -> list[Grant]:
    """What the roles inside the network may do by an endpoint."""
    return [
        grant for name in TEMPLATES for owner, document in Reader(name).policies() if owner in INSIDE
        for statement in document["Statement"] for grant in Reader(name).allowed(statement)
        if grant.action.partition(":")[0] in endpoint_grants() and not foreign(grant)
        and grant.action not in MADE_OUTSIDE and REDSHIFTS_SECRET not in grant.resource
    ]  # fmt: skip


def test_there_is_an_endpoint_for_each_service_that_carries_data() -> None:
    assert set(endpoint_grants()) == {"s3", "dynamodb", "kinesis", "secretsmanager", "redshift-data", "logs"}


def test_an_endpoint_lets_pass_what_the_roles_inside_the_network_may_do() -> None:
    through = [grant for several in endpoint_grants().values() for grant in several]
    assert [grant for grant in inside_grants() if not allows(through, grant.action, grant.resource)] == []


def test_an_endpoint_lets_pass_nothing_that_no_role_inside_does() -> None:
    through = {grant.action for several in endpoint_grants().values() for grant in several}
    assert through - {grant.action for grant in inside_grants()} == set()
