"""Make samples/ from the collected source data: tables of facts and figures in the project's own shape.

    python samples/build_samples.py --shared ../shared/data [--output samples]

The payloads of the APIs: build_payloads.py. Running it again gives the same bytes.
SOURCE.md of each folder says where the facts come from and what was kept.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

Row = Sequence[str]

# Own column -> column of the source. What can be computed from the others (season week, share of capacity, sum of the
# week) is left out.
BROADWAY_COLUMNS = {
    "show": "show",
    "theatre": "theatre",
    "week_ending": "week_ending",
    "performances": "performances",
    "previews": "previews",
    "seats_in_theatre": "seats_in_theatre",
    "tickets_sold": "seats_sold",
    "gross_usd": "weekly_gross",
    "potential_gross_usd": "potential_gross",
    "average_price_usd": "avg_ticket_price",
    "top_price_usd": "top_ticket_price",
}
TOUR_COLUMNS = {
    "city": "City",
    "country": "Country",
    "venue": "Venue",
    "attendance": "Attendance",
    "revenue": "Revenue",
    "tour": "Tour",
}


# ---------------------------------------------------------------- writing
def write_table(path: Path, header: Row, rows: Iterable[Row], *, delimiter: str = ",") -> int:
    """Write a table, gzip-compressed when its name ends in .gz, and return the number of rows."""
    text = io.StringIO()
    if delimiter == "\t":
        lines = ["\t".join(header), *("\t".join(row) for row in rows)]
        text.write("\n".join(lines) + "\n")
        count = len(lines) - 1
    else:
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007  (the number of rows)
            writer.writerow(row)
    data = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip_bytes(data) if path.suffix == ".gz" else data)
    return count


def gzip_bytes(data: bytes) -> bytes:
    """Compress without a time stamp or file name, so that equal input gives equal output."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=9) as stream:
        stream.write(data)
    return buffer.getvalue()


# ---------------------------------------------------------------- box office
def build_broadway(shared: Path, output: Path) -> int:
    with gzip.open(shared / "broadway_grosses/grosses_1985-06_2018-05.csv.gz", "rt", encoding="utf-8") as stream:
        rows = [
            [
                row[source] if own in ("show", "theatre") else plain(row[source])
                for own, source in BROADWAY_COLUMNS.items()
            ]
            for row in csv.DictReader(stream)
        ]
    target = output / "broadway_weekly_grosses/broadway_weekly_grosses.csv.gz"
    return write_table(target, list(BROADWAY_COLUMNS), rows)


def plain(cell: str) -> str:
    """A cell without the marks of the source: NA is empty, and 282368.0 is 282368."""
    return "" if cell == "NA" else cell.removesuffix(".0")


def build_tours(shared: Path, output: Path) -> int:
    with (shared / "taylor_swift_tours/concerts.csv").open(encoding="utf-8", newline="") as stream:
        rows = [[row[source].strip() for source in TOUR_COLUMNS.values()] for row in csv.DictReader(stream)]
    return write_table(output / "taylor_swift_tours/taylor_swift_tours.csv", list(TOUR_COLUMNS), rows)


# ---------------------------------------------------------------- interactions
def build_lastfm(shared: Path, output: Path) -> dict[str, int]:
    source, target = shared / "lastfm_hetrec2011", output / "lastfm"
    names = {row[0]: row[1] for row in tab_rows(source / "artists.dat.gz", header=False)}
    listened = tab_rows(source / "user_artists.dat.gz")
    interactions = ([user, artist, names[artist], weight] for user, artist, weight in listened)
    tables: dict[str, tuple[Row, Iterable[Row]]] = {
        "interactions.tsv.gz": (["user_id", "artist_id", "artist", "weight"], interactions),
        "tags.tsv.gz": (["tag_id", "tag"], tab_rows(source / "tags.dat.gz", encoding="latin-1")),
        "artist_tags.tsv.gz": (
            ["user_id", "artist_id", "tag_id", "day", "month", "year"],
            tab_rows(source / "user_taggedartists.dat.gz"),
        ),
        "friends.tsv.gz": (["user_id", "friend_id"], tab_rows(source / "user_friends.dat.gz")),
    }
    return {name: write_table(target / name, header, rows, delimiter="\t") for name, (header, rows) in tables.items()}


def tab_rows(path: Path, *, header: bool = True, encoding: str = "utf-8") -> Iterator[list[str]]:
    """Rows of a tab-separated file whose cells may hold quote characters as they are."""
    with gzip.open(path, "rt", encoding=encoding, newline="\n") as stream:
        if header:
            next(stream)
        for line in stream:
            yield line.rstrip("\r\n").split("\t")


# ---------------------------------------------------------------- command line
def build(shared: Path, output: Path) -> dict[str, int]:
    """Build every sample and return the number of rows by file or folder."""
    counts = {
        "broadway_weekly_grosses": build_broadway(shared, output),
        "taylor_swift_tours": build_tours(shared, output),
    }
    counts |= {f"lastfm/{name}": count for name, count in build_lastfm(shared, output).items()}
    return counts


def command(
    build: Callable[[Path, Path], dict[str, int]], description: str | None, arguments: list[str] | None = None
) -> int:
    """The command line of a program that builds samples from the collected data and counts them."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="folder of the collected data")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    options = parser.parse_args(arguments)
    if not options.shared.is_dir():
        print(f"{options.shared} is no folder: give the folder of the collected data with --shared", file=sys.stderr)
        return 2
    for name, count in build(options.shared, options.output).items():
        print(f"{name}: {count:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(command(build, __doc__))
