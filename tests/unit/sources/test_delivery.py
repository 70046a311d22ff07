"""Names of raw files, the run of a context, and the layouts of the mappings."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml

from concert_platform.resources import resource
from concert_platform.sources.delivery import safe_name
from concert_platform.sources.files import mapping_layouts
from concert_platform.sources.run import IngestRun, ingest_run

CANONICAL = {
    "source", "report_id", "show", "artist", "venue", "city", "country", "period_start", "period_end",
    "period_precision", "performances", "capacity", "tickets_sold", "gross", "currency", "average_price", "top_price",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "taken", "safe"),
    [
        ("week.csv.gz", [], "week.csv.gz"),
        ("week [1].csv", [], "week-1--abcdef01.csv"),
        ("2020/week.csv", [], "2020-week-abcdef01.csv"),
        ("Zürich.parquet", [], "Z-rich-abcdef01.parquet"),
        ("week.csv", ["week.csv"], "week-abcdef01.csv"),
    ],
)
def test_raw_name_holds_only_plain_characters_and_stays_unique(name: str, taken: list[str], safe: str) -> None:
    assert safe_name(name, taken, "abcdef0123456789") == safe


def context(as_of: str | None) -> dict:
    run = SimpleNamespace(run_id="manual__2026-05-06T07:08:09+00:00", run_after=datetime(2026, 5, 6, tzinfo=UTC))
    return {"dag_run": run, "params": {"as_of": as_of}}


def test_run_takes_its_day_from_the_param_else_from_run_after() -> None:
    slug = "manual-2026-05-06t07-08-09-00-00"
    assert ingest_run(context("2020-03-04")) == IngestRun("2020-03-04", slug)
    assert ingest_run(context(None)) == IngestRun("2026-05-06", slug)


def test_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="day is out of range"):
        ingest_run(context("2020-02-30"))


def test_every_mapping_fills_every_canonical_column_by_one_rule() -> None:
    assert set(mapping_layouts()) == {"broadway_weekly_grosses", "canonical", "taylor_swift_tours"}
    for name in mapping_layouts():
        document = yaml.safe_load((resource("include/mappings") / f"{name}.yaml").read_text("utf-8"))
        assert document["columns"].keys() == CANONICAL, name
        for rule in document["columns"].values():
            assert len(rule) == 1 and rule.keys() <= {"column", "value", "expression"}, name
