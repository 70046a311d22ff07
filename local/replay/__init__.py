"""Replay server: answers as the source APIs do, with the payloads that samples/api_payloads/manifest.csv lists.

python -m local.replay --port N --samples DIR --state-dir DIR

payloads.py      the payloads of the manifest, by API and path
faults.py        answers ordered beforehand: <state-dir>/faults.json
answers.py       request and answer, and what an API must offer
pacing.py        requests a second
ticketmaster.py  Ticketmaster Discovery v2: listings of events, attractions, venues with pages; details, key, quota
spans.py         the events of a listing's span of time
spotify.py       Spotify Web API: artists, search, tokens, ETag
setlistfm.py     setlist.fm 1.0: artists, setlists with pages, venues, searches, key, two requests a second
watch_list.py    the artists and venues that the payloads hold, as a watch list
server.py        the HTTP server; health at /_replay/health
"""
