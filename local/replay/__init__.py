"""Replay server: answers as the source APIs do, with the payloads that samples/api_payloads/manifest.csv lists.

python -m local.replay --port N --samples DIR --state-dir DIR

payloads.py      the payloads of the manifest, by API and kind
faults.py        answers ordered beforehand: <state-dir>/faults.json
ticketmaster.py  Ticketmaster Discovery v2: listing with pages, event detail, key, rate limit
server.py        the HTTP server; health at /_replay/health
"""
