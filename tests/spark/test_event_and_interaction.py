"""Ticketmaster events and interactions: typing, record rules, repeats."""

import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

EVENT = {
    "id": "e1",
    "name": "Björk: Cornucopia",
    "dates": {
        "start": {"localDate": "2020-05-06", "dateTime": "2020-05-06T18:00:00Z"},
        "timezone": "Europe/London",
        "status": {"code": "onsale"},
    },
    "sales": {"public": {"startDateTime": "2020-01-02T10:00:00Z"}},
    "classifications": [{"segment": {"name": "Music"}}],
    "priceRanges": [
        {"type": "vip", "currency": "GBP", "min": 500, "max": 900},
        {"type": "standard", "currency": "GBP", "min": 40.5, "max": 90.0},
    ],
    "_embedded": {
        "venues": [
            {"name": "The O2 ", "city": {"name": "London"}, "country": {"countryCode": "GB", "name": "Great Britain"}}
        ],
        "attractions": [{"name": "Björk"}, {"name": "Hamrahlíð Choir"}],
    },
}


def changed(path: str, value: Any = None, *, identity: str = "") -> dict[str, Any]:
    """The good event with one value replaced, or left out when there is no value."""
    event = deepcopy(EVENT)
    event["id"] = identity or path
    *parents, last = path.split(".")
    place: Any = event
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return event


def page(*events: Any) -> str:
    return json.dumps({"_embedded": {"events": list(events)}, "page": {"size": 20, "totalElements": len(events)}})


def test_an_event_is_typed(deliver: Any, run_job: Any) -> None:
    deliver("ticketmaster", "event", {"p.json": page(EVENT)}, {"p.json": 1})

    (row,) = run_job().rows("event").collect()

    assert (row["event_id"], row["name"], row["artist"], row["venue"]) == ("e1", "Björk: Cornucopia", "Björk", "The O2")
    assert (row["city"], row["country"], row["segment"], row["status"]) == ("London", "GB", "Music", "onsale")
    assert (row["event_date"], row["start_at"].isoformat()) == (date(2020, 5, 6), "2020-05-06T18:00:00")
    assert (row["price_min"], row["price_max"], row["currency"]) == (Decimal("40.50"), Decimal(90), "GBP")


def test_each_rule_of_an_event_is_broken_by_one(deliver: Any, run_job: Any) -> None:
    nameless, undated = changed("name"), changed("dates.start.localDate")
    events = [
        changed("id"),
        nameless,
        undated,
        changed("dates.start.localDate", "2020-02-30", identity="d"),
        changed("priceRanges.1.min", 91, identity="reversed"),
        changed("priceRanges.1.min", -1, identity="negative"),
        changed("priceRanges.1.max", "free", identity="text"),
        changed("priceRanges.1.min", -0.001, identity="hardly negative"),
        changed("priceRanges.1.currency", identity="of no currency"),
        changed("dates.start.localDate", "0000-01-01", identity="year 0"),
        changed("dates.start.localDate", "2101-01-01", identity="far"),
        "no event",
    ]
    deliver("ticketmaster", "event", {"p.json": page(*events)}, {"p.json": len(events)})

    outcome = run_job()

    assert sorted(row["rule"] for row in outcome.rejected) == [
        "currency_missing", *["event_date_invalid"] * 3, "event_date_missing", "event_id_missing",
        "event_name_missing", *["price_range_invalid"] * 4, "record_malformed",
    ]  # fmt: skip
    records = {row["rule"]: json.loads(row["record"]) for row in outcome.rejected}
    assert records["event_name_missing"] == nameless
    assert outcome.report["entities"]["event"] == {
        "prefix": outcome.report["entities"]["event"]["prefix"], "manifest_uri": None, "rows": 0
    }  # fmt: skip


def test_an_event_may_lack_venue_artist_prices_and_time(deliver: Any, run_job: Any) -> None:
    bare = {"id": "e2", "name": "Festival", "dates": {"start": {"localDate": "2020-07-01"}}, "priceRanges": []}
    always = changed("sales.public.startDateTime", "1900-01-01T18:00:00Z", identity="e3")
    distant = changed("dates.start.dateTime", "+12020-05-06T18:00:00Z", identity="e4")
    deliver("ticketmaster", "event", {"p.json": page(bare, always, distant)}, {"p.json": 3})

    rows = {row["event_id"]: row for row in run_job().rows("event").collect()}

    festival = rows["e2"]
    assert (festival["artist"], festival["venue"], festival["venue_id"], festival["price_min"]) == (
        "Festival",
        None,
        None,
        None,
    )
    assert rows["e3"]["onsale_at"] is None
    assert rows["e4"]["start_at"] is None


def test_an_attraction_of_a_blank_name_is_none(deliver: Any, run_whole_job: Any) -> None:
    blank = changed("_embedded.attractions.0.name", "", identity="blank")
    spaces = changed("_embedded.attractions.0.name", "\u00a0\0", identity="spaces")
    deliver("ticketmaster", "event", {"p.json": page(EVENT, blank, spaces)}, {"p.json": 3})

    outcome = run_whole_job()

    artists = {row["event_id"]: row["artist"] for row in outcome.rows("event").collect()}
    assert artists == {"e1": "Björk", "blank": EVENT["name"], "spaces": EVENT["name"]}


def test_a_time_without_a_day_and_a_day_without_a_time_are_no_moment(deliver: Any, run_job: Any) -> None:
    texts = ["T12:30:00Z", "12:30", "2020", "2020-05", "2020-05-06", "2020-05-06T18"]
    events = [changed("dates.start.dateTime", text, identity=text) for text in texts]
    onsales = [changed("sales.public.startDateTime", text, identity=f"onsale {text}") for text in texts]
    # Its local time says what the API's own word does not.
    local = changed("dates.start", {"localDate": "2020-05-06", "localTime": "19:30:00", "dateTime": texts[0]})
    everything = [*events, *onsales, local]
    deliver("ticketmaster", "event", {"p.json": page(*everything)}, {"p.json": len(everything)})

    rows = {row["event_id"]: row for row in run_job().rows("event").collect()}

    assert {text: rows[text]["start_at"] for text in texts} == dict.fromkeys(texts)
    assert {text: rows[f"onsale {text}"]["onsale_at"] for text in texts} == dict.fromkeys(texts)
    assert rows["dates.start"]["start_at"].isoformat() == "2020-05-06T18:30:00"


def test_a_currency_is_in_capital_letters(deliver: Any, run_job: Any) -> None:
    deliver("ticketmaster", "event", {"p.json": page(changed("priceRanges.1.currency", "gbp"))}, {"p.json": 1})

    assert [row["currency"] for row in run_job().rows("event").collect()] == ["GBP"]


LOCAL_TIMES = [
    ("Europe/London", "2020-05-06", "19:30:00", "2020-05-06T18:30:00"),
    ("Asia/Kathmandu", "2020-05-06", "19:30", "2020-05-06T13:45:00"),
    ("Europe/London", "2020-03-29", "01:30:00", "2020-03-29T01:30:00"),  # the clocks skip it: half past two
    ("America/New_York", "2020-03-08", "02:30:00", "2020-03-08T07:30:00"),
    ("Europe/London", "2020-10-25", "01:30:00", "2020-10-25T00:30:00"),  # comes twice: the first
    ("America/New_York", "2020-11-01", "01:30:00", "2020-11-01T05:30:00"),
    ("Pacific/Apia", "2011-12-30", "12:00:00", "2011-12-30T22:00:00"),  # a day that Samoa never had
    ("Mars/Olympus", "2020-05-06", "19:30:00", None),
    ("Europe/London', '", "2020-05-06", "19:30:00", None),
    ("Europe/London", "2020-05-06", "25:30:00", None),
    ("Europe/London", "2020-05-06", "evening", None),
    ("Europe/London", "2020-05-06", None, None),
]


def test_an_event_without_a_moment_has_that_of_its_local_time(deliver: Any, run_job: Any) -> None:
    events = []
    for number, (zone, day, clock, _) in enumerate(LOCAL_TIMES):
        event = changed("dates.start", {"localDate": day, "localTime": clock}, identity=f"{number:02d}")
        events.append(event | {"dates": {**event["dates"], "timezone": zone}})
    told = changed("dates.start.localTime", "01:00:00", identity="told")  # dateTime is the API's own word
    deliver("ticketmaster", "event", {"p.json": page(*events, told)}, {"p.json": len(events) + 1})

    rows = {row["event_id"]: row for row in run_job().rows("event").collect()}

    assert rows.pop("told")["start_at"].isoformat() == "2020-05-06T18:00:00"
    found = [row["start_at"] and row["start_at"].isoformat() for _, row in sorted(rows.items())]
    assert found == [moment for *_, moment in LOCAL_TIMES]


def test_an_event_whose_day_is_to_be_announced_is_put_aside(deliver: Any, run_job: Any) -> None:
    announced = changed("dates.start", {"dateTBA": True, "dateTBD": False, "timeTBA": True, "noSpecificTime": True})
    deliver("ticketmaster", "event", {"p.json": page(announced, EVENT)}, {"p.json": 2})

    outcome = run_job()

    assert [row["rule"] for row in outcome.rejected] == ["event_date_missing"]
    assert json.loads(outcome.rejected[0]["record"]) == announced
    assert [row["event_id"] for row in outcome.rows("event").collect()] == ["e1"]


def test_a_wrong_type_spoils_its_value_and_not_the_event(deliver: Any, run_job: Any) -> None:
    odd = changed("_embedded.venues", "none", identity="e4") | {"classifications": {"segment": 1}}
    deliver("ticketmaster", "event", {"p.json": page(odd)}, {"p.json": 1})

    (row,) = run_job().rows("event").collect()

    assert (row["event_id"], row["artist"], row["venue"], row["segment"]) == ("e4", "Björk", None, None)


def test_an_event_on_two_pages_counts_once(deliver: Any, run_job: Any) -> None:
    deliver("ticketmaster", "event", {"p0.json": page(EVENT), "p1.json": page(EVENT)}, {"p0.json": 1, "p1.json": 1})

    outcome = run_job()

    assert [row["file_name"] for row in outcome.rows("event").collect()] == ["p1.json"]
    assert outcome.accounts["ticketmaster", "event"]["deduplicated"] == 1


PLAYS = """user_id\tartist_id\tartist\tweight
2\t51\t中島みゆき\t13883
2\t52\t"Heroes"\t1
3\t53\t!!!\t0.5
\t51\tBjörk\t1
2\t54\t\t1
2\t\tBjörk\t1
2\t55\tBjörk\t0
2\t56\tBjörk\tNaN
2\t57\tBjörk\tInfinity
2\t58\tBjörk\tten
2\t51\t中島みゆき\t5
2\t59\tBjörk
"""


def test_interactions_are_typed_and_judged(deliver: Any, run_job: Any) -> None:
    deliver("lastfm", "interaction", {"i.tsv.gz": PLAYS}, {"i.tsv.gz": 12})

    outcome = run_job()

    rows = {
        (row["user_id"], row["source_artist_id"]): (row["artist"], row["weight"])
        for row in outcome.rows("interaction").collect()
    }
    assert rows == {
        ("2", "51"): ("中島みゆき", 5.0),
        ("2", "52"): ('"Heroes"', 1.0),
        ("3", "53"): ("!!!", 0.5),
    }
    assert sorted(row["rule"] for row in outcome.rejected) == [
        "artist_missing", "artist_missing", "record_malformed", "user_id_missing", *["weight_not_positive"] * 4
    ]  # fmt: skip
    account = outcome.accounts["lastfm", "interaction"]
    assert (account["read"], account["quarantined"], account["deduplicated"]) == (12, 8, 1)


def test_one_name_in_two_spellings_is_one_artist(deliver: Any, run_job: Any) -> None:
    lines = [
        "user_id\tartist_id\tartist\tweight",
        "1\t1\tBJÖRK\t1",
        "1\t2\tＢｊörk \t1",
        "1\t3\tBjorn\t1",
        "1\t4\tAC/DC\t1",
    ]
    deliver("lastfm", "interaction", {"i.tsv": "\n".join([*lines, "1\t5\tac dc\t1", ""])}, {"i.tsv": 5})

    ids = {row["source_artist_id"]: row["artist_id"] for row in run_job().rows("interaction").collect()}

    assert ids["1"] == ids["2"] and ids["4"] == ids["5"] and len(set(ids.values())) == 3
