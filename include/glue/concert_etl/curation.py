"""From judged records to what is written: curated rows, and rejected records with the rule that they broke."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from concert_etl import artist, box_office, event, interaction, setlist, venue
from concert_etl.entities import ORIGIN, WIDTHS, Entity
from concert_etl.raw import record_text

CURATE = {
    "event": event.curate,
    "artist": artist.curate,
    "venue": venue.curate,
    "setlist": setlist.curate,
    "box_office": box_office.curate,
    "interaction": interaction.curate,
}
# Field of _meta -> column of judged records.
PROVENANCE = {
    "source": "_manifest_source",
    "ingested_at": "ingested_at",
    "file_name": "file_name",
    "position": "_position",
}
# Beside the entity's own columns, what the ids and the rows of a good record are made from.
EXTRA = ("_artist_keys", "_performer", "_songs")

# The warehouse stores at most 65,535 bytes of text; a longer record stays in the quarantine bucket.
LONGEST_RECORD = 60_000  # bytes
LENGTH_SHOWN = 2_048  # characters of such a record that go to the warehouse


def judged_columns(judged: DataFrame, entity: Entity) -> DataFrame:
    """What is kept of judged records: neither their text nor, of a good one, the original record."""
    known = set(judged.columns)
    own = [name for name in (*entity.columns, *EXTRA) if name in known and name not in ORIGIN]
    record = F.col("_record") if "_record" in known else record_text(F.col("_row"))
    # Columns of their own: a struct is not compressed in memory, and would be shuffled beside each of its fields.
    return judged.select(
        *(F.col(f"_meta.{name}").alias(column) for name, column in PROVENANCE.items()),
        F.when(F.col("_broken").isNotNull(), record).alias("_record"),
        "_records",
        (F.col("_rows") if "_rows" in known else F.lit(1)).alias("_rows"),
        "_broken",
        *own,
    )


def mark_repeats(judged: DataFrame, entity: Entity) -> DataFrame:
    """Add ``_repeat``: a good record whose key comes again in the run, newer, in a later file or further down."""
    # Sorting compares by the first column first: one that tells rows apart, not one that is the same in most.
    key = sorted(entity.record_key, key=lambda name: name == "source")
    newest_first = Window.partitionBy(*key, F.col("_broken").isNull()).orderBy(
        F.desc("ingested_at"), F.desc("file_name"), F.desc("_position")
    )
    return (
        judged.withColumn("_rank", F.row_number().over(newest_first))
        .select("*", (F.col("_broken").isNull() & (F.col("_rank") > 1)).alias("_repeat"))
        .drop("_rank", "_position")
    )


def good_records(judged: DataFrame) -> DataFrame:
    """Records that become rows: one per key."""
    return judged.where(F.col("_broken").isNull() & ~F.col("_repeat"))


def curated_rows(identified: DataFrame, entity: Entity) -> DataFrame:
    """Rows of the dataset, columns and types as the entity declares them.

    :param identified: good records with their ids
    """
    rows = setlist.songs(identified) if "_songs" in identified.columns else identified
    return rows.select(*(F.col(name).cast(kind).alias(name) for name, kind in entity.columns.items()))


def account_source() -> Column:
    """The source that a record is accounted to: its own, or that of its manifest when it names none that can be one."""
    is_fit = F.octet_length("source") <= WIDTHS["source"]
    return F.coalesce(F.when(is_fit, F.col("source")), F.col("_manifest_source"))


def rejected_records(judged: DataFrame, entity: Entity, *, dt: str, large_prefix: str) -> DataFrame:
    """Rejected records as rows of quality.quarantine.

    :param large_prefix: where a record that is too long for the warehouse lies; see :func:`large_records`
    """
    record, length = F.col("_record"), F.octet_length("_record")
    beginning = F.substring(record, 1, LENGTH_SHOWN).alias("beginning")
    is_large = length > LONGEST_RECORD
    return judged.where(F.col("_broken").isNotNull()).select(
        account_source().alias("source"),
        F.lit(entity.name).alias("entity"),
        "run_id",
        F.lit(dt).alias("dt"),
        "file_name",
        F.col("_broken.rule").alias("rule"),
        F.col("_broken.reason").alias("reason"),
        F.when(is_large, F.to_json(F.struct(beginning, length.alias("length")))).otherwise(record).alias("record"),
        F.when(is_large, F.concat(F.lit(large_prefix), F.sha2(record, 256), F.lit(".json"))).alias("record_uri"),
    )


def large_records(judged: DataFrame, *, large_prefix: str) -> DataFrame:
    """Address and text of each rejected record that is too long for the warehouse."""
    found = judged.where(F.col("_broken").isNotNull() & (F.octet_length("_record") > LONGEST_RECORD))
    address = F.concat(F.lit(large_prefix), F.sha2("_record", 256), F.lit(".json"))
    return found.select(address.alias("uri"), F.col("_record").alias("record")).distinct()
