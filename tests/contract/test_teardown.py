"""Teardown and the deployment after it: what is kept, what comes back, what is gone for good."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from concert_platform.cloudformation import ChangeSetError, CloudFormationError, Deployment, Stack, deployment
from concert_platform.cloudformation.ownership import TAGS
from concert_platform.cloudformation.retained import Retained
from concert_platform.cloudformation.teardown import TORN_DOWN, Teardown, TeardownRefusedError
from concert_platform.settings import Settings
from tests.contract.conftest import PATIENTLY
from tests.contract.scratch_stacks import SETTINGS, deploy, log_in_as_root, use_templates

PREFIX = "concert-platform-development-teardown"
KEPT = "DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain"
STORAGE = f"""Resources:
  Key:
    Type: AWS::KMS::Key
    {KEPT}
    Properties:
      Description: Key of the teardown test
      KeyPolicy: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Principal: {{AWS: !GetAtt Role.Arn}},
                   Action: 'kms:Decrypt', Resource: '*'}}]}}
  Alias:
    Type: AWS::KMS::Alias
    {KEPT}
    Properties: {{AliasName: !Sub 'alias/concert-platform-${{Environment}}-teardown', TargetKeyId: !Ref Key}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {PREFIX}
      AssumeRolePolicyDocument: {{Version: '2012-10-17', Statement: []}}
  Bucket:
    Type: AWS::S3::Bucket
    {KEPT}
    Properties:
      BucketName: !Sub concert-platform-${{Environment}}-teardown
      VersioningConfiguration: {{Status: Enabled}}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: {{SSEAlgorithm: aws:kms, KMSMasterKeyID: !GetAtt Key.Arn}}
  Table:
    Type: AWS::DynamoDB::Table
    {KEPT}
    Properties:
      TableName: {PREFIX}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
  Secret:
    Type: AWS::SecretsManager::Secret
    {KEPT}
    Properties: {{Name: {PREFIX}/key, SecretString: first, KmsKeyId: !GetAtt Key.Arn}}
  Stream:
    Type: AWS::Kinesis::Stream
    {KEPT}
    Properties: {{Name: {PREFIX}, ShardCount: 1}}
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    {KEPT}
    Properties: {{NamespaceName: {PREFIX}, DbName: concerts, IamRoles: [!GetAtt Role.Arn]}}
  LogGroup:
    Type: AWS::Logs::LogGroup
    {KEPT}
    Properties: {{LogGroupName: /{PREFIX}/job, RetentionInDays: 14}}
  Failures:
    Type: AWS::SQS::Queue
    {KEPT}
    Properties: {{QueueName: {PREFIX}-failures}}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {{QueueName: {PREFIX}}}
Outputs:
  TableName: {{Value: !Ref Table}}
"""
USERS = f"""Resources:
  Models:
    Type: AWS::SageMaker::ModelPackageGroup
    {KEPT}
    Properties: {{ModelPackageGroupName: {PREFIX}}}
  UserPool:
    Type: AWS::Cognito::UserPool
    {KEPT}
    Properties: {{UserPoolName: {PREFIX}}}
"""
TEMPLATES = {"storage-processing": STORAGE, "compute-application": USERS}
RETAINED = {"Key", "Alias", "Bucket", "Table", "Secret", "Stream", "Namespace", "LogGroup", "Failures", "Models",
            "UserPool"}  # fmt: skip


def teardown(run: str = "teardown", settings: Settings = SETTINGS) -> Teardown:
    return Teardown(settings, confirm="development", run=run)


def tear_down(name: str, run: str = "teardown") -> list[Retained]:
    """What a stack has left once it is deleted."""
    found = teardown(run)
    found.stack(name).wait_until_idle()
    stack_id = found.start(name)
    if stack_id is not None:
        Stack(found.clients("cloudformation"), stack_id).wait_until_idle()
    return found.finish(name, stack_id)


def tear_down_all(run: str = "teardown") -> list[dict[str, str]]:
    losses = teardown(run).losses()
    left = [item for name in TORN_DOWN for item in tear_down(name, run)]
    return teardown(run).rows(left, losses)


@pytest.fixture
def platform(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two deployed stacks with data in them; afterwards nothing of them is left."""
    log_in_as_root(monkeypatch, emulator)
    use_templates(monkeypatch, TEMPLATES)
    for stack in TEMPLATES:
        deploy(stack)
    s3 = boto3.client("s3")
    for body in (b"first version", b"second version"):
        s3.put_object(Bucket=PREFIX, Key="raw/a.json", Body=body)
    boto3.client("dynamodb").put_item(TableName=PREFIX, Item={"id": {"S": "a"}})
    yield
    for stack in TEMPLATES:
        Stack(boto3.client("cloudformation"), SETTINGS.stack(stack)).delete(f"end-{stack}")
    assert teardown("end").delete_retained() == []


def still_there() -> set[str]:
    found = (item for name in TORN_DOWN for item in teardown().retained(name))
    return {item.logical_id for item in found if not item.obstacle and not item.ending}


def test_production_is_refused_whatever_is_confirmed() -> None:
    for confirm in ("production", "development", ""):
        with pytest.raises(TeardownRefusedError, match="production is never torn down"):
            Teardown(Settings("production", "000000000000", "us-east-1"), confirm=confirm, run="one")


@pytest.mark.parametrize("confirm", ["", "staging", "Development", "yes"])
def test_a_wrong_confirmation_is_refused(confirm: str) -> None:
    with pytest.raises(TeardownRefusedError, match="give the name of the environment, development,"):
        Teardown(SETTINGS, confirm=confirm, run="one")


def test_a_teardown_says_by_name_what_it_keeps(platform: None) -> None:
    rows = tear_down_all()
    assert {row["logical_id"] for row in rows if row["outcome"] == "kept"} == RETAINED
    [lost] = [row for row in rows if row["outcome"] == "lost"]
    assert (lost["logical_id"], lost["name"].rpartition("/")[2]) == ("Queue", PREFIX)
    assert lost["note"].startswith("messages, such as events that failed")
    names = {row["logical_id"]: row["name"] for row in rows}
    assert names["Bucket"] == PREFIX and names["Secret"] == f"{PREFIX}/key"
    assert names["Key"] == names["Alias"] == "alias/concert-platform-development-teardown"
    assert teardown().standing() == []
    assert still_there() == RETAINED


def test_the_deployment_after_a_teardown_imports_what_was_kept_with_its_data(platform: None) -> None:
    tear_down_all()
    for stack in TEMPLATES:
        deploy(stack, run="second")
    found = Stack(boto3.client("cloudformation"), SETTINGS.stack("storage-processing"))
    assert found.status() == "UPDATE_COMPLETE"
    assert found.outputs() == {"TableName": PREFIX}
    assert boto3.client("s3").get_object(Bucket=PREFIX, Key="raw/a.json")["Body"].read() == b"second version"
    assert boto3.client("dynamodb").get_item(TableName=PREFIX, Key={"id": {"S": "a"}})["Item"] == {"id": {"S": "a"}}
    namespace = boto3.client("redshift-serverless").get_namespace(namespaceName=PREFIX)["namespace"]
    assert [role for role in namespace["iamRoles"] if role.endswith(f"role/{PREFIX}")]
    again = Deployment(SETTINGS, run="third").create_change_set("storage-processing")
    assert again.id is None


def test_a_resource_that_cannot_be_imported_stops_the_deployment_with_one_line(platform: None) -> None:
    tear_down_all()
    boto3.client("secretsmanager").delete_secret(SecretId=f"{PREFIX}/key", RecoveryWindowInDays=7)
    try:
        with pytest.raises(ChangeSetError, match=rf"Secret \(SecretsManager::Secret {PREFIX}/key\) waits for") as it:
            deploy("storage-processing", run="second")
        assert "\n" not in str(it.value)
        assert Deployment(SETTINGS, run="second").stack("storage-processing").status() == "MISSING"
    finally:
        boto3.client("secretsmanager").restore_secret(SecretId=f"{PREFIX}/key")


def test_an_import_that_was_killed_before_its_execution_is_gone_on_with(platform: None) -> None:
    tear_down_all()
    second = Deployment(SETTINGS, run="second")
    change_set = second.create_change_set("storage-processing")
    assert change_set.type == "IMPORT" and {row["action"] for row in change_set.changes} == {"Import"}
    assert Deployment(SETTINGS, run="second").create_change_set("storage-processing") == change_set
    deploy("storage-processing", run="second")
    assert boto3.client("s3").get_object(Bucket=PREFIX, Key="raw/a.json")["Body"].read() == b"second version"


def test_an_import_that_nobody_executed_gives_way_to_that_of_another_run_once_it_is_old(
    platform: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "REVIEW_LIFETIME", timedelta(0))
    tear_down_all()
    abandoned = Deployment(SETTINGS, run="second").create_change_set("storage-processing")
    deploy("storage-processing", run="third")
    assert Deployment(SETTINGS, run="third").stack("storage-processing").status() == "UPDATE_COMPLETE"
    assert abandoned.id and still_there() == RETAINED


def test_nothing_is_deleted_while_a_stack_is_there(platform: None) -> None:
    with pytest.raises(CloudFormationError, match="storage-processing-scratch must go first"):
        teardown().delete_retained()


def test_a_teardown_with_its_data_leaves_nothing(platform: None) -> None:
    kms = boto3.client("kms")
    key = kms.describe_key(KeyId="alias/concert-platform-development-teardown")["KeyMetadata"]["KeyId"]
    boto3.client("s3").delete_object(Bucket=PREFIX, Key="raw/a.json")  # a delete marker
    left = [item for name in TORN_DOWN for item in tear_down(name)]
    assert teardown().delete_retained() == []
    rows = teardown().rows(left)
    assert {row["logical_id"]: row["outcome"] for row in rows} == {
        **dict.fromkeys(RETAINED, "deleted"), "Key": "deleted in 7 days",
    }  # fmt: skip
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert still_there() == set()
    assert all(bucket["Name"] != PREFIX for bucket in boto3.client("s3").list_buckets()["Buckets"])
    for stack in TEMPLATES:  # names are free again
        deploy(stack, run="second")
    assert boto3.client("dynamodb").scan(TableName=PREFIX)["Count"] == 0


def test_a_teardown_that_was_killed_goes_on_with_what_is_left(platform: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from concert_platform.cloudformation import stateful

    for number in range(5):
        boto3.client("s3").put_object(Bucket=PREFIX, Key=f"raw/{number}.json", Body=b"{}")
    assert teardown().start("compute-application")  # killed while CloudFormation was at work
    left = [item for name in TORN_DOWN for item in tear_down(name)]
    assert {item.logical_id for item in left} == RETAINED
    monkeypatch.setattr(stateful, "OBJECTS_AT_ONCE", 2)
    batches = stateful._versions

    def killed(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
        yield next(batches(s3, bucket))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stateful, "_versions", killed)
        with pytest.raises(KeyboardInterrupt):
            teardown().delete_retained()
    assert {"Bucket", "Key", "Alias"} <= still_there()
    assert teardown("another run").delete_retained() == []
    assert still_there() == set()
    assert {row["outcome"] for row in teardown("another run").rows(left)} == {"deleted", "deleted in 7 days"}


# ---------------------------------------------------------------- of the same name, and somebody else's

TABLE = f"""Resources:
  Mine:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Delete
    Properties:
      TableName: {PREFIX}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
"""


@pytest.fixture
def payroll(platform: None) -> Iterator[None]:
    """The stacks are gone, and another one has taken over the table that they kept."""
    tear_down_all()
    client = boto3.client("cloudformation")
    client.create_change_set(
        StackName="payroll", ChangeSetName="takes-over", ChangeSetType="IMPORT", TemplateBody=TABLE,
        ResourcesToImport=[{"ResourceType": "AWS::DynamoDB::Table", "LogicalResourceId": "Mine",
                            "ResourceIdentifier": {"TableName": PREFIX}}],
    )  # fmt: skip
    client.get_waiter("change_set_create_complete").wait(
        StackName="payroll", ChangeSetName="takes-over", WaiterConfig=PATIENTLY
    )
    client.execute_change_set(StackName="payroll", ChangeSetName="takes-over")
    assert Stack(client, "payroll").wait_until_idle() == "IMPORT_COMPLETE"
    yield
    Stack(client, "payroll").delete("end-payroll")


def test_a_table_that_another_stack_has_is_not_deleted(payroll: None) -> None:
    failures = teardown().delete_retained()
    assert failures == [f"Table (DynamoDB::Table {PREFIX}) belongs to stack payroll: rename it, or let that stack go"]
    assert boto3.client("dynamodb").scan(TableName=PREFIX)["Count"] == 1
    kept = [(row["logical_id"], row["note"]) for row in teardown().rows([]) if row["outcome"] == "kept"]
    assert kept == [("Table", "belongs to stack payroll: rename it, or let that stack go")]


def test_a_deployment_does_not_advise_to_delete_what_another_stack_has(payroll: None) -> None:
    with pytest.raises(ChangeSetError, match=r"Table \(.*\) belongs to stack payroll") as refused:
        deploy("storage-processing", run="second")
    assert "delete_data" not in str(refused.value)
    assert Deployment(SETTINGS, run="second").stack("storage-processing").status() == "MISSING"


def test_of_two_user_pools_of_one_name_none_is_deleted(platform: None) -> None:
    tear_down_all()
    cognito = boto3.client("cognito-idp")
    second = cognito.create_user_pool(PoolName=PREFIX)["UserPool"]["Id"]
    try:
        [failure] = teardown().delete_retained()
        assert f"UserPool (Cognito::UserPool {PREFIX}) is the name of 2 pools" in failure
        pools = cognito.list_user_pools(MaxResults=10)["UserPools"]
        assert [pool["Name"] for pool in pools].count(PREFIX) == 2
    finally:
        cognito.delete_user_pool(UserPoolId=second)


def test_what_lacks_the_platforms_tags_is_neither_deleted_nor_imported(platform: None) -> None:
    tear_down_all()
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{PREFIX}-failures")["QueueUrl"]
    sqs.untag_queue(QueueUrl=queue, TagKeys=["Environment"])
    with pytest.raises(ChangeSetError, match=r"Failures .* lacks the tags Environment=development: rename it if"):
        deploy("storage-processing", run="second")
    [failure] = teardown().delete_retained()
    assert "Failures" in failure and sqs.get_queue_url(QueueName=f"{PREFIX}-failures")
    sqs.tag_queue(QueueUrl=queue, Tags={"Environment": "development"})


def test_a_key_to_which_the_alias_was_led_by_hand_is_not_deleted(platform: None) -> None:
    tear_down_all()
    kms, alias = boto3.client("kms"), "alias/concert-platform-development-teardown"
    own = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
    other = kms.create_key(Description="somebody else's")["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=other)
    try:
        failures = teardown().delete_retained()
        assert [failure.partition(" ")[0] for failure in failures] == ["Key", "Alias"]
        assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyState"] == "Enabled"
    finally:
        kms.update_alias(AliasName=alias, TargetKeyId=own)


@pytest.mark.parametrize("kind", sorted(TAGS))
def test_the_tags_of_what_a_stack_keeps_are_read_from_its_service(kind: str, platform: None) -> None:
    found = [item for stack in TEMPLATES for item in teardown().retained(stack) if item.type == kind]
    tags = TAGS[kind](teardown().clients, found[0].identifier)
    assert (tags["Project"], tags["Environment"]) == ("concert-platform", "development")
