"""Box-office files: mappings, record rules, grouping, repeats."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet as pq
import pytest

GOOD = {
    "source": "venue_report",
    "report_id": "r1",
    "show": "",
    "artist": "Björk",
    "venue": "Harpa",
    "city": "Reykjavík",
    "country": "IS",
    "period_start": "2020-01-01",
    "period_end": "2020-01-02",
    "performances": "2",
    "capacity": "3200",
    "tickets_sold": "3000",
    "gross": "150000.50",
    "currency": "USD",
    "average_price": "50.00",
    "top_price": "120",
}


def canonical(*changes: dict[str, str], columns: list[str] | None = None) -> str:
    """A canonical CSV file with one row for each set of changes to the good report."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(GOOD), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**GOOD, "report_id": f"r{number}", **change} for number, change in enumerate(changes))
    return text.getvalue()


BROKEN = [
    ("source_missing", {"source": " "}),
    ("report_id_missing", {"report_id": ""}),
    ("show_and_artist_missing", {"artist": "\u00a0"}),
    ("venue_missing", {"venue": ""}),
    ("country_missing", {"country": ""}),
    ("date_invalid", {"period_start": "2020-02-30"}),
    ("date_invalid", {"period_end": "2020"}),
    ("date_invalid", {"period_end": "01/02/2020"}),
    ("date_invalid", {"period_start": "0000-01-01"}),
    ("date_invalid", {"period_start": "1899-12-31"}),
    ("date_invalid", {"period_end": "2101-01-01"}),
    ("period_reversed", {"period_start": "2020-01-03"}),
    ("performances_below_one", {"performances": "0"}),
    ("performances_below_one", {"performances": "1.5"}),
    ("performances_below_one", {"performances": "99999999999"}),
    ("capacity_not_positive", {"capacity": "0"}),
    ("capacity_not_positive", {"capacity": "-3"}),
    ("capacity_not_positive", {"capacity": "3,200"}),
    ("capacity_not_positive", {"capacity": "9223372036854775808"}),
    ("capacity_implausible", {"capacity": "1000000001"}),
    ("tickets_sold_not_positive_integer", {"tickets_sold": "9223372036854775808"}),
    ("tickets_sold_not_positive_integer", {"tickets_sold": "0"}),
    ("tickets_sold_not_positive_integer", {"tickets_sold": "12.5"}),
    ("tickets_sold_not_positive_integer", {"tickets_sold": "many"}),
    ("tickets_sold_above_capacity", {"tickets_sold": "5121"}),
    ("gross_invalid", {"gross": ""}),
    ("gross_invalid", {"gross": "-0.001"}),
    ("gross_invalid", {"gross": "NaN"}),
    ("gross_invalid", {"gross": "1e30"}),
    ("gross_invalid", {"gross": "999999999999.995"}),
    ("currency_missing", {"currency": " "}),
    ("price_invalid", {"average_price": "-0.001"}),
    ("price_invalid", {"top_price": "-1e30"}),
    ("text_too_long", {"city": "x" * 1025}),
    ("text_too_long", {"city": "島" * 342}),  # 1,026 bytes
]


def test_each_rule_is_broken_by_a_row(deliver: Any, run_job: Any) -> None:
    deliver(
        "canonical",
        "box_office",
        {"f.csv": canonical(*(c for _, c in BROKEN), {"city": "島" * 341})},
        {"f.csv": len(BROKEN) + 1},
    )

    outcome = run_job()

    found = [(row["rule"], row["reason"]) for row in outcome.rejected]
    assert sorted(rule for rule, _ in found) == sorted(rule for rule, _ in BROKEN)
    assert (
        "date_invalid",
        'period "2020-02-30" to "2020-01-02" is not made of dates from 1900-01-01 to 2100-12-31',
    ) in found
    assert ("gross_invalid", "gross is nothing, not an amount of 0 or more") in found
    assert outcome.report["entities"]["box_office"]["rows"] == 1
    accounts = {source: (row["read"], row["quarantined"]) for (source, _), row in outcome.accounts.items()}
    # A record that names no source is accounted to its mapping.
    assert accounts == {"venue_report": (len(BROKEN), len(BROKEN) - 1), "canonical": (1, 1)}


def test_a_rejected_record_is_kept_as_it_was_delivered(deliver: Any, run_job: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({"gross": " n/a ", "artist": "中島みゆき"})}, {"f.csv": 1})

    (row,) = run_job().rejected

    delivered = {**GOOD, "show": None, "report_id": "r0", "gross": " n/a ", "artist": "中島みゆき"}
    assert json.loads(row["record"]) == delivered
    assert (row["source"], row["entity"], row["run_id"], row["dt"]) == (
        "venue_report",
        "box_office",
        "manual-1",
        "2020-03-04",
    )
    assert (row["file_name"], row["record_uri"]) == ("f.csv", None)


def test_a_record_too_long_for_the_warehouse_lies_in_quarantine_alone(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({"venue": "ü" * 40_000, "gross": "-1"})}, {"f.csv": 1})

    (row,) = run_job().rejected

    shortened = json.loads(row["record"])
    whole = buckets.path(row["record_uri"]).read_text("utf-8")
    assert json.loads(whole)["venue"] == "ü" * 40_000
    assert shortened["length"] == len(whole.encode()) and whole.startswith(shortened["beginning"])
    assert len(row["record"].encode()) < 60_000


def test_a_good_report_is_typed(deliver: Any, run_job: Any) -> None:
    deliver(
        "canonical", "box_office", {"f.csv": canonical({"artist": " Björk ", "tickets_sold": "3000.0"})}, {"f.csv": 1}
    )

    (row,) = run_job().rows("box_office").collect()

    assert (row["artist"], row["show"], row["tickets_sold"], row["capacity"]) == ("Björk", None, 3000, 3200)
    assert (row["gross"], row["average_price"], row["top_price"]) == (
        Decimal("150000.50"),
        Decimal("50"),
        Decimal("120"),
    )
    assert (row["period_start"], row["period_end"], row["period_precision"]) == (
        date(2020, 1, 1),
        date(2020, 1, 2),
        "day",
    )
    assert row["ingested_at"].isoformat() == "2020-03-04T05:06:07.000001"
    assert (row["warning"], row["run_id"], row["file_name"]) == (None, "manual-1", "f.csv")


def test_columns_and_types_are_those_of_the_catalogue(deliver: Any, run_job: Any) -> None:
    from concert_etl.entities import BOX_OFFICE

    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})

    assert dict(run_job().rows("box_office").dtypes) == BOX_OFFICE.columns
    assert list(BOX_OFFICE.columns) == run_job().rows("box_office").columns


def test_standing_room_is_a_warning(deliver: Any, run_job: Any) -> None:
    rows = [{"tickets_sold": "3200"}, {"tickets_sold": "3201"}, {"tickets_sold": "5120"}]
    deliver("canonical", "box_office", {"f.csv": canonical(*rows)}, {"f.csv": 3})

    warnings = {row["tickets_sold"]: row["warning"] for row in run_job().rows("box_office").collect()}

    assert warnings == {3200: None, 3201: "standing_room", 5120: "standing_room"}


def test_a_price_that_cannot_be_read_is_a_warning(deliver: Any, run_whole_job: Any) -> None:
    rows = [{"average_price": "cheap", "tickets_sold": "3201"}, {"top_price": "99999999999"}, {"top_price": ""}]
    deliver("canonical", "box_office", {"f.csv": canonical(*rows)}, {"f.csv": 3})

    found = {row["report_id"]: row for row in run_whole_job().rows("box_office").collect()}

    warnings = [found[name]["warning"] for name in ("r0", "r1", "r2")]
    assert warnings == ["standing_room,price_unreadable", "price_unreadable", None]
    assert (found["r0"]["average_price"], found["r1"]["top_price"]) == (None, None)


def test_headers_may_be_written_in_any_case_and_lines_end_in_cr_lf(deliver: Any, run_job: Any) -> None:
    header, row = canonical({"top_price": ""}).splitlines()
    text = f" {header.title()},Top Price\r\n{row},\n\r\n{row.replace('r0', 'r1')},x\r\n"
    deliver("canonical", "box_office", {"f.csv": text}, {"f.csv": 2})

    outcome = run_job()

    assert {row["venue"] for row in outcome.rows("box_office").collect()} == {"Harpa"}
    assert outcome.report["quarantined"] == 0


def test_a_column_may_have_any_name(deliver: Any, run_job: Any) -> None:
    names = ["_meta", "_malformed", "_file_name", "_metadata", "_record", "_cells", "a b", "`", "x.y"]
    row = {**GOOD, **dict.fromkeys(names, "1"), "gross": "-1"}
    table = pyarrow.table({name: [value, value] for name, value in row.items()})
    body = io.BytesIO()
    pq.write_table(table, body)
    text = canonical(row, columns=[*GOOD, *names])
    deliver("canonical", "box_office", {"f.parquet": body.getvalue(), "f.csv": text}, {"f.parquet": 2, "f.csv": 1})

    records = [json.loads(row["record"]) for row in run_job().rejected]

    assert len(records) == 3
    assert all({name: record[name] for name in names} == dict.fromkeys(names, "1") for record in records)


def test_dates_of_pandas_are_read(deliver: Any, run_job: Any, tmp_path: Any) -> None:
    from concert_platform.sources.inspection import Layout, inspect

    frame = pandas.DataFrame([{**GOOD, "show": None}, {**GOOD, "report_id": "r2", "period_end": None}])
    for name in ("period_start", "period_end"):
        frame[name] = pandas.to_datetime(frame[name])
    frame["seen at"] = pandas.Timestamp("1969-12-31T23:59:59.000000001", tz="UTC")
    frame.to_parquet(tmp_path / "f.parquet")
    found = inspect(tmp_path / "f.parquet", Layout(list(GOOD)))
    assert found == (2, ["period_start", "period_end", "seen at"])
    content = (tmp_path / "f.parquet").read_bytes()
    columns = found.nanosecond_columns
    deliver("canonical", "box_office", {"f.parquet": content}, {"f.parquet": 2}, nanosecond_columns=columns)

    rows = {row["report_id"]: row for row in run_job().rows("box_office").collect()}

    assert (rows["r1"]["period_start"], rows["r1"]["period_end"]) == (date(2020, 1, 1), date(2020, 1, 2))
    assert (rows["r2"]["period_end"], rows["r2"]["show"]) == (None, None)


def test_a_report_without_dates_is_the_total_of_a_tour(deliver: Any, run_job: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({"period_start": "", "period_end": ""})}, {"f.csv": 1})

    assert run_job().rows("box_office").first()["period_precision"] == "tour"


def test_the_newest_of_repeated_reports_stays(deliver: Any, run_job: Any) -> None:
    files = {
        "a.csv": canonical({"gross": "1", "report_id": "x"}, {"gross": "2", "report_id": "x"}),
        "b.csv": canonical({"gross": "3", "report_id": "x"}),
        "c.csv": canonical({"gross": "4", "report_id": "x"}, {"gross": "-5", "report_id": "x"}),
    }
    late, early = "2020-03-04T05:00:00+00:00", "2020-03-04T04:00:00+00:00"
    times = {"a.csv": late, "b.csv": late, "c.csv": early}
    deliver("canonical", "box_office", files, {"a.csv": 2, "b.csv": 1, "c.csv": 2}, delivered_at=times)

    outcome = run_job()

    assert [row["gross"] for row in outcome.rows("box_office").collect()] == [Decimal(3)]
    account = outcome.accounts["venue_report", "box_office"]
    assert (account["read"], account["quarantined"], account["deduplicated"]) == (5, 1, 3)


def test_the_later_of_two_rows_of_a_file_stays(deliver: Any, run_job: Any) -> None:
    rows = [{"gross": "2", "report_id": "x"}, {"gross": "1", "report_id": "x"}]
    deliver("canonical", "box_office", {"a.csv": canonical(*rows)}, {"a.csv": 2})

    assert run_job().rows("box_office").first()["gross"] == Decimal(1)


def test_files_of_a_mapping_may_order_their_columns_differently(deliver: Any, run_job: Any) -> None:
    files = {"a.csv": canonical({"report_id": "a"}), "b.csv.gz": canonical({"report_id": "b"}, columns=sorted(GOOD))}
    deliver("canonical", "box_office", files, {"a.csv": 1, "b.csv.gz": 1})

    assert {row["venue"] for row in run_job().rows("box_office").collect()} == {"Harpa"}


def test_quoted_cells_may_hold_line_breaks_quotes_and_delimiters(deliver: Any, run_job: Any) -> None:
    name = 'The "Big"\nRoom, \\ Annex'
    deliver("canonical", "box_office", {"f.csv": canonical({"venue": name}, {})}, {"f.csv": 2})

    assert name in {row["venue"] for row in run_job().rows("box_office").collect()}


def test_a_line_with_a_missing_or_surplus_cell_is_malformed(deliver: Any, run_job: Any) -> None:
    lines = canonical({}, {}, {}).splitlines()
    text = "\n".join([*lines[:2], lines[2].rsplit(",", 1)[0], f"{lines[3]},more", ""])
    deliver("canonical", "box_office", {"f.csv": text}, {"f.csv": 3})

    outcome = run_job()

    assert [row["rule"] for row in outcome.rejected] == ["record_malformed", "record_malformed"]
    assert {json.loads(row["record"])["line"].strip() for row in outcome.rejected} == {
        text.splitlines()[2],
        text.splitlines()[3],
    }


def test_parquet_files_are_read_as_text(deliver: Any, run_job: Any, spark: Any, tmp_path: Any) -> None:
    row = {**GOOD, "period_start": date(2020, 1, 1), "tickets_sold": 3000.0, "gross": Decimal("7.5"), "capacity": None}
    kinds = {"period_start": "date", "tickets_sold": "double", "gross": "decimal(9,2)", "capacity": "int"}
    schema = ", ".join(f"`{name}` {kinds.get(name, 'string')}" for name in row)
    good, bad = {**row, "capacity": 3200}, {**row, "report_id": "r2"}
    spark.createDataFrame([good, bad], schema).coalesce(1).write.parquet(str(tmp_path / "p"))
    content = next((tmp_path / "p").glob("*.parquet")).read_bytes()
    deliver("canonical", "box_office", {"f.parquet": content}, {"f.parquet": 2})

    outcome = run_job()

    (loaded,) = outcome.rows("box_office").collect()
    assert (loaded["tickets_sold"], loaded["gross"], loaded["period_start"]) == (
        3000,
        Decimal("7.50"),
        date(2020, 1, 1),
    )
    assert [row["rule"] for row in outcome.rejected] == ["capacity_not_positive"]


TOURS = """city,country,venue,attendance,revenue,tour
Paris,France,Bercy,"15,000 / 16,000","$1,000,000",Red
Paris,France,Bercy,"15,000 / 16,000","$1,000,000",Red
Paris,France,Bercy,"10,000 / 10,000","$500,000",Red
London,England,Hyde Park,—,—,Red
London,England,Hyde Park,—,—,Red
"""


def test_a_repeated_total_counts_once_per_tour_and_venue(deliver: Any, run_job: Any) -> None:
    deliver("taylor_swift_tours", "box_office", {"t.csv": TOURS}, {"t.csv": 5})

    outcome = run_job()

    (row,) = outcome.rows("box_office").collect()
    assert (row["artist"], row["venue"], row["performances"]) == ("Taylor Swift", "Bercy", 3)
    assert (row["tickets_sold"], row["capacity"], row["gross"]) == (25000, 26000, Decimal(1500000))
    assert (row["period_precision"], row["average_price"]) == ("tour", Decimal("60.00"))
    (rejected,) = outcome.rejected
    assert rejected["rule"] == "capacity_not_positive"
    assert [night["venue"] for night in json.loads(rejected["record"])] == ["Hyde Park", "Hyde Park"]
    account = outcome.accounts["taylor_swift_tours", "box_office"]
    assert (account["read"], account["quarantined"], account["deduplicated"]) == (5, 1, 3)


def test_visits_that_share_a_number_count_each(deliver: Any, run_job: Any) -> None:
    text = (
        "city,country,venue,attendance,revenue,tour\n"
        'Paris,France,Bercy,"10,000 / 10,000","$500,000",Red\n'
        'Paris,France,Bercy,"9,000 / 10,000","$500,000",Red\n'
        f'Paris,France,Zénith,"{2**63 - 1} / {2**63 - 1}","$1",Red\n'
        f'Paris,France,Zénith,"{2**63 - 1} / {2**63 - 1}","$2",Red\n'
    )
    deliver("taylor_swift_tours", "box_office", {"t.csv": text}, {"t.csv": 4})

    outcome = run_job()

    (row,) = outcome.rows("box_office").collect()
    assert (row["tickets_sold"], row["capacity"], row["gross"]) == (19000, 20000, Decimal(1000000))
    assert [row["rule"] for row in outcome.rejected] == ["capacity_not_positive"]  # their sum fits no number


def test_a_venue_is_the_same_one_whatever_a_source_calls_its_country(deliver: Any, run_job: Any) -> None:
    names = ["United States", "us", "U.S.A.", "The Bahamas", "England", "Côte d'Ivoire ", "UK"]
    deliver("canonical", "box_office", {"f.csv": canonical(*({"country": name} for name in names))}, {"f.csv": 7})

    rows = {row["report_id"]: row for row in run_job().rows("box_office").collect()}

    found = [rows[f"r{number}"]["country"] for number in range(len(names))]
    assert found == ["US", "US", "US", "BS", "GB", "Côte d'Ivoire", "GB"]
    assert rows["r0"]["venue_id"] == rows["r1"]["venue_id"] == rows["r2"]["venue_id"]


def test_a_broadway_week_ends_on_its_sunday_and_counts_previews(deliver: Any, run_job: Any) -> None:
    text = (
        "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd\n"
        "Cats,Winter Garden Theatre,1997-06-08,6,2,1500,11000,500000\n"
        "Cats,Winter Garden Theatre,soon,6,2,1500,11000,500000\n"
    )
    deliver("broadway_weekly_grosses", "box_office", {"b.csv": text}, {"b.csv": 2})

    outcome = run_job()

    (row,) = outcome.rows("box_office").collect()
    assert (row["period_start"], row["period_end"]) == (date(1997, 6, 2), date(1997, 6, 8))
    assert (row["performances"], row["capacity"], row["country"]) == (8, 12000, "US")
    # Neither price column is required: a file without them has none.
    assert (row["average_price"], row["top_price"]) == (None, None)
    assert [row["rule"] for row in outcome.rejected] == ["date_invalid"]


def test_a_file_without_a_required_column_stops_the_job(deliver: Any, run_job: Any) -> None:
    from concert_etl.errors import CurationError

    columns = [name for name in GOOD if name != "venue"]
    text = canonical(columns=columns) + ",".join("x" for _ in columns) + "\n"
    deliver("canonical", "box_office", {"f.csv": text}, {"f.csv": 1})

    with pytest.raises(CurationError, match=r"canonical lacks the columns venue; it is one of f\.csv"):
        run_job()
