"""Job arguments, as awsglue.utils gives them."""

from __future__ import annotations

import argparse


class GlueArgumentError(Exception):
    """A required job argument is missing."""


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, str]:
    """Values of the named options in ``sys.argv``; others are left alone.

    Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html

    :raises GlueArgumentError: when an option is missing
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in dict.fromkeys(["JOB_NAME", "JOB_RUN_ID", *options]):
        parser.add_argument(f"--{name}")
    found = {name: value for name, value in vars(parser.parse_known_args(args[1:])[0]).items() if value is not None}
    missing = [name for name in options if name not in found]
    if missing:
        raise GlueArgumentError(f"the following arguments are required: {', '.join(missing)}")
    return found
