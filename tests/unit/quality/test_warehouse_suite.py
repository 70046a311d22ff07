"""The warehouse's suite: a broken check stops, a warning is told, and no result at all is no pass."""

import pytest

from concert_platform.quality.warehouse_suite import CheckResult, validate


def test_a_check_that_rows_break_stops_and_a_warning_does_not() -> None:
    verdict = validate(
        [CheckResult("account_open", "fail", 2), CheckResult("event_duplicate", "fail", 0),
         CheckResult("source_freshness", "warn", 1)],
        "run-1",
    )  # fmt: skip

    assert verdict.stopped == {"account_open": 2}
    assert verdict.warned == {"source_freshness": 1}


def test_the_page_names_run_and_checks() -> None:
    page = validate([CheckResult("account_open", "fail", 0)], "run-7").page

    assert "<html" in page and "account_open" in page and "run-7" in page


def test_no_result_is_an_error_and_no_pass() -> None:
    with pytest.raises(ValueError, match="was not checked"):
        validate([], "run-1")
