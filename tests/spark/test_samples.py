"""The whole job on the project's own samples."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def compiled(spark: Any) -> Iterator[None]:
    """Expressions as on Glue: for so many rows it takes less time to compile them."""
    setting = "spark.sql.codegen.factoryMode"
    before = spark.conf.get(setting)
    spark.conf.set(setting, "FALLBACK")
    yield
    spark.conf.set(setting, before)


@pytest.mark.usefixtures("compiled")
def test_samples_give_the_counts_that_the_sources_imply(deliver: Any, run_whole_job: Any) -> None:
    pages = {path.name: path.read_bytes() for path in (SAMPLES / "api_payloads/ticketmaster").glob("events_*.json")}
    events = {name: len(json.loads(body).get("_embedded", {}).get("events", [])) for name, body in pages.items()}
    tours = (SAMPLES / "taylor_swift_tours/taylor_swift_tours.csv").read_bytes()
    nights = sum(1 for _ in csv.DictReader(io.StringIO(tours.decode())))
    weeks = (SAMPLES / "broadway_weekly_grosses/broadway_weekly_grosses.csv.gz").read_bytes()
    plays = (SAMPLES / "lastfm/interactions.tsv.gz").read_bytes()
    deliver("ticketmaster", "event", pages, events)
    deliver("broadway_weekly_grosses", "box_office", {"weeks.csv.gz": weeks}, {"weeks.csv.gz": 44535})
    deliver("taylor_swift_tours", "box_office", {"tours.csv": tours}, {"tours.csv": nights})
    deliver("canonical", "box_office", {}, {})
    deliver("lastfm", "interaction", {"plays.tsv.gz": plays}, {"plays.tsv.gz": 92834})

    outcome = run_whole_job()

    found = {key: (row["read"], row["quarantined"], row["deduplicated"]) for key, row in outcome.accounts.items()}
    assert found == {
        ("ticketmaster", "event"): (sum(events.values()), 0, 0),
        ("broadway_weekly_grosses", "box_office"): (44535, 125, 0),
        ("taylor_swift_tours", "box_office"): (nights, 36, 116),
        ("canonical", "box_office"): (0, 0, 0),
        ("lastfm", "interaction"): (92834, 0, 0),
    }
    rows = {name: entity["rows"] for name, entity in outcome.report["entities"].items() if entity["rows"]}
    matches = rows.pop("identity_match")
    assert rows == {"event": sum(events.values()), "box_office": 44535 - 125 + nights - 36 - 116, "interaction": 92834}
    assert matches == outcome.rows("identity_match").select("entity", "source", "source_id").distinct().count()
    assert [check for check in outcome.checks if not check["success"]] == []
