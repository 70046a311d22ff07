"""Neither NUL, which no COPY takes, nor the spaces that files and APIs leave around a text reach a curated file."""

import json
from typing import Any

import pytest
from concert_etl import artist, box_office, event, interaction, setlist, venue
from concert_etl.entities import ENTITIES
from concert_etl.mapping import apply_mapping, load_mapping
from test_artist_venue_setlist import (
    ATTRACTION,
    SETLIST,
    SETLISTFM_ARTIST,
    SETLISTFM_VENUE,
    SPOTIFY_ARTIST,
    TICKETMASTER_VENUE,
)
from test_box_office import GOOD
from test_event_and_interaction import EVENT

CONCERT = EVENT | {"_embedded": {"venues": [TICKETMASTER_VENUE], "attractions": [ATTRACTION]}}
RECORDS = [
    (event, "ticketmaster", CONCERT), (artist, "ticketmaster", ATTRACTION), (artist, "spotify", SPOTIFY_ARTIST),
    (artist, "setlistfm", SETLISTFM_ARTIST), (venue, "ticketmaster", TICKETMASTER_VENUE),
    (venue, "setlistfm", SETLISTFM_VENUE), (setlist, "setlistfm", SETLIST),
]  # fmt: skip
DATASET_COLUMNS = {name for entity in ENTITIES.values() for name in entity.columns}
META = "_meta struct<source: string, ingested_at: timestamp, file_name: string, position: bigint>"
LISTENER = {"user_id": "u1", "artist_id": "51", "artist": "中島みゆき", "weight": "3"}


def soiled(part: Any) -> Any:
    """A record with a NUL in each of its texts and spaces around it."""
    if isinstance(part, dict):
        return {name: soiled(value) for name, value in part.items()}
    if isinstance(part, list):
        return [soiled(value) for value in part]
    return f"\u00a0{part[:1]}\0{part[1:]}\u3000\n" if isinstance(part, str) else part


@pytest.mark.parametrize(
    ("module", "source", "record"), RECORDS, ids=[f"{item[0].__name__} {item[1]}" for item in RECORDS]
)
def test_a_record_of_an_api_is_curated_without_them(spark: Any, module: Any, source: str, record: Any) -> None:
    meta = (source, None, "p.json", 0)
    rows = [(meta, json.dumps(text)) for text in (record, soiled(record))]
    judged = module.curate(spark.createDataFrame(rows, f"{META}, _record string"))
    made = [name for name in judged.columns if name in (*DATASET_COLUMNS, "_broken", "_artist_keys", "_songs")]

    good, cleaned = judged.select(made).collect()

    assert good["_broken"] is None and cleaned == good


def test_a_box_office_report_is_curated_without_them(spark: Any) -> None:
    cells = ", ".join(f"{name}: string" for name in GOOD)
    rows = [(("canonical", None, "f.csv", 0), None, tuple(row.values())) for row in (GOOD, soiled(GOOD))]
    raw = spark.createDataFrame(rows, f"{META}, _malformed string, _cells struct<{cells}>").selectExpr(
        "*", "'{}' AS _record"
    )

    good, cleaned = box_office.curate(apply_mapping(raw, load_mapping("canonical"))).collect()

    assert good["_broken"] is None and cleaned == good


def test_an_interaction_is_curated_without_them(spark: Any) -> None:
    columns = ", ".join(f"{name} string" for name in LISTENER)
    rows = [(("lastfm", None, "i.tsv", 0), "", None, *row.values()) for row in (LISTENER, soiled(LISTENER))]
    raw = spark.createDataFrame(rows, f"{META}, _row string, _malformed string, {columns}")

    good, cleaned = interaction.curate(raw).collect()

    assert good["_broken"] is None and cleaned == good


def test_an_unknown_song_keeps_its_place_whatever_stands_for_its_name(spark: Any) -> None:
    record = SETLIST | {"sets": {"set": [{"song": [{"name": " \u00a0\0"}, {"name": "糸", "cover": {"name": "\0"}}]}]}}
    raw = spark.createDataFrame([(("setlistfm", None, "p.json", 0), json.dumps(record))], f"{META}, _record string")

    rows = setlist.songs(setlist.curate(raw)).select("song_position", "song", "cover_of").collect()

    assert [tuple(row) for row in rows] == [(1, None, None), (2, "糸", None)]
