"""Which reports of box-office files the analyses use: those that curation would load, each key once."""

from __future__ import annotations

from pathlib import Path

from ml.box_office import reports

SAMPLES = Path(__file__).parents[3] / "samples"
BROADWAY = "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd"
NUMBERED = "report_id,venue,period_end,capacity,tickets_sold"


def numbered(path: Path, count: int, year: int, source: str = "") -> Path:
    """A file whose reports are numbered from 1 on, with a source of its own if one is given."""
    rows = [f"{number},V,{year}-01-{number:02d},100,90" for number in range(1, count + 1)]
    head, rows = (f"{NUMBERED},source", [f"{row},{source}" for row in rows]) if source else (NUMBERED, rows)
    path.write_text("\n".join([head, *rows]))
    return path


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


def test_files_without_a_source_may_number_their_reports_alike(tmp_path: Path) -> None:
    lines: list[str] = []
    files = [numbered(tmp_path / f"{year}.csv", 9, year) for year in (2019, 2020)]
    found = reports.read_accepted(files, "canonical", lines.append)
    assert (len(found), found.attrs["repeated"], lines) == (18, 0, [])
    assert len(reports.read_accepted([*files, tmp_path / "." / "2020.csv"], "canonical")) == 18


def test_a_file_that_tells_a_source_rejects_nothing_of_one_that_tells_none(tmp_path: Path) -> None:
    files = [numbered(tmp_path / "a.csv", 9, 2019), numbered(tmp_path / "b.csv", 9, 2020, source="mine")]
    found = reports.read_accepted(files, "canonical")
    assert (len(found), found.attrs) == (18, {"rejected": {}, "repeated": 0})


def test_reports_that_are_left_out_for_their_key_are_told(tmp_path: Path) -> None:
    lines: list[str] = []
    files = [numbered(tmp_path / f"{year}.csv", 9, year, source="mine") for year in (2019, 2020)]
    found = reports.read_accepted(files, "canonical", lines.append)
    assert set(found["period_end"].dt.year) == {2020}
    assert [line.partition(" (")[0] for line in lines] == [
        "left out, as curation would: 9 whose source and report_id come again in a later report"
    ]
    (tmp_path / "x.csv").write_text("\n".join([NUMBERED, "x,V,2020-01-01,100,90", "x,W,2020-01-02,100,90"]))
    assert list(reports.read_accepted([tmp_path / "x.csv"], "canonical", lines.append)["venue"]) == ["W"]
    assert "1 whose source and report_id come again" in lines[-1]


def test_files_without_a_report_are_accepted_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text(NUMBERED + "\n")
    assert len(reports.read_accepted([tmp_path / "none.csv"], "canonical")) == 0
    assert len(reports.read_accepted([], "canonical")) == 0


def test_the_sample_of_tours_is_accepted_whole() -> None:
    found = reports.read_accepted([SAMPLES / "taylor_swift_tours" / "taylor_swift_tours.csv"], "taylor_swift_tours")
    assert len(found) == 293
    first = found.set_index("report_id").loc["fearless_tour|roberts municipal stadium"]
    assert (first["capacity"], first["tickets_sold"], first["gross"]) == (7463, 7463, 360617)
