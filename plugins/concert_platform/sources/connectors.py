"""What ingest_concerts reads by API: the name of each task, without its ``ingest_``, and the function behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from concert_platform.sources import setlistfm, spotify, ticketmaster, ticketmaster_entities
from concert_platform.sources.run import IngestRun

CONNECTORS: dict[str, Callable[[IngestRun], dict[str, Any]]] = {
    "ticketmaster_events": ticketmaster.ingest_events,
    "ticketmaster_attractions": ticketmaster_entities.ingest_attractions,
    "ticketmaster_venues": ticketmaster_entities.ingest_venues,
    "spotify_artists": spotify.ingest_artists,
    "setlistfm_artists": setlistfm.ingest_artists,
    "setlistfm_setlists": setlistfm.ingest_setlists,
    "setlistfm_venues": setlistfm.ingest_venues,
}
