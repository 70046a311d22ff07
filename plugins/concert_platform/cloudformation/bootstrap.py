"""Stacks from the command line, where no Airflow runs yet or none is left.

Networking comes before the MWAA environment, which stands in its subnets, but after the roles of orchestration: its own
role lies below their boundary, and their deployment role creates and deletes it. So a new environment is made in the
order orchestration without Airflow, networking, Airflow's files, Airflow; and goes in the reverse order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from concert_platform import artifacts
from concert_platform.cloudformation.deployment import Deployment
from concert_platform.cloudformation.environment_files import DIST, VERSIONED, packaged, upload
from concert_platform.cloudformation.errors import CloudFormationError
from concert_platform.cloudformation.retained import find_retained
from concert_platform.cloudformation.stacks import MISSING, ORCHESTRATION, SUCCEEDED
from concert_platform.cloudformation.stateful import clients_of
from concert_platform.cloudformation.teardown import PROTECTED
from concert_platform.cloudformation.templates import (
    ARTIFACTS_PARAMETER,
    OWNER_OF_ARTIFACTS,
    TEMPLATES,
    environment_file,
    load_template,
)

logger = logging.getLogger(__name__)

NETWORKING = "networking"
BOOTSTRAP = (NETWORKING, ORCHESTRATION)
ENVIRONMENT_OUTPUT = "EnvironmentName"
URL_OUTPUT = "AirflowUrl"
BOUNDARY_OUTPUT = "PermissionsBoundaryArn"


def deploy(
    deployment: Deployment, stacks: Sequence[str], dist: Path = DIST, *, allow_replacement: bool = False
) -> None:
    """Bring stacks up to date, in the order given; in production, protect all that are there against deletion.

    :param dist: the built package with Airflow's files
    :param allow_replacement: let resources that hold data be replaced or removed
    :raises PackageMissingError: before anything is touched, when it is not there and orchestration is wanted
    """
    if ORCHESTRATION in stacks:
        packaged(dist)
    if BOUNDARY_OUTPUT not in deployment.outputs(ORCHESTRATION):
        deployment.deploy(ORCHESTRATION)
        logger.info("%s: deployed without Airflow", deployment.settings.stack(ORCHESTRATION))
    for name in stacks:
        deployment.deploy(name, _overrides(deployment, name, dist), allow_replacement=allow_replacement)
        logger.info("%s: deployed", deployment.settings.stack(name))
        if name == OWNER_OF_ARTIFACTS:
            logger.info("published %s", artifacts.publish(deployment.settings.artifacts_bucket))
    if deployment.settings.environment == PROTECTED:
        _protect(deployment)
    if url := deployment.outputs(ORCHESTRATION).get(URL_OUTPUT):
        logger.info("Airflow: %s", url)


def _protect(deployment: Deployment) -> None:
    """Airflow's role may delete stacks, to clear away what a first creation has left, but may not lift this."""
    for name in TEMPLATES:
        described = deployment.stack(name).describe() or {}
        if described.get("StackStatus") in SUCCEEDED and not described.get("EnableTerminationProtection"):
            stack = deployment.settings.stack(name)
            deployment.client.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
            logger.info("%s: protected against deletion", stack)


def _overrides(deployment: Deployment, name: str, dist: Path) -> dict[str, str]:
    if name == ORCHESTRATION:
        return upload(deployment.bucket_client, str(deployment.environment_bucket), dist)
    if ARTIFACTS_PARAMETER in load_template(name).parameters:
        return {ARTIFACTS_PARAMETER: artifacts.build().prefix}
    return {}


def destroy(deployment: Deployment, stacks: Sequence[str], *, confirm: str = "") -> None:
    """Delete one or both of the first stacks and say by name what outlives them.

    :param confirm: the environment's name, without which production is not deleted
    :raises CloudFormationError: before anything is touched: other stacks, production without confirmation, or a stack
        that another one still needs
    """
    _refuse_unconfirmed(deployment, stacks, confirm)
    _refuse_needed(deployment, stacks)
    _lift_protection(deployment, stacks)
    if set(BOOTSTRAP) <= set(stacks) and ENVIRONMENT_OUTPUT in deployment.outputs(ORCHESTRATION):
        deployment.deploy(ORCHESTRATION, dict.fromkeys(VERSIONED.values(), ""), allow_replacement=True)
    for name in stacks:
        deployment.destroy(name)
        kept = ", ".join(_kept(deployment, name)) or "nothing"
        logger.info("%s: deleted; kept: %s", deployment.settings.stack(name), kept)


def _refuse_unconfirmed(deployment: Deployment, stacks: Sequence[str], confirm: str) -> None:
    environment = deployment.settings.environment
    if others := [name for name in stacks if name not in BOOTSTRAP]:
        raise CloudFormationError(
            f"{', '.join(others)} is not deleted from here, only {' and '.join(BOOTSTRAP)}: tear_down_infrastructure "
            "deletes the rest"
        )
    if confirm != environment and (confirm or environment == PROTECTED):
        raise CloudFormationError(
            f"{environment} was not deleted: repeat its name, --confirm {environment}, to delete {' and '.join(stacks)}"
        )


def _refuse_needed(deployment: Deployment, stacks: Sequence[str]) -> None:
    """Everything else stands on these two, and each of these two on the other."""
    others = [name for name in TEMPLATES if name not in stacks]
    if standing := [name for name in others if deployment.stack(name).status() != MISSING]:
        raise CloudFormationError(
            f"{' and '.join(stacks)} cannot be deleted before {', '.join(standing)}: trigger tear_down_infrastructure, "
            f"then run ./deploy_stacks.sh --destroy {deployment.settings.environment} {deployment.settings.region}"
        )


def _lift_protection(deployment: Deployment, stacks: Sequence[str]) -> None:
    """Whoever has repeated production's name has asked for it."""
    for name in stacks:
        if (deployment.stack(name).describe() or {}).get("EnableTerminationProtection"):
            stack = deployment.settings.stack(name)
            deployment.client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)


def _kept(deployment: Deployment, name: str) -> Iterator[str]:
    """What a deleted stack has left; of Airflow also the log groups, which Amazon MWAA made."""
    settings, clients = deployment.settings, clients_of(deployment.settings)
    known = {"Environment": settings.environment, **environment_file(settings.environment)["stacks"].get(name, {})}
    yield from map(str, find_retained(clients, settings, load_template(name), known))
    if name == ORCHESTRATION:
        pages = (
            clients("logs")
            .get_paginator("describe_log_groups")
            .paginate(logGroupNamePrefix=f"airflow-{settings.prefix}-")
        )
        yield from (f"log group {group['logGroupName']}" for page in pages for group in page["logGroups"])
