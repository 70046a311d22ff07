"""What outlives its stack: per type, how a resource is found under its name, imported and, when told so, deleted.

A type that a template retains belongs here; tests/unit/cloudformation/test_retained.py asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from concert_platform.settings import Settings

RETAINING = ("Retain", "RetainExceptOnCreate")
KEY, ALIAS = "AWS::KMS::Key", "AWS::KMS::Alias"
OBJECTS_AT_ONCE = 1000  # as many as DeleteObjects takes
KEY_WINDOW_DAYS = 7  # the shortest that KMS allows
DELETING = "DELETING"  # of a table, a stream, a namespace
GONE_SECONDS, POLL_SECONDS = 600.0, 1.0
MISSING = (
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "EntityNotFoundException",
    "NoSuchBucket",
    "NoSuchUpload",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
)

NO_MODEL_GROUP = "ValidationException"  # SageMaker's word for it; other services mean something else

Clients = Callable[[str], Any]  # service -> boto3 client


class Found(NamedTuple):
    """A resource that is there.

    :param identifier: what CloudFormation imports it by
    :param obstacle: why it can be neither imported nor deleted; empty when it is ours
    :param ending: why it cannot be imported although it is ours: its deletion has begun
    """

    identifier: str
    obstacle: str = ""
    ending: str = ""


@dataclass(frozen=True)
class Kind:
    """One CloudFormation type.

    :param identifier: key of the ResourceIdentifier under which CloudFormation imports it
    :param name: property that names it; a key is named by its alias instead
    :param find: the resource of a name; None when there is none
    :param delete: deletes the resource and all that is in it; what is half deleted already is no error
    :param end: what the report says of one that was deleted
    :param rank: order of deletion; keys come last, since what is encrypted with them is emptied before
    """

    identifier: str
    name: str
    find: Callable[[Clients, str], Found | None]
    delete: Callable[[Clients, str], None] = field(repr=False)
    rank: int = 0
    end: str = "deleted"


def clients_of(settings: Settings) -> Clients:
    """Clients of an environment's region, each made once; the one of S3 touches no bucket of another account."""
    import boto3

    @cache
    def client(service: str) -> Any:
        made = boto3.client(service, region_name=settings.region)
        if service == "s3":
            made.meta.events.register("provide-client-params.s3", own_buckets)
        return made

    def own_buckets(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        if "ExpectedBucketOwner" not in model.input_shape.members:
            return params
        return {"ExpectedBucketOwner": settings.account_id, **params}

    return client


def _look(call: Callable[..., dict[str, Any]], *also: str, **arguments: Any) -> dict[str, Any] | None:
    """Result of a call about a resource; None when there is no such resource.

    :param also: more error codes by which the service says so
    """
    from botocore.exceptions import ClientError

    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in (*MISSING, *also):
            return None
        raise


def _found(name: str, status: str) -> Found:
    return Found(name, ending="is being deleted: try again in a minute" if status == DELETING else "")


def _wait_until_gone(call: Callable[..., dict[str, Any]], **arguments: Any) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while _look(call, **arguments) is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{next(iter(arguments.values()))} is still being deleted: run the teardown again")
        time.sleep(POLL_SECONDS)


# ---------------------------------------------------------------- buckets


def _find_bucket(clients: Clients, name: str) -> Found | None:
    from botocore.exceptions import ClientError

    try:
        return Found(name) if _look(clients("s3").head_bucket, Bucket=name) is not None else None
    except ClientError as error:
        if error.response["Error"]["Code"] == "403":
            return Found(name, "belongs to another account, or may not be read: rename it")
        raise


def _delete_bucket(clients: Clients, name: str) -> None:
    s3 = clients("s3")
    for batch in _versions(s3, name):
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True})
        for error in answer.get("Errors", []):
            raise RuntimeError(f"{error['Key']} of bucket {name} could not be deleted: {error['Message']}")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            _look(s3.abort_multipart_upload, Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    s3.delete_bucket(Bucket=name)


def _versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """All versions and delete markers, a batch at a time: always the first ones, since those before are deleted."""
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=OBJECTS_AT_ONCE)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            return
        yield [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]


# ---------------------------------------------------------------- tables, streams, secrets, logs, queues


def _find_table(clients: Clients, name: str) -> Found | None:
    found = _look(clients("dynamodb").describe_table, TableName=name)
    return _found(name, found["Table"]["TableStatus"]) if found else None


def _delete_table(clients: Clients, name: str) -> None:
    dynamodb = clients("dynamodb")
    found = _look(dynamodb.describe_table, TableName=name) or {"Table": {}}
    if found["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    if found["Table"].get("TableStatus") != DELETING:
        _look(dynamodb.delete_table, TableName=name)
    _wait_until_gone(dynamodb.describe_table, TableName=name)


def _find_stream(clients: Clients, name: str) -> Found | None:
    found = _look(clients("kinesis").describe_stream_summary, StreamName=name)
    return _found(name, found["StreamDescriptionSummary"]["StreamStatus"]) if found else None


def _delete_stream(clients: Clients, name: str) -> None:
    kinesis = clients("kinesis")
    if (found := _find_stream(clients, name)) and not found.ending:
        _look(kinesis.delete_stream, StreamName=name, EnforceConsumerDeletion=True)
    _wait_until_gone(kinesis.describe_stream_summary, StreamName=name)


def _find_secret(clients: Clients, name: str) -> Found | None:
    found = _look(clients("secretsmanager").describe_secret, SecretId=name)
    if found is None:
        return None
    waits = "waits for its deletion: restore it, or delete it without recovery" if found.get("DeletedDate") else ""
    return Found(found["ARN"], ending=waits)


def _delete_secret(clients: Clients, arn: str) -> None:
    # A recovery window would keep the name, and the next deployment needs it.
    _look(clients("secretsmanager").delete_secret, SecretId=arn, ForceDeleteWithoutRecovery=True)


def _find_log_group(clients: Clients, name: str) -> Found | None:
    pages = clients("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    return Found(name) if name in names else None


def _delete_log_group(clients: Clients, name: str) -> None:
    _look(clients("logs").delete_log_group, logGroupName=name)


def _find_queue(clients: Clients, name: str) -> Found | None:
    found = _look(clients("sqs").get_queue_url, QueueName=name)
    return Found(found["QueueUrl"]) if found else None


def _delete_queue(clients: Clients, url: str) -> None:
    _look(clients("sqs").delete_queue, QueueUrl=url)


# ---------------------------------------------------------------- warehouse, users, models


def _find_namespace(clients: Clients, name: str) -> Found | None:
    found = _look(clients("redshift-serverless").get_namespace, namespaceName=name)
    return _found(name, found["namespace"]["status"]) if found else None


def _delete_namespace(clients: Clients, name: str) -> None:
    redshift = clients("redshift-serverless")
    if (found := _find_namespace(clients, name)) and not found.ending:
        _look(redshift.delete_namespace, namespaceName=name)
    _wait_until_gone(redshift.get_namespace, namespaceName=name)


def _find_user_pool(clients: Clients, name: str) -> Found | None:
    pages = clients("cognito-idp").get_paginator("list_user_pools").paginate(MaxResults=60)
    found = [pool["Id"] for page in pages for pool in page["UserPools"] if pool["Name"] == name]
    several = f"is the name of {len(found)} pools ({', '.join(found)}): delete all but one" if len(found) > 1 else ""
    return Found(found[0], several) if found else None


def _delete_user_pool(clients: Clients, pool_id: str) -> None:
    cognito = clients("cognito-idp")
    found = _look(cognito.describe_user_pool, UserPoolId=pool_id) or {"UserPool": {}}
    if found["UserPool"].get("DeletionProtection") == "ACTIVE":
        cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
    _look(cognito.delete_user_pool, UserPoolId=pool_id)


def _find_model_group(clients: Clients, name: str) -> Found | None:
    found = _look(clients("sagemaker").describe_model_package_group, NO_MODEL_GROUP, ModelPackageGroupName=name)
    return Found(found["ModelPackageGroupArn"]) if found else None


def _delete_model_group(clients: Clients, arn: str) -> None:
    sagemaker, name = clients("sagemaker"), arn.rpartition("/")[2]
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=name):
        for package in page["ModelPackageSummaryList"]:
            _look(sagemaker.delete_model_package, ModelPackageName=package["ModelPackageArn"])
    _look(sagemaker.delete_model_package_group, NO_MODEL_GROUP, ModelPackageGroupName=name)


# ---------------------------------------------------------------- keys


def _find_key(clients: Clients, alias: str) -> Found | None:
    found = _look(clients("kms").describe_key, KeyId=alias)
    if found is None:
        return None
    waits = found["KeyMetadata"]["KeyState"] == "PendingDeletion"
    ending = "waits for its deletion: cancel that, or delete its alias" if waits else ""
    return Found(found["KeyMetadata"]["KeyId"], ending=ending)


def _delete_key(clients: Clients, key_id: str) -> None:
    found = _look(clients("kms").describe_key, KeyId=key_id)
    if found and found["KeyMetadata"]["KeyState"] != "PendingDeletion":
        clients("kms").schedule_key_deletion(KeyId=key_id, PendingWindowInDays=KEY_WINDOW_DAYS)


def _find_alias(clients: Clients, alias: str) -> Found | None:
    key = _find_key(clients, alias)
    return key._replace(identifier=alias) if key else None


def _delete_alias(clients: Clients, alias: str) -> None:
    _look(clients("kms").delete_alias, AliasName=alias)


KINDS: dict[str, Kind] = {
    "AWS::Cognito::UserPool": Kind("UserPoolId", "UserPoolName", _find_user_pool, _delete_user_pool),
    "AWS::DynamoDB::Table": Kind("TableName", "TableName", _find_table, _delete_table),
    "AWS::Kinesis::Stream": Kind("Name", "Name", _find_stream, _delete_stream),
    "AWS::Logs::LogGroup": Kind("LogGroupName", "LogGroupName", _find_log_group, _delete_log_group),
    "AWS::RedshiftServerless::Namespace": Kind("NamespaceName", "NamespaceName", _find_namespace, _delete_namespace),
    "AWS::S3::Bucket": Kind("BucketName", "BucketName", _find_bucket, _delete_bucket, rank=1),
    "AWS::SageMaker::ModelPackageGroup": Kind("ModelPackageGroupArn", "ModelPackageGroupName", _find_model_group,
                                              _delete_model_group),
    "AWS::SQS::Queue": Kind("QueueUrl", "QueueName", _find_queue, _delete_queue),
    "AWS::SecretsManager::Secret": Kind("Id", "Name", _find_secret, _delete_secret),
    # The key before its alias: after a kill in between, the alias still leads to what is half deleted.
    KEY: Kind("KeyId", "", _find_key, _delete_key, rank=2, end=f"deleted in {KEY_WINDOW_DAYS} days"),
    ALIAS: Kind("AliasName", "AliasName", _find_alias, _delete_alias, rank=3),
}  # fmt: skip
