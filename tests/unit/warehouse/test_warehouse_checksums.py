"""Checksums of the warehouse compare two runs of one input: what only tells when a row was loaded is left out."""

from concert_platform.warehouse.dictionary import tables
from tests.faults.warehouse_checksums import PER_ATTEMPT, RUN_COLUMNS, SCHEMAS

TIMES_OF_THE_DATA = {"start_at", "onsale_at", "updated_at"}  # the source's own, the same in every run


def test_no_moment_of_a_run_is_compared() -> None:
    moments = {
        f"{table.name}.{column.name}"
        for table in tables()
        if table.name.split(".")[0] in SCHEMAS and table.name not in PER_ATTEMPT
        for column in table.columns
        if column.type == "TIMESTAMP" and column.name not in TIMES_OF_THE_DATA | set(RUN_COLUMNS)
    }
    assert moments == set()
