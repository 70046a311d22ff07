"""The artists and venues that the payloads hold, as a watch list: whatever is put beside them is ingested too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.replay.payloads import load_payloads
from local.replay.setlistfm import Setlistfm
from local.replay.spotify import Spotify
from local.replay.ticketmaster import Ticketmaster


def watch_list(samples: Path) -> str:
    """The list in YAML (JSON, which is YAML).

    :raises PayloadError: when the samples cannot be read
    """
    payloads = load_payloads(samples)
    ticketmaster, setlistfm = Ticketmaster(payloads, ""), Setlistfm(payloads, "")
    artists: list[dict[str, Any]] = []
    artists += [{"name": a["name"], "musicbrainz_id": a["mbid"]} for a in setlistfm.performers().values()]
    artists += [{"name": a["name"], "spotify_id": key} for key, a in Spotify(payloads, ("", "")).artists.items()]
    artists += [{"name": name, "ticketmaster_id": key} for key, name in ticketmaster.watched("attractions").items()]
    venues = [{"name": venue["name"], "setlistfm_id": key} for key, venue in setlistfm.lonely_venues().items()]
    venues += [{"name": name, "ticketmaster_id": key} for key, name in ticketmaster.watched("venues").items()]
    return json.dumps({"artists": artists, "venues": venues}, ensure_ascii=False, indent=1) + "\n"
