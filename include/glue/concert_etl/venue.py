"""Venues of Ticketmaster and setlist.fm: typed columns, and the rules of a venue."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.countries import country_code
from concert_etl.entities import VENUE
from concert_etl.pages import parse
from concert_etl.rules import Rule, encoding_broken, judge, marked_as_test, text_too_long
from concert_etl.texts import shown

# Numbers are text at one source and numbers at the other; setlist.fm knows where the city lies, not the venue.
SCHEMA = """
    id string, name string, timezone string, test string,
    location struct<latitude: string, longitude: string>,
    city struct<name: string, coords: struct<lat: string, long: string>, country: struct<code: string, name: string>>,
    country struct<name: string, countryCode: string>
"""
TEXTS = {
    "source_venue_id": "item.id",
    "name": "item.name",
    "city": "item.city.name",
    "country": "coalesce(item.country.countryCode, item.city.country.code, item.country.name, item.city.country.name)",
    "latitude": "coalesce(item.location.latitude, item.city.coords.lat)",
    "longitude": "coalesce(item.location.longitude, item.city.coords.long)",
    "timezone": "item.timezone",
    "test": "item.test",
}
# What a source calls a venue that is none.
PLACEHOLDER = "(?i)do not use|^(venue )?(tba|tbc|tbd|to be (announced|confirmed|determined))$|^(test|unknown) venue$"


def is_placeholder(name: str) -> str:
    """SQL: whether a name stands for no venue."""
    return f"{name} RLIKE '{PLACEHOLDER}'"


def _number(name: str) -> str:
    return f"try_cast(_text.{name} AS DOUBLE)"


def _degrees(name: str, most: int) -> Rule:
    return Rule(
        f"{name}_invalid",
        # NaN is greater than any number.
        f"{name} NOT BETWEEN -{most} AND {most} OR (_text.{name} IS NOT NULL AND {_number(name)} IS NULL)",
        f"concat('{name} is ', {shown(name)}, ', not a number from -{most} to {most}')",
    )


RULES = (
    Rule("venue_id_missing", "source_venue_id IS NULL", "'the venue has no id'"),
    Rule("venue_name_missing", "name IS NULL", "'the venue has no name'"),
    encoding_broken("name", "city"),
    marked_as_test("venue"),
    Rule("venue_placeholder", is_placeholder("name"), f"concat({shown('name')}, ' stands for no venue')"),
    _degrees("latitude", 90),
    _degrees("longitude", 180),
    text_too_long(VENUE.widths),
)


def curate(venues: DataFrame) -> DataFrame:
    """Type and judge venues."""
    typed = (
        parse(venues, SCHEMA, TEXTS, {}, "venue")
        .select(
            "*",
            F.col("_meta.source").alias("source"),
            *(f"_text.{name}" for name in ("source_venue_id", "name", "city", "timezone")),
            country_code(F.col("_text.country")).alias("country"),
            F.expr(_number("latitude")).alias("_latitude"),
            F.expr(_number("longitude")).alias("_longitude"),
        )
        .select(
            "*",
            # A place that nobody has entered lies in the Gulf of Guinea.
            *(F.expr(f"CASE WHEN NOT (_latitude = 0 AND _longitude = 0) THEN _{name} END").alias(name)
              for name in ("latitude", "longitude")),
        )
    )  # fmt: skip
    return judge(typed, RULES)
