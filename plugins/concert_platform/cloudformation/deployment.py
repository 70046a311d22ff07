"""Deploy one stack of an environment: clear what a failed creation left, change set, execution, outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

from concert_platform.cloudformation.changes import ChangeSet, create_change_set, execute_change_set, find_change_set
from concert_platform.cloudformation.errors import ChangeSetError, CloudFormationError
from concert_platform.cloudformation.stacks import LEFTOVERS, MISSING, REVIEW, Stack
from concert_platform.cloudformation.templates import (
    TEMPLATES,
    Template,
    environment_file,
    load_template,
    resolve_parameters,
    stack_tags,
)
from concert_platform.settings import Settings

logger = logging.getLogger(__name__)

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
ORCHESTRATION = "orchestration"
FOLDER_OF_LARGE_TEMPLATES = "cloudformation"


class Deployment:
    """The stacks of one environment, as one run deploys them.

    :param run: names the run (an Airflow run id, a time): two tries of one run are the same request to CloudFormation
    """

    def __init__(self, settings: Settings, *, run: str) -> None:
        self.settings = settings
        self.run = run

    @cached_property
    def client(self) -> Any:
        import boto3

        return boto3.client("cloudformation", region_name=self.settings.region)

    def stack(self, name: str) -> Stack:
        return Stack(self.client, self.settings.stack(name))

    def validate(self, name: str) -> None:
        """Let CloudFormation read a template.

        :raises CloudFormationError: when it refuses it
        """
        from botocore.exceptions import ClientError

        try:
            self.client.validate_template(**self._template_argument(load_template(name)))
        except ClientError as error:
            raise CloudFormationError(f"template {name}: {error.response['Error']['Message']}") from error

    def create_change_set(self, name: str, overrides: Mapping[str, str] | None = None) -> ChangeSet:
        """Wait until the stack is idle, clear a failed creation, and work out what would change.

        :param name: short name of the stack
        :param overrides: parameter values that neither the file nor another stack knows; the ones that the template
            does not have are left out
        """
        template, stack = load_template(name), self.stack(name)
        status = stack.wait_until_idle()
        if status == "UPDATE_ROLLBACK_FAILED":
            raise CloudFormationError(
                f"stack {stack.name} is UPDATE_ROLLBACK_FAILED: {stack.first_failure()}; continue the rollback in the "
                "console first"
            )
        after = ""
        if status in LEFTOVERS:
            logger.info("%s is %s: deleting what is left of its first creation", stack.name, status)
            after, status = self._clear(stack), MISSING
        request = self._request(template, stack, status, overrides or {})
        if status == REVIEW and find_change_set(self.client, request, self.run) is None:
            logger.info("%s waits for the review of a change set of another run: deleting it", stack.name)
            after = self._clear(stack)
        try:
            return create_change_set(self.client, request, self.run, after=after)
        except ChangeSetError:
            if stack.status() == REVIEW:  # a new stack of which nothing was created
                self._clear(stack)
            raise

    def execute(self, change_set: ChangeSet) -> None:
        """Start a change set; see Stack.wait_until_idle for its end.

        :raises StackFailedError: when it was executed before and failed
        """
        execute_change_set(self.client, change_set)

    def deploy(self, name: str, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
        """Bring one stack up to date and return its outputs.

        :raises StackFailedError: when CloudFormation rolled back
        """
        change_set = self.create_change_set(name, overrides)
        logger.info("%s", change_set.table())
        stack = self.stack(name)
        if change_set.id is not None:
            self.execute(change_set)
            stack.check_succeeded(stack.wait_until_idle())
        return stack.outputs()

    def destroy(self, name: str) -> None:
        stack = self.stack(name)
        stack.wait_until_idle()
        self._clear(stack)

    def outputs(self, name: str) -> dict[str, str]:
        return self.stack(name).outputs()

    def _request(self, template: Template, stack: Stack, status: str, overrides: Mapping[str, str]) -> dict[str, Any]:
        file = environment_file(self.settings.environment)
        known = {"Environment": self.settings.environment, **overrides}
        request = {
            "StackName": stack.name,
            "ChangeSetType": "CREATE" if status in (MISSING, REVIEW) else "UPDATE",
            "Parameters": resolve_parameters(
                template,
                fixed={
                    **file["stacks"].get(template.name, {}),
                    **{key: value for key, value in known.items() if key in template.parameters},
                },
                outputs=self._outputs_before(template.name),
                previous=stack.parameter_names() if status not in (MISSING, REVIEW) else (),
            ),
            "Tags": stack_tags(self.settings, template.name, file["CostCenter"]),
            "Capabilities": CAPABILITIES,
            **self._template_argument(template),
        }
        role = self._service_role(template.name)
        return {**request, "RoleARN": role} if role else request

    def _outputs_before(self, name: str) -> dict[str, str]:
        """Outputs of every other stack; a parameter is named after the output that it takes."""
        outputs: dict[str, str] = {}
        for other in TEMPLATES[: TEMPLATES.index(name)]:
            outputs |= self.outputs(other)
        return outputs

    def _service_role(self, name: str) -> str | None:
        """The deployment role, which the orchestration stack creates and cannot be deployed with."""
        return None if name == ORCHESTRATION else self.outputs(ORCHESTRATION).get("CloudFormationRoleArn")

    def _template_argument(self, template: Template) -> dict[str, str]:
        if not template.is_large:
            return {"TemplateBody": template.body}
        import boto3

        bucket = self.outputs(ORCHESTRATION).get("EnvironmentBucketName")
        if bucket is None:
            raise CloudFormationError(
                f"template {template.name} is larger than CloudFormation takes inline: deploy orchestration first, "
                "whose bucket it passes through"
            )
        body = template.body.encode()
        key = f"{FOLDER_OF_LARGE_TEMPLATES}/{template.name}-{sha256(body).hexdigest()[:16]}.yaml"
        boto3.client("s3", region_name=self.settings.region).put_object(Bucket=bucket, Key=key, Body=body)
        return {"TemplateURL": f"https://s3.{self.settings.region}.amazonaws.com/{bucket}/{key}"}

    def _clear(self, stack: Stack) -> str:
        """Delete a stack; returns the id that it had. A retry sends the same token, and so the same request."""
        stack_id = (stack.describe() or {}).get("StackId", "")
        stack.delete(sha256(f"{self.run}:{stack_id}".encode()).hexdigest()[:32])
        return stack_id
