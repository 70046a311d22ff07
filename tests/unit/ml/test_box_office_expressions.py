"""The Spark SQL of mappings, evaluated without Spark."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from ml.box_office import expressions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concat_ws('|', name, nothing, 'it''s')", "A|it's"),
        ("date_sub(try_cast(day AS DATE), 6)", dt.date(2018, 5, 21)),
        ("try_cast(name AS BIGINT)", None),
        ("try_add(try_cast(seven AS BIGINT), coalesce(try_cast(nothing AS BIGINT), 0))", 7),
        ("if(nothing IS NULL AND name IS NOT NULL, 'tour', 'day')", "tour"),
        ("CASE WHEN try_cast(seven AS INT) > 8 THEN 'a' WHEN NOT name = 'A' THEN 'b' ELSE 'c' END", "c"),
        ("CAST(replace(split_part('1,200 / 1,500', '/', 2), ',', '') AS DECIMAL(14, 2)) * 2 + 1", Decimal(3001)),
        ("aggregate(list.n, 0L, (total, one) -> try_add(total, one))", 5),
        ("try_divide(1, 0)", None),
        ("nothing = nothing", None),
        ("try_cast(name AS BIGINT) * 2", None),
        ("try_cast(seven AS BIGINT) + 2 * 3", 13),
        ("name IN ('x', 'A')", True),
        ("name IN ('x', nothing)", None),
        ("nothing IN ('x')", None),
        ("NOT (nothing = 1 OR name = 'B')", None),
        ("nothing = 1 AND name = 'B'", False),
        ("try_cast('1.005' AS DECIMAL(6, 2))", Decimal("1.01")),
        ("date_sub(try_cast('2020-03-01' AS DATE), 1) < try_cast('2020-03-01' AS DATE)", True),
        ("to_date('05/27/2018', 'MM/dd/yyyy')", dt.date(2018, 5, 27)),
        (r"regexp_extract('Hall (NYC)', '\\(([A-Z]+)\\)', 1)", "NYC"),
    ],
)
def test_an_expression_gives_what_spark_gives(text: str, expected: Any) -> None:
    row = {"name": "A", "nothing": None, "day": "2018-05-27", "seven": "7", "list": [{"n": 2}, {"n": 3}]}
    assert expressions.parse(text)(row) == expected


@pytest.mark.parametrize(
    "text",
    [
        "explode(x)", "a BETWEEN 1 AND 2", "CAST(x AS MAP)", "(1 + 2", "a ? b", "a +", "a b", "concat(a", "concat(a b)",
        "try_cast(a AS", "try_cast(a AS DECIMAL(14", "try_cast(a AS DECIMAL(x))", "a IN ('x'",
        "try_cast(a AS TIMESTAMP)", "try_cast(a AS FLOAT)", "try_cast(a AS SMALLINT)", "a LIKE 'x%'", "a[0]", "r'a'",
    ],
)  # fmt: skip
def test_an_expression_outside_the_subset_is_refused(text: str) -> None:
    with pytest.raises(expressions.UnsupportedExpressionError):
        expressions.parse(text)


def test_what_is_refused_is_named() -> None:
    with pytest.raises(expressions.UnsupportedExpressionError, match=r"soundex\(\) in 'soundex\(a\)'"):
        expressions.parse("soundex(a)")


# What Spark 4.1 with ANSI casts gives; tests/spark/test_expressions_of_mappings.py asks it.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"regexp_replace(price, '[^\\d.]', '')", "1000.50"),
        (r"regexp_replace(price, '[^\d.]', '')", "."),  # one backslash escapes the d for the literal
        (r"regexp_replace(price, '\\$|,', '')", "1000.50"),
        (r"'it\'s\ta\\b'", "it's\ta\\b"),
        ('"it\'s"', "it's"),
        ("regexp_replace('a1', '([a-z])([0-9])', '$2$1')", "1a"),
        ("try_cast('12.5' AS BIGINT)", None),
        ("try_cast(12.5 AS BIGINT)", 12),
        ("try_cast('1e3' AS BIGINT)", None),
        ("try_cast('1_000' AS DOUBLE)", None),
        ("try_cast('9223372036854775808' AS BIGINT)", None),
        ("try_cast('99999999999' AS INT)", None),
        ("try_add(2147483647, 1)", None),
        ("try_add(2147483647L, 1)", 2147483648),
        ("try_multiply(try_cast('9223372036854775807' AS BIGINT), 2)", None),
        ("try_cast('1234.5' AS DECIMAL(4, 2))", None),
        ("try_cast('12.6' AS DECIMAL)", Decimal(13)),
        ("substring(name, -3)", "d|e"),
        ("substring(name, 0, 2)", "a|"),
        ("substring(name, -10, 8)", "a|b|c|d"),
        ("substring(name, 2, -1)", ""),
        ("initcap('O''NEIL mc-donald')", "O'neil Mc-donald"),
        ("try_cast('yes' AS BOOLEAN)", True),
        ("try_cast('0' AS BOOLEAN)", False),
        ("try_cast('2' AS BOOLEAN)", None),
        ("concat(true, '|', 1.50)", "true|1.50"),
        ("greatest(nothing, '10', '9')", "9"),
        ("try_to_date('5/7/2018', 'MM/dd/yyyy')", None),
        ("try_to_date('5/7/71', 'M/d/yy')", dt.date(2071, 5, 7)),
        ("try_to_date('7 May 2018', 'd MMMM yyyy')", dt.date(2018, 5, 7)),
        ("replace('abc', '', 'x')", "abc"),
        ("trim('\t x ')", "\t x"),
        ("'7.0' = 7", None),
        ("'007' = 7", True),
        ("'9.99' = 9.99", True),
        ("9.99 IN ('9.99')", True),
        ("NAME = 'a|b|c|d|e' AND Price IS NOT NULL", True),
    ],
)
def test_what_differed_from_spark_no_longer_does(text: str, expected: Any) -> None:
    row = {"price": "$1,000.50", "name": "a|b|c|d|e", "nothing": None}
    found = expressions.parse(text)(row)
    assert (found, type(found) is bool) == (expected, type(expected) is bool)


@pytest.mark.parametrize(
    "text",
    [
        "regexp_extract(a, '(', 1)", "regexp_extract(a, 'x', 1)", "regexp_replace(a, '[[:alpha:]]', '')",
        "split_part(a, 'x', 0)", "try_to_date(a, 'EEE d')", "substring(a, 'x')", "greatest(a, 1)",
    ],
)  # fmt: skip
def test_what_means_nothing_or_something_else_here_is_refused_when_it_is_computed(text: str) -> None:
    with pytest.raises(expressions.UnsupportedExpressionError):
        expressions.parse(text)({"a": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "CASE WHEN n = 0 THEN 'none' ELSE split_part(t, ',', n) END",
        "CASE WHEN n = 1 THEN split_part(t, ',', n) WHEN n = 0 THEN 'none' ELSE try_cast(t AS INT) END",
        "if(n = 0, 'none', split_part(t, ',', n))", "if(n = 1, try_cast(t AS INT), 'none')",
        "coalesce(nothing, 'none', split_part(t, ',', n))", "nvl('none', try_cast(t AS INT))",
        "ifnull(nothing, 'none')",
    ],
)  # fmt: skip
def test_what_is_not_chosen_is_not_computed(text: str) -> None:
    lost: list[str] = []
    value = expressions.parse(text, lost.append)
    assert (value({"n": "0", "t": "a,b", "nothing": None}), lost) == ("none", [])


def test_the_texts_that_a_cast_loses_are_told() -> None:
    lost: list[str] = []
    value = expressions.parse("coalesce(try_cast(a AS DATE), try_to_date(a, 'M/d/yyyy'))", lost.append)
    assert value({"a": "1 May"}) is None
    assert lost == ["1 May", "1 May"]
