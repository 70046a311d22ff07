"""Box-office reports: canonical text becomes typed columns, and the rules of a report."""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.countries import country_code
from concert_etl.entities import BOX_OFFICE
from concert_etl.rules import Rule, judge, text_too_long
from concert_etl.texts import FIRST_DAY, LAST_DAY, date, decimal, is_negative, shown, whole

# What a mapping gives: text by canonical name.
CANONICAL = (
    "source", "report_id", "show", "artist", "venue", "city", "country", "period_start", "period_end",
    "period_precision", "performances", "capacity", "tickets_sold", "gross", "currency", "average_price", "top_price",
)  # fmt: skip

# Between 1 and this share of the seats is standing room; above it the numbers are wrong.
HIGHEST_UTILISATION = "1.6"
LARGEST_CAPACITY = 1_000_000_000  # seats; more than any period of any hall has
STANDING_ROOM, PRICE_UNREADABLE = "standing_room", "price_unreadable"
PRICES = ("average_price", "top_price")
PRECISIONS = ("day", "tour")

RULES = (
    Rule("source_missing", "source IS NULL", "'the report names no source'"),
    Rule("report_id_missing", "report_id IS NULL", "'the report has no report_id'"),
    Rule("show_and_artist_missing", "show IS NULL AND artist IS NULL", "'neither show nor artist is given'"),
    Rule("venue_missing", "venue IS NULL", "'the venue is not given'"),
    Rule("country_missing", "country IS NULL", "'the country is not given'"),
    Rule(
        "date_invalid",
        "(_text.period_start IS NOT NULL AND period_start IS NULL)"
        " OR (_text.period_end IS NOT NULL AND period_end IS NULL)",
        f"concat('period ', {shown('period_start')}, ' to ', {shown('period_end')},"
        f" ' is not made of dates from {FIRST_DAY} to {LAST_DAY}')",
    ),
    Rule(
        "period_reversed",
        "period_start > period_end",
        "concat('the period starts on ', period_start, ' and ends before, on ', period_end)",
    ),
    Rule(
        "period_precision_unknown",
        f"period_precision NOT IN {PRECISIONS}",
        f"concat('period_precision is ', {shown('period_precision')}, ', not {' or '.join(PRECISIONS)}')",
    ),
    Rule(
        "performances_below_one",
        "performances IS NULL OR performances < 1",
        f"concat('performances is ', {shown('performances')}, ', not a whole number of at least 1')",
    ),
    Rule(
        "capacity_not_positive",
        "capacity IS NULL OR capacity <= 0",
        f"concat('capacity is ', {shown('capacity')}, ', not a whole number above 0')",
    ),
    Rule(
        "capacity_implausible",
        f"capacity > {LARGEST_CAPACITY}",
        f"concat('capacity is ', capacity, ', more than {LARGEST_CAPACITY}')",
    ),
    Rule(
        "tickets_sold_not_positive_integer",
        "tickets_sold IS NULL OR tickets_sold <= 0",
        f"concat('tickets_sold is ', {shown('tickets_sold')}, ', not a whole number above 0')",
    ),
    Rule(
        "tickets_sold_above_capacity",
        f"tickets_sold > {HIGHEST_UTILISATION} * capacity",
        f"concat('tickets_sold ', tickets_sold, ' is above {HIGHEST_UTILISATION} times the capacity ', capacity)",
    ),
    Rule(
        "gross_invalid",
        f"gross IS NULL OR {is_negative('gross')}",
        f"concat('gross is ', {shown('gross')}, ', not an amount of 0 or more')",
    ),
    Rule("currency_missing", "currency IS NULL", "'the currency is not given'"),
    Rule(
        "price_invalid",
        " OR ".join(is_negative(name) for name in PRICES),
        f"concat('the average price is ', {shown('average_price')}, ', the top price ', {shown('top_price')})",
    ),
    text_too_long(BOX_OFFICE.widths),
)


def curate(reports: DataFrame) -> DataFrame:
    """Type and judge reports whose ``_text`` has the canonical columns."""
    typed = reports.select(
        "*",
        *(f"_text.{name}" for name in ("source", "report_id", "show", "artist", "venue", "city")),
        F.upper("_text.currency").alias("currency"),
        country_code(F.col("_text.country")).alias("country"),
        F.expr(date("period_start")).alias("period_start"),
        F.expr(date("period_end")).alias("period_end"),
        F.expr(whole("performances", "INT")).alias("performances"),
        F.expr(whole("capacity", "BIGINT")).alias("capacity"),
        F.expr(whole("tickets_sold", "BIGINT")).alias("tickets_sold"),
        F.expr(decimal("gross", 14)).alias("gross"),
        F.expr(decimal("average_price", 12)).alias("average_price"),
        F.expr(decimal("top_price", 12)).alias("top_price"),
        # A report without dates is the total of a tour, whatever its mapping says.
        F.expr("if(_text.period_start IS NULL AND _text.period_end IS NULL, 'tour', _text.period_precision)").alias(
            "period_precision"
        ),
    )
    unreadable = [F.col(f"_text.{name}").isNotNull() & F.col(name).isNull() for name in PRICES]
    warnings = F.concat_ws(
        ",",
        F.when(F.col("tickets_sold") > F.col("capacity"), F.lit(STANDING_ROOM)),
        F.when(reduce(or_, unreadable), F.lit(PRICE_UNREADABLE)),
    )
    return judge(typed, RULES).select(
        "*",
        F.nullif(warnings, F.lit("")).alias("warning"),
        F.coalesce("artist", "show").alias("_performer"),
    )
