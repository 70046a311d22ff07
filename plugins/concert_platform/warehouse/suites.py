"""What a suite of checks has found in the warehouse: judged by Great Expectations, its page kept. No Airflow import."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from concert_platform.quality.warehouse_suite import CheckResult, validate
from concert_platform.settings import settings
from concert_platform.warehouse.data_api import client, query

log = logging.getLogger(__name__)
_RESULTS_SQL = """
SELECT expectation, failed FROM quality.check_result WHERE run_id = :run_id AND suite = :suite ORDER BY expectation
"""


@dataclass(frozen=True)
class Judgement:
    """
    :param checks: how many the suite has
    :param broken: checks of severity fail that rows break, with their number, as text; empty when there is none
    :param page: URI of the suite's page of Data Docs
    """

    checks: int
    broken: str
    page: str


@contextmanager
def expectations_loading() -> Iterator[None]:
    """Import Great Expectations, which takes seconds, while the warehouse works."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(import_module, "great_expectations")
        yield


def judge(suite: str, run_id: str, dt: str, checks: Sequence[Mapping[str, Any]], subject: str) -> Judgement:
    """Judge the results that a run has kept in quality.check_result; its page goes beside those of curation.

    :param checks: name and severity of each
    :param subject: what is checked, for the log's warnings
    """
    severities = {check["name"]: check["severity"] for check in checks}
    results = query(_RESULTS_SQL, run_id=run_id, suite=suite)
    verdict = validate([CheckResult(name, severities[name], failed) for name, failed in results], run_id, suite)
    page = _keep_page(suite, run_id, dt, verdict.page)
    for name, rows in verdict.warned.items():
        log.warning("check %s of the %s warns: %s rows, see %s", name, subject, rows, page)
    broken = ", ".join(f"{name} ({rows} rows)" for name, rows in verdict.stopped.items())
    return Judgement(len(results), broken, page)


def _keep_page(suite: str, run_id: str, dt: str, page: str) -> str:
    bucket, key = settings().curated_bucket, f"curated/_data_docs/dt={dt}/run={run_id}/{suite}.html"
    client("s3").put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
    return f"s3://{bucket}/{key}"
