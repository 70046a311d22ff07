"""What a stack says of one of its resources."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import Stack


class Recorded:
    def __init__(self, **detail: str) -> None:
        self.detail = detail

    def describe_stack_resource(self, *, StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        if not self.detail:
            message = f"Resource {LogicalResourceId} does not exist for stack {StackName}"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStackResource")
        return {"StackResourceDetail": self.detail}


@pytest.mark.parametrize(
    ("client", "expected"),
    [(Recorded(ResourceStatus="CREATE_COMPLETE", PhysicalResourceId="b"), "b"),
     (Recorded(ResourceStatus="DELETE_COMPLETE", PhysicalResourceId="b"), None),
     (Recorded(ResourceStatus="CREATE_IN_PROGRESS", PhysicalResourceId=""), None),
     (Recorded(), None)],
    ids=["there", "deleted by a rollback", "not yet", "never"],
)  # fmt: skip
def test_a_resource_has_a_name_while_it_exists(client: Recorded, expected: str | None) -> None:
    assert Stack(client, "some-stack").physical_id("EnvironmentBucket") == expected
