"""What load_warehouse needs to know of each curated partition, and the transactions that load it. No Airflow import.

A partition is loaded by one transaction for each of its entities, which may run side by side: each has temporary
staging tables and a lock of its own. A last one brings the dimensions up to date and marks the partition as loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from concert_platform.partitions import Partition
from concert_platform.settings import settings
from concert_platform.warehouse.data_api import StatementFailedError, client, query
from concert_platform.warehouse.sql_files import render

ENTITIES = ("artist", "venue", "event", "setlist", "box_office", "interaction", "identity_match")
_KNOWN_SQL = "SELECT DISTINCT entity, dt FROM quality.load_audit WHERE run_id = :run_id AND status <> 'failed'"


class ReportMissingError(RuntimeError):
    """Curation has not published the run that is to be loaded."""


class RunOfAnotherDayError(RuntimeError):
    """The warehouse has a run of that id from another day, whose rows this load would take for its own."""


class Transactions(NamedTuple):
    """:param entities: entity -> statements, in any order and side by side; :param closing: after all of them"""

    entities: dict[str, list[str]]
    closing: list[str]


def loads_of(wanted: Iterable[Partition]) -> list[dict[str, Any]]:
    """Values for the files of one load, per curated run, in the order of the partitions.

    :param wanted: a partition without a run id stands for every curated run of its day
    :raises ReportMissingError: when a named run was never published
    """
    keys = dict.fromkeys(key for partition in wanted for key in _report_keys(partition))  # a day and a run of it
    loads = [_load(key) for key in keys]
    first: dict[str, str] = {}  # run -> the day that is loaded before the others
    for load in loads:
        if (day := first.setdefault(load["run_id"], load["dt"])) != load["dt"]:
            load["other_days"] = sorted({*load["other_days"], day})
    return loads


def transactions(values: Mapping[str, Any]) -> Transactions:
    """The statements of one load.

    :param values: an entry of `loads_of`
    :raises RunOfAnotherDayError: when the run was loaded with another day: rows are withdrawn by its id alone
    """
    if other_days := values.get("other_days"):
        raise RunOfAnotherDayError(
            f"run {values['run_id']} of {values['dt']} is not loaded: the warehouse has a run of that id from "
            f"{', '.join(other_days)}, whose rows it would take out; docs/faults.md says how to bring the day again"
        )
    entities = {entity: render([f"load/{entity}.sql"], entity=entity, **values) for entity in values["entities"]}
    return Transactions(entities, render(["load/close_load.sql"], **values))


def _report_keys(partition: Partition) -> list[str]:
    prefix = f"curated/_reports/dt={partition.date}/run="
    if partition.run_id is not None:
        return [f"{prefix}{partition.run_id}.json"]
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=settings().curated_bucket, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def _load(key: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        answer = client("s3").get_object(Bucket=settings().curated_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        raise ReportMissingError(
            f"s3://{settings().curated_bucket}/{key} does not exist: curate_concerts has not published that run"
        ) from None
    report = json.loads(answer["Body"].read())
    manifests = {entity: report["entities"].get(entity, {}).get("manifest_uri") for entity in ENTITIES}
    known, days = _known(report["run_id"])
    delivered = {entity for entity, manifest in manifests.items() if manifest} | _accounted(report["accounts_uri"])
    return {
        "report_etag": answer["ETag"].strip('"'),
        "dt": report["dt"],
        "run_id": report["run_id"],
        "records": report.get("records", 0),
        "manifests": manifests,
        # What an earlier load brought and this one does not deliver any more is taken out by a transaction as well.
        "entities": [entity for entity in ENTITIES if entity in delivered | known],
        "known": sorted(known),
        "other_days": sorted(days - {report["dt"]}),
        "accounts_uri": report["accounts_uri"],
        "checks_uri": report["checks_uri"],
        "quarantine_manifest_uri": report.get("quarantine_manifest_uri"),
    }


def _known(run_id: str) -> tuple[set[str], set[str]]:
    """Entities that an earlier load of the run has brought, whole or in part, and the run's days as of those loads."""
    try:
        rows = query(_KNOWN_SQL, run_id=run_id)
    except StatementFailedError as error:
        if "does not exist" in str(error):
            return set(), set()
        raise
    known = {entity for entity, _ in rows} | ({"identity_match"} if rows else set())  # which has no account
    return known, {day.isoformat() for _, day in rows}


def _accounted(accounts_uri: str) -> set[str]:
    """Entities of which the run has an account, be it of rejected records alone."""
    bucket, _, key = accounts_uri.removeprefix("s3://").partition("/")
    body = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return {json.loads(line)["entity"] for line in body.splitlines() if line.strip()}
