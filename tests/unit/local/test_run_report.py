"""What the run report says of the published scores."""

from typing import Any

from local.platform import report

SCORES: dict[str, Any] = {
    "lastfm_users": 100, "lastfm_users_with_10_recommendations": 95, "upcoming_events": 30,
    "upcoming_events_with_forecast": 30,
    "forecasts": [{"basis": "venue", "capacity_basis": "venue", "events": 10},
                  {"basis": "market", "capacity_basis": "assumed from city", "events": 20}],
    "venues_analysed": {"strong": 2, "weak": 3},
}  # fmt: skip


def test_scores_that_reach_their_aims_are_counted_without_a_warning() -> None:
    assert report.shortfalls({"scores": SCORES}) == []
    assert report.published({"scores": SCORES}) == [
        "recommendations: 95 of 100 Last.fm users have 10",
        "forecasts: 30 of 30 upcoming events (10 venue on seats venue, 20 market on seats assumed from city)",
        "venues analysed, by evidence: 2 strong, 3 weak",
    ]


def test_each_aim_that_is_missed_is_named_with_its_figures() -> None:
    missed = SCORES | {"lastfm_users_with_10_recommendations": 94, "upcoming_events": 29}
    missed["upcoming_events_with_forecast"] = 27
    assert report.shortfalls({"scores": missed}) == [
        "94 of 100 Last.fm users have 10 recommendations: at least 95 % should",
        "29 events are upcoming: at least 30 should be",
        "2 upcoming events have no forecast",
    ]


def test_a_failed_run_has_no_scores_to_tell() -> None:
    assert report.published({"scores": {}}) == report.shortfalls({"scores": {}}) == []
