"""What is imported from the drop zone, and what is refused with which reason."""

import gzip
from datetime import datetime, time
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest

from concert_platform.sources.inspection import Layout, UnusableFileError, inspect

SAMPLES = Path(__file__).parents[3] / "samples"
LAYOUT = Layout(["show", "gross"])


def written(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("a.csv", "show,gross\nCats,1\nRent,2\n", 2),
        ("a.csv", "show,gross\nCats,1\nRent,2", 2),
        ("a.csv", '\ufeffgross,more,show\r\n1,"two\nlines, quoted ""so""",Cats\r\n\r\n', 1),
        ("a.csv.gz", "show,gross\n", 0),
        ("a.tsv", 'show\tgross\n"Cats\t1\nRent\u2028x\t2\n\n', 2),
        ("a.tsv.gz", "show\tgross\nCats\t1", 1),
        ("a.csv", " SHOW ,Gross\nCats,1\n", 1),
        ("a.csv", "show,gross\r\nCats,1\nRent,2\r\n \u3000\r\n,\r\n", 3),
        ("a.csv", 'show,gross\n"Cats\rand dogs",1\n', 1),
    ],
)
def test_records_are_counted(tmp_path: Path, name: str, text: str, count: int) -> None:
    assert inspect(written(tmp_path / name, text), LAYOUT).records == count


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv.gz", b"", "it has no header row"),
        ("a.csv", b"\n", "it has no header row"),
        ("a.csv", b"show,week\nCats,1\n", "it lacks the column gross"),
        ("a.tsv", b"name\nCats\n", "it lacks the columns show, gross"),
        ("a.csv", b'show,gross\nCats,1\n"Re', "half-written"),
        ("a.csv", b"show,gross\nCats,1\nRe", "half-written: its last row has 1 of 2 columns"),
        ("a.csv", b"show,gross\nCaf\xe9,1\n", "it is not UTF-8"),
        ("a.csv", b"\x1f\x8b\x08", "not UTF-8"),
        ("a.csv", b"show,gross,notes,Notes\n", "it has two columns of one name: notes and Notes"),
        ("a.tsv", b"show\tgross\t_c3\t\n", "it has two columns of one name: _c3 and _c3"),
        ("a.csv", b"show,gross\nCats\rRent,1\n", r"line 2 is no valid CSV \(a carriage return in a cell"),
        ("a.csv", b"show,gross\rCats,1\r", r"line 1 is no valid CSV \(a carriage return in a cell"),
        ("a.csv", b"show,gross\nCats\0,1\n", "line 2 holds a NUL character"),
        ("a.csv", b"show,gross\n" + b"," * 20_000, "line 2 has 20,001 cells"),
        ("a.tsv", b"show\tgross\n" + b"\t" * 20_000 + b"1", "line 2 has 20,001 cells"),
        ("a.parquet", b"PAR1", "no complete Parquet file"),
        ("a.xlsx", b"PK", "its name ends neither in"),
    ],
)
def test_unusable_file_is_refused_with_its_reason(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UnusableFileError, match=reason) as caught:
        inspect(written(tmp_path / name, content), LAYOUT)
    assert "\n" not in str(caught.value)


def test_truncated_gzip_is_half_written(tmp_path: Path) -> None:
    whole = gzip.compress(b"show,gross\n" + b"".join(b"Cats %d,%d\n" % (n, n) for n in range(5000)))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableFileError, match="half-written: its gzip stream breaks off"):
        inspect(path, LAYOUT)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"show,gross\nno gzip at all\n")
    with pytest.raises(UnusableFileError, match="it is damaged"):
        inspect(path, LAYOUT)


def test_parquet_rows_are_counted_and_a_truncated_file_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pyarrow.table({"show": ["Cats", "Rent"], "gross": [1, 2]}), path)
    assert inspect(path, LAYOUT) == (2, [])
    with pytest.raises(UnusableFileError, match="lacks the column venue"):
        inspect(path, Layout(["venue"]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnusableFileError, match="no complete Parquet file"):
        inspect(path, LAYOUT)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (pyarrow.array([time(1)]), "Time"),
        (pyarrow.array([1.5], pyarrow.float32()).cast(pyarrow.float16()), "Float16"),
        (pyarrow.array([1], pyarrow.decimal256(60)), "Decimal"),
        (pyarrow.array([{"at": time(1)}]), "Time"),
    ],
)
def test_parquet_types_that_spark_lacks_are_refused(tmp_path: Path, cells: pyarrow.Array, kind: str) -> None:
    pq.write_table(pyarrow.table({"show": ["Cats"], "gross": [1], "odd": cells}), tmp_path / "a.parquet")
    with pytest.raises(UnusableFileError, match=rf"its column odd.* has the Parquet type {kind}.*: write it as text"):
        inspect(tmp_path / "a.parquet", LAYOUT)


def test_parquet_columns_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    pq.write_table(pyarrow.table({"show": ["Cats"], "gross": [1], "Show": ["Rent"]}), tmp_path / "a.parquet")
    with pytest.raises(UnusableFileError, match="two columns of one name: show and Show"):
        inspect(tmp_path / "a.parquet", LAYOUT)


@pytest.mark.parametrize("is_old", [False, True])
def test_moments_in_nanoseconds_are_told_from_numbers(tmp_path: Path, is_old: bool) -> None:
    moments = {unit: pyarrow.array([datetime(2020, 1, 1)], pyarrow.timestamp(unit)) for unit in ("ns", "us", "ms")}  # noqa: DTZ001
    table = pyarrow.table({"show": pyarrow.nulls(1), "gross": [1], **moments})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=is_old)
    assert inspect(tmp_path / "a.parquet", LAYOUT) == (1, [] if is_old else ["ns"])


@pytest.mark.parametrize(
    ("name", "columns", "count"),
    [
        ("broadway_weekly_grosses/broadway_weekly_grosses.csv.gz", ["week_ending"], 44_535),
        ("taylor_swift_tours/taylor_swift_tours.csv", ["tour"], 445),
        ("lastfm/interactions.tsv.gz", ["user_id", "artist_id", "artist", "weight"], 92_834),
    ],
)
def test_every_sample_record_is_counted(name: str, columns: list[str], count: int) -> None:
    assert inspect(SAMPLES / name, Layout(columns)).records == count
