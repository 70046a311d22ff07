"""The warehouse through the Redshift Data API, and the SQL files of include/sql that run there. No Airflow import.

data_api.py     query, execute_batch run SQL and wait; submit_query, submit_batch, wait, rows, cancel in steps
sql_files.py    render: SQL files to statements, values checked by filters
migrations.py   the numbered files of include/sql/migrations, applied once and recorded
loads.py        what load_warehouse needs to know of each curated partition, and its transactions
suites.py       what a suite of checks has found, judged by Great Expectations
gates.py        the marts and checks after a load, and the note that there was none
"""

from concert_platform.warehouse.data_api import (
    FINISHED,
    LONGEST_SQL,
    MOST_STATEMENTS,
    TERMINAL,
    UNSUCCESSFUL,
    StatementFailedError,
    cancel,
    client_token,
    describe,
    execute_batch,
    failure,
    query,
    rows,
    submit_batch,
    submit_query,
    wait,
)
from concert_platform.warehouse.gates import MART_FILES, CheckFailedError, check, checks, record_failure, refresh_marts
from concert_platform.warehouse.loads import (
    ENTITIES,
    ReportMissingError,
    RunOfAnotherDayError,
    loads_of,
    transactions,
)
from concert_platform.warehouse.migrations import MigrationError, migrate
from concert_platform.warehouse.sql_files import render, split

__all__ = [
    "ENTITIES",
    "FINISHED",
    "LONGEST_SQL",
    "MART_FILES",
    "MOST_STATEMENTS",
    "TERMINAL",
    "UNSUCCESSFUL",
    "CheckFailedError",
    "MigrationError",
    "ReportMissingError",
    "RunOfAnotherDayError",
    "StatementFailedError",
    "cancel",
    "check",
    "checks",
    "client_token",
    "describe",
    "execute_batch",
    "failure",
    "loads_of",
    "migrate",
    "query",
    "record_failure",
    "refresh_marts",
    "render",
    "rows",
    "split",
    "submit_batch",
    "submit_query",
    "transactions",
    "wait",
]
