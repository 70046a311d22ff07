"""Files of box-office reports, read by the mappings of the curation job without Spark."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ml.box_office import expressions, reports

SAMPLES = Path(__file__).parents[3] / "samples"
BROADWAY = "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd"


@pytest.mark.parametrize("path", sorted(reports.MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mapping_of_the_platform_is_understood(path: Path) -> None:
    rules = reports.rules_of(path.stem)
    texts = [rule["expression"] for rule in rules["columns"].values() if "expression" in rule]
    texts += rules.get("aggregates", {}).values()
    assert all(expressions.parse(text) is not None for text in texts)


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
        (b"", "lacks report_id, venue"),
        (b"report_id,venue,venue,period_end,capacity,tickets_sold\n", "several columns venue"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(reports.UnreadableReportsError, match=message) as failure:
        reports.read([path], "canonical")
    assert "bad.csv" in str(failure.value)


def test_a_missing_file_and_an_unknown_mapping_are_named(tmp_path: Path) -> None:
    with pytest.raises(reports.UnreadableReportsError, match=r"none\.csv cannot be read"):
        reports.read([tmp_path / "none.csv"], "canonical")
    with pytest.raises(reports.UnreadableReportsError, match=r"no mapping 'magic'.*use one of broadway"):
        reports.read([tmp_path / "none.csv"], "magic")


def test_unknown_sql_of_a_mapping_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "required_columns: [report_id]\ncolumns:\n  report_id: {expression: soundex(report_id)}\n"
    (tmp_path / "odd.yaml").write_text(rules)
    (tmp_path / "a.csv").write_text("report_id\n1\n")
    monkeypatch.setattr(reports, "MAPPINGS", tmp_path)
    with pytest.raises(reports.UnreadableReportsError, match=r"mapping odd cannot be read without Spark: soundex\(\)"):
        reports.read([tmp_path / "a.csv"], "odd")


def test_a_byte_order_mark_other_alphabets_and_line_breaks_in_quotes_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        "\ufeffreport_id,artist,venue,period_end,capacity,tickets_sold\r\n"
        '1,Sigur Rós,"Große\nHalle",2020-01-01,100,90\r\n2,椎名林檎,"A, B",2020-01-02,100,80\r\n'.encode()
    )
    found = reports.read([tmp_path / "a.csv"], "canonical")
    assert list(found["artist"]) == ["Sigur Rós", "椎名林檎"]
    assert list(found["venue"]) == ["Große\nHalle", "A, B"]
    assert list(found["tickets_sold"]) == [90, 80]


def test_reading_keeps_what_acceptance_leaves_out_and_counts(tmp_path: Path) -> None:
    rows = ["Cats,Winter,2020-01-05,6,2,100,700,7000", "Cats,Winter,2020-01-12,8,0,0,700,7000",
            "Cats,Winter,soon,8,0,100,700,7000", "Cats,Winter,2020-01-19,8,0,100,1300,7000",
            "Cats,Winter,2020-01-05,6,2,100,710,7000"]  # fmt: skip
    (tmp_path / "weeks.csv").write_text("\n".join([BROADWAY, *rows]))
    assert len(reports.read([tmp_path / "weeks.csv"], "broadway_weekly_grosses")) == 5
    found = reports.read_accepted([tmp_path / "weeks.csv"], "broadway_weekly_grosses")
    assert found.attrs == {"rejected": {"bad_period": 1, "capacity": 1, "tickets_sold": 1}, "repeated": 1}
    (row,) = found.to_dict("records")
    assert (row["capacity"], row["performances"], str(row["period_start"].date())) == (800, 8, "2019-12-30")
    assert (row["tickets_sold"], row["currency"]) == (710, "USD")


def test_a_column_of_which_a_file_tells_nothing_rejects_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("report_id,venue,period_end,capacity,tickets_sold\n1,V,2020-01-01,100,90\n")
    found = reports.read_accepted([tmp_path / "c.csv"], "canonical")
    assert found.attrs["rejected"] == {}
    assert list(found["performances"]) == [1]


def test_the_sample_of_tours_is_accepted_whole() -> None:
    found = reports.read_accepted([SAMPLES / "taylor_swift_tours" / "taylor_swift_tours.csv"], "taylor_swift_tours")
    assert len(found) == 293
    first = found.set_index("report_id").loc["Fearless_Tour|Roberts Municipal Stadium"]
    assert (first["capacity"], first["tickets_sold"], first["gross"]) == (7463, 7463, 360617)
