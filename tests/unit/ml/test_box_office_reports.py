"""Box-office files by mapping, read without Spark."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ml.box_office_reports import ReportFileError, read_reports
from ml.mapping_expressions import ExpressionError, compile_expression

SAMPLES = Path(__file__).parents[3] / "samples"


def test_the_sample_of_tours_counts_each_visit_once() -> None:
    found = read_reports([SAMPLES / "taylor_swift_tours" / "taylor_swift_tours.csv"], "taylor_swift_tours")
    assert len(found) == 293
    assert found["period_start"].isna().all()
    first = found.set_index("report_id").loc["Fearless_Tour|Roberts Municipal Stadium"]
    assert (first["capacity"], first["tickets_sold"], first["gross"]) == (7463, 7463, 360617)


def test_a_weekly_file_becomes_canonical_and_broken_rows_are_counted(tmp_path: Path) -> None:
    header = (
        "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd,"
        "average_price_usd,top_price_usd"
    )
    rows = ["Cats,Winter,2020-01-05,6,2,100,700,7000,10,NA", "Cats,Winter,2020-01-12,8,0,0,700,7000,10,",
            "Cats,Winter,soon,8,0,100,700,7000,10,", "Cats,Winter,2020-01-19,8,0,100,1300,7000,10,"]  # fmt: skip
    (tmp_path / "weeks.csv").write_text("\n".join([header, *rows]))
    found = read_reports([tmp_path / "weeks.csv"], "broadway_weekly_grosses")
    assert found.attrs["rejected"] == {"bad_period": 1, "capacity": 1, "tickets_sold": 1}
    (row,) = found.to_dict("records")
    assert (row["capacity"], row["performances"], str(row["period_start"].date())) == (800, 8, "2019-12-30")


def test_an_unknown_mapping_and_a_missing_column_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("source,report_id\nx,1\n")
    with pytest.raises(ReportFileError, match="magic is no mapping: use one of broadway"):
        read_reports([tmp_path / "a.csv"], "magic")
    with pytest.raises(ReportFileError, match="lacks the column show"):
        read_reports([tmp_path / "a.csv"])
    with pytest.raises(ReportFileError, match="cannot be read"):
        read_reports([tmp_path / "none.csv"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("concat_ws('|', a, none, b)", "1|x"),
        ("try_cast(a AS BIGINT) + 2 * 3", 7),
        ("try_cast(b AS BIGINT)", None),
        ("try_multiply(try_cast(b AS BIGINT), 2)", None),
        ("coalesce(none, 'it''s')", "it's"),
        ("CASE WHEN a = '2' THEN 'two' WHEN none IS NULL THEN 'nothing' ELSE 'other' END", "nothing"),
        ("if(a IS NOT NULL AND NOT b = 'y', 1, 2)", 1),
        ("b IN ('x', 'y')", True),
        ("aggregate(c.n, 0L, (total, one) -> try_add(total, one))", 5),
        ("try_cast('1.005' AS DECIMAL(6, 2))", Decimal("1.01")),
        ("date_sub(try_cast('2020-03-01' AS DATE), 1) < try_cast('2020-03-01' AS DATE)", True),
        ("try_divide(1, 0)", None),
    ],
)
def test_expressions_mean_what_they_mean_in_spark(text: str, value: object) -> None:
    assert compile_expression(text)({"a": "1", "b": "x", "none": None, "c": [{"n": 2}, {"n": 3}]}) == value


@pytest.mark.parametrize("text", ["soundex(a)", "a +", "a ? b", "concat(a", "try_cast(a AS", "a b"])
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)({"a": 1})
