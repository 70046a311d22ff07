"""Events of the Ticketmaster Discovery API: a page's events become typed columns, and the rules of an event."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.countries import country_code
from concert_etl.entities import EVENT
from concert_etl.names import artist_id, venue_id
from concert_etl.rules import Rule, judge, text_too_long
from concert_etl.texts import FIRST_DAY, LAST_DAY, clean, date, decimal, is_negative, shown, timestamp

# Every leaf is text, so that a value of another type spoils itself and not its event.
SCHEMA = """
    id string, name string,
    dates struct<start: struct<localDate: string, dateTime: string>, timezone: string, status: struct<code: string>>,
    sales struct<public: struct<startDateTime: string>>,
    classifications array<struct<segment: struct<name: string>>>,
    priceRanges array<struct<type: string, currency: string, min: string, max: string>>,
    _embedded struct<
        venues: array<struct<id: string, name: string, timezone: string, city: struct<name: string>,
                             country: struct<name: string, countryCode: string>>>,
        attractions: array<struct<id: string, name: string>>>
"""
# The API's word for "always on sale".
NO_ONSALE = "1900-01-01"
ONSALE = "event.sales.public.startDateTime"
TEXTS = {
    "event_id": "event.id",
    "name": "event.name",
    "artist": "coalesce(get(event._embedded.attractions, 0).name, event.name)",
    "venue": "venue.name",
    "city": "venue.city.name",
    "country": "coalesce(venue.country.countryCode, venue.country.name)",
    "segment": "get(event.classifications, 0).segment.name",
    "event_date": "event.dates.start.localDate",
    "start_at": "event.dates.start.dateTime",
    "timezone": "coalesce(event.dates.timezone, venue.timezone)",
    "status": "event.dates.status.code",
    "onsale_at": f"CASE WHEN NOT startswith({ONSALE}, '{NO_ONSALE}') THEN {ONSALE} END",
    "price_min": "price.min",
    "price_max": "price.max",
    "currency": "price.currency",
    "source_artist_id": "get(event._embedded.attractions, 0).id",
    "source_venue_id": "venue.id",
}

RULES = (
    Rule("event_id_missing", "event_id IS NULL", "'the event has no id'"),
    Rule("event_name_missing", "name IS NULL", "'the event has no name'"),
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


def parse(events: DataFrame) -> DataFrame:
    """Add ``_text`` and ``_malformed`` to events given as JSON text in ``_record``."""
    parts = events.withColumn("event", F.from_json("_record", SCHEMA)).select(
        "*",
        F.expr("get(event._embedded.venues, 0)").alias("venue"),
        F.expr(
            "coalesce(get(filter(event.priceRanges, p -> p.type = 'standard'), 0), get(event.priceRanges, 0))"
        ).alias("price"),
    )
    texts = [clean(F.expr(sql)).alias(name) for name, sql in TEXTS.items()]
    is_object = F.col("_record").startswith("{")
    return parts.select(
        "_meta",
        # What is no object may be no JSON text either: a bare word.
        F.when(is_object, F.col("_record"))
        .otherwise(F.to_json(F.struct(F.col("_record").alias("value"))))
        .alias("_record"),
        F.lit(1).alias("_records"),
        F.when(~is_object, F.lit("the event is no JSON object")).alias("_malformed"),
        F.struct(*texts).alias("_text"),
    )


def curate(events: DataFrame) -> DataFrame:
    """Type and judge events."""
    typed = parse(events).select(
        "*",
        F.col("_meta.source").alias("source"),
        *(f"_text.{name}" for name in ("event_id", "name", "artist", "venue", "city", "segment")),
        *(f"_text.{name}" for name in ("source_artist_id", "source_venue_id")),
        country_code(F.col("_text.country")).alias("country"),
        *(f"_text.{name}" for name in ("timezone", "status", "currency")),
        F.expr(date("event_date")).alias("event_date"),
        F.expr(timestamp("start_at")).alias("start_at"),
        F.expr(timestamp("onsale_at")).alias("onsale_at"),
        F.expr(decimal("price_min", 12)).alias("price_min"),
        F.expr(decimal("price_max", 12)).alias("price_max"),
    )
    return judge(typed, RULES).select(
        "*",
        artist_id(F.col("artist")).alias("artist_id"),
        venue_id(F.col("venue"), F.col("city"), F.col("country")).alias("venue_id"),
    )
