"""Accounting of a run: read = curated + quarantined + deduplicated, per source and entity, against the manifests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.curation import LONGEST_RECORD, account_source
from concert_etl.entities import Entity
from concert_etl.errors import CurationError

MOST_REJECTED = 0.5  # share of a delivery's records
FEWEST_JUDGED = 100  # records; of a few, a share says nothing


class Count(NamedTuple):
    """Records and reports of one file that share source and fate, and the rows that good reports become."""

    manifest_source: str
    file_name: str
    source: str
    rule: str | None
    is_repeat: bool
    records: int
    reports: int
    rows: int
    large: int

    @property
    def is_curated(self) -> bool:
        return self.rule is None and not self.is_repeat


@dataclass
class Account:
    """What became of the records of one source and entity.

    :param quarantined: rejected records, a rejected group being one
    :param deduplicated: records that another one of the run stands for: repeats of a key, and rows folded into a group
    """

    source: str
    entity: str
    run_id: str
    dt: str
    read: int = 0
    curated: int = 0
    quarantined: int = 0
    deduplicated: int = 0

    def row(self) -> dict[str, Any]:
        """Row of accounts.json: how many rows are loaded, only core can tell."""
        return {name: value for name, value in asdict(self).items() if name != "curated"}


def count(judged: DataFrame) -> list[Count]:
    """Count a judged frame (one pass)."""
    groups = judged.groupBy(
        F.col("_manifest_source").alias("manifest_source"),
        "file_name",
        account_source().alias("source"),
        F.col("_broken.rule").alias("rule"),
        F.col("_repeat").alias("is_repeat"),
    )
    is_large = F.col("_broken").isNotNull() & (F.octet_length("_record") > LONGEST_RECORD)
    found = groups.agg(
        F.sum("_records").alias("records"),
        F.count(F.lit(1)).alias("reports"),
        F.sum("_rows").alias("rows"),
        F.sum(is_large.cast("int")).alias("large"),
    )
    return [Count(**row.asDict()) for row in found.collect()]


def check_files(counts: Iterable[Count], expected: Mapping[tuple[str, str], int]) -> None:
    """Compare the records found with those that the manifests promise.

    :param expected: (source of the manifest, file name) -> records
    :raises CurationError: naming the file
    """
    found: dict[tuple[str, str], int] = defaultdict(int)
    for item in counts:
        found[item.manifest_source, item.file_name] += item.records
    for (source, name), records in sorted(expected.items()):
        if found[source, name] != records:
            raise CurationError(
                f"file {name} of {source} has {found[source, name]:,} records where its manifest counts {records:,}: "
                "it is damaged or was replaced after ingest"
            )


def bad_files(counts: Iterable[Count], dropped: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Files of which most records break a rule: (source of the manifest, file name) -> reason.

    Of such a file the rest is not to be trusted either: its mapping or the file as a whole is wrong. A page of an API
    is no such whole.

    :param dropped: files that are judged by themselves, as (source, file name)
    :raises CurationError: when of a source only bad files came, or what they leave is mostly broken, too
    """
    files: defaultdict[tuple[str, str], list[Count]] = defaultdict(list)
    for item in counts:
        files[item.manifest_source, item.file_name].append(item)
    reasons = {file: _mostly_broken(files[file], file[1]) for file in sorted(files.keys() & set(dropped))}
    bad = {file: reason for file, reason in reasons.items() if reason}
    delivered: defaultdict[str, list[Count]] = defaultdict(list)
    left: defaultdict[str, list[Count]] = defaultdict(list)
    for file, alike in files.items():
        delivered[file[0]] += alike
        if file not in bad:
            left[file[0]] += alike
    for source in sorted(delivered):
        if reason := _mostly_broken(left[source] or delivered[source], source):
            raise CurationError(f"{reason}: mend its mapping or deliver a mended file")
    return bad


def _mostly_broken(counts: Iterable[Count], whose: str) -> str | None:
    """How many of the records break a rule, and which one most of them, when it is more than may."""
    reports, rules = 0, Counter[str]()
    for item in counts:
        reports += item.reports
        if item.rule:
            rules[item.rule] += item.reports
    if reports < FEWEST_JUDGED or rules.total() <= MOST_REJECTED * reports:
        return None
    rule, number = rules.most_common(1)[0]
    return f"{rules.total():,} of {reports:,} records of {whose} break a rule, {number:,} of them {rule}"


def written(rows: DataFrame, entity: Entity) -> tuple[dict[str, int], int]:
    """Count the rows in the files: records of the sources by source, and rows altogether."""
    records = F.count(F.lit(1)) if entity.record_key == entity.key else F.count_distinct(*map(F.col, entity.record_key))
    found = rows.groupBy("source").agg(records.alias("records"), F.count(F.lit(1)).alias("rows")).collect()
    return {row["source"]: row["records"] for row in found}, sum(row["rows"] for row in found)


def close(
    entity: str, dt: str, run_id: str, sources: Iterable[str], counts: Iterable[Count], written: Mapping[str, int]
) -> list[Account]:
    """Accounts of an entity, one per source; also for a source that delivered nothing.

    :param sources: sources of the manifests
    :param written: source -> records of which there are rows in the files that were written
    :raises CurationError: when records are unaccounted for
    """
    accounts = {source: Account(source, entity, run_id, dt) for source in sources}
    for item in counts:
        account = accounts.setdefault(item.source, Account(item.source, entity, run_id, dt))
        account.read += item.records
        account.quarantined += item.reports if item.rule else 0
        account.deduplicated += item.records - item.reports + (item.reports if item.is_repeat else 0)
    for source, account in accounts.items():
        account.curated = written.get(source, 0)
        if account.read != account.curated + account.quarantined + account.deduplicated:
            raise CurationError(
                f"account of {source}/{entity} does not close: read {account.read:,} records, curated "
                f"{account.curated:,}, quarantined {account.quarantined:,}, deduplicated {account.deduplicated:,}"
            )
    return [accounts[source] for source in sorted(accounts)]
