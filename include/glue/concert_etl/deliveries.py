"""What each source delivered of each entity, one row each for the raw suite: the contract of a delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from concert_etl.accounts import FEWEST_JUDGED, Count
from concert_etl.history import History
from concert_etl.raw import Manifest

SUITE = "raw"
DDL = "source string, entity string, records bigint, rejected_share double, volume_ratio double"


class Delivery(NamedTuple):
    """:param records: of the manifest, which are those that were read (accounts.check_files)
    :param rejected_share: of its records; None of a few
    :param volume_ratio: to the median of earlier runs; None without enough of them
    """

    source: str
    entity: str
    records: int
    rejected_share: float | None
    volume_ratio: float | None


def deliveries(entity: str, manifests: Iterable[Manifest], counts: Iterable[Count], history: History) -> list[Delivery]:
    reports: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for item in counts:
        reports[item.manifest_source] += item.reports
        rejected[item.manifest_source] += item.reports if item.rule else 0
    return [
        Delivery(
            manifest.source, entity, manifest.records,
            rejected[manifest.source] / reports[manifest.source] if reports[manifest.source] >= FEWEST_JUDGED else None,
            history.volume_ratio(manifest.source, manifest.records),
        )
        for manifest in manifests
        # A source that falls silent after it has delivered is one to look at.
        if manifest.records or history.volume_ratio(manifest.source, 0) is not None
    ]  # fmt: skip


def volumes(manifests: Iterable[Manifest]) -> Mapping[str, int]:
    """source -> records that its manifest counts."""
    return {manifest.source: manifest.records for manifest in manifests}
