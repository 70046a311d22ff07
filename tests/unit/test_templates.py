"""What the templates' neighbours rely on; the rules of the templates themselves lie in concert_platform.validate."""

from functools import cache
from pathlib import Path

import pytest

from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.settings import BUCKETS, Settings
from concert_platform.validate.templates.document import Document, as_list
from concert_platform.validate.templates.security import statements

FOLDER = Path(__file__).parents[2] / "include" / "cfn"
SETTINGS = Settings(environment="staging", account_id="123456789012", region="eu-west-1")

# Without these the deployment role cannot create or delete a resource of the type: AWS's own resource schemas list
# them, beside many more for properties that no template sets.
NEEDED = {
    "AWS::ApiGateway::Deployment": ["apigateway:POST", "apigateway:DELETE"],
    "AWS::ApiGateway::Method": ["apigateway:PUT", "apigateway:DELETE"],
    "AWS::ApiGateway::Resource": ["apigateway:POST", "apigateway:DELETE"],
    "AWS::ApiGateway::RestApi": ["apigateway:POST", "apigateway:GET", "apigateway:DELETE"],
    "AWS::ApiGateway::Stage": ["apigateway:POST", "apigateway:PATCH", "apigateway:DELETE"],
    "AWS::CloudFormation::WaitConditionHandle": [],
    "AWS::DynamoDB::Table": ["dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:UpdateContinuousBackups",
                             "dynamodb:DeleteTable", "kms:CreateGrant"],
    "AWS::EC2::RouteTable": ["ec2:CreateRouteTable", "ec2:DeleteRouteTable"],
    "AWS::EC2::SecurityGroup": ["ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress",
                                "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress",
                                "ec2:DeleteSecurityGroup"],
    "AWS::EC2::Subnet": ["ec2:CreateSubnet", "ec2:DescribeSubnets", "ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"],
    "AWS::EC2::SubnetRouteTableAssociation": ["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"],
    "AWS::EC2::VPC": ["ec2:CreateVpc", "ec2:DescribeVpcs", "ec2:ModifyVpcAttribute", "ec2:DeleteVpc"],
    "AWS::EC2::VPCEndpoint": ["ec2:CreateVpcEndpoint", "ec2:DescribeVpcEndpoints", "ec2:DeleteVpcEndpoints"],
    "AWS::Glue::Database": ["glue:CreateDatabase", "glue:GetDatabase", "glue:DeleteDatabase"],
    "AWS::Glue::Job": ["glue:CreateJob", "glue:GetJob", "glue:TagResource", "glue:DeleteJob", "iam:PassRole"],
    "AWS::Glue::Table": ["glue:CreateTable", "glue:GetTable", "glue:DeleteTable"],
    "AWS::IAM::Role": ["iam:CreateRole", "iam:GetRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:TagRole",
                       "iam:DeleteRole"],
    "AWS::KMS::Alias": ["kms:CreateAlias", "kms:DeleteAlias", "kms:ListAliases"],
    "AWS::KMS::Key": ["kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:TagResource",
                      "kms:ScheduleKeyDeletion"],
    "AWS::Lambda::Function": ["lambda:CreateFunction", "lambda:GetFunction", "lambda:TagResource",
                              "lambda:DeleteFunction", "s3:GetObject", "iam:PassRole"],
    "AWS::Lambda::Permission": ["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
    "AWS::Logs::LogGroup": ["logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:PutRetentionPolicy",
                            "logs:TagResource", "logs:DeleteLogGroup"],
    "AWS::RedshiftServerless::Namespace": [
        "redshift-serverless:CreateNamespace", "redshift-serverless:GetNamespace",
        "redshift-serverless:DeleteNamespace", "redshift-serverless:ListSnapshotCopyConfigurations",
        "redshift:GetResourcePolicy", "secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "iam:PassRole"],
    "AWS::RedshiftServerless::Workgroup": [
        "redshift-serverless:CreateWorkgroup", "redshift-serverless:GetWorkgroup",
        "redshift-serverless:DeleteWorkgroup", "ec2:DescribeAccountAttributes", "ec2:DescribeSubnets"],
    "AWS::S3::Bucket": ["s3:CreateBucket", "s3:PutBucketTagging", "s3:PutEncryptionConfiguration",
                        "s3:PutLifecycleConfiguration", "s3:PutBucketPublicAccessBlock", "s3:PutBucketLogging",
                        "s3:PutBucketVersioning", "s3:PutBucketOwnershipControls", "s3:DeleteBucket"],
    "AWS::S3::BucketPolicy": ["s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"],
    "AWS::SecretsManager::Secret": ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret",
                                    "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret"],
    "AWS::SQS::Queue": ["sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:TagQueue", "sqs:DeleteQueue"],
}  # fmt: skip


@cache
def read(name: str) -> Document:
    return Document.read(name, FOLDER / f"{name}.yaml", name)


def granted_to_the_deployment() -> set[str]:
    return {
        action
        for logical_id, _, statement in statements(read("orchestration"))
        if logical_id.startswith("Deploy")
        for action in as_list(statement.get("Action"))
    }


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "orchestration"])
def test_the_deployment_role_may_create_what_the_template_holds(name: str) -> None:
    granted = granted_to_the_deployment()
    missing = {
        kind: sorted(set(NEEDED[kind]) - granted)
        for kind in {item["Type"] for item in read(name).resources().values()}
        if not set(NEEDED[kind]) <= granted
    }
    assert missing == {}


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
