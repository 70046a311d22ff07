"""Great Expectations gate: the suite of an entity, run against what was written, before anybody sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

from pyspark.sql import DataFrame

from concert_etl.data_docs import page
from concert_etl.errors import GateError

CRITICAL = "critical"
LONGEST_DETAIL = 500  # characters
LOCK = Lock()


@dataclass(frozen=True)
class Check:
    """Result of one expectation: a row of checks.json.

    :param checked: rows looked at
    :param failed: rows that do not meet it
    """

    run_id: str
    dt: str
    suite: str
    expectation: str
    column_name: str
    checked: int
    failed: int
    success: bool
    detail: str
    severity: str

    def row(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """Results of a suite, and its page of Data Docs (HTML)."""

    suite: str
    checks: list[Check]
    page: str


@cache
def _context() -> Any:
    """Importing it takes seconds, so it is loaded only here."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def validate(
    frame: DataFrame,
    suite: str,
    *,
    dt: str,
    run_id: str,
    rows: int,
    records: int,
) -> Outcome:
    """Run a suite of include/expectations.

    :param rows: rows that the accounts say were written
    :param records: records that the manifests count
    """
    with LOCK:  # its registries are not made for threads; the Spark jobs of the validation itself are
        context = _context()
        import great_expectations as gx
        from great_expectations import expectations as gxe

        expectations = import_module(f"expectations.{suite}").expectations(gxe, rows=rows, records=records)
        source = context.data_sources.add_or_update_spark(f"{suite} {dt} {run_id}", persist=False)
        definition = source.add_dataframe_asset(suite).add_batch_definition_whole_dataframe(suite)
        batch = definition.get_batch(batch_parameters={"dataframe": frame})
    suite_of_run = gx.ExpectationSuite(suite, expectations=expectations)
    found = batch.validate(suite_of_run, result_format="BOOLEAN_ONLY")
    if not found.success:
        # Counts and examples of bad values cost a Spark job an expectation: asked for only when there are some.
        found = batch.validate(suite_of_run, result_format="BASIC")
    checks = [_check(item, suite=suite, dt=dt, run_id=run_id, rows=rows) for item in found.results]
    with LOCK:
        return Outcome(suite, checks, page(found, run_id))


def require_success(checks: Sequence[Check], report_uri: str) -> None:
    """Stop at the first failed critical expectation.

    :raises GateError: naming suite, expectation and counts
    """
    failed = [check for check in checks if not check.success and check.severity == CRITICAL]
    if failed:
        first, more = failed[0], f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise GateError(
            f"gate {first.suite} of {first.dt} run {first.run_id}: {first.expectation}({first.column_name}) failed for "
            f"{first.failed:,} of {first.checked:,} rows{more}: nothing is published, see {report_uri}",
            [check.row() for check in checks],
        )


def _check(item: Any, *, suite: str, dt: str, run_id: str, rows: int) -> Check:
    config, result, success = item.expectation_config, item.result or {}, bool(item.success)
    options = config.kwargs
    pair = [options[name] for name in ("column_A", "column_B") if name in options]
    raised = (item.exception_info or {}).get("exception_message")
    return Check(
        run_id=run_id,
        dt=dt,
        suite=suite,
        expectation=config.type,
        column_name=options.get("column") or ",".join(options.get("column_list") or pair),
        # Of an empty frame some counts are None.
        checked=int(result.get("element_count") or rows),
        failed=int(result.get("unexpected_count") or 0) if success else int(result.get("unexpected_count") or 1),
        success=success,
        detail=str(raised or _detail(result, success))[:LONGEST_DETAIL],
        severity=str(getattr(config.severity, "value", config.severity)),
    )


def _detail(result: dict[str, Any], success: bool) -> str:
    if success:
        return ""
    if "observed_value" in result:
        return f"observed {result['observed_value']}"
    return f"for example {result.get('partial_unexpected_list', [])[:3]}"
