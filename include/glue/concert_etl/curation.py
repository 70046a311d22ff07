"""From judged records to what is written: curated rows, and rejected records with the rule that they broke."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from concert_etl import box_office, event, interaction
from concert_etl.entities import WIDTHS, Entity

CURATE = {"event": event.curate, "box_office": box_office.curate, "interaction": interaction.curate}

# The warehouse stores at most 65,535 bytes of text; a longer record stays in the quarantine bucket.
LONGEST_RECORD = 60_000  # bytes
LENGTH_SHOWN = 2_048  # characters of such a record that go to the warehouse


def mark_repeats(judged: DataFrame, entity: Entity) -> DataFrame:
    """Add ``_repeat``: a good record whose key comes again in the run, newer, in a later file or further down."""
    newest_first = Window.partitionBy(F.col("_broken").isNull(), *entity.key).orderBy(
        F.desc("_meta.ingested_at"), F.desc("_meta.file_name"), F.desc("_meta.position")
    )
    return (
        judged.withColumn("_rank", F.row_number().over(newest_first))
        .select("*", (F.col("_broken").isNull() & (F.col("_rank") > 1)).alias("_repeat"))
        .drop("_rank")
    )


def curated_rows(judged: DataFrame, entity: Entity) -> DataFrame:
    """Rows of the dataset: one per key, columns and types as the entity declares them."""
    origin = {name: f"_meta.{name}" for name in ("ingested_at", "file_name", "run_id")}
    columns = [F.col(origin.get(name, name)).cast(kind).alias(name) for name, kind in entity.columns.items()]
    return judged.where(F.col("_broken").isNull() & ~F.col("_repeat")).select(*columns)


def account_source() -> Column:
    """The source that a record is accounted to: its own, or that of its manifest when it names none that can be one."""
    is_fit = F.octet_length("source") <= WIDTHS["source"]
    return F.coalesce(F.when(is_fit, F.col("source")), F.col("_meta.source"))


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
        F.col("_meta.run_id").alias("run_id"),
        F.lit(dt).alias("dt"),
        F.col("_meta.file_name").alias("file_name"),
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
