"""Command line: `python -m concert_platform.cloudformation deploy|destroy|outputs ENVIRONMENT REGION [STACK]`.

Without STACK, the two stacks that Airflow itself needs: networking, then orchestration. The DAG deploy_infrastructure
deploys the others; naming one here, or `all`, deploys it without Airflow. `destroy` takes these two only, or one of
them, and production only with `--confirm production`. `outputs` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from concert_platform.cloudformation import bootstrap
from concert_platform.cloudformation.deployment import Deployment
from concert_platform.cloudformation.environment_files import DIST
from concert_platform.cloudformation.explanations import explained
from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.settings import ENVIRONMENTS, Settings

ALL = "all"

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 a stack failed, 2 wrong usage."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("botocore", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "destroy" and options.stack not in (None, *bootstrap.BOOTSTRAP):
        parser.error("destroy takes networking, orchestration or neither: tear_down_infrastructure deletes the rest")
    stacks = {None: bootstrap.BOOTSTRAP, ALL: TEMPLATES}.get(options.stack, (options.stack,))
    try:
        deployment = _deployment(options.environment, options.region)
        if options.command == "deploy":
            bootstrap.deploy(deployment, stacks, options.dist, allow_replacement=options.allow_replacement)
        elif options.command == "destroy":
            bootstrap.destroy(deployment, stacks, confirm=options.confirm)
        else:
            found = {name: deployment.outputs(name) for name in stacks}
            sys.stdout.write(json.dumps(found, indent=2, sort_keys=True) + "\n")
    except Exception as error:
        if not (line := explained(error)):
            raise
        logger.error("%s", line)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m concert_platform.cloudformation", description=__doc__)
    parser.add_argument("command", choices=["deploy", "destroy", "outputs"])
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("region", help="AWS region, such as us-east-1")
    parser.add_argument("stack", nargs="?", choices=[*TEMPLATES, ALL], help="the two that Airflow needs, if not given")
    parser.add_argument("--confirm", default="", metavar="ENVIRONMENT", help="its name again, to destroy production")
    parser.add_argument("--dist", type=Path, default=DIST, help="package that `make package` has built")
    parser.add_argument(
        "--allow-replacement", action="store_true", help="let resources that hold data be replaced or removed"
    )
    return parser


def _deployment(environment: str, region: str) -> Deployment:
    import boto3

    session = boto3.session.Session(region_name=region)
    account_id = session.client("sts").get_caller_identity()["Account"]
    settings = Settings(environment, account_id, region, session.get_partition_for_region(region))
    return Deployment(settings, run=datetime.now(UTC).isoformat())


if __name__ == "__main__":
    sys.exit(main())
