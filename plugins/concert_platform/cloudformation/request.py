"""What CreateChangeSet is asked for: template, parameters, tags and role of a stack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from concert_platform import artifacts
from concert_platform.cloudformation.errors import CloudFormationError, MissingOutputError, MissingParameterError
from concert_platform.cloudformation.retained import import_template
from concert_platform.cloudformation.stacks import MISSING, ORCHESTRATION, REVIEW
from concert_platform.cloudformation.templates import (
    TEMPLATES,
    Template,
    environment_file,
    load_template,
    resolve_parameters,
    stack_tags,
)

if TYPE_CHECKING:
    from concert_platform.cloudformation.deployment import Deployment

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
BUCKET, BUCKET_OUTPUT = "EnvironmentBucket", "EnvironmentBucketName"
FOLDER_OF_LARGE_TEMPLATES = "cloudformation"


def change_set_request(deployment: Deployment, template: Template, overrides: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of CreateChangeSet without its name.

    :param overrides: parameter values; the ones that the template does not have are left out
    :raises ParameterError: when a parameter has no value, or a value no parameter
    """
    stack, settings = deployment.stack(template.name), deployment.settings
    file = environment_file(settings.environment)
    known = {"Environment": settings.environment, **overrides}
    is_new = stack.status() in (MISSING, REVIEW)
    request = {
        "StackName": stack.name,
        "ChangeSetType": "CREATE" if is_new else "UPDATE",
        "Parameters": _parameters(
            deployment,
            template,
            {
                **file["stacks"].get(template.name, {}),
                **{key: value for key, value in known.items() if key in template.parameters},
            },
            previous=() if is_new else stack.parameter_names(),
        ),
        "Tags": stack_tags(settings, template.name, file["CostCenter"]),
        "Capabilities": CAPABILITIES,
        **template_argument(deployment, template),
    }
    role = _service_role(deployment, template.name)
    return {**request, "RoleARN": role} if role else request


def _parameters(
    deployment: Deployment, template: Template, fixed: Mapping[str, str], *, previous: Sequence[str]
) -> list[dict[str, Any]]:
    earlier = TEMPLATES[: TEMPLATES.index(template.name)]
    outputs: dict[str, str] = {}
    for name in earlier:  # a parameter is named after the output that it takes
        outputs |= deployment.outputs(name)
    try:
        return resolve_parameters(template, fixed=fixed, outputs=outputs, previous=previous)
    except MissingParameterError as error:
        owners = {
            output: name for name in earlier for output in load_template(name).outputs if output in error.names
        }  # fmt: skip
        if set(owners) != set(error.names):
            raise
        raise MissingOutputError(
            f"template {template.name} needs {', '.join(owners)}: deploy {', '.join(sorted(set(owners.values())))} as "
            "its template is now first"
        ) from error


def _service_role(deployment: Deployment, name: str) -> str | None:
    """The deployment role, which the orchestration stack creates and cannot be deployed with."""
    return None if name == ORCHESTRATION else deployment.outputs(ORCHESTRATION).get("CloudFormationRoleArn")


def needs_bucket(deployment: Deployment, template: Template) -> bool:
    """Whether a template would have to pass through a bucket that only it can make."""
    return template.name == ORCHESTRATION and template.is_large and deployment.environment_bucket is None


def template_argument(deployment: Deployment, template: Template) -> dict[str, str]:
    """The template itself, or where a large one lies; of one that makes that bucket, the part that makes it.

    :raises CloudFormationError: when there is no bucket yet
    """
    if not template.is_large:
        return {"TemplateBody": template.body}
    if needs_bucket(deployment, template):
        return {"TemplateBody": bucket_template(template.body)}
    bucket = deployment.environment_bucket
    if bucket is None:
        raise CloudFormationError(
            f"template {template.name} is larger than CloudFormation takes inline: deploy orchestration first, "
            "whose bucket it passes through"
        )
    body = template.body.encode()
    key = f"{FOLDER_OF_LARGE_TEMPLATES}/{template.name}-{sha256(body).hexdigest()[:16]}.yaml"
    if not artifacts.exists(deployment.bucket_client, bucket, key):
        deployment.bucket_client.put_object(Bucket=bucket, Key=key, Body=body)
    return {"TemplateURL": f"https://s3.{deployment.settings.region}.amazonaws.com/{bucket}/{key}"}


def is_part(template: Template, request: Mapping[str, Any]) -> bool:
    """Whether a request holds not the whole template, but the part through whose bucket the rest passes."""
    return request.get("TemplateBody", template.body) != template.body


def bucket_template(body: str) -> str:
    """The part of the orchestration template that makes the bucket through which the rest of it passes."""
    part = import_template(body, {BUCKET})
    return json.dumps({**part, "Outputs": {BUCKET_OUTPUT: {"Value": {"Ref": BUCKET}}}}, separators=(",", ":"))
