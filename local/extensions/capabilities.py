"""What the local AWS only stores, by action and by resource type: everything else that it answers is executed.

docs/local-platform.md has the readable tables; contract tests compare them with these.
"""

from __future__ import annotations

STORED = frozenset(
    {
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketLogging",
        "s3:PutBucketOwnershipControls",
        "dynamodb:UpdateContinuousBackups",
        "kinesis:StartStreamEncryption",
        "lambda:PutFunctionConcurrency",
        "sagemaker:AddTags",
    }
)

# service -> types that a stack creates with their identifiers, keeps and gives back, while nothing acts on them
STORED_TYPES = {
    "ApiGateway": ("Account", "ClientCertificate"),
    "Athena": ("NamedQuery",),
    "Budgets": ("Budget",),
    "CE": ("AnomalyMonitor", "AnomalySubscription"),
    "CloudTrail": ("Trail",),
    "CloudWatch": ("AnomalyDetector", "CompositeAlarm", "Dashboard"),
    "EC2": (
        "EIP", "FlowLog", "InternetGateway", "NatGateway", "NetworkAcl", "NetworkAclEntry", "Route", "RouteTable",
        "SecurityGroup", "SecurityGroupEgress", "SecurityGroupIngress", "Subnet", "SubnetNetworkAclAssociation",
        "SubnetRouteTableAssociation", "VPC", "VPCEndpoint", "VPCGatewayAttachment",
    ),
    "Events": ("Archive",),
    "Glue": ("Connection", "DataCatalogEncryptionSettings", "SecurityConfiguration"),
    "LakeFormation": ("DataLakeSettings", "PrincipalPermissions", "Resource", "Tag", "TagAssociation"),
    "Logs": ("Delivery", "DeliveryDestination", "DeliverySource", "MetricFilter", "QueryDefinition"),
    "MWAA": ("Environment",),
    "WAFv2": ("LoggingConfiguration", "WebACL", "WebACLAssociation"),
    "XRay": ("Group", "ResourcePolicy", "SamplingRule"),
}  # fmt: skip


def outcome(action: str, status: int) -> str:
    """``executed``, ``stored`` or ``refused``: what became of a call."""
    if status in (401, 403, 501):
        return "refused"
    return "stored" if action in STORED else "executed"
