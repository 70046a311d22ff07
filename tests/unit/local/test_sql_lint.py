"""What `make lint` says of SQL that is none, and of the SQL that is there."""

import pytest

from local.lint import redshift, sql_templates


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT 1 FORM core.fact_event", "Invalid expression"),
        ("SELECT (1", "Expecting )"),
        ("VACUUM core.fact_event", "no statement that it knows"),
    ],
)
def test_sql_that_is_no_redshift_is_named(statement: str, found: str) -> None:
    assert found in str(redshift.problem(statement))


def test_statements_are_read_one_by_one() -> None:
    text = "-- it's a comment;\nSELECT ';';\nUNLOAD ($$ SELECT 1; $$) TO 's3://a/b';\nSELECT 2\n"
    assert list(redshift.statements(text)) == ["SELECT ';'", "UNLOAD ($$ SELECT 1; $$) TO 's3://a/b'", "SELECT 2\n"]


def test_every_file_is_filled_in_and_read() -> None:
    """A template that asks for a value without a sample of it would not be linted at all."""
    assert list(redshift.of_all_files()) == []


def test_the_checks_are_those_with_a_header() -> None:
    assert {"name": "event_duplicate", "file": "checks/event_duplicate.sql", "severity": "fail",
            "table": "core.fact_event", "runs": "updated_run_id"} in sql_templates.checks  # fmt: skip
