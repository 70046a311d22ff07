"""JSON documents of APIs: the records at a path become one row each, as their JSON text."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructType

from concert_etl.raw import MALFORMED, Manifest, RawBucket, escaped, file_name, meta
from concert_etl.texts import cleaned

VALUE = "value"
BYTE_ORDER_MARK = "\ufeff"


def read_pages(spark: SparkSession, bucket: RawBucket, manifest: Manifest) -> DataFrame:
    """Records of JSON documents, each as the JSON text in ``_record``; a page may have none, and no array either."""
    alike: dict[str, list[str]] = defaultdict(list)
    for file in manifest.files:
        alike[file.records_path].append(f"s3://{bucket.bucket}/{file.key}")
    frames = [
        spark.read.text(escaped(uris), wholetext=True)
        .select(F.btrim(VALUE, F.lit(BYTE_ORDER_MARK)).alias(VALUE), file_name())
        .select("_file_name", F.explode(_records(path)).alias("_record"))
        for path, uris in alike.items()
    ]
    return reduce(DataFrame.union, frames).select(meta(manifest), "_record")


def _records(path: str) -> Column:
    """The records of a document as an array of JSON texts; null for a document that is cut off."""
    if not path:
        # Only a whole document can be read: one that is cut off is no record, and the manifest's count tells.
        is_whole = F.expr(f"get_json_object({VALUE}, '$')").isNotNull()
        return F.when(is_whole, F.array(F.trim(VALUE)))
    *parents, last = path.split(".")
    schema = f"`{last}` array<string>"  # an element that is an object arrives as its JSON text
    for name in reversed(parents):
        schema = f"`{name}` struct<{schema.replace('` ', '`: ', 1)}>"
    found = F.from_json(VALUE, schema)
    for name in (*parents, last):
        found = found.getField(name)
    return found


def _cleaned(value: str, kind: DataType) -> str:
    """SQL: a part of a record with each of its texts, however deep, as ``clean`` leaves it; a blank one is none."""
    if isinstance(kind, StructType):
        fields = ", ".join(f"'{item.name}', {_cleaned(f'{value}.{item.name}', item.dataType)}" for item in kind.fields)
        return f"if({value} IS NULL, NULL, named_struct({fields}))"
    if isinstance(kind, ArrayType):
        return f"transform({value}, element -> {_cleaned('element', kind.elementType)})"
    return cleaned(value)


def parse(records: DataFrame, schema: str, values: dict[str, str], parts: dict[str, str], what: str) -> DataFrame:
    """Add ``_text`` and ``_malformed`` to records given as JSON text in ``_record``; the record itself is ``item``.

    All texts of ``item`` are clean, so that ``coalesce`` also passes over a blank one.

    :param schema: of a record, every leaf as text, so that a value of another type spoils itself and not its record
    :param values: canonical name -> SQL over ``item`` and the parts
    :param parts: name -> SQL over ``item``, for what several values need
    :param what: the record in words, for the reason
    """
    items = records.withColumn("item", F.from_json("_record", schema))
    items = items.withColumn("item", F.expr(_cleaned("item", items.schema["item"].dataType)))
    items = items.select("*", *(F.expr(sql).alias(name) for name, sql in parts.items()))
    # What an expression makes of clean texts is clean, or empty.
    texts = [F.nullif(F.expr(sql), F.lit("")).alias(name) for name, sql in values.items()]
    is_object = F.col("_record").startswith("{")
    return items.select(
        "_meta",
        # What is no object may be no JSON text either: a bare word.
        F.when(is_object, F.col("_record"))
        .otherwise(F.to_json(F.struct(F.col("_record").alias("value"))))
        .alias("_record"),
        F.lit(1).alias("_records"),
        F.when(~is_object, F.lit(f"the {what} is no JSON object")).alias(MALFORMED),
        F.struct(*texts).alias("_text"),
        "item",
        *parts,
    )
