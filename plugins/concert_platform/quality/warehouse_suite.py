"""The Great Expectations suite of the warehouse, on the results of include/sql/checks. No Airflow import.

A check's query counts the rows that break its rule where the rows are; what comes here is one number per check. So the
suite is one row with a column per check, and each of its expectations says that the number is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SUITE = "warehouse"
SEVERITIES = {"fail": "critical", "warn": "warning"}  # of a check's header -> of an expectation


@dataclass(frozen=True)
class CheckResult:
    """What the query of one check has found.

    :param severity: fail | warn, as the check's header says
    :param broken: rows that break the rule
    """

    name: str
    severity: str
    broken: int


@dataclass(frozen=True)
class Verdict:
    """Outcome of the suite.

    :param stopped: checks of severity `fail` that rows break, with their number
    :param warned: the same of severity `warn`
    :param page: the result as a page of Data Docs (HTML)
    """

    stopped: dict[str, int]
    warned: dict[str, int]
    page: str


def validate(results: Sequence[CheckResult], run_id: str, name: str = SUITE) -> Verdict:
    """Judge the results of all checks.

    :param name: of the suite
    :raises ValueError: when there is none, since a suite without expectations would pass
    """
    if not results:
        raise ValueError(f"no check of suite {name} has a result: the warehouse was not checked")
    # Importing them takes seconds, so they are loaded only here.
    import great_expectations as gx
    import pandas as pd
    from great_expectations import expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe(name).get_batch(
        batch_parameters={"dataframe": pd.DataFrame([{item.name: item.broken for item in results}])}
    )
    suite = gx.ExpectationSuite(
        name,
        expectations=[
            gxe.ExpectColumnMaxToBeBetween(
                column=item.name, min_value=0, max_value=0, severity=SEVERITIES[item.severity]
            )
            for item in results
        ],
    )
    outcome = batch.validate(suite, result_format="BASIC")
    failed = {item.expectation_config.kwargs["column"] for item in outcome.results if not item.success}
    broken = {
        severity: {item.name: item.broken for item in results if item.name in failed and item.severity == severity}
        for severity in SEVERITIES
    }
    return Verdict(broken["fail"], broken["warn"], page(outcome, run_id))


def page(outcome: Any, run_id: str) -> str:
    """A suite's result as Great Expectations' own page."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    outcome.meta["run_id"] = {"run_name": run_id, "run_time": None}
    return str(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(outcome)))
