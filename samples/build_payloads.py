"""Make samples/api_payloads/ from recorded answers: the structure and quirks of each API, filled with facts only.

    python samples/build_payloads.py --shared ../shared/data [--output samples]

Running it again gives the same bytes. api_payloads/SOURCE.md says where the facts come from and what was made up.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from build_samples import command

Record = dict[str, Any]

# file of ours -> (file of the source, endpoint, status)
EVENTS = {
    "events_2020_us_page0.json": ("events_2020_us_page0.json", "GET /discovery/v2/events", 200),
    "events_2022_local_page0.json": ("events_local_page0.json", "GET /discovery/v2/events", 200),
    "events_2022_local_page1.json": ("events_local_page1.json", "GET /discovery/v2/events", 200),
    "events_empty_page.json": ("events_empty_page.json", "GET /discovery/v2/events", 200),
    "event_2016_time_tba.json": ("events_doc_2016_http.json", "GET /discovery/v2/events/{id}", 200),
    "event_404.json": ("event_404_http.json", "GET /discovery/v2/events/{id}", 404),
    "fault_429.json": ("fault_429.json", "any", 429),
}
# Artists whose Spotify id a recorded attraction names: a record as new apps get it since February 2026, without
# popularity and followers.
LINKED_ARTISTS = ("Alice Cooper", "Shinedown", "Enter Shikari", "Old 97's", "Jelly Roll")
# Names of the Last.fm listeners' table and of Japan's charts that no recording has an id for: the ids are made up.
NAMED_ARTISTS = {
    "search_bjork.json": ("Björk",),
    "search_nakajima_miyuki.json": ("中島みゆき",),
    "search_cold_cave.json": ("Cold Cave",),
    "search_robert_fripp.json": ("David Sylvian & Robert Fripp", "Giles, Giles & Fripp"),
}
# setlist.fm: places of the setlists that are kept, so that one night's run makes few requests
BABYMETAL_VENUES = ("Saitama Super Arena", "The Forum", "Verizon Center")
PHISH_VENUES = ("Madison Square Garden",)
# Concerts of Ticketmaster's list that become setlists without a song, as fans enter them beforehand:
# event id -> what the setlist lacks
ANNOUNCED = {"k7vGF95K-LFZa": "sets", "k7vGF9kD5wknJ": "songs"}
TM, SP, SL = "ticketmaster", "spotify", "setlistfm"


class Payloads:
    """The payloads of one output folder, and the manifest that lists them."""

    def __init__(self, shared: Path, output: Path) -> None:
        self._recordings, self._folder = shared / "api_payloads", output / "api_payloads"
        self._rows: list[list[str]] = []

    def recorded(self, name: str) -> Any:
        document = json.loads((self._recordings / name).read_text(encoding="utf-8"))
        return document["body"] if {"status", "body"} <= document.keys() else document

    def add(self, api: str, name: str, endpoint: str, status: int, body: Any) -> None:
        path = self._folder / api / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        self._rows.append([f"{api}/{name}", api, endpoint, str(status)])

    def write_manifest(self) -> int:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([["file", "api", "endpoint", "http_status"], *self._rows])
        (self._folder / "manifest.csv").write_text(text.getvalue(), encoding="utf-8")
        return len(self._rows)


def pick(mapping: Record, *keys: str) -> Record:
    return {key: mapping[key] for key in keys if key in mapping}


def made_up(text: str, length: int) -> str:
    """An identifier of the right form that nobody gave away."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


# ---------------------------------------------------------------- Ticketmaster
def build_ticketmaster(payloads: Payloads) -> int:
    """Events, attractions and venues; returns the number of events in listings."""
    events = 0
    for name, (source, endpoint, status) in EVENTS.items():
        kept = facts_of_payload(payloads.recorded(f"{TM}/{source}"), detail=endpoint.endswith("{id}") and status == 200)
        events += len(kept.get("_embedded", {}).get("events", []))
        payloads.add(TM, name, endpoint, status, kept)
    recorded = [event for page in (0, 1) for event in recorded_events(payloads, f"events_local_page{page}.json")]
    recorded = [*recorded_events(payloads, "events_2020_us_page0.json"), *recorded]
    attractions = {a["id"]: a for event in recorded for a in event["_embedded"].get("attractions", [])}
    linked = [facts_of_attraction(entry) for entry in attractions.values() if "externalLinks" in entry]
    for number, start in enumerate(range(0, len(linked), 20)):
        body = listing("attractions", linked, number, start)
        payloads.add(TM, f"attractions_page{number}.json", "GET /discovery/v2/attractions", 200, body)
    venues = {v["id"]: v for event in recorded for v in event["_embedded"].get("venues", [])}
    placed = [{**facts_of_venue(venue), "test": False} for venue in venues.values()]
    payloads.add(TM, "venues_page0.json", "GET /discovery/v2/venues", 200, listing("venues", placed, 0, 0))
    placeholder = facts_of_venue(payloads.recorded(f"{TM}/venue_placeholder_http.json"))
    payloads.add(TM, "venue_placeholder.json", "GET /discovery/v2/venues/{id}", 200, placeholder)
    return events


def recorded_events(payloads: Payloads, name: str) -> list[Record]:
    return payloads.recorded(f"{TM}/{name}")["_embedded"]["events"]


def listing(kind: str, records: list[Record], number: int, start: int) -> Record:
    pages = -(-len(records) // 20)
    page = {"size": 20, "totalElements": len(records), "totalPages": pages, "number": number}
    return {"_embedded": {kind: records[start : start + 20]}, "page": page}


def facts_of_payload(body: Record, *, detail: bool) -> Record:
    if "fault" in body:
        return {"fault": body["fault"]}
    if "errors" in body:
        return {"errors": [pick(error, "code", "detail", "status") for error in body["errors"]]}
    events = [facts_of_event(event) for event in body.get("_embedded", {}).get("events", [])]
    if detail:
        return events[0]
    embedded = {"_embedded": {"events": events}} if events else {}
    return {**embedded, "page": pick(body["page"], "size", "totalElements", "totalPages", "number")}


def facts_of_event(event: Record) -> Record:
    """Ids, names, dates, places and prices of an event; a key that the source leaves out stays out."""
    kept = pick(event, "name", "type", "id", "test", "locale")
    public = event.get("sales", {}).get("public", {})
    kept["sales"] = {"public": pick(public, "startDateTime", "startTBD", "startTBA", "endDateTime")}
    kept["dates"] = pick(event["dates"], "start", "timezone", "status", "spanMultipleDays")
    if "classifications" in event:
        kept["classifications"] = facts_of_classifications(event)
    if "priceRanges" in event:
        kept["priceRanges"] = [pick(entry, "type", "currency", "min", "max") for entry in event["priceRanges"]]
    embedded = event.get("_embedded", {})
    inner: Record = {}
    if "venues" in embedded:
        inner["venues"] = [facts_of_venue(venue) for venue in embedded["venues"]]
    if "attractions" in embedded:
        inner["attractions"] = [pick(entry, "name", "type", "id") for entry in embedded["attractions"]]
    return {**kept, "_embedded": inner} if inner else kept


def facts_of_classifications(record: Record) -> list[Record]:
    return [pick(entry, "primary", "segment", "genre", "subGenre") for entry in record["classifications"]]


def facts_of_attraction(attraction: Record) -> Record:
    """Names and ids; of the links to elsewhere those that are ids: MusicBrainz, and Spotify's address of the artist."""
    links = pick(attraction["externalLinks"], "musicbrainz", "spotify")
    kept = pick(attraction, "name", "type", "id", "test", "locale")
    return {**kept, "externalLinks": links, "classifications": facts_of_classifications(attraction)}


def facts_of_venue(venue: Record) -> Record:
    return pick(venue, "name", "type", "id", "timezone", "postalCode", "city", "state", "country", "location")


# ---------------------------------------------------------------- Spotify
def build_spotify(payloads: Payloads) -> None:
    artist = "GET /v1/artists/{id}"
    for name, identifier in linked_artists(payloads):
        slug = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
        payloads.add(SP, f"artist_{slug}.json", artist, 200, artist_record(identifier, name))
    pitbull = payloads.recorded(f"{SP}/artist_2024.json")
    payloads.add(SP, "artist_pitbull.json", artist, 200, facts_of_artist(pitbull))
    several = payloads.recorded(f"{SP}/artists_several.json")["artists"]
    bowie = next(entry for entry in several if entry["name"] == "David Bowie")
    payloads.add(SP, "artist_david_bowie.json", artist, 200, facts_of_artist(bowie))
    found = payloads.recorded(f"{SP}/recorded_search_artist_2017.json")["artists"]["items"][:5]
    payloads.add(SP, "search_arctic.json", "GET /v1/search?q=Arctic&type=artist", 200, search_page(found))
    for file, names in NAMED_ARTISTS.items():
        records = [artist_record(made_up(name, 22), name) for name in names]
        payloads.add(SP, file, "GET /v1/search?type=artist", 200, search_page(records))
    payloads.add(SP, "search_none.json", "GET /v1/search?type=artist", 200, search_page([]))
    payloads.add(SP, "fault_404.json", artist, 404, {"error": {"status": 404, "message": "Resource not found"}})
    payloads.add(SP, "fault_429.json", "any", 429, payloads.recorded(f"{SP}/rate_limit_429.json"))


def linked_artists(payloads: Payloads) -> list[tuple[str, str]]:
    """Name and Spotify id of attractions that link there."""
    links: dict[str, str] = {}
    for page in (0, 1):
        for event in recorded_events(payloads, f"events_local_page{page}.json"):
            for attraction in event["_embedded"].get("attractions", []):
                spotify = attraction.get("externalLinks", {}).get("spotify", [])
                if attraction["name"] in LINKED_ARTISTS and spotify:
                    links[attraction["name"]] = spotify[0]["url"].rsplit("/", 1)[-1].split("?")[0]
    return sorted(links.items())


def artist_record(identifier: str, name: str) -> Record:
    return {"genres": [], "id": identifier, "name": name, "type": "artist", "uri": f"spotify:artist:{identifier}"}


def facts_of_artist(artist: Record) -> Record:
    return pick(artist, "followers", "genres", "id", "name", "popularity", "type", "uri")


def search_page(records: list[Record]) -> Record:
    items = [facts_of_artist(record) for record in records]
    page = {"items": items, "limit": 20, "next": None, "offset": 0, "previous": None, "total": len(items)}
    return {"artists": page}


# ---------------------------------------------------------------- setlist.fm
def build_setlistfm(payloads: Payloads) -> None:
    of_artist = "GET /rest/1.0/artist/{mbid}/setlists"
    babymetal = [
        entry for page in (1, 2) for entry in payloads.recorded(f"{SL}/artist_setlists_page{page}.json")["setlist"]
    ]
    phish = payloads.recorded(f"{SL}/phish_setlists_page1.json")["setlist"]
    foo_fighters = payloads.recorded(f"{SL}/search_setlists_http.json")["setlist"]
    payloads.add(SL, "artist_babymetal.json", "GET /rest/1.0/artist/{mbid}", 200,
                 facts_of_performer(payloads.recorded(f"{SL}/artist.json")))  # fmt: skip
    payloads.add(SL, "setlists_babymetal.json", of_artist, 200, setlist_page(babymetal, BABYMETAL_VENUES))
    payloads.add(SL, "setlists_phish.json", of_artist, 200, setlist_page(phish, PHISH_VENUES))
    payloads.add(SL, "search_setlists_foo_fighters.json", "GET /rest/1.0/search/setlists", 200,
                 setlist_page(foo_fighters, ()))  # fmt: skip
    detail = facts_of_setlist(payloads.recorded(f"{SL}/setlist_detail.json"))
    payloads.add(SL, "setlist_fotos.json", "GET /rest/1.0/setlist/{id}", 200, detail)
    for event, lacking in announced(payloads):
        setlist = announced_setlist(event, lacking, foo_fighters[0]["venue"])
        slug = "_".join(setlist["artist"]["name"].lower().split())
        payloads.add(SL, f"setlists_{slug}.json", of_artist, 200, setlist_page([setlist], ()))
    missing = pick(payloads.recorded(f"{SL}/search_artists_404.json"), "status", "error", "message", "path")
    payloads.add(SL, "search_artists_404.json", "GET /rest/1.0/search/artists", 404, missing)
    payloads.add(SL, "fault_429.json", "any", 429, {"status": 429, "error": "Too Many Requests"})


def setlist_page(setlists: list[Record], venues: tuple[str, ...]) -> Record:
    """A page of those setlists that took place in one of the venues; of all if none is given."""
    kept = [facts_of_setlist(entry) for entry in setlists if not venues or entry["venue"]["name"] in venues]
    return {"type": "setlists", "itemsPerPage": 20, "page": 1, "total": len(kept), "setlist": kept}


def facts_of_setlist(setlist: Record) -> Record:
    kept = pick(setlist, "id", "versionId", "eventDate", "lastUpdated")
    kept["artist"] = facts_of_performer(setlist["artist"])
    kept["venue"] = pick(setlist["venue"], "id", "name", "city")
    if "tour" in setlist:
        kept["tour"] = pick(setlist["tour"], "name")
    if "sets" in setlist:
        kept["sets"] = {"set": [facts_of_set(entry) for entry in setlist["sets"]["set"]]}
    return kept


def facts_of_set(entry: Record) -> Record:
    songs = []
    for song in entry["song"]:
        kept = pick(song, "name", "tape")
        if "cover" in song:
            kept["cover"] = facts_of_performer(song["cover"])
        songs.append(kept)
    return {**pick(entry, "name", "encore"), "song": songs}


def facts_of_performer(artist: Record) -> Record:
    return {**pick(artist, "mbid", "tmid", "name", "sortName"), "disambiguation": ""}


def announced(payloads: Payloads) -> Iterator[tuple[Record, str]]:
    for page in (0, 1):
        for event in recorded_events(payloads, f"events_local_page{page}.json"):
            if event["id"] in ANNOUNCED:
                yield event, ANNOUNCED[event["id"]]


def announced_setlist(event: Record, lacking: str, known_venue: Record) -> Record:
    """A setlist without songs of a concert that Ticketmaster lists; the ids of setlist and venue are made up."""
    artist, venue = event["_embedded"]["attractions"][0], event["_embedded"]["venues"][0]
    place = {
        "id": made_up(venue["id"], 8),
        "name": venue["name"],
        "city": {
            "name": venue["city"]["name"],
            "state": venue["state"]["name"],
            "stateCode": venue["state"]["stateCode"],
            "coords": {"lat": float(venue["location"]["latitude"]), "long": float(venue["location"]["longitude"])},
            "country": {"code": "US", "name": "United States"},
        },
    }
    setlist = {
        "id": made_up(event["id"], 8),
        "versionId": f"g{made_up(event['id'], 8)}",
        "eventDate": "-".join(reversed(event["dates"]["start"]["localDate"].split("-"))),
        "lastUpdated": event["sales"]["public"]["startDateTime"].replace("Z", ".000+0000"),
        "artist": {
            "mbid": artist["externalLinks"]["musicbrainz"][0]["id"],
            "name": artist["name"],
            "sortName": artist["name"],
        },
        "venue": pick(known_venue, "id", "name", "city") if venue["name"] == known_venue["name"] else place,
    }
    if lacking == "songs":
        setlist |= {"tour": {"name": event["name"].partition(": ")[2]}, "sets": {"set": []}}
    return setlist


# ---------------------------------------------------------------- command line
def build(shared: Path, output: Path) -> dict[str, int]:
    """Write all payloads and manifest.csv; return the number of payloads and of events in listings."""
    payloads = Payloads(shared, output)
    events = build_ticketmaster(payloads)
    build_spotify(payloads)
    build_setlistfm(payloads)
    return {"payloads": payloads.write_manifest(), "ticketmaster events": events}


if __name__ == "__main__":
    raise SystemExit(command(build, __doc__))
