"""Values of Spark SQL: their texts, casts, arithmetic and comparisons, as with ANSI casts under try_*.

A value is None, bool, Int (INT), int (BIGINT), Decimal, float (DOUBLE), str, date, list or dict (a struct). What cannot
be computed, or does not fit its type, is None.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, InvalidOperation
from typing import Any

MOST_DIGITS = 38  # of a DECIMAL
EXACT = Context(prec=2 * MOST_DIGITS)
QUOTIENT = Context(prec=MOST_DIGITS)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?|(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T].*)?", re.ASCII | re.DOTALL)
_BLANK = "".join(map(chr, range(33)))


class UnsupportedExpressionError(ValueError):
    """An expression uses SQL that is not evaluated here."""


class Int(int):
    """A number of 32 bits: sums and products of two of them have to fit it as well."""


TEXTS = ("string", "varchar", "char")
WHOLE = {"int": 31, "integer": 31, "bigint": 63, "long": 63}  # bits beside the sign
DECIMALS = ("decimal", "numeric", "dec")
TYPES = {*TEXTS, *WHOLE, *DECIMALS, "date", "boolean", "double"}


def text_of(value: Any) -> str | None:
    """A value cast to STRING."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _text_of_double(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _text_of_double(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return format(Decimal(repr(value)), "f") if "e" in repr(value) else repr(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    written = "".join(map(str, digits))
    return f"{'-' if sign else ''}{written[0]}.{written[1:] or '0'}E{exponent}"


def decimal_of(value: Any) -> Decimal | None:
    """A number, or the number that a text is; None for anything else, NaN and infinity."""
    if value is None or isinstance(value, bool | dt.date | list | dict):
        return None
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    text = str(value).strip(_BLANK)
    return Decimal(text) if NUMBER.fullmatch(text) else None


def date_of(value: Any) -> dt.date | None:
    """A day, or the day that a text is: also a year or a month, whose first day it then is."""
    if isinstance(value, dt.date):
        return value
    match = _DAY.fullmatch(value.strip(_BLANK)) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day = match[3] or match[1], match[4] or match[2] or 1, match[5] or 1
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None


def cast(value: Any, kind: str, size: tuple[int, int] = (10, 0)) -> Any:
    """A value as a Spark type, None when it is none.

    :param size: digits of a decimal, and those after its point
    :raises UnsupportedExpressionError: for a type that is not known here
    """
    if kind not in TYPES:
        raise UnsupportedExpressionError(f"CAST to {kind} is not evaluated here")
    if value is None:
        return None
    if kind in TEXTS:
        return text_of(value)
    if kind == "date":
        return date_of(value)
    if kind == "boolean":
        return _boolean(value)
    if kind in WHOLE:
        return _whole(value, kind)
    number = decimal_of(int(value) if isinstance(value, bool) else value)
    if number is None:
        return None
    if kind == "double":
        return float(number)
    return decimal(number, *size)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        word = value.strip(_BLANK).lower()
        return (
            True
            if word in ("t", "true", "y", "yes", "1")
            else False
            if word in ("f", "false", "n", "no", "0")
            else None
        )
    return None if isinstance(value, dt.date | list | dict) else bool(value)


def _whole(value: Any, kind: str) -> int | None:
    """Of a text only what is written as a whole number; of a number what is before its point."""
    if isinstance(value, str):
        text = value.strip(_BLANK)
        number = int(text) if _WHOLE.fullmatch(text) else None
    else:
        found = decimal_of(int(value) if isinstance(value, bool) else value)
        number = None if found is None else int(found)
    return None if number is None else _fits(number, WHOLE[kind])


def _fits(number: int, bits: int) -> int | None:
    if not -(2**bits) <= number < 2**bits:
        return None
    return Int(number) if bits < WHOLE["bigint"] else int(number)


def decimal(number: Decimal, digits: int, scale: int) -> Decimal | None:
    """A number rounded to a scale; None when it then has more digits than that."""
    try:
        rounded = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP, context=EXACT)
    except InvalidOperation:
        return None
    return rounded if abs(rounded) < Decimal(10) ** (digits - scale) else None


def arithmetic(sign: str) -> Callable[[Any, Any], Any]:
    """Of two values that are not None; a text counts as the type of what stands beside it."""

    def compute(left: Any, right: Any) -> Any:
        if isinstance(left, dt.date):
            return _days_later(left, right, sign)
        one, other = _numbers(left, right)
        if one is None or other is None or (sign in "/%" and not other):
            return None
        if isinstance(one, float) or isinstance(other, float) or (sign == "/" and _are_whole(one, other)):
            return _in_doubles(sign, float(one), float(other))
        try:
            made = _exactly(sign, Decimal(one), Decimal(other))
        except DecimalException:
            return None
        if _are_whole(one, other):
            both_short = isinstance(one, Int) and isinstance(other, Int)
            return _fits(int(made), WHOLE["int" if both_short else "bigint"])
        return made if made.is_finite() and made.adjusted() < MOST_DIGITS else None

    return compute


def negative(value: Any) -> Any:
    number = cast(value, "double") if isinstance(value, str) else value
    return None if number is None else arithmetic("*")(Int(-1), number)


def _are_whole(*numbers: Any) -> bool:
    return all(isinstance(number, int) for number in numbers)


def _exactly(sign: str, one: Decimal, other: Decimal) -> Decimal:
    return {
        "+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply, "/": QUOTIENT.divide, "%": EXACT.remainder,
    }[sign](one, other)  # fmt: skip


def _in_doubles(sign: str, one: float, other: float) -> float | None:
    made = {
        "+": lambda: one + other, "-": lambda: one - other, "*": lambda: one * other, "/": lambda: one / other,
        "%": lambda: math.fmod(one, other),
    }[sign]()  # fmt: skip
    return made if math.isfinite(made) else None


def _numbers(left: Any, right: Any) -> tuple[Any, Any]:
    """Both as numbers: a text beside a whole number as a BIGINT, else as a DOUBLE."""
    made = []
    for value, beside in ((left, right), (right, left)):
        if isinstance(value, str):
            made.append(cast(value, "bigint" if _are_whole(beside) else "double"))
        else:
            made.append(value if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else None)
    return made[0], made[1]


def _days_later(day: dt.date, days: Any, sign: str) -> dt.date | None:
    if sign not in "+-" or isinstance(days, dt.date):
        raise UnsupportedExpressionError(f"{sign} of a date and what is no number of days is not evaluated here")
    number = cast(days, "int")
    try:
        return None if number is None else day + dt.timedelta(days=number if sign == "+" else -number)
    except OverflowError:
        return None


def compare(sign: str, left: Any, right: Any) -> bool | None:
    left, right = comparable(left, right)
    if left is None or right is None:
        return None
    return {
        "=": left == right, "==": left == right, "<>": left != right, "!=": left != right,
        "<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right,
    }[sign]  # fmt: skip


def comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values in one type: a text is cast to what it is compared with, as a DOUBLE to a number with a fraction."""
    if isinstance(left, str) != isinstance(right, str):
        left, right = (_like(left, right), right) if isinstance(left, str) else (left, _like(right, left))
    if left is None or right is None or type(left) is type(right):
        return left, right
    if any(isinstance(one, bool) or not isinstance(one, int | float | Decimal) for one in (left, right)):
        raise UnsupportedExpressionError(f"{left!r} and {right!r} are of types that are not compared here")
    if isinstance(left, float) or isinstance(right, float):
        return float(left), float(right)
    return Decimal(left), Decimal(right)


def _like(text: str, other: Any) -> Any:
    if other is None:
        return None
    if isinstance(other, bool):
        return cast(text, "boolean")
    if isinstance(other, dt.date):
        return cast(text, "date")
    return cast(text, "bigint" if isinstance(other, int) else "double")


def among(value: Any, options: list[Any]) -> bool | None:
    """``value IN (options)``: null for null, and where only a null among the options could be it."""
    found = [compare("=", value, option) for option in options]
    return True if any(found) else None if None in found else False
