"""Every type of the templates was decided upon: it holds data, or it does not."""

from concert_platform.cloudformation.documents import parse_document
from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.cloudformation.templates import TEMPLATES, load_template

# Made again by the template as they were: rules, permissions, wiring, what shows or counts.
STATELESS = {
    "ApiGateway": (
        "Account ApiKey Authorizer Deployment GatewayResponse Method Model RequestValidator Resource RestApi "
        "Stage UsagePlan UsagePlanKey"
    ),
    "Athena": "NamedQuery WorkGroup",
    "Budgets": "Budget",
    "CE": "AnomalyMonitor AnomalySubscription",
    "CloudFront": "Distribution OriginAccessControl ResponseHeadersPolicy",
    "CloudTrail": "Trail",
    "CloudWatch": "Alarm AnomalyDetector CompositeAlarm Dashboard",
    "Cognito": "UserPoolClient",
    "EC2": (
        "EIP FlowLog InternetGateway NatGateway NetworkAcl NetworkAclEntry Route RouteTable SecurityGroup "
        "SecurityGroupEgress SecurityGroupIngress Subnet SubnetNetworkAclAssociation "
        "SubnetRouteTableAssociation VPC VPCEndpoint VPCGatewayAttachment"
    ),
    "Events": "Rule",
    "Glue": "Connection Job SecurityConfiguration",
    "IAM": "ManagedPolicy Role",
    "KMS": "Alias",
    "LakeFormation": "DataLakeSettings PrincipalPermissions Resource Tag TagAssociation",
    "Lambda": "EventSourceMapping Function Permission",
    "Logs": "Delivery DeliveryDestination DeliverySource MetricFilter QueryDefinition",
    "S3": "BucketPolicy",
    "SNS": "Subscription Topic TopicPolicy",
    "SQS": "QueuePolicy",
    "WAFv2": "WebACL",
    "XRay": "Group SamplingRule",
}


def test_a_type_of_the_templates_holds_data_or_was_found_to_hold_none() -> None:
    used = {
        resource["Type"]
        for name in TEMPLATES
        for resource in parse_document(load_template(name).body)["Resources"].values()
    }
    stateless = {f"AWS::{service}::{name}" for service, names in STATELESS.items() for name in names.split()}
    assert sorted(used - stateless - set(STATEFUL_TYPES)) == [], "does it hold data? see review.STATEFUL_TYPES"
    assert stateless & set(STATEFUL_TYPES) == set()
    assert sorted(stateless - used) == [], "no template has it any more"
