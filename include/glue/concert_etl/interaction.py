"""Interactions of users with artists: text cells become typed columns, and the rules of an interaction."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.entities import INTERACTION
from concert_etl.rules import Rule, judge, text_too_long
from concert_etl.texts import clean, shown

# Curated column -> column of the files.
COLUMNS = {"user_id": "user_id", "source_artist_id": "artist_id", "artist": "artist", "weight": "weight"}

RULES = (
    Rule("user_id_missing", "user_id IS NULL", "'the user is not given'"),
    Rule(
        "artist_missing",
        "artist IS NULL OR source_artist_id IS NULL",
        f"concat('artist ', {shown('source_artist_id')}, ' has the name ', {shown('artist')})",
    ),
    Rule(
        "weight_not_positive",
        # NaN is greater than any number.
        "weight IS NULL OR NOT (weight > 0 AND weight < double('Infinity'))",
        f"concat('weight is ', {shown('weight')}, ', not a number above 0')",
    ),
    text_too_long(INTERACTION.widths),
)


def curate(cells: DataFrame) -> DataFrame:
    """Type and judge interactions given as the raw cells of a file."""
    texts = [clean(F.col(column)).alias(name) for name, column in COLUMNS.items()]
    typed = cells.select(
        "_meta", "_row", F.lit(1).alias("_records"), "_malformed", F.struct(*texts).alias("_text")
    ).select(
        "*",
        F.col("_meta.source").alias("source"),
        *(f"_text.{name}" for name in ("user_id", "source_artist_id", "artist")),
        F.expr("try_cast(_text.weight AS DOUBLE)").alias("weight"),
    )
    return judge(typed, RULES)
