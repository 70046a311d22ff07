"""The run report: what the main job has done, asked from Airflow and, through the Data API, from the warehouse."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import boto3

from local.bootstrap import ROOT, STATE
from local.platform import postgres, processes, services
from local.platform.main_job import CHAIN, JobOutcome, seconds
from local.platform.state import RUN_REPORT, PlatformError, read_json, write_json

ACCOUNT_SQL = ROOT / "include" / "sql" / "checks" / "account.sql"
QUALITY_SQL = """
    SELECT suite, SUM(checked) AS checked, SUM(failed) AS failed
    FROM quality.check_result WHERE run_id = :run_id GROUP BY suite ORDER BY suite
"""
MODEL_SQL = """
    SELECT name, version, status, reason, metrics, baseline, run_id = :run_id, NVL(published_run_id, '') = :run_id
    FROM ml.model_registry WHERE run_id = :run_id OR published_run_id = :run_id ORDER BY name, version
"""
RECOMMENDED_SQL = """
    SELECT COUNT(*), NVL(SUM(CASE WHEN listed.places >= 10 THEN 1 ELSE 0 END), 0)
    FROM (SELECT DISTINCT user_id FROM core.fact_interaction WHERE source = 'lastfm') AS listener
    LEFT JOIN (
        SELECT user_id, COUNT(*) AS places FROM ml.recommendation WHERE algorithm = 'hybrid' GROUP BY user_id
    ) AS listed ON listed.user_id = listener.user_id
"""
UPCOMING_SQL = """
    SELECT COUNT(DISTINCT event.event_id), COUNT(DISTINCT forecast.concert_id)
    FROM core.fact_event AS event
    LEFT JOIN ml.sales_forecast AS forecast ON forecast.concert_id = event.event_id AND forecast.run_id = :run_id
    WHERE event.event_date > (SELECT MAX(as_of) FROM ml.sales_forecast WHERE run_id = :run_id)
"""
BASIS_SQL = """
    SELECT basis, capacity_basis, COUNT(*) FROM ml.sales_forecast WHERE run_id = :run_id
    GROUP BY basis, capacity_basis ORDER BY basis, capacity_basis
"""
VENUES_SQL = """
    SELECT evidence, COUNT(*) FROM ml.venue_analysis WHERE run_id = :run_id GROUP BY evidence ORDER BY evidence
"""
LEAST_RECOMMENDED = 0.95  # of the Last.fm users
LEAST_UPCOMING = 30  # events
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
            WorkgroupName=f"{services.PREFIX}-warehouse",
            Database=postgres.WAREHOUSE,
            Sql=sql,
            **(bound if parameters else {}),
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
        "scores": {},
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
            {
                "name": name,
                "version": version,
                "status": status,
                "reason": reason,
                "trained": bool(trained),
                "serves": bool(serves),
                "metrics": json.loads(metrics),
                "baseline": json.loads(baseline),
            }
            for name, version, status, reason, metrics, baseline, trained, serves in warehouse.query(
                MODEL_SQL, run_id=slug
            )
        ],
        "scores": _scores(warehouse, slug),
    }


def _scores(warehouse: Warehouse, slug: str) -> dict[str, Any]:
    """What the run has published, counted where it lies."""
    [[listeners, served]] = warehouse.query(RECOMMENDED_SQL)
    [[upcoming, forecast]] = warehouse.query(UPCOMING_SQL, run_id=slug)
    return {
        "lastfm_users": int(listeners),
        "lastfm_users_with_10_recommendations": int(served),
        "upcoming_events": int(upcoming),
        "upcoming_events_with_forecast": int(forecast),
        "forecasts": [
            {"basis": basis, "capacity_basis": capacity_basis, "events": int(events)}
            for basis, capacity_basis, events in warehouse.query(BASIS_SQL, run_id=slug)
        ],
        "venues_analysed": {evidence: int(venues) for evidence, venues in warehouse.query(VENUES_SQL, run_id=slug)},
    }


def published(report: dict[str, Any]) -> list[str]:
    """The counts of the scores, a line for each kind."""
    if not (scores := report["scores"]):
        return []
    users, served = scores["lastfm_users"], scores["lastfm_users_with_10_recommendations"]
    upcoming, forecast = scores["upcoming_events"], scores["upcoming_events_with_forecast"]
    bases = ", ".join(f"{row['events']} {row['basis']} on seats {row['capacity_basis']}" for row in scores["forecasts"])
    venues = ", ".join(f"{count} {evidence}" for evidence, count in scores["venues_analysed"].items())
    return [
        f"recommendations: {served:,} of {users:,} Last.fm users have 10",
        f"forecasts: {forecast} of {upcoming} upcoming events ({bases})",
        f"venues analysed, by evidence: {venues or 'none'}",
    ]


def shortfalls(report: dict[str, Any]) -> list[str]:
    """What the scores of the samples should reach and do not."""
    scores = report["scores"]
    if not scores:
        return []
    users, served = scores["lastfm_users"], scores["lastfm_users_with_10_recommendations"]
    found = []
    if served < LEAST_RECOMMENDED * users:
        found.append(f"{served:,} of {users:,} Last.fm users have 10 recommendations: at least 95 % should")
    if scores["upcoming_events"] < LEAST_UPCOMING:
        found.append(f"{scores['upcoming_events']} events are upcoming: at least {LEAST_UPCOMING} should be")
    if scores["upcoming_events_with_forecast"] < scores["upcoming_events"]:
        missing = scores["upcoming_events"] - scores["upcoming_events_with_forecast"]
        found.append(f"{missing} upcoming events have no forecast")
    return found


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
