"""The run report: what the main job has done, asked from Airflow and, through the Data API, from the warehouse."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import boto3

from local.bootstrap import ROOT, STATE
from local.platform import processes, services
from local.platform.main_job import CHAIN, JobOutcome, seconds
from local.platform.state import RUN_REPORT, PlatformError, read_json, write_json

ACCOUNT_SQL = ROOT / "include" / "sql" / "checks" / "account.sql"
QUALITY_SQL = """
    SELECT suite, SUM(checked) AS checked, SUM(failed) AS failed
    FROM quality.check_result WHERE run_id = :run_id GROUP BY suite ORDER BY suite
"""
MODEL_SQL = """
    SELECT name, version, metrics, baseline FROM ml.model_registry WHERE run_id = :run_id ORDER BY name
"""
POLL_SECONDS = 0.1
ENDED = ("FINISHED", "FAILED", "ABORTED")


class Warehouse:
    """Asks the warehouse through the Redshift Data API, as any client of it would."""

    def __init__(self, ports: dict[str, int]) -> None:
        environment = services.client_environment(ports)
        self._client = boto3.client(
            "redshift-data",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def query(self, sql: str, **parameters: str) -> list[list[Any]]:
        """Rows of one statement.

        :raises PlatformError: when it fails
        """
        bound = {"Parameters": [{"name": name, "value": value} for name, value in parameters.items()]}
        statement = self._client.execute_statement(
            WorkgroupName=f"{services.PREFIX}-warehouse", Database="concerts", Sql=sql, **(bound if parameters else {})
        )["Id"]
        while (state := self._client.describe_statement(Id=statement))["Status"] not in ENDED:
            time.sleep(POLL_SECONDS)
        if state["Status"] != "FINISHED":
            raise PlatformError(f"the warehouse refused a question of the run report: {state.get('Error')}")
        pages = self._client.get_paginator("get_statement_result").paginate(Id=statement)
        return [[_value(field) for field in record] for page in pages for record in page["Records"]]


def _value(field: dict[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))


def write(outcome: JobOutcome, ports: dict[str, int]) -> dict[str, Any]:
    """Write .local/run-report.json; returns its content."""
    finished = datetime.now(UTC)
    chain = [run for run in outcome.runs if run["dag_id"] in CHAIN]
    setup = STATE / "setup_seconds"
    report: dict[str, Any] = {
        "started_at": outcome.started_at.isoformat(timespec="seconds"),
        "finished_at": finished.isoformat(timespec="seconds"),
        "setup_seconds": float(setup.read_text()) if setup.exists() else 0.0,
        "job_seconds": round((finished - outcome.started_at).total_seconds(), 1),
        "state": "success" if outcome.succeeded else "failed",
        "reasons": outcome.reasons,
        "resident_mb": round(processes.resident_megabytes()),
        "dags": [
            {
                "dag_id": run["dag_id"],
                "run_id": run["dag_run_id"],
                "state": run["state"],
                "seconds": round(seconds(run), 1),
            }
            for run in chain
        ],
        "sources": [],
        "quality": [],
        "models": [],
    }
    if outcome.succeeded:
        report |= _from_warehouse(Warehouse(ports), outcome)
    write_json(RUN_REPORT, report)
    return report


def _from_warehouse(warehouse: Warehouse, outcome: JobOutcome) -> dict[str, Any]:
    slug = outcome.run_id.lower().replace("__", "-").replace("_", "-")
    accounts = warehouse.query(ACCOUNT_SQL.read_text().rstrip().rstrip(";"))
    return {
        "sources": [
            {
                "source": source,
                "entity": entity,
                "read": int(read),
                "loaded": int(loaded),
                "quarantined": int(quarantined),
                "deduplicated": int(deduplicated),
            }
            for source, entity, read, loaded, quarantined, deduplicated, *_ in accounts
        ],
        "quality": [
            {"suite": suite, "checked": int(checked), "failed": int(failed)}
            for suite, checked, failed in warehouse.query(QUALITY_SQL, run_id=slug)
        ],
        "models": [
            {"name": name, "version": version, "metrics": json.loads(metrics), "baseline": json.loads(baseline)}
            for name, version, metrics, baseline in warehouse.query(MODEL_SQL, run_id=slug)
        ],
    }


def open_accounts(report: dict[str, Any]) -> list[str]:
    """Sources whose account does not close: read = loaded + quarantined + deduplicated."""
    return [
        f"{row['source']}/{row['entity']}: read {row['read']:,}, accounted for "
        f"{row['loaded'] + row['quarantined'] + row['deduplicated']:,}"
        for row in report["sources"]
        if row["read"] != row["loaded"] + row["quarantined"] + row["deduplicated"]
    ]


def last() -> dict[str, Any] | None:
    return read_json(RUN_REPORT)
