"""The deployment role against AWS's resource schemas: each call of a handler is granted, or has a reason not to be."""

from fnmatch import fnmatchcase
from functools import cache

import pytest

from concert_platform.cloudformation.templates import TEMPLATES
from tests.contract.test_deployment_calls import schema
from tests.unit.template_reader import Reader, resources

STEPS = ("create", "read", "update", "delete")
# Reason -> the calls that the deployment role does without, as "type action"; both take wildcards.
NOT_GRANTED = {
    "asked for by a property that no template sets": [
        "AWS::ApiGateway::RestApi apigateway:UpdateRestApiPolicy",
        "AWS::CloudFront::Distribution cloudfront:*ConnectionGroup",
        "AWS::CloudFront::Distribution cloudfront:GetVpcOrigin",
        "AWS::CloudFront::Distribution cloudfront:UpdateDistributionWithStagingConfig",
        "AWS::CloudTrail::Trail CloudTrail:Put*",
        "AWS::CloudTrail::Trail organizations:*",
        "AWS::Cognito::UserPool cognito-idp:AddCustomAttributes",
        "AWS::Cognito::UserPool kms:ReEncrypt*",
        "AWS::DynamoDB::Table dynamodb:*Replica",
        "AWS::DynamoDB::Table dynamodb:*ResourcePolicy",
        "AWS::DynamoDB::Table dynamodb:*Import*",
        "AWS::DynamoDB::Table dynamodb:*KinesisStreamingDestination",
        "AWS::DynamoDB::Table dynamodb:UpdateContributorInsights",
        "AWS::DynamoDB::Table kinesis:*",
        "AWS::DynamoDB::Table logs:*",
        "AWS::DynamoDB::Table s3:GetObjectMetadata",
        "AWS::EC2::EIP ec2:A*Address*",
        "AWS::EC2::FlowLog autoscaling:DescribeTags",
        "AWS::EC2::NatGateway ec2:*NatGatewayAddress",
        "AWS::EC2::Subnet ec2:*SubnetCidrBlock",
        "AWS::EC2::VPC ec2:CreateVpcEncryptionControl",
        "AWS::EC2::VPC ec2:ModifyVpcTenancy",
        "AWS::EC2::VPCEndpoint vpc*",
        "AWS::EC2::VPCGatewayAttachment ec2:*VpnGateway",
        "AWS::Glue::Table glue:GetSchemaVersion",
        "AWS::IAM::Role iam:*tachRolePolicy",
        "AWS::KMS::Key kms:DisableKey",
        "AWS::Kinesis::Stream kinesis:*EnhancedMonitoring",
        "AWS::Kinesis::Stream kinesis:Update*",
        "AWS::Lambda::Function *:*MountTargets",
        "AWS::Lambda::Function lambda:*CodeSigningConfig",
        "AWS::Lambda::Function lambda:*Runtime*",
        "AWS::Lambda::Function lambda:GetLayerVersion",
        "AWS::Lambda::Function lambda:PassCapacityProvider",
        "AWS::Lambda::Function lambda:PublishVersion",
        "AWS::Lambda::Function lambda:PutFunction*Config",
        "AWS::Logs::DeliveryDestination logs:PutDeliveryDestinationPolicy",
        "AWS::Logs::LogGroup *:*Policy",
        "AWS::Logs::LogGroup firehose:TagDeliveryStream",
        "AWS::Logs::LogGroup logs:PutBearerTokenAuthentication",
        "AWS::Logs::LogGroup logs:PutLogGroupDeletionProtection",
        "AWS::RedshiftServerless::* redshift-serverless:*Snapshot*",
        "AWS::RedshiftServerless::* redshift-serverless:RestoreFrom*",
        "AWS::RedshiftServerless::Namespace redshift:*ResourcePolicy",
        "AWS::S3::Bucket s3:*MetadataTable*",
        "AWS::S3::Bucket s3:*Metadata*TableConfiguration",
        "AWS::S3::Bucket s3:Put*",
        "AWS::S3::Bucket s3tables:*",
        "AWS::SageMaker::ModelPackageGroup sagemaker:PutModelPackageGroupPolicy",
        "AWS::SecretsManager::Secret secretsmanager:*Region*",
        "AWS::SecretsManager::Secret secretsmanager:GetRandomPassword",
        "AWS::SNS::Topic sns:PutDataProtectionPolicy",
        "AWS::WAFv2::WebACL payments:GetConnectedAccount",
    ],
    "of a service that delivers no logs here": ["AWS::Logs::DeliverySource *:AllowVendedLogDeliveryForResource"],
    "a service-linked role that other properties need": ["* iam:CreateServiceLinkedRole"],
    "no name of an action in IAM, where another one stands for it": [
        "AWS::CloudFront::Distribution cloudfront:CreateDistributionWithTags",
        "AWS::Logs::LogGroup s3:REST.PUT.OBJECT",
        "AWS::S3::Bucket s3:Delete*",
    ],
    "reads, lends or writes data, which a deployment does not": [
        "AWS::Athena::WorkGroup s3:*",
        "AWS::DynamoDB::Table dynamodb:*Item",
        "AWS::DynamoDB::Table dynamodb:Query",
        "AWS::DynamoDB::Table dynamodb:Scan",
        "AWS::Glue::Table lakeformation:*",
        "AWS::Glue::Table s3:PutObject",
        "AWS::SecretsManager::Secret secretsmanager:GetSecretValue",
    ],
    "would lift a protection": [
        "AWS::CloudTrail::Trail CloudTrail:StopLogging",
        "AWS::IAM::Role iam:DeleteRolePermissionsBoundary",
        "AWS::KMS::Key kms:DisableKeyRotation",
        "AWS::KMS::Key kms:EnableKey",
    ],
    "of a key that is Redshift's own": [
        "AWS::RedshiftServerless::Namespace kms:CancelKeyDeletion",
        "AWS::RedshiftServerless::Namespace kms:GenerateDataKeyPair",
    ],
}


@cache
def handler_calls(kind: str) -> frozenset[str]:
    handlers = schema(kind).get("handlers", {})
    return frozenset(call for step in STEPS for call in handlers.get(step, {}).get("permissions", []))


def missing() -> set[str]:
    """Calls of the handlers of all deployed types that the deployment role may not make."""
    granted = {grant.action.lower() for grant in Reader("orchestration").grants("Deploy")}
    kinds = {item["Type"] for name in TEMPLATES if name != "orchestration" for item in resources(name).values()}
    return {f"{kind} {call}" for kind in kinds for call in handler_calls(kind) if call.lower() not in granted}


def patterns() -> list[str]:
    return [pattern for several in NOT_GRANTED.values() for pattern in several]


def test_the_deployment_role_may_make_each_call_of_the_handlers_but_for_what_has_a_reason() -> None:
    assert sorted(call for call in missing() if not any(fnmatchcase(call, pattern) for pattern in patterns())) == []


@pytest.mark.parametrize("pattern", patterns())
def test_no_reason_outlives_its_call(pattern: str) -> None:
    assert [call for call in missing() if fnmatchcase(call, pattern)] or pattern.startswith("* ")
