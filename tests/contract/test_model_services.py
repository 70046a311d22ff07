"""What the nightly run publishes is what the services answer from: scoring's files, DynamoDB, the services' stores."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from concert_platform import settings as settings_module
from concert_platform import warehouse
from concert_platform.models import Model, publication
from ml import published
from ml.recommender import artifact, hybrid, predict
from ml.recommender.data import read_dataset
from ml.recommender.service import RecommendationService
from ml.recommender.store import read_files
from ml.recommender.table import DynamoStore as RecommendationTable
from ml.sales.service import MemoryStore, TicketSalesPredictionService, UnknownConcertError, published_forecasts
from ml.venues.service import UnknownVenueError, VenuePopularityService, published_analyses
from tests.contract.conftest import Emulator
from tests.contract.curated_runs import Platform, event
from tests.contract.model_platform import DAY, MOMENT, RECOMMENDER, SALES, VENUES, put, put_lines, scores_of
from tests.unit.ml import synthetic_listeners

pytest_plugins = ["tests.contract.warehouse_platform", "tests.contract.model_platform"]
FORECAST = {
    "concert_id": "e1", "expected_tickets": 800, "lower_tickets": 700, "upper_tickets": 900, "capacity": 1000,
    "utilisation": 0.8, "basis": "own history", "capacity_basis": "venue", "as_of": DAY, "model_name": "sales",
    "model_version": "v1", "run_id": "r1", "price_low": 20.0, "price_high": 30.0,
    "drivers": [{"feature": "act_last", "value": 0.9, "effect": 0.05}],
}  # fmt: skip
EVENTS = [
    ("c1", "i3", "Three live", date(2020, 4, 2), "Hall", "Oslo", "Norway", "onsale"),
    ("c2", "i3", "Three again", date(2020, 5, 2), "Hall", "Bergen", "Norway", "onsale"),
    ("c3", "i5", "Five live", date(2020, 4, 9), None, "Oslo", "Norway", None),
]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a scoring job of the recommender writes, with names and concerts of some artists."""
    folder = tmp_path_factory.mktemp("recommender")
    synthetic_listeners.write(folder, users=30)
    artifact.save(hybrid.fit(read_dataset(folder / "train.tsv")), folder / "model")
    report = {"version": "v1", "metrics": {"ndcg_at_10": 0.2}, "baseline": {"ndcg_at_10": 0.1}}
    (folder / "model" / "metrics.json").write_text(json.dumps(report))
    for name in ("events", "artists"):
        (folder / name).mkdir()
    pd.DataFrame(EVENTS, columns=list(predict.EVENT_COLUMNS)).to_parquet(folder / "events" / "part.parquet")
    named = {"artist_id": [f"i{number}" for number in range(40)], "name": [f"Act {number}" for number in range(40)]}
    pd.DataFrame(named).to_parquet(folder / "artists" / "part.parquet")
    predict.run(
        [
            *("--model", str(folder / "model"), "--interactions", str(folder / "train.tsv")),
            *("--events", str(folder / "events"), "--artists", str(folder / "artists")),
            *("--output", str(folder / "scores"), "--run-id", "r1", "--as-of", DAY, "--model-uri", "s3://m"),
        ]
    )  # fmt: skip
    return folder / "scores"


def uploaded(platform: Platform, folder: Path, model: Model, run: str) -> str:
    uri = scores_of(run, model.name)
    for path in folder.rglob("*.json"):
        put(platform, f"{uri}{path.relative_to(folder)}", path.read_bytes())
    return uri


def table() -> str:
    return settings_module.settings().model_score_table


class Counted:
    """A client whose requests are counted."""

    def __init__(self, client: Any) -> None:
        self.client, self.calls = client, []  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls.append(name)
            return getattr(self.client, name)(*arguments, **keywords)

        return call


# ---------------------------------------------------------------- sales and venues


def test_a_published_forecast_is_served(registered: Platform, emulator: Emulator) -> None:
    uri = scores_of("run-1", "sales")
    put_lines(registered, f"{uri}service/forecasts.json", [FORECAST, FORECAST | {"concert_id": "e2"}])
    publication.publish(SALES, uri, "p1", "v1", DAY, MOMENT)
    service = TicketSalesPredictionService(published_forecasts(table(), emulator.client("dynamodb")))
    for concert in ("e1", "e2"):
        rows = MemoryStore([FORECAST | {"concert_id": concert}])
        assert service.predict_sales(concert) == TicketSalesPredictionService(rows).predict_sales(concert)
    with pytest.raises(UnknownConcertError, match="no sales forecast of concert 'e3'"):
        service.predict_sales("e3")


def test_a_published_analysis_is_served(registered: Platform, emulator: Emulator) -> None:
    uri = scores_of("run-1", "venues")
    row = {"venue_id": "v1", "analysis": json.dumps({"venue": "Hall"}), "as_of": DAY, "model_version": "v1"}
    put_lines(registered, f"{uri}analyses/analyses.json", [row])
    publication.publish(VENUES, uri, "p1", "v1", DAY, MOMENT)
    service = VenuePopularityService(published_analyses(table(), emulator.client("dynamodb")))
    assert service.analyze_venue("v1") == {"venue": "Hall", "as_of": DAY, "model_version": "v1"}
    with pytest.raises(UnknownVenueError):
        service.analyze_venue("v2")


def test_before_the_first_publication_a_service_says_so(registered: Platform, emulator: Emulator) -> None:
    client = emulator.client("dynamodb")
    with pytest.raises(published.NothingPublishedError, match="holds no scores of sales: run retrain_models"):
        TicketSalesPredictionService(published_forecasts(table(), client)).predict_sales("e1")
    with pytest.raises(published.NothingPublishedError, match="holds no scores of venues: run retrain_models"):
        VenuePopularityService(published_analyses(table(), client)).analyze_venue("v1")
    with pytest.raises(published.NothingPublishedError, match="holds no scores of recommender: run retrain_models"):
        RecommendationService(RecommendationTable(table(), client))


# ---------------------------------------------------------------- recommendations


def test_published_recommendations_are_served_as_scoring_wrote_them(
    registered: Platform, emulator: Emulator, scores: Path
) -> None:
    publication.publish(RECOMMENDER, uploaded(registered, scores, RECOMMENDER, "run-1"), "p1", "v1", DAY, MOMENT)
    client, files = emulator.client("dynamodb"), read_files(scores)
    store = RecommendationTable(table(), client)
    assert store.publication() == files.publication()
    assert [(one.artist_id, one.score) for one in store.popular()] == [
        (one.artist_id, one.score) for one in files.popular()
    ]
    for user in ("u0", "u7", "nobody"):
        assert store.known(user) == files.known(user)
        for algorithm in ("hybrid", "collaborative", "content"):
            assert store.recommendations(user, algorithm) == files.recommendations(user, algorithm)
        shown = RecommendationService(store).get_recommendations(user)
        expected = RecommendationService(files).get_recommendations(user)
        assert [one.artist_id for one in shown] == [one.artist_id for one in expected] and len(shown) == 10
    assert sorted(store.user_ids("hybrid")) == sorted(files.user_ids("hybrid"))
    assert RecommendationService(store).validate_model() == RecommendationService(files).validate_model()


def test_names_and_upcoming_concerts_are_served(registered: Platform, emulator: Emulator, scores: Path) -> None:
    publication.publish(RECOMMENDER, uploaded(registered, scores, RECOMMENDER, "run-1"), "p1", "v1", DAY, MOMENT)
    files = RecommendationService(read_files(scores))
    for user, place in (("u0", None), ("u7", "Bergen"), ("nobody", "oslo"), ("nobody", "NORWAY")):
        served = RecommendationService(RecommendationTable(table(), emulator.client("dynamodb")))
        shown = served.get_recommendations(user, 15, place=place)
        assert shown == files.get_recommendations(user, 15, place=place)
        assert all(one.artist == f"Act {one.artist_id[1:]}" for one in shown)
    first, second = shown[:2]
    assert {first.artist_id, second.artist_id} == {"i3", "i5"}
    assert {first.event and first.event.concert_id, second.event and second.event.concert_id} == {"c1", "c3"}


ATTENDED = [
    ("fan", "attend", "c1"), ("fan", "attend", "c1"), ("fan", "attend", "c3"), ("fan", "view", "c2"),
    ("fan", "attend", "over"), ("fan", "attend", "invented"), ("other", "attend", "c2"), ("other", "attend", None),
]  # fmt: skip


def test_an_upcoming_concert_that_the_user_attends_is_not_shown_again(
    registered: Platform, emulator: Emulator, scores: Path
) -> None:
    listed = [event(day, event_id=name) for day, name in enumerate(("c1", "c2", "c3"), 1)]
    also_listed = event(1, event_id="c1", source="another")
    many = [event(9, event_id=f"many{number}") for number in range(501)]
    registered.curate(event=[*listed, also_listed, *many, event(4, event_id="over", event_date=date(2020, 3, 4))])
    registered.load()
    for number, (user, kind, concert) in enumerate(ATTENDED):
        named = "NULL" if concert is None else f"'{concert}'"
        warehouse.query(
            "INSERT INTO core.fact_fan_event (event_id, type, user_id, concert_id, occurred_at, event_date, loaded_at) "
            f"VALUES ('{number}', '{kind}', '{user}', {named}, '2020-03-01', '2020-03-01', '2020-03-01')"
        )
    warehouse.query(
        "INSERT INTO core.fact_fan_event (event_id, type, user_id, concert_id, occurred_at, event_date, loaded_at) "
        "SELECT DISTINCT event_id, 'attend', 'everywhere', event_id, event_date, event_date, event_date "
        "FROM core.fact_event WHERE event_id LIKE 'many%'"
    )
    publication.publish(RECOMMENDER, uploaded(registered, scores, RECOMMENDER, "run-1"), "p1", "v1", DAY, MOMENT)
    store = RecommendationTable(table(), emulator.client("dynamodb"))
    assert len(store.known("everywhere").concerts) == 500, "an item of the table has an end"
    assert [sorted(store.known(user).concerts) for user in ("fan", "other", "u0")] == [["c1", "c3"], ["c2"], []]
    shown = RecommendationService(store).get_recommendations("fan", 40)
    assert {one.event.concert_id for one in shown if one.event} == {"c2"}


def test_an_answer_takes_few_requests(registered: Platform, emulator: Emulator, scores: Path) -> None:
    publication.publish(RECOMMENDER, uploaded(registered, scores, RECOMMENDER, "run-1"), "p1", "v1", DAY, MOMENT)
    counted = Counted(emulator.client("dynamodb"))
    assert len(RecommendationService(RecommendationTable(table(), counted)).get_recommendations("u0", 28)) == 28
    # The pointer, the publication, the list, the popular ones; what is known, names of the list, then of the rest.
    assert counted.calls.count("get_item") == 4
    assert counted.calls.count("batch_get_item") <= 3


# ---------------------------------------------------------------- one publication


def test_a_store_sees_one_publication_and_a_new_store_the_next(registered: Platform, emulator: Emulator) -> None:
    client = emulator.client("dynamodb")
    for run, tickets in (("p1", 800), ("p2", 900)):
        uri = scores_of(run, "sales")
        rows = [FORECAST | {"concert_id": concert, "expected_tickets": tickets} for concert in ("e1", "e2")]
        put_lines(registered, f"{uri}service/forecasts.json", rows)
        publication.publish(SALES, uri, run, "v1", DAY, MOMENT)
        if run == "p1":
            store = published_forecasts(table(), client)
            assert store.find("e1")["expected_tickets"] == 800  # type: ignore[index]
    assert store.find("e2")["expected_tickets"] == 800  # type: ignore[index]
    assert published_forecasts(table(), client).find("e2")["expected_tickets"] == 900  # type: ignore[index]


def test_an_expired_item_is_served_no_longer_and_a_damaged_one_is_named(
    registered: Platform, emulator: Emulator
) -> None:
    client, uri = emulator.client("dynamodb"), scores_of("run-1", "sales")
    put_lines(registered, f"{uri}service/forecasts.json", [FORECAST])
    publication.publish(SALES, uri, "p1", "v1", DAY, MOMENT)
    own = {"subject": {"S": "sales/concert/e1"}, "publication": {"S": "p1"}}
    content = client.get_item(TableName=table(), Key=own)["Item"]["content"]["B"]
    client.put_item(TableName=table(), Item=own | {"content": {"B": content}, "expires_at": {"N": "1000"}})
    assert published_forecasts(table(), client).find("e1") is None
    client.put_item(TableName=table(), Item=own | {"content": {"B": gzip.compress(b"{")}})
    with pytest.raises(published.UnreadableScoresError, match=r"sales/concert/e1 in .* is damaged"):
        published_forecasts(table(), client).find("e1")


def test_more_subjects_than_a_request_takes_are_read(registered: Platform, emulator: Emulator) -> None:
    uri = scores_of("run-1", "sales")
    put_lines(registered, f"{uri}service/forecasts.json", [FORECAST | {"concert_id": f"e{n}"} for n in range(230)])
    publication.publish(SALES, uri, "p1", "v1", DAY, MOMENT)
    counted = Counted(emulator.client("dynamodb"))
    found = published.PublishedScores(table(), "sales", counted).contents(f"concert/e{n}" for n in range(240))
    assert set(found) == {f"concert/e{n}" for n in range(230)}
    assert counted.calls.count("batch_get_item") == 3
