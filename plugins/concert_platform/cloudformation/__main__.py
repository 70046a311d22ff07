"""Command line: `python -m concert_platform.cloudformation deploy|destroy|outputs ENVIRONMENT REGION [STACK]`.

Without STACK, the two stacks that Airflow itself needs: networking, then orchestration. The DAG deploy_infrastructure
deploys the others; naming one here deploys it without Airflow. `outputs` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from concert_platform import artifacts
from concert_platform.cloudformation.deployment import Deployment
from concert_platform.cloudformation.errors import CloudFormationError
from concert_platform.cloudformation.templates import TEMPLATES, load_template
from concert_platform.settings import ENVIRONMENTS, Settings

BOOTSTRAP = ("networking", "orchestration")
ARTIFACTS_PARAMETER = "ArtifactsPrefix"
OWNER_OF_ARTIFACTS = "storage-processing"

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 a stack failed, 2 wrong usage."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("botocore", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = _parser().parse_args(arguments)
    stacks = [options.stack] if options.stack else list(BOOTSTRAP)
    try:
        deployment = _deployment(options.environment, options.region)
        globals()[f"_{options.command}"](deployment, stacks)
    except CloudFormationError as error:
        logger.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m concert_platform.cloudformation", description=__doc__)
    parser.add_argument("command", choices=["deploy", "destroy", "outputs"])
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("region", help="AWS region, such as us-east-1")
    parser.add_argument("stack", nargs="?", choices=TEMPLATES, help="networking, then orchestration when not given")
    return parser


def _deployment(environment: str, region: str) -> Deployment:
    import boto3

    account_id = boto3.client("sts", region_name=region).get_caller_identity()["Account"]
    settings = Settings(environment=environment, account_id=account_id, region=region)
    return Deployment(settings, run=datetime.now(UTC).isoformat())


def _deploy(deployment: Deployment, stacks: Sequence[str]) -> None:
    for name in stacks:
        overrides = {}
        if ARTIFACTS_PARAMETER in load_template(name).parameters:
            overrides[ARTIFACTS_PARAMETER] = artifacts.build().prefix
        deployment.deploy(name, overrides)
        logger.info("%s: deployed", deployment.settings.stack(name))
        if name == OWNER_OF_ARTIFACTS:
            logger.info("published %s", artifacts.publish(deployment.settings.artifacts_bucket))


def _destroy(deployment: Deployment, stacks: Sequence[str]) -> None:
    for name in stacks:
        deployment.destroy(name)
        logger.info("%s: deleted; buckets, keys and tables that hold data are kept", deployment.settings.stack(name))


def _outputs(deployment: Deployment, stacks: Sequence[str]) -> None:
    found = {name: deployment.outputs(name) for name in stacks}
    sys.stdout.write(json.dumps(found, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
