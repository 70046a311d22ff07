"""Artists and venues that records refer to, and their ids: from judged frames to the driver and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from concert_etl.entities import Entity
from concert_etl.identity import ARTIST, VENUE, Reference
from concert_etl.names import artist_ids, venue_ids

# (entity, source, key) -> platform id; the key is what Subject.key makes of a record.
Ids = Mapping[tuple[str, str, str], str]
Aliases = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Subject:
    """Columns of a dataset that name an artist or a venue.

    :param is_own: whether the record is that of the artist or venue itself, which knows its name best
    """

    entity: str
    name: str
    source_id: str | None = None
    is_own: bool = False

    @property
    def id_column(self) -> str:
        return f"{self.entity}_id"

    @property
    def place(self) -> tuple[Column, Column]:
        nothing = F.lit(None).cast("string")
        return (F.col("city"), F.col("country")) if self.entity == VENUE else (nothing, nothing)

    @property
    def key(self) -> Column:
        """What tells a reference from the others of its source: the id, or all that there is in its stead."""
        assert self.source_id  # noqa: S101 - asked of records of APIs alone
        texts = [F.coalesce(column, F.lit("")) for column in (F.col(self.name), *self.place)]
        key = F.coalesce(F.concat(F.lit("id "), F.col(self.source_id)), F.concat_ws("|", F.lit("name "), *texts))
        return F.when(F.col(self.name).isNotNull(), key)


SUBJECTS = {
    "event": (Subject(ARTIST, "artist", "source_artist_id"), Subject(VENUE, "venue", "source_venue_id")),
    "artist": (Subject(ARTIST, "name", "source_artist_id", is_own=True),),
    "venue": (Subject(VENUE, "name", "source_venue_id", is_own=True),),
    "setlist": (Subject(ARTIST, "artist", "source_artist_id"), Subject(VENUE, "venue", "source_venue_id")),
    "box_office": (Subject(ARTIST, "_performer"), Subject(VENUE, "venue")),
    "interaction": (Subject(ARTIST, "artist"),),
}


@dataclass(frozen=True)
class Mention:
    """A reference as one dataset of a run has it, under the key of its records."""

    key: str
    is_own: bool
    reference: Reference


def mentions(good: DataFrame, entity: Entity) -> list[Mention]:
    """The artists and venues that good records of an API refer to, each once."""
    subjects = [subject for subject in SUBJECTS[entity.name] if subject.source_id]
    if not subjects:
        return []
    no_keys = F.array().cast("array<string>")
    keys = F.coalesce("_artist_keys", no_keys) if "_artist_keys" in good.columns else no_keys
    frames = [
        good.select(
            F.lit(subject.entity).alias("entity"),
            "source",
            F.col(str(subject.source_id)).alias("source_id"),
            subject.key.alias("key"),
            F.col(subject.name).alias("name"),
            *(column.alias(name) for name, column in zip(("city", "country"), subject.place, strict=True)),
            (keys if subject.entity == ARTIST else no_keys).alias("keys"),
            F.lit(subject.is_own).alias("is_own"),
        )
        for subject in subjects
    ]
    rows = reduce(DataFrame.union, frames).where("key IS NOT NULL").distinct().collect()
    return [
        Mention(
            row["key"],
            row["is_own"],
            Reference(
                row["entity"], row["source"], row["source_id"], row["name"], row["city"], row["country"],
                tuple(row["keys"]),
            ),
        )
        for row in rows
    ]  # fmt: skip


def merged(found: Iterable[Mention]) -> dict[tuple[str, str, str], Reference]:
    """One reference per key: the name that the record of the artist or venue itself gives, and all external ids."""
    groups: dict[tuple[str, str, str], list[Mention]] = defaultdict(list)
    for mention in found:
        groups[mention.reference.entity, mention.reference.source, mention.key].append(mention)
    return {group: _merge(alike) for group, alike in groups.items()}


def _merge(alike: list[Mention]) -> Reference:
    def order(mention: Mention) -> tuple[bool, str, str, str]:
        reference = mention.reference
        return not mention.is_own, reference.name, reference.city or "", reference.country or ""

    first = min(alike, key=order).reference
    keys = {key for mention in alike for key in mention.reference.keys}
    return Reference(
        first.entity, first.source, first.source_id, first.name, first.city, first.country, tuple(sorted(keys))
    )


def with_ids(spark: SparkSession, good: DataFrame, entity: Entity, ids: Ids, aliases: Aliases) -> DataFrame:
    """Add artist_id and venue_id to good records."""
    for subject in SUBJECTS[entity.name]:
        good = _by_key(spark, good, subject, ids) if subject.source_id else _by_name(spark, good, subject, aliases)
    return good


def _by_key(spark: SparkSession, good: DataFrame, subject: Subject, ids: Ids) -> DataFrame:
    rows = [(source, key, value) for (entity, source, key), value in ids.items() if entity == subject.entity]
    known = spark.createDataFrame(rows, f"source string, _key string, {subject.id_column} string")
    keyed = good.withColumn("_key", subject.key)
    return keyed.join(F.broadcast(known), ["source", "_key"], "left").drop("_key")


def _by_name(spark: SparkSession, good: DataFrame, subject: Subject, aliases: Aliases) -> DataFrame:
    """Names are far fewer than records: each gets its id once."""
    columns = [subject.name] if subject.entity == ARTIST else [subject.name, "city", "country"]
    names = good.select(*columns).distinct()
    made = artist_ids(F.col(subject.name)) if subject.entity == ARTIST else venue_ids(*map(F.col, columns))
    names = names.select(*(F.col(name).alias(f"_{number}") for number, name in enumerate(columns)),
                         made.alias(subject.id_column))  # fmt: skip
    if own := [(name_id, value) for (entity, name_id), value in aliases.items() if entity == subject.entity]:
        other = spark.createDataFrame(own, f"{subject.id_column} string, _other string")
        names = names.join(F.broadcast(other), subject.id_column, "left").withColumn(
            subject.id_column, F.coalesce("_other", subject.id_column)
        )
        names = names.drop("_other")
    alike = reduce(lambda left, right: left & right,
                   (F.col(name).eqNullSafe(F.col(f"_{number}")) for number, name in enumerate(columns)))  # fmt: skip
    return good.join(F.broadcast(names), alike, "left").drop(*(f"_{number}" for number in range(len(columns))))
