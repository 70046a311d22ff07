"""What is imported from the drop zone, and what is refused with which reason."""

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest

from concert_platform.sources.inspection import Layout, UnusableFileError, count_records

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
    ],
)
def test_records_are_counted(tmp_path: Path, name: str, text: str, count: int) -> None:
    assert count_records(written(tmp_path / name, text), LAYOUT) == count


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
        ("a.parquet", b"PAR1", "no complete Parquet file"),
        ("a.xlsx", b"PK", "its name ends neither in"),
    ],
)
def test_unusable_file_is_refused_with_its_reason(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UnusableFileError, match=reason) as caught:
        count_records(written(tmp_path / name, content), LAYOUT)
    assert "\n" not in str(caught.value)


def test_truncated_gzip_is_half_written(tmp_path: Path) -> None:
    whole = gzip.compress(b"show,gross\n" + b"".join(b"Cats %d,%d\n" % (n, n) for n in range(5000)))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableFileError, match="half-written: its gzip stream breaks off"):
        count_records(path, LAYOUT)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"show,gross\nno gzip at all\n")
    with pytest.raises(UnusableFileError, match="it is damaged"):
        count_records(path, LAYOUT)


def test_parquet_rows_are_counted_and_a_truncated_file_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pyarrow.table({"show": ["Cats", "Rent"], "gross": [1, 2]}), path)
    assert count_records(path, LAYOUT) == 2
    with pytest.raises(UnusableFileError, match="lacks the column venue"):
        count_records(path, Layout(["venue"]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnusableFileError, match="no complete Parquet file"):
        count_records(path, LAYOUT)


@pytest.mark.parametrize(
    ("name", "columns", "count"),
    [
        ("broadway_grosses/broadway_weekly_grosses.csv.gz", ["week_ending"], 44_535),
        ("taylor_swift_tours/taylor_swift_tours.csv", ["tour"], 445),
        ("lastfm/interactions.tsv.gz", ["user_id", "artist_id", "artist", "weight"], 92_834),
    ],
)
def test_every_sample_record_is_counted(name: str, columns: list[str], count: int) -> None:
    assert count_records(SAMPLES / name, Layout(columns)) == count
