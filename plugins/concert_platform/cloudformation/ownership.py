"""Whose a resource is that bears one of the platform's names: a name alone is no reason to import or delete it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from concert_platform.cloudformation.errors import one_line
from concert_platform.cloudformation.stateful import ALIAS, KEY, Clients
from concert_platform.cloudformation.templates import PROJECT_TAG
from concert_platform.settings import Settings

Tags = dict[str, str]


def objection(clients: Clients, settings: Settings, stack: str, kind: str, identifier: str) -> str:
    """Why a resource that exists is not ours to take over or delete; empty when it is.

    :param stack: full name of the stack whose template holds it
    :param kind: its CloudFormation type
    :param identifier: its physical id, by which CloudFormation imports it
    """
    from botocore.exceptions import ClientError

    try:
        owner = owning_stack(clients("cloudformation"), kind, identifier)
        found = TAGS[kind](clients, identifier) if kind in TAGS else None
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        return f"may be somebody else's, since it cannot be looked at: {one_line(error)}"
    if owner not in ("", stack):
        return f"belongs to stack {owner}: rename it, or let that stack go"
    if found is None:
        return ""
    wanted = {"Project": PROJECT_TAG, "Environment": settings.environment}
    if wrong := [f"{key}={value}" for key, value in wanted.items() if found.get(key) != value]:
        return f"lacks the tags {', '.join(wrong)}: rename it if it is somebody else's, tag it if it is the platform's"
    return ""


def owning_stack(cloudformation: Any, kind: str, identifier: str) -> str:
    """Name of the stack that holds a resource, whoever deployed it; empty without one."""
    from botocore.exceptions import ClientError

    try:
        found = cloudformation.describe_stack_resources(PhysicalResourceId=identifier)["StackResources"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return ""
        raise
    # Deleted stacks are answered for, too, and a table may bear the name of a stream.
    held = (item for item in found if (item["ResourceType"], item.get("PhysicalResourceId")) == (kind, identifier)
            and item["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED"))  # fmt: skip
    return next((str(item["StackName"]) for item in held), "")


def _pairs(tags: Iterable[Mapping[str, str]], key: str = "Key", value: str = "Value") -> Tags:
    return {tag[key]: tag[value] for tag in tags}


def _bucket_tags(clients: Clients, name: str) -> Tags:
    from botocore.exceptions import ClientError

    try:
        return _pairs(clients("s3").get_bucket_tagging(Bucket=name)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


def _table_tags(clients: Clients, name: str) -> Tags:
    dynamodb = clients("dynamodb")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    pages = dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return _pairs(tag for page in pages for tag in page["Tags"])


def _log_group_tags(clients: Clients, name: str) -> Tags:
    logs = clients("logs")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    arns = (group["arn"] for page in pages for group in page["logGroups"] if group["logGroupName"] == name)
    return logs.list_tags_for_resource(resourceArn=next(arns).removesuffix(":*"))["tags"]


def _namespace_tags(clients: Clients, name: str) -> Tags:
    redshift = clients("redshift-serverless")
    arn = redshift.get_namespace(namespaceName=name)["namespace"]["namespaceArn"]
    return _pairs(redshift.list_tags_for_resource(resourceArn=arn)["tags"], "key", "value")


def _key_tags(clients: Clients, key_id: str) -> Tags:
    pages = clients("kms").get_paginator("list_resource_tags").paginate(KeyId=key_id)
    return _pairs((tag for page in pages for tag in page["Tags"]), "TagKey", "TagValue")


def _alias_tags(clients: Clients, alias: str) -> Tags:
    """An alias has no tags, and is as good as the key that it leads to."""
    return _key_tags(clients, clients("kms").describe_key(KeyId=alias)["KeyMetadata"]["KeyId"])


def _model_group_tags(clients: Clients, arn: str) -> Tags:
    pages = clients("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
    return _pairs(tag for page in pages for tag in page["Tags"])


# Every type of stateful.py that takes tags.
TAGS: dict[str, Callable[[Clients, str], Tags]] = {
    "AWS::Cognito::UserPool": lambda clients, pool: (
        clients("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"].get("UserPoolTags", {})
    ),
    "AWS::DynamoDB::Table": _table_tags,
    "AWS::Kinesis::Stream": lambda clients, name: _pairs(
        clients("kinesis").list_tags_for_stream(StreamName=name)["Tags"]
    ),
    "AWS::Logs::LogGroup": _log_group_tags,
    "AWS::RedshiftServerless::Namespace": _namespace_tags,
    "AWS::S3::Bucket": _bucket_tags,
    "AWS::SageMaker::ModelPackageGroup": _model_group_tags,
    "AWS::SQS::Queue": lambda clients, url: clients("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}),
    "AWS::SecretsManager::Secret": lambda clients, arn: _pairs(
        clients("secretsmanager").describe_secret(SecretId=arn).get("Tags", [])
    ),
    KEY: _key_tags,
    ALIAS: _alias_tags,
}
