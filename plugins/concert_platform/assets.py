"""The Assets that connect the DAGs.

Each event carries ``{"partitions": [[date, ingest run id], ...]}`` in its extra; see partitions.py.
"""

from __future__ import annotations

from airflow.sdk import Asset

RAW_CONCERTS = Asset(name="raw_concerts", uri="x-concert-platform://raw/concerts")
CURATED_CONCERTS = Asset(name="curated_concerts", uri="x-concert-platform://curated/concerts")
