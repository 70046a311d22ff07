"""Curated runs for tests of the warehouse: files, manifests and report as the Glue job publishes them."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from concert_platform import settings as settings_module
from concert_platform import warehouse
from concert_platform.partitions import Partition
from tests.contract.conftest import Emulator

DAY, NEXT_DAY = "2020-03-04", "2020-03-05"
FIRST, SECOND = "run-1", "run-2"
T0, T1, T2 = (datetime(2020, 3, day, 6, tzinfo=UTC) for day in (1, 4, 5))
PRICE, MONEY, MOMENT = pa.decimal128(12, 2), pa.decimal128(14, 2), pa.timestamp("us")
TEXT = pa.string()
SCHEMAS = {
    "event": [("source", TEXT), ("event_id", TEXT), ("name", TEXT), ("artist_id", TEXT), ("artist", TEXT),
              ("venue_id", TEXT), ("venue", TEXT), ("city", TEXT), ("country", TEXT), ("segment", TEXT),
              ("event_date", pa.date32()), ("start_at", MOMENT), ("timezone", TEXT), ("status", TEXT),
              ("onsale_at", MOMENT), ("price_min", PRICE), ("price_max", PRICE), ("currency", TEXT),
              ("source_artist_id", TEXT), ("source_venue_id", TEXT), ("ingested_at", MOMENT),
              ("file_name", TEXT), ("run_id", TEXT)],
    "box_office": [("source", TEXT), ("report_id", TEXT), ("show", TEXT), ("artist_id", TEXT), ("artist", TEXT),
                   ("venue_id", TEXT), ("venue", TEXT), ("city", TEXT), ("country", TEXT),
                   ("period_start", pa.date32()), ("period_end", pa.date32()), ("period_precision", TEXT),
                   ("performances", pa.int32()), ("capacity", pa.int64()), ("tickets_sold", pa.int64()),
                   ("gross", MONEY), ("currency", TEXT), ("average_price", PRICE), ("top_price", PRICE),
                   ("warning", TEXT), ("ingested_at", MOMENT), ("file_name", TEXT), ("run_id", TEXT)],
    "interaction": [("source", TEXT), ("user_id", TEXT), ("source_artist_id", TEXT), ("artist_id", TEXT),
                    ("artist", TEXT), ("weight", pa.float64()), ("ingested_at", MOMENT), ("file_name", TEXT),
                    ("run_id", TEXT)],
    "artist": [("source", TEXT), ("source_artist_id", TEXT), ("artist_id", TEXT), ("name", TEXT),
               ("musicbrainz_id", TEXT), ("spotify_id", TEXT), ("ticketmaster_id", TEXT), ("genres", TEXT),
               ("popularity", pa.int32()), ("followers", pa.int64()), ("ingested_at", MOMENT), ("file_name", TEXT),
               ("run_id", TEXT)],
    "venue": [("source", TEXT), ("source_venue_id", TEXT), ("venue_id", TEXT), ("name", TEXT), ("city", TEXT),
              ("country", TEXT), ("latitude", pa.float64()), ("longitude", pa.float64()), ("timezone", TEXT),
              ("ingested_at", MOMENT), ("file_name", TEXT), ("run_id", TEXT)],
    "setlist": [("source", TEXT), ("setlist_id", TEXT), ("song_position", pa.int32()), ("source_artist_id", TEXT),
                ("artist_id", TEXT), ("artist", TEXT), ("source_venue_id", TEXT), ("venue_id", TEXT), ("venue", TEXT),
                ("city", TEXT), ("country", TEXT), ("event_date", pa.date32()), ("tour", TEXT), ("set_name", TEXT),
                ("is_encore", pa.bool_()), ("song", TEXT), ("is_tape", pa.bool_()), ("cover_of", TEXT),
                ("updated_at", MOMENT), ("ingested_at", MOMENT), ("file_name", TEXT), ("run_id", TEXT)],
    "identity_match": [("entity", TEXT), ("source", TEXT), ("source_id", TEXT), ("name", TEXT), ("matched_id", TEXT),
                       ("matched_name", TEXT), ("rule", TEXT), ("score", pa.float64()), ("status", TEXT),
                       ("run_id", TEXT)],
}  # fmt: skip


def event(number: int, **fields: Any) -> dict[str, Any]:
    return {"source": "ticketmaster", "event_id": f"e{number}", "name": "Björk live", "artist_id": "a1",
            "artist": "Björk", "venue_id": "v1", "venue": "Hall One", "city": "Oslo", "country": "Norway",
            "event_date": date(2020, 5, number), "price_min": Decimal("10.00"), "price_max": Decimal("90.50"),
            "currency": "NOK", "ingested_at": T1, **fields}  # fmt: skip


def report(number: int, **fields: Any) -> dict[str, Any]:
    return {"source": "canonical", "report_id": f"r{number}", "show": "Vespertine", "artist_id": "a1",
            "artist": "Björk", "venue_id": "v1", "venue": "Hall One", "city": "Oslo", "country": "Norway",
            "period_start": date(2019, 1, number), "period_end": date(2019, 1, number), "period_precision": "day",
            "performances": 2, "capacity": 2000, "tickets_sold": 1500, "gross": Decimal("75000.00"),
            "currency": "NOK", "ingested_at": T1, **fields}  # fmt: skip


def interaction(number: int, **fields: Any) -> dict[str, Any]:
    return {"source": "lastfm", "user_id": f"u{number}", "source_artist_id": "51", "artist_id": "a2",
            "artist": "中島みゆき", "weight": 12.0, "ingested_at": T1, **fields}  # fmt: skip


def artist(number: int, **fields: Any) -> dict[str, Any]:
    return {"source": "spotify", "source_artist_id": f"sp{number}", "artist_id": f"a{number}", "name": "Björk",
            "spotify_id": f"sp{number}", "ingested_at": T1, **fields}  # fmt: skip


def venue(number: int, **fields: Any) -> dict[str, Any]:
    return {"source": "ticketmaster", "source_venue_id": f"tm{number}", "venue_id": f"v{number}", "name": "Hall One",
            "city": "Oslo", "country": "Norway", "latitude": 59.9, "longitude": 10.7, "timezone": "Europe/Oslo",
            "ingested_at": T1, **fields}  # fmt: skip


def song(setlist: str, position: int, **fields: Any) -> dict[str, Any]:
    return {"source": "setlistfm", "setlist_id": setlist, "song_position": position, "artist_id": "a1",
            "artist": "Björk", "venue_id": "v1", "venue": "Hall One", "city": "Oslo", "country": "Norway",
            "event_date": date(2020, 2, 20), "song": f"Song {position}" if position else None, "is_encore": False,
            "is_tape": False, "ingested_at": T1, **fields}  # fmt: skip


def match(number: int, **fields: Any) -> dict[str, Any]:
    return {"entity": "artist", "source": "spotify", "source_id": f"sp{number}", "name": "Björk", "matched_id": "a1",
            "matched_name": "Björk", "rule": "musicbrainz_id", "score": 1.0, "status": "matched", **fields}  # fmt: skip


def load(values: Mapping[str, Any]) -> None:
    """Load one partition, its transactions one after another.

    :param values: an entry of `warehouse.loads_of`
    :raises StatementFailedError: when one fails; those before it stay, and the partition is not marked as loaded
    """
    planned = warehouse.transactions(values)
    for statements in planned.entities.values():
        warehouse.execute_batch(statements)
    warehouse.execute_batch(planned.closing)


class Platform:
    """What curation and the DAGs do, for tests."""

    def __init__(self, emulator: Emulator) -> None:
        self.s3 = emulator.client("s3")
        self.bucket = settings_module.settings().curated_bucket

    def curate(
        self,
        run: str = FIRST,
        day: str = DAY,
        *,
        repeats: int = 0,
        rejected: int = 0,
        **entities: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Write a curated run as the Glue job does; `repeats` and `rejected` belong to the first entity given."""
        folder = f"dt={day}/run={run}-0a1b"
        published, accounts = {}, []
        for position, (entity, rows) in enumerate(entities.items()):
            stamped = [{**row, "run_id": run, "file_name": "file.json"} for row in rows]
            if entity == "identity_match":
                published[entity] = {"manifest_uri": self._publish(entity, folder, stamped), "rows": len(rows)}
                continue  # derived: no account
            published[entity] = {"manifest_uri": self._publish(entity, folder, stamped), "rows": len(rows)}
            for source in sorted({row["source"] for row in rows}):
                own = len({row.get("setlist_id", number) for number, row in enumerate(rows) if row["source"] == source})
                twice, broken = (repeats, rejected) if position == 0 else (0, 0)
                counted = {"read": own + twice + broken, "quarantined": broken, "deduplicated": twice}
                accounts.append({"source": source, "entity": entity, "run_id": run, "dt": day, **counted})
        check = {"run_id": run, "dt": day, "suite": "event", "expectation": "expect_keys", "column_name": "event_id",
                 "checked": 3, "failed": 0, "success": True, "detail": None}  # fmt: skip
        document = {
            "dt": day, "run_id": run, "job_run_id": "jr_1", "entities": published, "quarantined": rejected,
            "accounts_uri": self._lines(f"curated/_loads/{folder}/accounts.json", accounts),
            "checks_uri": self._lines(f"curated/_loads/{folder}/checks.json", [check]),
            "quarantine_manifest_uri": self._reject(accounts[0], folder, rejected) if rejected else None,
        }  # fmt: skip
        self._put(f"curated/_reports/dt={day}/run={run}.json", json.dumps(document).encode())
        return document

    def load(self, run: str = FIRST, day: str = DAY) -> None:
        for values in warehouse.loads_of([Partition(day, run)]):
            load(values)

    def reset(self) -> None:
        """Empty every table but those that migrations fill, and forget what was curated."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="curated/_reports/")
        for entry in listed.get("Contents", []):
            self.s3.delete_object(Bucket=self.bucket, Key=entry["Key"])
        tables = warehouse.query(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema IN ('staging', 'core', 'marts', 'quality', 'ml') "
            "AND table_name NOT IN ('dim_date', 'schema_version', 'currency_rate')"
        )
        warehouse.execute_batch([f"DELETE FROM {schema}.{table}" for schema, table in tables])

    def _publish(self, entity: str, folder: str, rows: list[dict[str, Any]]) -> str | None:
        if not rows:
            return None
        schema = pa.schema(SCHEMAS[entity])
        stream = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), stream)
        uri = self._put(f"curated/{entity}/{folder}/part-0.snappy.parquet", stream.getvalue())
        return self._manifest(f"curated/_loads/{folder}/{entity}.manifest", uri, len(stream.getvalue()))

    def _reject(self, account: dict[str, Any], folder: str, number: int) -> str:
        rows = [{"source": account["source"], "entity": account["entity"], "run_id": account["run_id"],
                 "dt": account["dt"], "file_name": "file.json", "rule": "capacity_positive", "reason": "capacity is 0",
                 "record": json.dumps({"n": n}), "record_uri": None} for n in range(number)]  # fmt: skip
        uri = self._lines(f"quarantine/{account['entity']}/{folder}/part-0.json", rows)
        return self._manifest(f"curated/_loads/{folder}/quarantine.manifest", uri, None)

    def _manifest(self, key: str, uri: str, size: int | None) -> str:
        meta = {"meta": {"content_length": size}} if size is not None else {}
        return self._put(key, json.dumps({"entries": [{"url": uri, "mandatory": True, **meta}]}).encode())

    def _lines(self, key: str, rows: list[dict[str, Any]]) -> str:
        return self._put(key, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def _put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"
