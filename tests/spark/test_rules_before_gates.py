"""What a critical expectation demands of a column, a record rule demands of each record first: one odd record is put
aside by itself and holds up no run."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from concert_etl import artist, box_office, event, interaction, setlist, venue
from concert_etl.entities import ENTITIES
from concert_etl.gates import CRITICAL
from concert_etl.rules import judge

SUITES = Path(__file__).parents[2] / "include" / "expectations"
# They judge what the job itself has counted or resolved, not records.
DERIVED = {"drift", "identity_match", "raw"}
# The texts that the rules of an entity see, by canonical name.
TEXTS = {
    "event": (event, event.TEXTS), "artist": (artist, artist.TEXTS), "venue": (venue, venue.TEXTS),
    "setlist": (setlist, setlist.TEXTS), "box_office": (box_office, box_office.CANONICAL),
    "interaction": (interaction, interaction.COLUMNS),
}  # fmt: skip
OF_THE_JOB = {"artist_id", "venue_id", "ingested_at", "run_id", "song_position", "warning"}
GOOD = {
    "string": "x", "date": date(2020, 5, 6), "timestamp": datetime(2020, 5, 6, tzinfo=UTC), "boolean": True,
    "int": 1, "bigint": 1, "double": 1.0, "decimal(12,2)": Decimal(1), "decimal(14,2)": Decimal(1),
}  # fmt: skip


def made_by_the_job(entity: str) -> set[str]:
    """Columns that a record has no part in; a box-office report names its source itself."""
    return OF_THE_JOB if entity == "box_office" else OF_THE_JOB | {"source"}


def good_row(entity: str) -> dict[str, Any]:
    return {name: GOOD[kind] for name, kind in ENTITIES[entity].columns.items()} | (
        {"period_precision": "day"} if entity == "box_office" else {}
    )


def violations(entity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Changes of a good row that a critical expectation does not let pass."""
    from great_expectations import expectations as gxe

    for item in import_module(f"expectations.{entity}").expectations(gxe, rows=1, records=1):
        options = item.configuration.kwargs
        kind = item.configuration.type
        if item.severity != CRITICAL or kind == "expect_table_row_count_to_equal":
            continue
        if kind == "expect_compound_columns_to_be_unique":
            assert set(options["column_list"]) == set(ENTITIES[entity].key), "repeats of a key are deduplicated"
        elif kind == "expect_column_pair_values_a_to_be_greater_than_b":
            larger, smaller = options["column_A"], options["column_B"]
            row = good_row(entity)
            higher = date(2021, 1, 1) if isinstance(row[smaller], date) else row[smaller] + 1
            yield f"{larger} below {smaller}", {smaller: higher}
        elif options["column"] not in made_by_the_job(entity):
            yield from ((f"{options['column']} {value}", {options["column"]: value}) for value in bad(kind, options))


def bad(kind: str, options: dict[str, Any]) -> list[Any]:
    if kind == "expect_column_values_to_not_be_null":
        return [None]
    if kind == "expect_column_values_to_be_in_set":
        return ["neither"]
    assert kind == "expect_column_values_to_be_between", f"{kind} is new here: say what breaks it"
    least, most = options.get("min_value"), options.get("max_value")
    below = [] if least is None else [least if options.get("strict_min") else least - 1]
    return below + ([] if most is None else [most + 1])


def typed(kind: str, value: Any) -> Any:
    """A bad value as the frame takes it: an expectation has its bounds as doubles."""
    convert = {"decimal": Decimal, "double": float, "int": int, "bigint": int}.get(kind.partition("(")[0])
    return convert(value) if convert and value is not None else value


def test_every_suite_is_that_of_an_entity_or_of_what_the_job_derives() -> None:
    assert {path.stem for path in SUITES.glob("[a-z]*.py")} == {*ENTITIES, *DERIVED} == {*TEXTS, *DERIVED}


@pytest.mark.parametrize("entity", sorted(TEXTS))
def test_a_record_that_a_gate_would_stop_at_breaks_a_rule_of_its_own(spark: Any, entity: str) -> None:
    module, names = TEXTS[entity]
    songs = ", ".join(f"{name}: {ENTITIES['setlist'].columns[name]}" for name in setlist.SONG_COLUMNS)
    columns = {**ENTITIES[entity].columns, "_songs": f"array<struct<{songs}>>"}
    cases = [("a good record", {}), *violations(entity)]
    rows = []
    for case, change in cases:
        row = good_row(entity) | change
        values = [typed(kind, row.get(name)) for name, kind in columns.items()]
        texts = [None if row.get(name, "x") is None else str(row.get(name, "x")) for name in names]
        rows.append((case, None, tuple(texts), *values))
    text = ", ".join(f"{name}: string" for name in names)
    schema = f"_case string, _malformed string, _text struct<{text}>, " + ", ".join(
        f"{name} {kind}" for name, kind in columns.items()
    )

    judged = judge(spark.createDataFrame(rows, schema), module.RULES).select("_case", "_broken").collect()

    assert len(cases) > 3
    assert [row["_case"] for row in judged if row["_broken"] is None] == ["a good record"]
