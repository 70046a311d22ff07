"""The measured report: blocks of the document, and a page that stands alone."""

from __future__ import annotations

import itertools
import re
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_venues import reports as venue_reports

from ml.recommender import evaluate as evaluate_recommender
from ml.recommender.data import read_dataset
from ml.report import measure, nightly, page, tables
from ml.venues import analysis
from ml.venues import evaluate as evaluate_venues
from ml.venues import features as venue_features
from ml.venues import model as venue_model
from tests.unit.ml import synthetic_listeners

ROOT = Path(__file__).parents[3]


def sales_rows() -> pd.DataFrame:
    random = np.random.default_rng(1)
    ends = pd.date_range("2016-05-29", periods=70, freq="7D")
    frames = [
        pd.DataFrame(
            {
                "show": f"Show {act}", "artist_id": f"show {act}", "period_end": ends, "capacity": 8000.0,
                "actual": random.uniform(5000, 8000, len(ends)), "known": np.arange(len(ends)),
            }
        )
        for act in range(3)
    ]  # fmt: skip
    rows = pd.concat(frames, ignore_index=True)
    predicted = rows["actual"] * 0.97
    return rows.assign(predicted=predicted, lower=predicted - 500, upper=predicted + 500)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("listeners")
    synthetic_listeners.write(folder, users=120, items=80, plays=20)
    data = read_dataset(folder / "train.tsv", folder / "tags.tsv", folder / "friends.tsv")
    rows = venue_features.build(venue_reports())
    per_venue, fitted = venue_features.per_venue(rows), venue_model.fit(rows)
    simple = {name: {"wape": 0.06, "utilisation_r2": 0.5} for name in tables.NAIVE}
    return {
        "sales": {
            "rows": 210, "counted": 210, "from": "2016-05-29", "to": "2018-05-27", "weekly_origins": 70,
            "model": {
                "wape": 0.0422, "utilisation_r2": 0.82, "interval_80_coverage": 0.793, "interval_80_width": 0.115,
            },
            "naive": simple, "time": {"seconds": 300.0, "cpu_seconds": 200.0},
            "by_reports_known": measure._by_reports_known(sales_rows()),
        },
        "recommender": evaluate_recommender.evaluate(data, [1, 2]),
        "venues": {
            "by_known_engagements": evaluate_venues.evaluate(rows, seed=7), "month_effects": fitted.month_effects,
            "venues": len(per_venue),
            "shown": [analysis.analyze(rows, per_venue, fitted, str(name)) for name in per_venue.index[:4]],
        },
        "measured_on": "2026-11-27", "commit": "abc", "machine": "2 cores",
    }  # fmt: skip


def test_the_page_shows_every_plot_and_needs_no_other_file(figures: dict) -> None:
    shown = page.page(figures, sales_rows())
    assert shown.count("data:image/png;base64,") == 9
    assert not re.search(r'(?:src|href)="(?!data:)', shown)
    assert "<script" not in shown
    assert "not reached" in shown  # WAPE of 4.22 %
    assert "4.22%" in shown


def test_names_are_escaped_in_the_page(figures: dict) -> None:
    assert "<b>abc" not in page.page({**figures, "commit": "<b>abc"}, None)


def test_only_what_was_measured_is_on_the_page(figures: dict) -> None:
    shown = page.page({key: value for key, value in figures.items() if key not in ("recommender", "sales")}, None)
    assert "<h2>Venues</h2>" in shown
    assert "<h2>Recommendations</h2>" not in shown


def test_blocks_of_a_document_are_replaced_and_the_rest_stays(figures: dict) -> None:
    made = tables.blocks(figures)
    block = "<!-- figures: {0} -->\nstale text\n<!-- end of figures -->\n{0}\n"
    text = "# Before\n" + "".join(block.format(name) for name in made)
    after = tables.written_into(text, made)
    assert "stale text" not in after
    assert after.startswith("# Before\n")
    assert "| model | 4.22 % | 0.820 |" in after
    assert tables.written_into(after, made) == after
    assert tables.written_into(after, {"venues": made["venues"]}) == after


def test_a_document_without_a_place_for_a_block_is_refused(figures: dict) -> None:
    with pytest.raises(tables.MissingBlockError, match="no place for the figures recommender"):
        tables.written_into("# Empty\n", {"recommender": "x"})


def test_the_documentation_has_a_place_for_every_block(figures: dict) -> None:
    blocks = tables.blocks(figures)
    written = tables.written_into((ROOT / "docs" / "models.md").read_text(), blocks)
    assert [name for name, block in blocks.items() if block.strip() not in written] == []


def test_reports_known_are_those_that_ended_before_the_period_starts() -> None:
    starts = pd.to_datetime(["2020-01-01", "2020-01-08", "2020-01-15", "2020-01-10"])
    named = pd.DataFrame(
        {"artist_id": ["a", "a", "a", "b"], "period_start": starts, "period_end": starts + pd.Timedelta(days=6)}
    )
    assert list(measure._known(named)) == [0, 1, 2, 0]


def test_a_training_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    nothing = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(RuntimeError, match=r"training of sales failed: see .*job\.log"):
        nightly._outcome("sales", 256, nothing, tmp_path)


def headings(block: str) -> list[str]:
    """The heading of each table of a block, whatever the numbers in it are."""
    lines = block.splitlines()
    found = [before for before, line in itertools.pairwise(lines) if line.startswith("| ---")]
    return [re.sub(r"\d+(, \d+)*", "0", heading) for heading in found]


@pytest.mark.parametrize("name", ["sales", "sales-cold-start", "recommender", "recommender-cold-start", "venues"])
def test_a_block_of_the_documentation_is_one_that_its_maker_writes(figures: dict, name: str) -> None:
    made = tables.blocks(figures)
    assert name in made and len(made) == 5
    there = {found[2]: found[0] for found in tables.BLOCK.finditer((ROOT / "docs" / "models.md").read_text())}
    shown, written = headings(there[name]), headings(made[name])
    if name == "recommender-cold-start":  # its columns are the groups that the data has
        shown, written = ([heading.split("|")[1] for heading in found] for found in (shown, written))
    assert shown == written != []
    words = re.compile(r"[A-Za-z][A-Za-z ]+")
    said = [words.findall(line) for line in made[name].splitlines() if line and not line.startswith("|")]
    kept = [words.findall(line) for line in there[name].splitlines() if line and not line.startswith(("|", "<!--"))]
    assert kept == said


@pytest.mark.parametrize(("held", "reached"), [(0.851, False), (0.80, True), (0.779, False)])
def test_the_interval_as_it_is_served_is_a_goal(held: float, reached: bool) -> None:
    night = {"seconds": 100.0, "jobs": {"sales": {"metrics": {"interval_80_coverage": held}}}}
    found = page.goals({"nightly": {"first": night, "second": night, "latency": {}}})
    assert [good for name, _, _, good in found if "interval" in name] == [reached, reached]
