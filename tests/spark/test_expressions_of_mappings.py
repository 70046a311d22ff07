"""The SQL of mappings gives the command lines of the models, which have no Spark, what it gives the job."""

from typing import Any

import pytest

ROW = {
    "decimal": "12.5", "thousands": "1,234", "price": "$1,000.50", "name": "O'NEIL mc-donald", "nothing": None,
    "date": "3/5/2017", "title": "L\u00c9S  Mis\u00a0\t \u00c9RABLES", "moment": "2017-03-05 00:00:00",
    "spaces": " x ", "zero": "0", "seven": "7", "minus": "-7", "parts": "a|b|c",
}  # fmt: skip
EXPRESSIONS = [
    *(
        f"try_cast({value} AS {kind})"
        for value in ("decimal", "thousands", "seven", "'1e3'", "' 7 '", "'+7'", "'.5'", "'1_000'", "12.5", "99.999")
        for kind in ("INT", "BIGINT", "DOUBLE", "DECIMAL", "DECIMAL(4, 2)", "STRING")
    ),
    *(f"try_cast('{word}' AS BOOLEAN)" for word in ("true", "Y", "yes", "1", "no", "0", "2", "on", " TRUE ")),
    *(f"try_cast('{day}' AS DATE)" for day in ("2017", "2017-3", "2017-3-5", "2017-03-05T20:00", "17-03-05", "x")),
    *(f"substring(parts, {place})" for place in ("-3", "0, 2", "-10, 3", "-10, 7", "2, -1", "100", "1, 2")),
    *(f"initcap({text})" for text in ("name", "'a-b c_d  x'", "'ÉCOLE élan'")),
    r"'a\tb\\c\'\u0041\101\%\_\q'", '"dq"',
    r"regexp_replace(price, '[^\\d.]', '')", r"regexp_replace(price, '[^\d.]', '')", r"regexp_replace('١a', '\\d', '')",
    r"regexp_replace('a1', '([a-z])([0-9])', '$2$1')", r"regexp_replace('a1', '1', '\\$')",
    "regexp_extract('abc', '(b)(x)?', 2)",
    "try_add(2147483647, 1)", "try_add(2147483647L, 1)", "try_add(1, 9223372036854775807)", "try_divide(7, 0)",
    "try_multiply(try_cast('99999' AS INT), try_cast('99999' AS INT))", "7 / 2", "1 / 3", "-7 % 3", "2.50 + 1",
    "try_multiply(2.5, 2.5)", "-decimal", "seven + 1", "decimal * 2.0", "seven || '-' || decimal", "abs(minus)",
    "greatest(nothing, '10', '9')", "least(nothing, '3')", "concat(true, 1.50)", "concat_ws('|', nothing, 1.50, true)",
    "CAST(12345678.9D AS STRING)", "CAST(0.0001D AS STRING)", "CAST(100D AS STRING)", "1.5e3", "round(2.5)",
    "round(-2.5)", "round(12.345, 2)", "round(1234, -2)", "round('2.5')", "floor(-1.5)", "ceil('1.2')", "ceil(-0.5)",
    r"lower(regexp_replace(title, '[\\s\u00a0]+', ' '))", r"concat_ws('|', lower(title), try_cast(moment AS DATE))",
    "concat_ws('|', name, try_cast('soon' AS DATE))",
    "trim('\t x ')", "replace('abc', '', 'x')", "split_part('abc', '', 1)", "split_part(parts, '|', -1)",
    "split_part(parts, '|', 4)", "length(spaces)", "upper('straße')", "nullif(zero, '0')", "zero = 0", "'007' = 7",
    "seven IN ('7', '8')", "seven IN (7, 8)", "nothing IN ('7')", "seven < '10'", "decimal = 12.5",
    "'9.99' = 9.99", "9.99 = '9.99'", "'9.99' IN (9.99)", "9.99 IN ('9.99')", "'9.98' IN (9.99)", "'9.99' <> 9.990",
    "'9.98' < 9.99", "9.99 < '9.98'", "'1e400' > 9.99", "nullif('9.99', 9.99)", "nullif(9.99, '9.99')",
    "'9.99' = try_cast('9.99' AS DECIMAL(4, 2))", "try_cast('9.99' AS DECIMAL(4, 2)) >= '9.99'", "9.99 = 9.99D",
    "0.1D + 0.2D = 0.3", "1.00000000000000000001 = 1D", "9007199254740993L = 9007199254740992D", "7 = 7.0",
    "try_to_date(date, 'M/d/yyyy')", "try_to_date(date, 'd/M/yyyy')", "try_to_date(date, 'MM/dd/yyyy')",
    "try_to_date('5/7/71', 'M/d/yy')", "try_to_date('7 may 2018', 'd MMM yyyy')", "try_to_date('20180507', 'yyyyMMdd')",
    "try_to_date('7 May 2018', 'd MMMM yyyy')", "try_to_date('7.5.2018 20:00', 'd.M.yyyy HH:mm')",
    "try_to_date('5/7/18', 'M/d/yyyy')", "try_to_date('2018-02-30', 'yyyy-MM-dd')", "year('2017-03-05')",
    "date_sub(try_cast('2017-03-05' AS DATE), 6)", "datediff('2017-03-05', '2017-03-01')", "SEVEN", "`seven`",
    "CASE WHEN nothing = 1 THEN 'x' END", "if(nothing = 1, 'a', 'b')", "NOT (nothing = 1)",
    "CASE WHEN zero = 0 THEN 'none' ELSE split_part(parts, '|', zero) END",
    "CASE WHEN zero = 1 THEN split_part(parts, '|', zero) WHEN zero = 0 THEN 'none' END",
    "if(zero = 0, 'none', split_part(parts, '|', zero))", "if(zero = 1, split_part(parts, '|', zero), 'none')",
    *(f"{name}(seven, split_part(parts, '|', zero))" for name in ("coalesce", "ifnull", "nvl")),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(spark: Any) -> dict[str, str | None]:
    from pyspark.sql import functions as F

    schema = ", ".join(f"{name} string" for name in ROW)
    frame = spark.createDataFrame([tuple(ROW.values())], schema)
    columns = [F.expr(text).cast("string").alias(str(number)) for number, text in enumerate(EXPRESSIONS)]
    return dict(zip(EXPRESSIONS, frame.select(*columns).first(), strict=True))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_gives_the_same_text_without_spark(answers: dict[str, str | None], text: str) -> None:
    from ml.box_office import expressions, sql_values

    assert sql_values.text_of(expressions.parse(text)(ROW)) == answers[text]
