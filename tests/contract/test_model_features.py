"""Features of the models: fingerprints that tell new data, the cut by day, and rules that stop a training."""

from datetime import date
from typing import Any

import pytest

from concert_platform import warehouse
from concert_platform.warehouse import data_api
from tests.contract.curated_runs import T2, Platform, event, interaction, report
from tests.contract.model_platform import DAY, RECOMMENDER, SALES, VENUES, load_next_day

pytest_plugins = ["tests.contract.warehouse_platform", "tests.contract.model_platform"]
RUN = "nightly__2020-03-04"


@pytest.mark.parametrize("model", [SALES, RECOMMENDER, VENUES], ids=lambda model: model.name)
def test_a_fingerprint_changes_with_the_data_and_the_code_and_with_nothing_else(
    registered: Platform, model: Any
) -> None:
    from concert_platform.models.features import fingerprint

    registered.curate(event=[event(1)], box_office=[report(1)], interaction=[interaction(1)])
    registered.load()
    before = fingerprint(model, DAY, "s3://code/1")
    assert fingerprint(model, DAY, "s3://code/1") == before
    assert fingerprint(model, "2020-03-05", "s3://code/1") == before, "another day without new data"
    assert fingerprint(model, DAY, "s3://code/2") != before
    load_next_day(
        registered,
        box_office=[report(1, tickets_sold=1501, ingested_at=T2)],
        interaction=[interaction(1, weight=13.0, ingested_at=T2)],
    )
    assert fingerprint(model, DAY, "s3://code/1") != before


CHANGED = {
    "period_start": "'2018-12-31'", "period_end": "'2019-01-02'", "performances": "3", "capacity": "2001",
    "tickets_sold": "1501", "gross": "75000.01",
}  # fmt: skip


def unloaded_columns(model: Any, feature: str) -> list[str]:
    (statement,) = warehouse.render([model.feature_file(feature)], as_of=DAY)
    client = data_api.client("redshift-data")
    answer = client.get_statement_result(Id=f"{warehouse.execute_batch([statement])}:1")
    return [column["name"] for column in answer["ColumnMetadata"]]


@pytest.mark.parametrize(
    ("model", "feature", "table"),
    [(SALES, "history", "core.fact_box_office"), (VENUES, "history", "core.fact_box_office"),
     (RECOMMENDER, "interactions", "core.fact_interaction")],
    ids=["sales", "venues", "recommender"],
)  # fmt: skip
def test_every_column_that_a_model_learns_from_is_in_its_fingerprint(
    registered: Platform, model: Any, feature: str, table: str
) -> None:
    from concert_platform.models.features import fingerprint

    registered.curate(event=[event(1)], box_office=[report(1)], interaction=[interaction(1)])
    registered.load()
    columns, seen = unloaded_columns(model, feature), {fingerprint(model, DAY, "x")}
    assert len(columns) >= 3
    for column in columns:
        changed = CHANGED.get(column, "13" if column == "weight" else "'other'")
        warehouse.query(f"UPDATE {table} SET {column} = {changed}")
        after = fingerprint(model, DAY, "x")
        assert after not in seen, column
        seen.add(after)
    for column in set(CHANGED) & set(columns) - {"period_end"}:
        warehouse.query(f"UPDATE {table} SET {column} = NULL")
        after = fingerprint(model, DAY, "x")
        assert after not in seen, f"{column} without a value"
        seen.add(after)


def test_reports_that_end_after_the_day_are_not_seen(registered: Platform) -> None:
    from concert_platform.models.features import fingerprint

    registered.curate(box_office=[report(1), report(2)])
    registered.load()
    assert fingerprint(SALES, "2019-01-01", "x").startswith("1-")
    assert fingerprint(VENUES, "2019-01-02", "x").startswith("2-")


def test_features_that_pass_let_training_go_on_and_broken_ones_stop_it(registered: Platform) -> None:
    from concert_platform.models.features import FeatureCheckFailedError, check_features

    registered.curate(event=[event(1)], box_office=[report(1)], interaction=[interaction(1)])
    registered.load()
    assert check_features(RUN, DAY) == 14
    warned = "SELECT expectation FROM quality.check_result WHERE suite = 'model_features' AND NOT success"
    assert warehouse.query(warned) == [["sales_history_stale"]], "a warning stops nothing"
    warehouse.query("UPDATE core.fact_box_office SET capacity = 0")
    message = (
        r"the features of 2020-03-04 break sales_history_range \(1 rows\), venues_history_range \(1 rows\): nothing"
    )
    with pytest.raises(FeatureCheckFailedError, match=message):
        check_features(RUN, DAY)
    assert ["sales_history_range"] in warehouse.query(warned)


BREAKS = [
    ("recommender_artists_duplicate", "UPDATE core.dim_artist SET artist_id = 'a1'"),
    ("recommender_events_duplicate", "INSERT INTO core.fact_event SELECT * FROM core.fact_event"),
    ("recommender_interactions_empty", "DELETE FROM core.fact_interaction"),
    ("recommender_interactions_range", "UPDATE core.fact_interaction SET user_id = ''"),
    ("recommender_interactions_range", "UPDATE core.fact_interaction SET artist_id = ''"),
    ("recommender_interactions_range", "UPDATE core.fact_interaction SET weight = -1"),
    ("recommender_interactions_range", "UPDATE core.fact_interaction SET weight = NULL"),
    ("sales_history_duplicate", "INSERT INTO core.fact_box_office SELECT * FROM core.fact_box_office"),
    ("sales_history_empty", "UPDATE core.fact_box_office SET period_precision = 'year'"),
    ("sales_history_period", "UPDATE core.fact_box_office SET period_start = NULL"),
    ("sales_history_period", "UPDATE core.fact_box_office SET period_start = '2020-03-03'"),
    *(("sales_history_range", f"UPDATE core.fact_box_office SET {column} = NULL")
      for column in ("tickets_sold", "capacity", "performances")),
    ("sales_history_range", "UPDATE core.fact_box_office SET tickets_sold = 3201"),
    ("sales_history_stale", "UPDATE core.fact_box_office SET period_end = '2019-12-04'"),
    ("sales_upcoming_duplicate", "INSERT INTO core.fact_event SELECT * FROM core.fact_event"),
    ("sales_upcoming_empty", "DELETE FROM core.fact_event"),
    ("sales_upcoming_range", "UPDATE core.dim_venue SET seats = NULL"),
    ("venues_history_empty", "UPDATE core.fact_box_office SET venue_id = NULL"),
    *((f"{features}_history_range", f"UPDATE core.fact_box_office SET {column} = {value}")
      for features in ("sales", "venues")
      for column, value in (("tickets_sold", -1), ("capacity", 0), ("performances", 0))),
    ("venues_history_range", "UPDATE core.fact_box_office SET gross = -1"),
    ("venues_history_range", "UPDATE core.fact_box_office SET tickets_sold = 3201"),
]  # fmt: skip


def broken_rules() -> set[str]:
    from concert_platform.models.features import feature_checks

    values = {"run_id": RUN, "as_of": DAY, "feature_checks": feature_checks()}
    warehouse.execute_batch(warehouse.render(["load/record_feature_checks.sql"], **values))
    rows = warehouse.query("SELECT expectation FROM quality.check_result WHERE suite = 'model_features' AND failed > 0")
    return {name for (name,) in rows}


def sound_features(platform: Platform) -> None:
    day = date(2020, 3, 2)
    platform.curate(
        event=[event(1)], box_office=[report(1, period_start=day, period_end=day)], interaction=[interaction(1)]
    )
    platform.load()


def test_every_rule_of_the_features_has_data_that_break_it(registered: Platform) -> None:
    from concert_platform.models.features import feature_checks

    assert {name for name, _ in BREAKS} == {check["name"] for check in feature_checks()}
    sound_features(registered)
    assert broken_rules() == set(), "without a change none of them is broken"


@pytest.mark.parametrize(("rule", "change"), BREAKS, ids=lambda text: text.replace("core.", ""))
def test_a_rule_of_the_features_finds_what_breaks_it(registered: Platform, rule: str, change: str) -> None:
    sound_features(registered)
    warehouse.query(change)
    assert rule in broken_rules()
