"""Events of the Ticketmaster Discovery API: a page's events become typed columns, and the rules of an event."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.countries import country_code
from concert_etl.entities import EVENT
from concert_etl.external_ids import attraction_keys
from concert_etl.pages import parse
from concert_etl.rules import Rule, encoding_broken, judge, text_too_long
from concert_etl.texts import FIRST_DAY, LAST_DAY, date, decimal, is_negative, moment, shown
from concert_etl.venue import is_placeholder

# Every leaf is text, so that a value of another type spoils itself and not its event.
SCHEMA = """
    id string, name string,
    dates struct<start: struct<localDate: string, localTime: string, dateTime: string>, timezone: string,
                 status: struct<code: string>>,
    sales struct<public: struct<startDateTime: string>>,
    classifications array<struct<segment: struct<name: string>>>,
    priceRanges array<struct<type: string, currency: string, min: string, max: string>>,
    _embedded struct<
        venues: array<struct<id: string, name: string, timezone: string, city: struct<name: string>,
                             country: struct<name: string, countryCode: string>>>,
        attractions: array<struct<id: string, name: string, url: string,
                                  externalLinks: struct<musicbrainz: array<struct<id: string>>,
                                                        spotify: array<struct<url: string>>>>>>
"""
# The API's word for "always on sale".
NO_ONSALE = "1900-01-01"
TIME_PATTERN = "^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"
ONSALE = "item.sales.public.startDateTime"
PARTS = {
    "venue_item": "get(item._embedded.venues, 0)",
    "attraction": "get(item._embedded.attractions, 0)",
    "price": "coalesce(get(filter(item.priceRanges, p -> p.type = 'standard'), 0), get(item.priceRanges, 0))",
}
# A venue that must not be used is none; its id stays, for the one who asks.
VENUE_NAME = f"CASE WHEN NOT coalesce({is_placeholder('venue_item.name')}, false) THEN venue_item.name END"
TEXTS = {
    "event_id": "item.id",
    "name": "item.name",
    "artist": "coalesce(attraction.name, item.name)",
    "venue": VENUE_NAME,
    "city": "venue_item.city.name",
    "country": "coalesce(venue_item.country.countryCode, venue_item.country.name)",
    "segment": "get(item.classifications, 0).segment.name",
    "event_date": "item.dates.start.localDate",
    "start_at": "item.dates.start.dateTime",
    "local_time": "item.dates.start.localTime",
    "timezone": "coalesce(item.dates.timezone, venue_item.timezone)",
    "status": "item.dates.status.code",
    "onsale_at": f"CASE WHEN NOT startswith({ONSALE}, '{NO_ONSALE}') THEN {ONSALE} END",
    "price_min": "price.min",
    "price_max": "price.max",
    "currency": "upper(price.currency)",
    "source_artist_id": "attraction.id",
    "source_venue_id": "venue_item.id",
}

RULES = (
    Rule("event_id_missing", "event_id IS NULL", "'the event has no id'"),
    Rule("event_name_missing", "name IS NULL", "'the event has no name'"),
    Rule("artist_missing", "artist IS NULL", "'neither the attraction nor the event has a name'"),
    encoding_broken("name", "artist", "venue", "city"),
    Rule("event_date_missing", "_text.event_date IS NULL", "'the event has no local date'"),
    Rule(
        "event_date_invalid",
        "event_date IS NULL",
        f"concat('the local date is ', {shown('event_date')}, ', not a day from {FIRST_DAY} to {LAST_DAY}')",
    ),
    Rule(
        "price_range_invalid",
        "(_text.price_min IS NOT NULL AND price_min IS NULL) OR (_text.price_max IS NOT NULL AND price_max IS NULL)"
        f" OR {is_negative('price_min')} OR {is_negative('price_max')} OR price_min > price_max",
        f"concat('the price range is ', {shown('price_min')}, ' to ', {shown('price_max')})",
    ),
    Rule(
        "currency_missing",
        "coalesce(price_min, price_max) IS NOT NULL AND currency IS NULL",
        "'the prices have no currency'",
    ),
    text_too_long(EVENT.widths),
)


def local_start(zones: str) -> str:
    """SQL: the UTC moment of an event's local date and time, for one that comes without dateTime.

    A time that the clocks skip in spring is taken as far behind it as it is after the jump; of one that comes twice in
    autumn, the first is meant.

    :param zones: time zones that Spark knows, with commas between them: it raises on any other
    """
    moment = "try_cast(concat(left(_text.event_date, 10), ' ', _text.local_time) AS TIMESTAMP)"
    is_known = f"_text.local_time RLIKE '{TIME_PATTERN}' AND find_in_set(_text.timezone, '{zones}') > 0"
    return f"CASE WHEN event_date IS NOT NULL AND {is_known} THEN to_utc_timestamp({moment}, _text.timezone) END"


def curate(events: DataFrame) -> DataFrame:
    """Type and judge events."""
    jvm = events.sparkSession._jvm
    zones = jvm.java.lang.String.join(",", jvm.java.time.ZoneId.getAvailableZoneIds())
    typed = parse(events, SCHEMA, TEXTS, PARTS, "event").select(
        "*",
        F.col("_meta.source").alias("source"),
        *(f"_text.{name}" for name in ("event_id", "name", "artist", "venue", "city", "segment")),
        country_code(F.col("_text.country")).alias("country"),
        *(f"_text.{name}" for name in ("timezone", "status", "currency", "source_artist_id", "source_venue_id")),
        F.expr(date("event_date")).alias("event_date"),
        F.expr(moment("_text.start_at")).alias("start_at"),
        F.expr(moment("_text.onsale_at")).alias("onsale_at"),
        F.expr(decimal("price_min", 12)).alias("price_min"),
        F.expr(decimal("price_max", 12)).alias("price_max"),
        attraction_keys("attraction").alias("_artist_keys"),
    )
    typed = typed.withColumn("start_at", F.coalesce("start_at", F.expr(local_start(zones))))
    return judge(typed, RULES)
