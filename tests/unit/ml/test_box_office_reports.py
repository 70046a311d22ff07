"""Files of box-office reports, read by the mappings of the curation job without Spark."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from concert_platform.sources.inspection import Layout, inspect
from ml.box_office import expressions, reports

SAMPLES = Path(__file__).parents[3] / "samples"
BROADWAY = "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd"


@pytest.fixture
def odd_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Writes the mapping `odd`, the only one there is."""
    monkeypatch.setattr(reports, "MAPPINGS", tmp_path)
    return (tmp_path / "odd.yaml").write_text


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
    assert first["report_id"] == "aren't we all?|brooks|1985-06-09"
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


def test_unknown_sql_of_a_mapping_is_refused_by_name(tmp_path: Path, odd_mapping: Callable[[str], object]) -> None:
    rules = "required_columns: [report_id]\ncolumns:\n  report_id: {expression: soundex(report_id)}\n"
    odd_mapping(rules)
    (tmp_path / "a.csv").write_text("report_id\n1\n")
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


CANONICAL = "report_id,artist,venue,period_start,period_end,capacity,tickets_sold,gross"


def told(path: Path, *rows: str, mapping: str = "canonical") -> tuple[pd.DataFrame, list[str]]:
    """What is read of rows under the canonical header, and the lines that are said of them."""
    path.write_text("\n".join([CANONICAL, *rows]))
    lines: list[str] = []
    return reports.read([path], mapping, lines.append), lines


@pytest.mark.parametrize(
    ("cell", "number"),
    [("16333", 16333), ('"16,333"', 16333), ('"1,234,567"', 1234567), ("1e3", 1000), ("16333.0", 16333)],
)
def test_thousands_may_be_separated_by_commas(tmp_path: Path, cell: str, number: float) -> None:
    found, lines = told(tmp_path / "a.csv", f"1,A,V,,2020-01-01,{cell},{cell},5")
    assert list(found[["capacity", "tickets_sold"]].iloc[0]) == [number, number]
    assert lines == []


@pytest.mark.parametrize(
    ("cell", "number"),
    [('"$884,590.65"', 884590.65), ("€5", 5), ('"-$1,000"', -1000), ("£ 7.5", 7.5), ('"¥12,000,000"', 12e6)],
)
def test_money_may_have_its_sign_in_front(tmp_path: Path, cell: str, number: float) -> None:
    found, lines = told(tmp_path / "a.csv", f"1,A,V,,2020-01-01,100,90,{cell}")
    assert found.loc[0, "gross"] == number
    assert lines == []


@pytest.mark.parametrize(
    "cell",
    ["1.234.567", '"1.234,5"', '"12,34"', '"0,123"', "5 €", "USD 5", "1_000", "1 000", "(5)", '"1,2345"', "1'000"],
)
def test_a_number_that_may_be_several_is_refused_with_its_column_and_how_often_it_comes(
    tmp_path: Path, cell: str
) -> None:
    rows = [f"{number},A,V,,2020-01-01,100,90,{cell}" for number in range(3)]
    with pytest.raises(
        reports.UnreadableReportsError, match=r"a\.csv: 3 cells of gross are no number .* such as"
    ) as no:
        told(tmp_path / "a.csv", *rows)
    assert repr(cell.strip('"')) in str(no.value)
    assert "\n" not in str(no.value)


def test_seats_have_no_currency(tmp_path: Path) -> None:
    with pytest.raises(reports.UnreadableReportsError, match=r"a cell of capacity is no number .* '\$100'"):
        told(tmp_path / "a.csv", "1,A,V,,2020-01-01,$100,90,5")


def test_what_is_no_number_is_empty_and_said(tmp_path: Path) -> None:
    found, lines = told(tmp_path / "a.csv", "1,A,V,,2020-01-01,many,90,", "2,A,V,,2020-01-01,n/a,16.333,1e400")
    assert found["capacity"].isna().all()
    assert [line.split("a.csv: ")[1] for line in lines] == [
        "2 cells of capacity are no number, such as 'many': counted as empty",
        "a cell of tickets_sold is no whole number, such as '16.333': read with a decimal point",
        "a cell of gross is no number, such as '1e400': counted as empty",
    ]


def test_lines_are_said_on_stderr_unless_others_listen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text(f"{CANONICAL}\n1,A,V,,soon,100,90,5\n")
    reports.read([tmp_path / "a.csv"], "canonical")
    assert "a cell of period_end is no date" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["05/01/2012", "2012", "2012-05", "soon", "1899-12-31", "2101-01-01", "2012-02-30"])
def test_what_is_no_date_is_empty_and_said(tmp_path: Path, cell: str) -> None:
    found, lines = told(tmp_path / "a.csv", f"1,A,V,,{cell},100,90,5", "2,A,V,,2012-05-01,100,90,5")
    assert list(found["period_end"].isna()) == [True, False]
    (line,) = lines
    assert f"a cell of period_end is no date from 1900-01-01 to 2100-12-31 (YYYY-MM-DD), such as '{cell}'" in line


@pytest.mark.parametrize(
    "cell",
    [
        "2012-05-01T00:00:00Z", "2012-05-01 00:00:00", "2012-05-01T20:30+02:00", "2012-05-01 00:00:00.000-05:00",
        "20120501", "2012/5/1",
    ],
)  # fmt: skip
def test_a_day_is_the_one_that_is_written_whatever_the_time_and_its_zone(tmp_path: Path, cell: str) -> None:
    found, lines = told(tmp_path / "a.csv", f"1,A,V,{cell},2012-05-01,100,90,5", "2,A,V,2012-04-30,2012-05-01,100,90,5")
    assert list(found["period_start"]) == [pd.Timestamp("2012-05-01"), pd.Timestamp("2012-04-30")]
    assert lines == []


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_moments_of_parquet_with_a_zone_are_days_at_their_place(tmp_path: Path, zone: str) -> None:
    day = pd.Timestamp("2012-05-01")
    row = {"report_id": "1", "venue": "V", "period_end": day.tz_localize(zone), "capacity": 100, "tickets_sold": 90}
    pd.DataFrame([row]).to_parquet(tmp_path / "a.parquet")
    assert list(reports.read([tmp_path / "a.parquet"], "canonical")["period_end"]) == [day]


def test_a_start_that_cannot_be_read_is_not_the_end(tmp_path: Path) -> None:
    rows = ["1,A,V,5/1/2012,2012-06-30,100,90,5", "2,A,V,,2012-06-30,100,90,5"]
    found, lines = told(tmp_path / "a.csv", *rows)
    assert list(found["period_start"].isna()) == [True, False]
    assert "a cell of period_start" in lines[0]
    assert reports.read_accepted([tmp_path / "a.csv"], "canonical").attrs["rejected"] == {"bad_period": 1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,A,V,,2020-01-01,100,90,5", '2,"A,V,,2020-01-01,100,90,5', "3,A,V,,,,,"], "line 3 .* never closed"),
        (["1,A,V,,2020-01-01,100,90,5", '2,"A,V', '3,"B",V,,2020-01-01,100,90,5'], "line 3 is no valid CSV"),
        (['1,"A\nB",V,,2020-01-01,100,90,5', "2,A,V,,2020-01-01,1,000,90,5"], "line 4 has 9 cells, the header 8"),
        (["1,A,V,,2020-01-01,100,90"], "line 2 has 7 cells"),
        (["1,A,V,,2020-01-01,100,90,5", "2,A\0,V,,2020-01-01,100,90,5"], "line 3 holds a NUL"),
    ],
)  # fmt: skip
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(reports.UnreadableReportsError, match=message):
        told(tmp_path / "a.csv", *rows)


@pytest.mark.parametrize("line", ["\x1a", "\x1f", '""""', ' "" ', "\u3000"])
@pytest.mark.parametrize("end", ["", "\r\n"])
def test_a_line_that_is_blank_for_ingest_is_no_row(tmp_path: Path, line: str, end: str) -> None:
    path = tmp_path / "a.csv"
    found, lines = told(path, "1,A,V,,2020-01-01,100,90,5", line + end)
    assert (list(found["report_id"]), lines) == (["1"], [])
    assert inspect(path, Layout(["report_id"])).records == 1


def test_a_nul_in_a_cell_of_parquet_is_left_out(tmp_path: Path) -> None:
    row = {"report_id": "1", "artist": "A\0", "venue": "\0 \0", "period_end": "2020-01-01", "capacity": "10\x000",
           "tickets_sold": 90}  # fmt: skip
    pd.DataFrame([row]).to_parquet(tmp_path / "a.parquet")
    found = reports.read([tmp_path / "a.parquet"], "canonical").iloc[0]
    assert (found["artist"], found["venue"], found["capacity"]) == ("A", None, 100)


def test_headers_may_be_in_any_case_and_between_spaces(tmp_path: Path) -> None:
    text = f"{CANONICAL}\n1,A,V,,2020-01-01,100,90,5\n\n2,A,V,,2020-01-01,100,90,5\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv").write_text(text.replace(CANONICAL, CANONICAL.title().replace(",", " , ")))
    plain, other = (reports.read([tmp_path / name], "canonical") for name in ("a.csv", "b.csv"))
    pd.testing.assert_frame_equal(plain, other)
    (tmp_path / "c.csv").write_text(CANONICAL + ",Venue\n")
    with pytest.raises(reports.UnreadableReportsError, match="several columns Venue, venue"):
        reports.read([tmp_path / "c.csv"], "canonical")


def test_a_column_that_a_file_may_lack_is_null_in_an_expression(
    tmp_path: Path, odd_mapping: Callable[[str], object]
) -> None:
    rules = "columns:\n  venue: {expression: 'coalesce(HALL, Venue)'}\n  city: {column: Town}\n"
    odd_mapping(rules)
    (tmp_path / "a.csv").write_text("venue\nV\n")
    found = reports.read([tmp_path / "a.csv"], "odd")
    assert (found.loc[0, "venue"], found.loc[0, "city"]) == ("V", None)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("a: [", "no YAML"), ("", "no rules under columns"), ("required_columns: [a]", "no rules under columns"),
        ("columns: [a]", "no rules under columns"), ("columns: {city: {column: a, value: b}}", "exactly one of"),
        ("columns: {city: a}", "exactly one of"), ("columns: {}\nnull_values: NA", "null_values no list"),
        ("columns: {}\ndelimiter: ab", "no single sign"),
        ("columns: {city: {column: b}}\ngroup_by: [a]", "'b', which is neither in group_by nor in aggregates"),
        ("columns:\n  city: {expression: 'substring(a, b)'}", "cannot be read without Spark"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_none_is_refused_in_one_line(
    tmp_path: Path, odd_mapping: Callable[[str], object], rules: str, message: str
) -> None:
    odd_mapping(rules)
    (tmp_path / "a.csv").write_text("a,b\n2020-01-01,2020-01-01\n")
    with pytest.raises(reports.UnreadableReportsError, match=message) as failure:
        reports.read([tmp_path / "a.csv"], "odd")
    assert "odd" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_what_an_expression_loses_is_refused_or_said(tmp_path: Path, odd_mapping: Callable[[str], object]) -> None:
    rules = (
        "group_by: [venue]\naggregates: {sold: sum(try_cast(tickets AS BIGINT))}\n"
        "columns:\n  venue: {column: venue}\n  tickets_sold: {expression: sold * 1}\n"
    )
    odd_mapping(rules)
    (tmp_path / "a.csv").write_text("venue,tickets\nV,many\n")
    lines: list[str] = []
    assert reports.read([tmp_path / "a.csv"], "odd", lines.append)["tickets_sold"].isna().all()
    assert "a cell of tickets_sold is no number, such as 'many'" in lines[0]
    (tmp_path / "a.csv").write_text('venue,tickets\nV,"1,000"\n')
    with pytest.raises(reports.UnreadableReportsError, match="'1,000': clean them in the mapping's expression"):
        reports.read([tmp_path / "a.csv"], "odd")


def test_a_cast_that_a_mapping_keeps_from_a_text_does_not_refuse_the_file(
    tmp_path: Path, odd_mapping: Callable[[str], object]
) -> None:
    gross = "CASE WHEN gross = '12,34' THEN NULL ELSE try_cast(gross AS DECIMAL(14,2)) END"
    odd_mapping(f'columns:\n  gross: {{expression: "{gross}"}}\n')
    (tmp_path / "a.csv").write_text('venue,gross\nV,"12,34"\nV,5\n')
    lines: list[str] = []
    found = reports.read([tmp_path / "a.csv"], "odd", lines.append)["gross"]
    assert (list(found.isna()), found[1], lines) == ([True, False], 5, [])


GOOD = {
    "source": "s", "report_id": "r", "show": "", "artist": "Björk", "venue": "Harpa", "city": "Reykjavík",
    "country": "IS", "period_start": "2020-01-01", "period_end": "2020-01-02", "performances": "2", "capacity": "3200",
    "tickets_sold": "3000", "gross": "150000.50", "currency": "USD", "average_price": "50.00", "top_price": "120",
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("no_source_or_id", {"source": " "}), ("no_source_or_id", {"report_id": ""}),
        ("no_show_or_artist", {"artist": "\u00a0"}), ("no_venue", {"venue": "\u200b"}), ("no_venue", {"country": ""}),
        ("bad_period", {"period_end": "2020"}), ("bad_period", {"period_start": "1899-12-31"}),
        ("bad_period", {"period_start": "2020-01-03"}), ("performances", {"performances": "1.5"}),
        ("performances", {"performances": "99999999999"}), ("capacity", {"capacity": "3200.5"}),
        ("capacity", {"capacity": "1000000001"}), ("tickets_sold", {"tickets_sold": "12.5"}),
        ("tickets_sold", {"tickets_sold": "5121"}), ("gross", {"gross": "-0.001"}), ("gross", {"gross": "1e30"}),
        ("gross", {"gross": "999999999999.995"}), ("no_currency", {"currency": " "}),
        ("price", {"average_price": "-0.001"}), ("price", {"top_price": "-1e30"}),
        ("text_too_long", {"city": "島" * 342}),
    ],
)  # fmt: skip
def test_what_curation_quarantines_is_left_out(tmp_path: Path, rule: str, change: dict[str, str]) -> None:
    rows = pd.DataFrame([GOOD, {**GOOD, "report_id": "odd", **change}])
    rows.to_csv(tmp_path / "a.csv", index=False)
    found = reports.read_accepted([tmp_path / "a.csv"], "canonical", lambda _: None)
    assert (list(found["report_id"]), found.attrs["rejected"]) == (["r"], {rule: 1})
    assert list(found.columns) == reports.COLUMNS


def test_case_and_spaces_make_no_other_report(tmp_path: Path) -> None:
    weeks = ["Wicked,Gershwin,2020-03-01,8,0,1926,15000,2000000", "WICKED, gershwin,2020-03-01 00:00,8,0,1926,15001,2"]
    (tmp_path / "w.csv").write_text("\n".join([BROADWAY, *weeks]))
    found = reports.read_accepted([tmp_path / "w.csv"], "broadway_weekly_grosses")
    assert (list(found["report_id"]), list(found["tickets_sold"])) == (["wicked|gershwin|2020-03-01"], [15001])

    nights = ['Paris,France,Bercy,"1,000 / 1,000",$500,Red', 'Paris,France,BERCY ,"2,000 / 2,000",$700,red']
    (tmp_path / "t.csv").write_text("\n".join(["city,country,venue,attendance,revenue,tour", *nights]))
    (tour,) = reports.read([tmp_path / "t.csv"], "taylor_swift_tours").to_dict("records")
    assert (tour["report_id"], tour["venue"], tour["performances"], tour["gross"]) == ("red|bercy", "BERCY", 2, 1200)


def test_a_currency_is_in_capital_letters(tmp_path: Path) -> None:
    pd.DataFrame([{**GOOD, "currency": "usd"}]).to_csv(tmp_path / "a.csv", index=False)
    assert list(reports.read([tmp_path / "a.csv"], "canonical")["currency"]) == ["USD"]
