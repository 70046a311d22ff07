"""Record rules: a record that breaks one is quarantined under the first rule's name, with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

BROKEN_TYPE = "struct<rule: string, reason: string>"
FILE_REJECTED = "file_rejected"


class Rule(NamedTuple):
    """One rule, in Spark SQL over the typed columns and ``_text``.

    :param name: what quality.quarantine calls it
    :param broken: condition that is true for a record that breaks the rule; null counts as not broken
    :param reason: text for the one who mends the record
    """

    name: str
    broken: str
    reason: str


RECORD_MALFORMED = Rule("record_malformed", "_malformed IS NOT NULL", "_malformed")


def text_too_long(widths: Mapping[str, int]) -> Rule:
    """The rule that each text fits its column.

    :param widths: column -> bytes
    """
    too_long = {name: f"octet_length({name}) > {width}" for name, width in widths.items()}
    names = ", ".join(f"if({condition}, '{name}', null)" for name, condition in too_long.items())
    return Rule(
        "text_too_long",
        " OR ".join(too_long.values()),
        f"concat('too long for the warehouse: ', concat_ws(', ', {names}))",
    )


def encoding_broken(*names: str) -> Rule:
    """The rule that texts were decoded as what they are: what cannot be decoded becomes U+FFFD."""
    return Rule(
        "encoding_broken",
        " OR ".join(f"contains({name}, '\ufffd')" for name in names),
        "'a name has characters that are none: the file is not in the encoding that it should have'",
    )


def marked_as_test(what: str) -> Rule:
    """The rule that a source's own tests are none of its data."""
    return Rule("test_record", "_text.test = 'true'", f"'the source marks the {what} as a test'")


def judge(records: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """Add ``_broken``: name and reason of the first rule that a record breaks."""
    broken = [
        F.when(F.expr(rule.broken), F.struct(F.lit(rule.name).alias("rule"), F.expr(rule.reason).alias("reason")))
        for rule in (RECORD_MALFORMED, *rules)
    ]
    return records.withColumn("_broken", F.coalesce(*broken).cast(BROKEN_TYPE))


def reject_files(judged: DataFrame, reasons: Mapping[tuple[str, str], str]) -> DataFrame:
    """Reject also the good records of some files.

    :param reasons: (source of the manifest, file name) -> reason
    """
    if not reasons:
        return judged
    files = [
        F.when((F.col("_meta.source") == source) & (F.col("_meta.file_name") == name), F.lit(reason))
        for (source, name), reason in reasons.items()
    ]
    rejected = F.struct(F.lit(FILE_REJECTED).alias("rule"), F.coalesce(*files).alias("reason"))
    return judged.withColumn(
        "_broken", F.coalesce("_broken", F.when(rejected.getField("reason").isNotNull(), rejected)).cast(BROKEN_TYPE)
    )
