"""The registry of identities: what each record of a source was resolved to, in snapshots that the catalogue points at.

A job run reads the current snapshot and, when it has resolved something new, publishes a whole new one under a prefix
of its own. Only identities that a run could mean leave Spark, so that the driver holds what one run needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from concert_etl.identity import Identity, Reference
from concert_etl.publishing import CuratedBucket, point_partitions

TABLE = "identity_registry"
CURRENT = "current"  # the only partition
SNAPSHOT = re.compile(r"/snapshot=(\d+)-")
ROWS_PER_FILE = 1_000_000
DDL = """entity string, source string, source_id string, name string, city string, country string, keys array<string>,
    platform_id string, rule string, score double, status string, matched_id string, matched_name string,
    is_alias boolean, snapshot int, run_id string, tokens array<string>"""
RECORD = ("entity", "source", "source_id")


class Registry:
    """The snapshot that the catalogue points at, and what this job run adds to it."""

    def __init__(self, spark: SparkSession, glue: Any, database: str, curated: CuratedBucket) -> None:
        self._spark, self._glue, self._database, self._curated = spark, glue, database, curated
        self._location = self._current()
        self.number = int(SNAPSHOT.search(self._location)[1]) if self._location else 0  # type: ignore[index]
        self._known = spark.read.schema(DDL).parquet(self._location) if self._location else None
        self._added: dict[tuple[str, str, str | None], Identity] = {}
        self._aliases: dict[tuple[str, str], tuple[int, str]] | None = None

    def _current(self) -> str | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._glue.get_partition(DatabaseName=self._database, TableName=TABLE, PartitionValues=[CURRENT])
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            return None
        return answer["Partition"]["StorageDescriptor"]["Location"]

    def aliases(self, until: int | None = None) -> dict[tuple[str, str], str]:
        """(entity, id of a name) -> platform id, of names that mean an identity of another name.

        :param until: number of the last snapshot that counts: a run that is repeated finds what it found before
        """
        if self._aliases is None:
            self._aliases = {}
            if self._known is not None:
                for identity in map(_identity, self._known.where("is_alias").collect()):
                    self._note_alias(self._aliases, identity)
        found = dict(self._aliases)
        for identity in self._added.values():
            self._note_alias(found, identity)
        return {key: value for key, (number, value) in found.items() if until is None or number <= until}

    def _note_alias(self, found: dict[tuple[str, str], tuple[int, str]], identity: Identity) -> None:
        if identity.is_alias:
            key = identity.reference.entity, identity.reference.default_id
            found.setdefault(key, (identity.snapshot, identity.platform_id))

    def relevant(self, references: Iterable[Reference]) -> list[Identity]:
        """Known identities that share a token with a reference, and all other records of what these are: their external
        ids may lie with another record. Whether a record is of this job run or of an earlier one makes no difference.
        """
        tokens = {token for reference in references for token in reference.tokens}
        meant = {item.platform_id for item in self._added.values() if not tokens.isdisjoint(item.tokens)}
        found: list[Identity] = []
        if self._known is not None and tokens:
            shared = self._known.select("platform_id", F.explode("tokens").alias("token")).join(
                F.broadcast(self._column("token", tokens)), "token", "left_semi"
            )
            wanted = shared.select("platform_id").union(self._column("platform_id", meant)).distinct()
            rows = self._known.join(wanted, "platform_id", "left_semi").drop("tokens").collect()
            found = [_identity(row) for row in rows]
            meant |= {identity.platform_id for identity in found}
        own = [identity for identity in self._added.values() if identity.platform_id in meant]
        return [*(item for item in found if item.reference.record not in self._added), *own]

    def _column(self, name: str, values: Iterable[str]) -> DataFrame:
        return self._spark.createDataFrame([(value,) for value in sorted(values)], f"{name} string")

    def add(self, before: Iterable[Identity], found: Iterable[Identity]) -> None:
        """Take over what a run has resolved: what is new of it makes a snapshot of its own."""
        known = {identity.reference.record: identity for identity in before}
        new = {item.reference.record: item for item in found if known.get(item.reference.record) != item}
        self._added |= new
        self.number += bool(new)

    @property
    def added(self) -> dict[tuple[str, str, str | None], Identity]:
        """What this job run has added; to be put back when a run is refused after all."""
        return dict(self._added)

    @added.setter
    def added(self, earlier: dict[tuple[str, str, str | None], Identity]) -> None:
        self._added = dict(earlier)

    def write(self, token: str) -> str | None:
        """Write the next snapshot, which nobody knows yet; returns its address, None when nothing is new."""
        if not self._added:
            return None
        rows = [
            _row(identity) for _, identity in sorted(self._added.items(), key=lambda item: tuple(map(str, item[0])))
        ]
        snapshot: DataFrame = self._spark.createDataFrame(rows, DDL)
        if self._known is not None:
            stays = self._known.join(F.broadcast(snapshot.select(*RECORD)), list(RECORD), "left_anti")
            snapshot = stays.unionByName(snapshot)
        uri = self._curated.uri(f"curated/{TABLE}/snapshot={self.number:06d}-{token}/")
        count = len(rows) + (self._known.count() if self._known is not None else 0)
        snapshot.repartition(1 + count // ROWS_PER_FILE).sortWithinPartitions(*RECORD).write.parquet(uri)
        return uri

    def publish(self, uri: str) -> None:
        """Make a snapshot the current one."""
        point_partitions(self._glue, self._database, TABLE, {(CURRENT,): uri})


def _row(identity: Identity) -> tuple[Any, ...]:
    (*texts, keys), *rest = astuple(identity)
    return (*texts, list(keys), *rest, identity.tokens)


def _identity(row: Row) -> Identity:
    values = row.asDict()
    names = ("entity", "source", "source_id", "name", "city", "country")
    reference = Reference(*(values[name] for name in names), keys=tuple(values["keys"]))
    others = ("platform_id", "rule", "score", "status", "matched_id", "matched_name", "is_alias", "snapshot", "run_id")
    return Identity(reference, *(values[name] for name in others))
