"""Files of box-office reports, read by the mappings of the curation job without Spark."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml.sales import expressions, reports

SAMPLES = Path(__file__).parents[3] / "samples"
BROADWAY = "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concat_ws('|', name, nothing, 'it''s')", "A|it's"),
        ("date_sub(try_cast(day AS DATE), 6)", dt.date(2018, 5, 21)),
        ("try_cast(name AS BIGINT)", None),
        ("try_add(try_cast(seven AS BIGINT), coalesce(try_cast(nothing AS BIGINT), 0))", 7),
        ("if(nothing IS NULL AND name IS NOT NULL, 'tour', 'day')", "tour"),
        ("CASE WHEN try_cast(seven AS INT) > 8 THEN 'a' WHEN NOT name = 'A' THEN 'b' ELSE 'c' END", "c"),
        ("CAST(replace(split_part('1,200 / 1,500', '/', 2), ',', '') AS DECIMAL(14, 2)) * 2 + 1", Decimal(3001)),
        ("aggregate(list.n, 0L, (total, one) -> try_add(total, one))", 5),
        ("try_divide(1, 0)", None),
        ("nothing = nothing", None),
        ("to_date('05/27/2018', 'MM/dd/yyyy')", dt.date(2018, 5, 27)),
        ("regexp_extract('Hall (NYC)', '\\\\(([A-Z]+)\\\\)', 1)".replace("\\\\", "\\"), "NYC"),
    ],
)
def test_an_expression_gives_what_spark_gives(text: str, expected: Any) -> None:
    row = {"name": "A", "nothing": None, "day": "2018-05-27", "seven": "7", "list": [{"n": 2}, {"n": 3}]}
    assert expressions.parse(text)(row) == expected


@pytest.mark.parametrize("text", ["explode(x)", "a BETWEEN 1 AND 2", "CAST(x AS MAP)", "(1 + 2", "a ? b"])
def test_an_expression_outside_the_subset_is_refused(text: str) -> None:
    with pytest.raises(expressions.UnsupportedExpressionError):
        expressions.parse(text)


@pytest.mark.parametrize("path", sorted(reports.MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mapping_of_the_platform_is_understood(path: Path) -> None:
    rules = reports._rules(path.stem)
    texts = [rule["expression"] for rule in rules["columns"].values() if "expression" in rule]
    for text in [*texts, *rules.get("aggregates", {}).values()]:
        expressions.parse(text)


def test_a_broadway_week_becomes_a_report(tmp_path: Path) -> None:
    path = tmp_path / "week.csv"
    path.write_text(
        f'{BROADWAY}\n"Aren\'t We All?",Brooks,1985-06-09,8,1,1088,7386,249272\nX,Y,1985-06-09,8,NA,10,NA,1\n'
    )
    found = reports.read([path], "broadway_weekly_grosses")
    first = found.iloc[0]
    assert first["report_id"] == "Aren't We All?|Brooks|1985-06-09"
    assert (first["period_start"], first["period_end"]) == (pd.Timestamp("1985-06-03"), pd.Timestamp("1985-06-09"))
    assert (first["performances"], first["capacity"], first["tickets_sold"]) == (9, 9 * 1088, 7386)
    assert found["capacity"].iloc[1] == 80
    assert pd.isna(found["tickets_sold"].iloc[1])


def test_a_tour_counts_a_total_of_several_nights_once() -> None:
    found = reports.read([SAMPLES / "taylor_swift_tours" / "taylor_swift_tours.csv"], "taylor_swift_tours")
    assert not found["report_id"].duplicated().any()
    assert found["period_end"].isna().all()
    shares = (found["tickets_sold"] / found["capacity"]).dropna()
    assert shares.between(0.2, 1.2).all()
    assert shares.median() == 1


def test_a_canonical_file_may_lack_what_a_forecast_does_without(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    path.write_bytes(
        gzip.compress(b"report_id,artist,venue,period_end,capacity,tickets_sold\n1,A,V,2020-01-01,100,90\n")
    )
    found = reports.read([path], "canonical")
    assert found.loc[0, "period_start"] == pd.Timestamp("2020-01-01")
    assert pd.isna(found.loc[0, "performances"])


def test_a_parquet_file_is_read_as_its_csv_is(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(
        "report_id,artist,venue,period_start,period_end,capacity,tickets_sold\n1,A,V,2020-01-01,2020-01-02,100,90\n"
    )
    typed = pd.read_csv(path, parse_dates=["period_start", "period_end"])
    typed.to_parquet(tmp_path / "c.parquet")
    from_text, from_parquet = (reports.read([tmp_path / name], "canonical") for name in ("c.csv", "c.parquet"))
    pd.testing.assert_frame_equal(from_text, from_parquet)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"artist,venue\nA,V\n", "lacks report_id, period_end, capacity, tickets_sold"),
        (b"\x1f\x8b\x08 half a file", "cannot be read"),
        (b"artist\n\xff\xfe\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(reports.UnreadableReportsError, match=message) as failure:
        reports.read([path], "canonical")
    assert "bad.csv" in str(failure.value)
