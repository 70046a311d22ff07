"""Which runs a replay takes, and what it says afterwards."""

import pytest

from concert_platform.quality import replay
from concert_platform.quality.replay import Rejected, outcome, partitions_of

BEFORE = [
    ["2026-03-04", "run-2", "broadway", "box_office", "gross_negative", 3],
    ["2026-03-04", "run-1", "broadway", "box_office", "gross_negative", 2],
    ["2026-03-04", "run-1", "broadway", "box_office", "venue_missing", 1],
]


def test_each_run_is_named_once_in_the_order_of_its_day() -> None:
    later = ["2026-03-05", "run-0", "lastfm", "interaction", "weight_invalid", 1]

    assert partitions_of([later, *BEFORE]) == [
        ["2026-03-04", "run-1"],
        ["2026-03-04", "run-2"],
        ["2026-03-05", "run-0"],
    ]


def test_the_outcome_names_what_is_mended_and_what_is_not() -> None:
    after = [Rejected("2026-03-04", "run-1", "broadway", "box_office", "venue_missing", 1)]

    assert outcome(BEFORE, after) == [
        "broadway/box_office gross_negative: 5 rejected before, 0 now",
        "broadway/box_office venue_missing: 1 rejected before, 1 now",
    ]


def test_only_the_filters_that_are_given_reach_the_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(replay, "query", lambda sql, **values: asked.append((sql, values)) or [])

    replay.rejected({"source": "canonical", "entity": None, "rule": "", "since": "2026-03-01"})
    replay.rejected({})

    (narrow, values), (wide, nothing) = asked
    assert values == {"source": "canonical", "since": "2026-03-01"}
    assert "source = :source" in narrow and "dt >= CAST(:since AS DATE)" in narrow and ":rule" not in narrow
    assert nothing == {} and ":" not in wide and "source <> 'stream'" in wide
