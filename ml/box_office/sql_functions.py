"""Functions and casts of Spark SQL on plain values: null where nothing can be computed, as under try_*."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any


class UnsupportedExpressionError(ValueError):
    """An expression uses SQL that is not evaluated here."""


def _decimal(value: Any) -> Decimal | None:
    try:
        return None if value is None or isinstance(value, bool) else Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _date(value: Any) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if value is None or isinstance(value, dt.date):
        return value
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:[T ].*)?", str(value).strip())
    try:
        return dt.date(int(match[1]), int(match[2] or 1), int(match[3] or 1)) if match else None
    except ValueError:
        return None


TYPES = {
    "string", "varchar", "char", "date", "timestamp", "boolean", "bigint", "int", "integer", "smallint", "long",
    "double", "float", "decimal", "numeric",
}  # fmt: skip


def cast(value: Any, kind: str, scale: int | None = None) -> Any:
    """A value as a Spark type, null when it is none.

    :param scale: digits after the point that a decimal is rounded to; all are kept if not given
    """
    if kind not in TYPES:
        raise UnsupportedExpressionError(f"CAST to {kind} is not evaluated here")
    if value is None:
        return None
    if kind in ("string", "varchar", "char"):
        return str(value)
    if kind in ("date", "timestamp"):
        return _date(value)
    if kind == "boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    number = _decimal(value)
    if number is None or not number.is_finite():
        return None
    if kind in ("bigint", "int", "integer", "smallint", "long"):
        return int(number)
    if kind in ("double", "float"):
        return float(number)
    return number if scale is None else _rounded(number, scale)


def _rounded(number: Decimal, scale: int) -> Decimal | None:
    try:
        return number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    except InvalidOperation:  # more digits than a decimal holds
        return None


def arithmetic(sign: str) -> Callable[[Any, Any], Any]:
    def compute(left: Any, right: Any) -> Any:
        if isinstance(left, dt.date) and sign in "+-":
            days = cast(right, "bigint")
            return None if days is None else left + dt.timedelta(days=days if sign == "+" else -days)
        one, other = _decimal(left), _decimal(right)
        if one is None or other is None or (sign in "/%" and not other):
            return None
        made = {
            "+": lambda: one + other, "-": lambda: one - other, "*": lambda: one * other,
            "/": lambda: one / other, "%": lambda: one % other,
        }[sign]()  # fmt: skip
        return int(made) if sign != "/" and isinstance(left, int) and isinstance(right, int) else made

    return compute


def compare(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if type(left) is not type(right):
        numbers = _decimal(left), _decimal(right)
        left, right = numbers if None not in numbers else (str(left), str(right))
    return {
        "=": left == right, "==": left == right, "<>": left != right, "!=": left != right,
        "<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right,
    }[sign]  # fmt: skip


def among(value: Any, options: list[Any]) -> bool | None:
    """``value IN (options)``: null for null, and where only a null among the options could be it."""
    found = [compare("=", value, option) for option in options]
    return True if any(found) else None if None in found else False


def _round(value: Any, digits: Any = 0) -> Any:
    number = _decimal(value)
    return None if number is None else _rounded(number, int(digits))


def _split_part(text: str, separator: str, part: int) -> str:
    parts = text.split(separator)
    place = part - 1 if part > 0 else len(parts) + part
    return parts[place] if 0 <= place < len(parts) else ""


def _format_of(pattern: str) -> str:
    for spark, python in (("yyyy", "%Y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"), ("yy", "%y")):
        pattern = pattern.replace(spark, python)
    return re.sub(r"(?<!%)\bd\b", "%d", re.sub(r"(?<!%)\bM\b", "%m", pattern))


def _to_date(value: Any, pattern: str | None = None) -> dt.date | None:
    if pattern is None:
        return _date(value)
    try:
        return dt.datetime.strptime(str(value), _format_of(pattern)).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _days_between(end: dt.date | None, start: dt.date | None) -> int | None:
    return None if end is None or start is None else (end - start).days


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: choose((value for value in values if value is not None), default=None)


# Null in any argument gives null.
STRICT: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(number) if (number := _decimal(value)) is not None else None,
    "concat": lambda *parts: "".join(map(str, parts)),
    "ceil": lambda value: (
        None if (number := _decimal(value)) is None else int(number.to_integral_value("ROUND_CEILING"))
    ),
    "date_add": lambda day, days: arithmetic("+")(_date(day), days) if _date(day) else None,
    "date_sub": lambda day, days: arithmetic("-")(_date(day), days) if _date(day) else None,
    "datediff": lambda end, start: _days_between(_date(end), _date(start)),
    "floor": lambda value: (
        None if (number := _decimal(value)) is None else int(number.to_integral_value("ROUND_FLOOR"))
    ),
    "greatest": _extreme(max),
    "initcap": lambda text: str(text).title(),
    "least": _extreme(min),
    "length": lambda text: len(str(text)),
    "lower": lambda text: str(text).lower(),
    "regexp_extract": lambda text, pattern, group=1: m[int(group)] or "" if (m := re.search(pattern, text)) else "",
    "regexp_replace": lambda text, pattern, new: re.sub(pattern, re.sub(r"\$(\d)", r"\\\1", new), text),
    "replace": lambda text, old, new="": str(text).replace(old, new),
    "round": _round,
    "size": len,
    "split_part": lambda text, separator, part: _split_part(str(text), separator, int(part)),
    "substring": lambda text, start, length=None: str(text)[int(start) - 1 :][
        : None if length is None else int(length)
    ],
    "to_date": _to_date,
    "trim": lambda text: str(text).strip(),
    "try_add": arithmetic("+"),
    "try_divide": arithmetic("/"),
    "try_multiply": arithmetic("*"),
    "try_subtract": arithmetic("-"),
    "try_to_date": _to_date,
    "upper": lambda text: str(text).upper(),
    "year": lambda day: found.year if (found := _date(day)) else None,
}
# These see nulls.
LENIENT: dict[str, Callable[..., Any]] = {
    "coalesce": _first,
    "concat_ws": lambda separator, *parts: separator.join(str(part) for part in parts if part is not None),
    "if": lambda condition, then, otherwise: then if condition else otherwise,
    "ifnull": _first,
    "isnull": lambda value: value is None,
    "named_struct": lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True)),
    "nullif": lambda value, other: None if compare("=", value, other) else value,
    "nvl": _first,
}


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _sum(values: list[Any]) -> Any:
    numbers = [number for value in values if (number := _decimal(value)) is not None]
    return sum(numbers) if numbers else None


# Over the values, without nulls, of the rows of a group.
AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "avg": lambda values: _sum(values) / len(values) if values else None,
    "collect_list": list,
    "collect_set": _distinct,
    "count": len,
    "first": lambda values: values[0] if values else None,
    "max": lambda values: max(values, default=None),
    "min": lambda values: min(values, default=None),
    "sum": _sum,
}


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        return None if any(value is None for value in values) else function(*values)

    return call
