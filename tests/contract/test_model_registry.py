"""SageMaker's model registry: versions are kept, found, approved and refused as on AWS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import Emulator

STACK, GROUP = "contract-registry", "contract-versions"
TEMPLATE = {"Resources": {"Models": {"Type": "AWS::SageMaker::ModelPackageGroup",
                                     "Properties": {"ModelPackageGroupName": GROUP}}}}  # fmt: skip
MODEL = "s3://models/sales/job/output/model.tar.gz"


@pytest.fixture
def group(emulator: Emulator) -> Iterator[str]:
    cloudformation, sagemaker = emulator.client("cloudformation"), emulator.client("sagemaker")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    yield GROUP
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=GROUP):
        for package in page["ModelPackageSummaryList"]:
            sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def register(emulator: Emulator, **changes: Any) -> str:
    wanted = {
        "ModelPackageGroupName": GROUP,
        "InferenceSpecification": {"Containers": [{"Image": "any", "ModelDataUrl": MODEL}]},
        **changes,
    }
    return emulator.client("sagemaker").create_model_package(**wanted)["ModelPackageArn"]


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_versions_of_a_group_are_numbered_from_one_and_no_number_comes_twice(emulator: Emulator, group: str) -> None:
    first, second = register(emulator), register(emulator)
    assert first == f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/1"
    assert second.endswith("/2")
    emulator.client("sagemaker").delete_model_package(ModelPackageName=second)
    assert register(emulator).endswith("/3")


def test_a_version_keeps_what_it_was_registered_with(emulator: Emulator, group: str) -> None:
    arn = register(emulator, CustomerMetadataProperties={"version": "2020-03-04-0a"}, ModelPackageDescription="night")
    found = emulator.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert found["ModelPackageGroupName"] == group
    assert found["ModelPackageVersion"] == 1
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageStatus"] == "Completed"
    assert found["CustomerMetadataProperties"] == {"version": "2020-03-04-0a"}
    assert found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == MODEL


def test_a_repeated_client_token_makes_no_second_version(emulator: Emulator, group: str) -> None:
    assert register(emulator, ClientToken="night-1") == register(emulator, ClientToken="night-1")
    assert register(emulator, ClientToken="night-2").endswith("/2")


def test_a_status_changes_with_its_reason_and_properties_are_merged(emulator: Emulator, group: str) -> None:
    sagemaker = emulator.client("sagemaker")
    arn = register(emulator, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="worse than the champion",
        CustomerMetadataProperties={"c": "3"}, CustomerMetadataPropertiesToRemove=["a"],
    )  # fmt: skip
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == "Rejected"
    assert found["ApprovalDescription"] == "worse than the champion"
    assert found["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert found["LastModifiedTime"] >= found["CreationTime"]


def test_the_newest_approved_version_is_found_by_filter_and_order(emulator: Emulator, group: str) -> None:
    for status in ("Approved", "Approved", "Rejected"):
        register(emulator, ModelApprovalStatus=status)
    sagemaker = emulator.client("sagemaker")
    [newest] = sagemaker.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]  # fmt: skip
    assert newest["ModelPackageVersion"] == 2
    numbers = [
        item["ModelPackageVersion"]
        for item in sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    ]
    assert numbers == [1, 2, 3], "ascending by creation without being asked"


def test_pages_hold_every_version_once_even_while_they_are_deleted(emulator: Emulator, group: str) -> None:
    sagemaker = emulator.client("sagemaker")
    for _ in range(5):
        register(emulator)
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, PaginationConfig={"PageSize": 2}
    )
    seen = []
    for page in pages:
        for package in page["ModelPackageSummaryList"]:
            seen.append(package["ModelPackageVersion"])
            sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    assert seen == [1, 2, 3, 4, 5]


def test_what_aws_refuses_is_refused(emulator: Emulator, group: str) -> None:
    sagemaker = emulator.client("sagemaker")
    arn = register(emulator)
    code, message = refusal(sagemaker.list_model_packages, ModelPackageGroupName="nobody")
    assert (code, message) == ("ValidationException", "ModelPackageGroup nobody does not exist.")
    code, message = refusal(sagemaker.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Perfect")
    assert code == "ValidationException"
    assert "'Perfect' at 'modelApprovalStatus'" in message
    unknown = arn.replace("/1", "/99")
    assert "does not exist" in refusal(sagemaker.describe_model_package, ModelPackageName=unknown)[1]
    assert "does not exist" in refusal(sagemaker.update_model_package, ModelPackageArn=unknown)[1]
    assert "does not exist" in refusal(sagemaker.delete_model_package, ModelPackageName=unknown)[1]
    named = {"InferenceSpecification": {"Containers": [{"Image": "any", "ModelDataUrl": MODEL}]}}
    assert "does not exist" in refusal(sagemaker.create_model_package, ModelPackageGroupName="nobody", **named)[1]
    for wrong in ({"note": "x" * 257}, {"note": "50 %"}):
        assert "note" in refusal(
            sagemaker.create_model_package, ModelPackageGroupName=group, CustomerMetadataProperties=wrong, **named
        )[1]  # fmt: skip


def test_a_group_with_versions_cannot_be_deleted_and_keeps_its_stack(emulator: Emulator, group: str) -> None:
    sagemaker, cloudformation = emulator.client("sagemaker"), emulator.client("cloudformation")
    register(emulator)
    code, message = refusal(sagemaker.delete_model_package_group, ModelPackageGroupName=group)
    assert (code, "still has model packages" in message) == ("ConflictException", True)
    cloudformation.delete_stack(StackName=STACK)
    with pytest.raises(Exception, match="DELETE_FAILED"):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupName"] == group


def test_versions_are_kept_over_a_restart(own_emulator: Emulator) -> None:
    cloudformation = own_emulator.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    register(own_emulator, ModelApprovalStatus="Approved")
    own_emulator.restart()
    found = own_emulator.client("sagemaker").list_model_packages(ModelPackageGroupName=GROUP)
    assert [item["ModelApprovalStatus"] for item in found["ModelPackageSummaryList"]] == ["Approved"]
    assert register(own_emulator).endswith("/2")
