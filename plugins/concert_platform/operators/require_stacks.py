"""First task of each scheduled DAG: without its stacks the run ends skipped instead of failing.

A new DAG fires its last missed tick as soon as it is unpaused, which may be before anything is deployed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.cloudformation.stacks import DEPLOYED
from concert_platform.compat import AirflowSkipException
from concert_platform.settings import settings

if TYPE_CHECKING:
    from airflow.sdk import Context

# An update in progress leaves the stack's resources in place.
USABLE = (*DEPLOYED, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


class RequireStacks(BaseOperator):
    """Skip this task, and so the run, while a stack that the DAG needs is not deployed.

    :param stacks: short names of stacks, such as ``storage-processing``
    """

    def __init__(self, *, stacks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stacks = list(stacks)

    @cached_property
    def client(self) -> Any:
        import boto3

        return boto3.client("cloudformation")

    def execute(self, context: Context) -> None:
        missing = [f"{name} ({status})" for name, status in self.statuses().items() if status not in USABLE]
        if missing:
            raise AirflowSkipException(
                f"not deployed: {', '.join(missing)}; trigger deploy_infrastructure, then this DAG runs"
            )

    def statuses(self) -> dict[str, str]:
        """Status of each stack by full name; ``missing`` for one that does not exist."""
        return {name: self._status(name) for name in map(settings().stack, self.stacks)}

    def _status(self, stack: str) -> str:
        from botocore.exceptions import ClientError

        try:
            return self.client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return "missing"
            raise
