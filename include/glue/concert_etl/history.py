"""What earlier runs delivered of an entity, to compare a new run with: volumes by source, and spreads of amounts.

One document per entity, `curated/_history/<entity>.json`, with an entry for each of the last runs that were published;
a run that is curated again replaces its entry and is not compared with itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pyspark.sql import DataFrame

from concert_etl.publishing import CuratedBucket

LONGEST_HISTORY = 30  # runs
FEWEST_RUNS = 3  # earlier ones, before a comparison says anything
FEWEST_ROWS = 1_000
PRECISION = 0.01  # of a quantile's rank
QUANTILES = (0.1, 0.5, 0.9)
# Amounts whose spread is a property of the source, not of a day.
AMOUNTS = {"box_office": ("tickets_sold", "average_price"), "interaction": ("weight",), "event": ("price_min",)}


@dataclass
class History:
    """Entries of an entity's earlier runs, oldest first."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def without(self, run_id: str) -> History:
        return History([entry for entry in self.entries if entry["run_id"] != run_id])

    def volume_ratio(self, source: str, records: int) -> float | None:
        """Records of a delivery in relation to the median of earlier ones; None while there are too few of them."""
        earlier = [entry["volumes"][source] for entry in self.entries if entry["volumes"].get(source)]
        return records / median(earlier) if len(earlier) >= FEWEST_RUNS else None

    def shifts(self, quantiles: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """How far each amount's quantiles lie from their medians over earlier runs, the farthest one counting.

        In distances between the outer quantiles, so that one bound fits tickets and prices; none without enough runs.
        """
        found = {}
        for column, values in quantiles.items():
            earlier = [entry["quantiles"][column] for entry in self.entries if column in entry["quantiles"]]
            if len(earlier) >= FEWEST_RUNS:
                usual = [median(past) for past in zip(*earlier, strict=True)]
                spread = usual[-1] - usual[0] or 1.0
                found[column] = max(abs(now - then) for now, then in zip(values, usual, strict=True)) / spread
        return found


def read_history(bucket: CuratedBucket, entity: str) -> History:
    return History((bucket.read(_key(entity)) or {}).get("entries", []))


def write_entry(
    bucket: CuratedBucket,
    entity: str,
    run_id: str,
    volumes: Mapping[str, int],
    quantiles: Mapping[str, Sequence[float]],
) -> None:
    """Add what a run delivered, now that it is published.

    :param volumes: source -> records
    """
    entry = {"run_id": run_id, "volumes": dict(volumes), "quantiles": {k: list(v) for k, v in quantiles.items()}}
    entries = [*read_history(bucket, entity).without(run_id).entries, entry][-LONGEST_HISTORY:]
    bucket.put(_key(entity), json.dumps({"entries": entries}, indent=1))


def quantiles_of(rows: DataFrame, entity: str, count: int) -> dict[str, list[float]]:
    """Quantiles of the entity's amounts, in one pass; none of a few rows."""
    columns = list(AMOUNTS.get(entity, ()))
    if not columns or count < FEWEST_ROWS:
        return {}
    numbers = rows.select(*(rows[name].cast("double").alias(name) for name in columns))
    found = numbers.approxQuantile(columns, list(QUANTILES), PRECISION)
    return {name: values for name, values in zip(columns, found, strict=True) if values}


def _key(entity: str) -> str:
    return f"curated/_history/{entity}.json"
