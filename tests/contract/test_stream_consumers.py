"""A stream feeds a function as on AWS: order, poison, partial answers, limits, failure records, restarts.

The function under test is told by each record what to do, and writes every batch that it gets as one item of a table.
"""

import itertools
import json
import re
import signal
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.contract.conftest import PATIENTLY, Emulator
from tests.deadlines import until

CODE = """
import base64, json, os, time
import boto3

table = boto3.client("dynamodb")

def handler(event, context):
    records = [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
    document = json.dumps({
        "shard": event["Records"][0]["eventID"].partition(":")[0], "ids": [record["id"] for record in records],
        "at": time.time(), "request": context.aws_request_id, "role": event["Records"][0]["invokeIdentityArn"]})
    table.put_item(TableName="NAME", Item={"id": {"S": str(time.time_ns())}, "batch": {"S": document}})
    time.sleep(max(record.get("sleep", 0) for record in records))
    if any(record.get("raise") for record in records):
        raise ValueError("poison")
    if any(record.get("malformed") for record in records):
        return {"batchItemFailures": [{"itemIdentifier": ""}]}
    return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}
                                  for record, told in zip(event["Records"], records) if told.get("back")]}
"""
STREAM, FUNCTION, QUEUE, TOPIC = (
    {"Fn::GetAtt": ["Stream", "Arn"]}, {"Fn::GetAtt": ["Function", "Arn"]}, {"Fn::GetAtt": ["Queue", "Arn"]},
    {"Ref": "Topic"},
)  # fmt: skip
DEFAULTS = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 1}
REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
BISECTS = {"BisectBatchOnFunctionError": True}
RETRIES = {"MaximumRetryAttempts": 1}
TO_QUEUE, TO_TOPIC = ({"DestinationConfig": {"OnFailure": {"Destination": one}}} for one in (QUEUE, TOPIC))


def template(name: str, mapping: dict[str, Any], shards: int = 1) -> dict[str, Any]:
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    actions = ["dynamodb:PutItem", "sqs:SendMessage", "sns:Publish"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    return {
        "Resources": {
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": shards}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
            "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
                "Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                     "Resource": QUEUE}]}}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, "Subscription": [
                {"Protocol": "sqs", "Endpoint": QUEUE}]}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
                "TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {
                "RoleName": name, "AssumeRolePolicyDocument": trust,
                "Policies": [{"PolicyName": "main", "PolicyDocument": may}]}},
            "Function": {"Type": "AWS::Lambda::Function", "DependsOn": "Table", "Properties": {
                "FunctionName": name, "Runtime": "python3.12", "Handler": "index.handler", "Timeout": 600,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": CODE.replace("NAME", name)}}},
            "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
                "EventSourceArn": STREAM, "FunctionName": {"Ref": "Function"}, **DEFAULTS, **mapping}},
        },
        "Outputs": {"Mapping": {"Value": {"Ref": "Mapping"}}, "Queue": {"Value": {"Ref": "Queue"}},
                    "Stream": {"Value": STREAM}, "Function": {"Value": FUNCTION}},
    }  # fmt: skip


class Consumer:
    """A stream with a function that reads it."""

    def __init__(self, emulator: Emulator, name: str, outputs: dict[str, str]) -> None:
        self.emulator, self.name, self.outputs = emulator, name, outputs

    def put(self, *records: dict[str, Any], key: str = "one") -> list[str]:
        """Sequence numbers of what was put, all at once."""
        entries = [{"Data": json.dumps(record).encode(), "PartitionKey": key} for record in records]
        answer = self.emulator.client("kinesis").put_records(StreamName=self.name, Records=entries)
        return [record["SequenceNumber"] for record in answer["Records"]]

    def batches(self) -> list[dict[str, Any]]:
        """What the function got, call by call."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=self.name)
        items = sorted((item for page in pages for item in page["Items"]), key=lambda item: int(item["id"]["S"]))
        return [json.loads(item["batch"]["S"]) for item in items]

    def ids(self) -> list[list[int]]:
        return [batch["ids"] for batch in self.batches()]

    def wait_for(self, record_id: int, seconds: float = 240) -> list[list[int]]:
        """Ids, batch by batch, once a record has come."""
        until(lambda: any(record_id in batch for batch in self.ids()), seconds)
        return self.ids()

    def letters(self, count: int = 1, seconds: float = 240) -> list[dict[str, Any]]:
        """Documents of the failure queue, which keeps them."""
        sqs, found, deadline = self.emulator.client("sqs"), [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            answer = sqs.receive_message(
                QueueUrl=self.outputs["Queue"], WaitTimeSeconds=1, MaxNumberOfMessages=10, VisibilityTimeout=60
            )
            found += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        return found


@pytest.fixture
def consume(emulator: Emulator, deploy_stack: Callable) -> Callable[..., Consumer]:
    """consume(**properties of the mapping) -> Consumer"""

    def make(shards: int = 1, **mapping: Any) -> Consumer:
        name = f"stream-{uuid.uuid4().hex[:8]}"
        return Consumer(emulator, name, deploy_stack(template(name, mapping, shards), name))

    return make


def metric_sum(consumer: Consumer, name: str, since: float) -> float:
    answer = consumer.emulator.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName=name, Dimensions=[{"Name": "FunctionName", "Value": consumer.name}],
        StartTime=since - 60, EndTime=time.time() + 60, Period=60, Statistics=["Sum"],
    )  # fmt: skip
    return sum(point["Sum"] for point in answer["Datapoints"])


def numbered(*ids: int, **told: Any) -> list[dict[str, Any]]:
    return [{"id": one, **told} for one in ids]


def by_ten(poison: int, **told: Any) -> list[dict[str, Any]]:
    return [{"id": one, **(told if one == poison else {})} for one in range(10)]


# ---------------------------------------------------------------- order and batches


def test_each_shard_comes_in_order_and_in_batches(consume: Callable) -> None:
    consumer = consume(shards=3, BatchSize=4)
    expected: dict[str, list[int]] = {}
    for number in range(60):
        expected.setdefault(f"key-{number % 7}", []).append(number)
        consumer.put({"id": number}, key=f"key-{number % 7}")
    for ids in expected.values():
        consumer.wait_for(ids[-1])
    batches = consumer.batches()
    seen = [number for batch in batches for number in batch["ids"]]
    assert sorted(seen) == list(range(60)) and max(len(batch["ids"]) for batch in batches) == 4
    assert len({batch["shard"] for batch in batches}) > 1
    for ids in expected.values():  # one key lies in one shard
        assert [number for number in seen if number in ids] == ids
    assert {batch["role"] for batch in batches} == {f"arn:aws:iam::000000000000:role/{consumer.name}"}


def test_a_full_batch_does_not_wait_for_the_window_and_another_does(consume: Callable) -> None:
    consumer = consume(MaximumBatchingWindowInSeconds=300)  # more than a record is waited for
    consumer.put(*numbered(*range(10)))
    assert consumer.wait_for(9) == [list(range(10))]
    window = {"UUID": consumer.outputs["Mapping"], "MaximumBatchingWindowInSeconds": 3}
    consumer.emulator.client("lambda").update_event_source_mapping(**window)
    started = time.time()
    consumer.put({"id": 10})
    assert consumer.wait_for(10)[1:] == [[10]]
    assert consumer.batches()[1]["at"] - started > 2.5


def test_one_shard_does_not_wait_for_another(consume: Callable) -> None:
    consumer = consume(shards=2, MaximumBatchingWindowInSeconds=0)
    kinesis = consumer.emulator.client("kinesis")
    for record, hash_key in (({"id": 0, "sleep": 500}, "0"), ({"id": 1}, str(2**128 - 1))):
        kinesis.put_record(
            StreamName=consumer.name, PartitionKey="k", ExplicitHashKey=hash_key, Data=json.dumps(record).encode()
        )
    consumer.wait_for(0)
    assert [1] in consumer.wait_for(1)


@pytest.mark.parametrize(("starting", "first"), [("TRIM_HORIZON", 0), ("LATEST", 2)])
def test_where_a_mapping_starts(consume: Callable, emulator: Emulator, starting: str, first: int) -> None:
    consumer = consume(Enabled=False)
    consumer.put(*numbered(0, 1))
    functions = emulator.client("lambda")
    mapping = functions.create_event_source_mapping(
        EventSourceArn=consumer.outputs["Stream"], FunctionName=consumer.name, StartingPosition=starting
    )
    try:
        consumer.put(*numbered(2, 3))  # before anything has polled
        found = consumer.wait_for(3)
        assert [number for batch in found for number in batch] == list(range(first, 4))
        assert mapping["BatchSize"] == 100  # AWS's default for streams
    finally:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_records_of_another_kind_are_filtered_out(consume: Callable) -> None:
    pattern = json.dumps({"data": {"id": [{"numeric": [">", 2]}]}})
    consumer = consume(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    consumer.put(*numbered(*range(6)))
    assert consumer.wait_for(5) == [[3, 4, 5]]


# ---------------------------------------------------------------- functions that fail


def test_poison_in_a_batch_of_ten_is_isolated(consume: Callable) -> None:
    consumer = consume(**BISECTS, **RETRIES, **TO_QUEUE)
    numbers = consumer.put(*by_ten(6, **{"raise": True}))
    consumer.put({"id": 10})
    found = consumer.wait_for(10)
    assert found == [
        [*range(10)], [*range(5)], [*range(5, 10)], [5, 6], [5], [6], [6], [7, 8, 9], [10],
    ]  # fmt: skip
    letter = consumer.letters()[0]
    place = letter["KinesisBatchInfo"]
    assert (place["startSequenceNumber"], place["endSequenceNumber"], place["batchSize"]) == (numbers[6], numbers[6], 1)
    assert letter["requestContext"]["approximateInvokeCount"] == 2


def test_a_partial_answer_gives_back_from_the_first_failure_on(consume: Callable) -> None:
    consumer = consume(**REPORTS, **RETRIES, **TO_QUEUE)
    numbers = consumer.put(*[{"id": one, "back": one in (4, 7)} for one in range(10)])
    consumer.put({"id": 10})
    assert consumer.wait_for(10) == [[*range(10)], [*range(4, 10)], [10]]
    letter = consumer.letters()[0]
    place = letter["KinesisBatchInfo"]
    assert (place["startSequenceNumber"], place["endSequenceNumber"], place["batchSize"]) == (numbers[4], numbers[9], 6)
    assert letter["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


def test_a_split_at_the_first_failure_costs_no_retry(consume: Callable) -> None:
    consumer = consume(**REPORTS, **BISECTS, **RETRIES)
    consumer.put(*by_ten(4, back=True))
    consumer.put({"id": 10})
    assert consumer.wait_for(10) == [[*range(10)], [*range(4, 10)], [*range(4, 10)], [10]]


def test_an_answer_without_a_number_gives_back_the_batch(consume: Callable) -> None:
    consumer = consume(**REPORTS, **RETRIES)
    consumer.put(*by_ten(4, malformed=True))
    consumer.put({"id": 10})
    assert consumer.wait_for(10) == [[*range(10)], [*range(10)], [10]]


def test_without_reports_a_partial_answer_is_a_success(consume: Callable) -> None:
    consumer = consume(**RETRIES)
    consumer.put(*by_ten(4, back=True))
    consumer.put({"id": 10})
    assert consumer.wait_for(10) == [[*range(10)], [10]]


def test_the_failure_destination_gets_awss_document(consume: Callable) -> None:
    consumer = consume(**RETRIES, **TO_QUEUE)
    began = time.time()
    numbers = consumer.put(*by_ten(0, **{"raise": True}))
    letter = consumer.letters()[0]
    request, place = consumer.batches()[-1]["request"], letter["KinesisBatchInfo"]
    moments = [letter["timestamp"], *(place[f"approximateArrivalOf{which}Record"] for which in ("Last", "First"))]
    assert moments == sorted(moments, reverse=True)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment) for moment in moments)
    assert letter == {
        "requestContext": {
            "requestId": request, "functionArn": consumer.outputs["Function"],
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": moments[0],
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[9],
            "approximateArrivalOfFirstRecord": moments[2], "approximateArrivalOfLastRecord": moments[1],
            "batchSize": 10, "streamArn": consumer.outputs["Stream"],
        },
    }  # fmt: skip
    metrics = {name: metric_sum(consumer, name, began) for name in ("Invocations", "Errors", "Throttles")}
    assert metrics == {"Invocations": 2, "Errors": 2, "Throttles": 0}


def test_a_topic_may_be_the_failure_destination(consume: Callable) -> None:
    consumer = consume(MaximumRetryAttempts=0, **TO_TOPIC)
    consumer.put({"id": 0, "raise": True})
    message = json.loads(consumer.letters()[0]["Message"])
    assert message["requestContext"]["approximateInvokeCount"] == 1


def test_a_role_that_may_not_send_loses_the_document_and_not_the_stream(consume: Callable, emulator: Emulator) -> None:
    consumer = consume(MaximumRetryAttempts=0, **TO_QUEUE)
    began = time.time()
    emulator.client("iam").put_role_policy(RoleName=consumer.name, PolicyName="main", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}]}))  # fmt: skip
    consumer.put({"id": 0, "raise": True})
    consumer.wait_for(0)
    consumer.put({"id": 1})
    consumer.wait_for(1)
    assert consumer.letters(seconds=1) == []
    assert metric_sum(consumer, "DestinationDeliveryFailures", began) == 1


def test_an_old_record_is_given_up_and_a_young_one_is_not(consume: Callable) -> None:
    consumer = consume(MaximumRecordAgeInSeconds=60, Enabled=False, **TO_QUEUE)
    (old,) = consumer.put({"id": 0})
    mapping = {"UUID": consumer.outputs["Mapping"], "MaximumRecordAgeInSeconds": 4}
    time.sleep(4.5)  # the record's age, of which there is no other way
    consumer.emulator.client("lambda").update_event_source_mapping(**mapping, Enabled=True)
    young = itertools.count(1)

    def has_come() -> bool:  # on a slow machine some of them get old as well
        consumer.put({"id": next(young)})
        return bool(consumer.ids())

    until(has_come)
    assert not any(0 in batch for batch in consumer.ids())
    letter = consumer.letters()[0]
    assert letter["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in letter and letter["KinesisBatchInfo"]["startSequenceNumber"] == old


def test_a_throttled_function_costs_no_retry(consume: Callable) -> None:
    consumer = consume(MaximumRetryAttempts=0, **TO_QUEUE)
    functions, began = consumer.emulator.client("lambda"), time.time()
    functions.put_function_concurrency(FunctionName=consumer.name, ReservedConcurrentExecutions=0)
    consumer.put({"id": 0})
    until(lambda: metric_sum(consumer, "Throttles", began) >= 2)
    functions.delete_function_concurrency(FunctionName=consumer.name)
    assert consumer.wait_for(0) == [[0]]
    until(lambda: metric_sum(consumer, "Invocations", began) == 1)  # counted when it has ended
    assert metric_sum(consumer, "Errors", began) == 0


# ---------------------------------------------------------------- restarts and refusals


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_goes_on_where_the_function_was(consume: Callable, emulator: Emulator, with_signal: int) -> None:
    """The half that is done does not come again after a stop; what a killed emulator had not saved may."""
    consumer = consume(**BISECTS, MaximumRetryAttempts=1000)
    consumer.put(*[{"id": one, "raise": one == 7} for one in range(10)])
    until(lambda: [7] in consumer.ids())
    if with_signal == signal.SIGKILL:
        emulator.wait_until_saved()
    before = len(consumer.ids())
    emulator.restart(with_signal)
    consumer.put({"id": 10})
    until(lambda: [7] in consumer.ids()[before:])
    assert {tuple(ids) for ids in consumer.ids()[before:]} == {(7,)}  # 8, 9 and 10 wait behind it
    functions = emulator.client("lambda")
    functions.update_event_source_mapping(UUID=consumer.outputs["Mapping"], MaximumRetryAttempts=0)
    assert [ids for ids in consumer.wait_for(10)[before:] if ids != [7]] == [[8, 9], [10]]


def status(cloudformation: Any, name: str) -> str:
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


@pytest.mark.parametrize("asked", [
    {"ParallelizationFactor": 2}, {"TumblingWindowInSeconds": 10},
    {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}},
])  # fmt: skip
def test_what_is_not_done_here_is_refused(consume: Callable, emulator: Emulator, asked: dict[str, Any]) -> None:
    consumer = consume()
    functions = emulator.client("lambda")
    with pytest.raises(ClientError, match="The local AWS has no"):
        functions.update_event_source_mapping(UUID=consumer.outputs["Mapping"], **asked)
    changed = template(consumer.name, asked)
    cloudformation = emulator.client("cloudformation")
    cloudformation.update_stack(
        StackName=consumer.name, TemplateBody=json.dumps(changed), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    with pytest.raises(WaiterError, match="UPDATE_ROLLBACK"):
        cloudformation.get_waiter("stack_update_complete").wait(StackName=consumer.name, WaiterConfig=PATIENTLY)
    until(lambda: status(cloudformation, consumer.name) == "UPDATE_ROLLBACK_COMPLETE")
