"""Metrics by the embedded metric format: CloudWatch takes them from the log, without a call."""

from __future__ import annotations

import json
import os
import sys
import time

NAMESPACE = "ConcertPlatform"


def emit(**counts: int) -> None:
    """Write one count per metric name, for the function's environment."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Environment"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in counts],
    }
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    document = {"_aws": aws, "Environment": os.environ["ENVIRONMENT"], **counts}
    sys.stdout.write(json.dumps(document) + "\n")
