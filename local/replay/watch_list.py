"""The artists and venues that the payloads hold, as a watch list: whatever is put beside them is ingested too."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from concert_platform.sources.watch_entries import Entry, WatchedArtist, WatchedVenue, misfit
from local.replay.payloads import load_payloads, part
from local.replay.setlistfm import Setlistfm
from local.replay.spotify import Spotify
from local.replay.ticketmaster import Ticketmaster

log = logging.getLogger(__name__)


def watch_list(samples: Path) -> str:
    """The list in YAML; a record whose id cannot be asked for is named in the log and left out.

    :raises PayloadError: when the samples cannot be read
    """
    payloads = load_payloads(samples)
    ticketmaster, setlistfm, spotify = Ticketmaster(payloads, ""), Setlistfm(payloads, ""), Spotify(payloads, ("", ""))
    artists = [
        *_entries(WatchedArtist, "musicbrainz_id", _names(setlistfm.performers())),
        *_entries(WatchedArtist, "spotify_id", _names(spotify.artists)),
        *_entries(WatchedArtist, "ticketmaster_id", ticketmaster.watched("attractions")),
    ]
    venues = [
        *_entries(WatchedVenue, "setlistfm_id", _names(setlistfm.lonely_venues())),
        *_entries(WatchedVenue, "ticketmaster_id", ticketmaster.watched("venues")),
    ]
    return yaml.safe_dump({"artists": artists, "venues": venues}, allow_unicode=True, sort_keys=False)


def _names(records: Mapping[str, Any]) -> dict[str, Any]:
    return {identifier: part(record, "name") for identifier, record in records.items()}


def _entries(model: type[Entry], key: str, names: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Entries that the platform can use.

    :param key: what the entry calls the id
    :param names: what stands for the name, by id
    """
    for identifier, name in names.items():
        # The record is asked for by its id, and curation judges its name.
        for usable in (name, identifier):
            try:
                yield model.model_validate({"name": usable, key: identifier}).model_dump(exclude_none=True)
                break
            except ValidationError as error:
                reason = misfit(error)
        else:
            log.warning("%s %r is not watched: %s", key, identifier, reason)
