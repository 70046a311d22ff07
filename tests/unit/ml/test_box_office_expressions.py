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
        ("regexp_extract('Hall (NYC)', '\\\\(([A-Z]+)\\\\)', 1)".replace("\\\\", "\\"), "NYC"),
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
    ],
)  # fmt: skip
def test_an_expression_outside_the_subset_is_refused(text: str) -> None:
    with pytest.raises(expressions.UnsupportedExpressionError):
        expressions.parse(text)


def test_what_is_refused_is_named() -> None:
    with pytest.raises(expressions.UnsupportedExpressionError, match=r"soundex\(\) in 'soundex\(a\)'"):
        expressions.parse("soundex(a)")
