"""Which partitions a run takes from its conf, its asset events, or its dates."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform.partitions import SLUG, Partition, partitions, run_slug

NOON = datetime(2020, 3, 4, 12, tzinfo=UTC)


def context(*events: list[list[str | None]], conf: dict[str, Any] | None = None, **dates: Any) -> dict[str, Any]:
    queued = [SimpleNamespace(extra={"partitions": wanted}) for wanted in events]
    run = SimpleNamespace(conf=conf, **{"logical_date": None, "run_after": NOON, **dates})
    return {"dag_run": run, "triggering_asset_events": {"raw": queued}}


def test_three_queued_events_are_all_their_partitions_each_once() -> None:
    queued = context([["2020-03-05", "c"]], [["2020-03-04", "b"], ["2020-03-04", "a"]], [["2020-03-04", "b"]])
    assert partitions(queued) == [
        Partition("2020-03-04", "a"),
        Partition("2020-03-04", "b"),
        Partition("2020-03-05", "c"),
    ]


def test_conf_goes_before_events_and_events_before_dates() -> None:
    events = [["2020-03-05", "c"]]
    assert partitions(context(events, conf={"partitions": ["2020-01-01"]})) == [Partition("2020-01-01")]
    assert partitions(context(events)) == [Partition("2020-03-05", "c")]
    assert partitions(context()) == [Partition("2020-03-04")]
    assert partitions(context(logical_date=datetime(2020, 2, 1, tzinfo=UTC))) == [Partition("2020-02-01")]


@pytest.mark.parametrize("wanted", [["2020-02-30", "a"], ["2020-02-03", "A run"]])
def test_what_is_no_day_or_no_slug_is_refused(wanted: list[str | None]) -> None:
    with pytest.raises(ValueError, match=r"day is out of range|is no slug"):
        partitions(context([wanted]))


@pytest.mark.parametrize(
    "ids",
    [
        ["Fix 1", "fix_1", "fix__1", "FIX-1", "fix-1", "fix 1 "],
        ["manual__2026-03-04T05:06:07+00:00", "manual__2026-03-04T05:06:07-00:00", "Manual_2026-03-04T05:06:07+00:00"],
        ["a" * 100, "a" * 101, "a" * 102],
        ["Björk", "Bjork!", "中島みゆき", "宇多田ヒカル", ""],
    ],
)
def test_runs_whose_ids_differ_have_slugs_that_differ(ids: list[str]) -> None:
    slugs = [run_slug(run_id) for run_id in ids]
    assert len(set(slugs)) == len(ids)
    assert all(SLUG.fullmatch(slug) for slug in slugs)


@pytest.mark.parametrize(
    ("run_id", "slug"),
    [
        ("scheduled__2026-03-04T05:00:00+00:00", "scheduled-2026-03-04t05-00-00-00-00"),
        (
            "asset_triggered__2026-03-04T05:06:07.1+00:00_AbCd1234",
            "asset-triggered-2026-03-04t05-06-07-1-00-00-abcd1234",
        ),
        ("make_run__2026-03-04T05-06-07", "make-run-2026-03-04t05-06-07"),
        ("backfill-7", "backfill-7"),
    ],
)
def test_the_slug_of_an_id_that_a_program_gives_can_be_read(run_id: str, slug: str) -> None:
    assert run_slug(run_id) == run_slug(slug) == slug
