"""Ingest and curation count the same records: what inspection accepts, Spark reads alike."""

import random
from collections import Counter
from typing import Any

import pytest
from concert_etl.raw import RawBucket, RawFile, read_cells

from concert_platform.sources.inspection import Layout, UnusableFileError, inspect

HEADERS = {
    "csv": ["Show,Gross\n", "show,gross\r\n", '"show","gross"\r\n', '\ufeff"show\n",gross\n'],
    "tsv": ["show\tgross\n"],
}
PIECES = {
    "csv": [
        "a",
        ",",
        ",",
        '"',
        '""',
        '"x',
        '"\n',
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "\\",
        "#",
        "\u2028",
        "\u3000",
        '""""',
    ],
    "tsv": ["a", "\t", "\t", '"', "\n", "\n", "\r\n", "\r", " ", "\\", "#", "\u2028", "\u3000", "\x1c", "\x85"],
}


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_any_file_that_is_accepted_has_the_same_records_for_spark(spark: Any, buckets: Any, kind: str) -> None:
    choice = random.Random(7)  # noqa: S311
    folder = buckets.path("s3://raw/raw/f")
    folder.mkdir(parents=True)
    files, expected = [], {}
    for number in range(800):
        path = folder / f"{number}.{kind}"
        pieces = choice.choices(PIECES[kind], k=choice.randint(0, 14))
        path.write_bytes((choice.choice(HEADERS[kind]) + "".join(pieces)).encode())
        try:
            expected[path.name] = inspect(path, Layout(["gross"])).records
        except UnusableFileError:
            continue
        files.append(RawFile(path.name, f"raw/f/{path.name}", 0, kind, None, "2020-01-01"))
    assert len(files) > 200

    found: Counter[str] = Counter()
    for frame in read_cells(spark, RawBucket(buckets.s3, "raw"), files):
        found.update(row["_file_name"] for row in frame.collect())

    wrong = {name: (folder / name).read_bytes() for name in expected if found[name] != expected[name]}
    assert wrong == {}
