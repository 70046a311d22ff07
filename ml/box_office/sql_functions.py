"""Functions of Spark SQL on plain values: null where nothing can be computed, as under try_*."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ml.box_office.sql_dates import date_in
from ml.box_office.sql_values import (
    EXACT,
    MOST_DIGITS,
    Int,
    UnsupportedExpressionError,
    arithmetic,
    cast,
    comparable,
    compare,
    date_of,
    decimal,
    decimal_of,
    text_of,
)

Lazy = Callable[[], Any]  # an argument that is computed when it is called


def _text(value: Any) -> str:
    return str(text_of(value))


def _round(value: Any, digits: Any = 0) -> Any:
    number = decimal_of(value)
    rounded = None if number is None else decimal(number, MOST_DIGITS, int(digits))
    if rounded is None or isinstance(value, Decimal):
        return rounded
    return type(value)(rounded) if isinstance(value, int) else float(rounded)


def _to_whole(rounding: str) -> Callable[[Any], Any]:
    def compute(value: Any) -> Any:
        number = decimal_of(value)
        return None if number is None else cast(number.to_integral_value(rounding), "bigint")

    return compute


def _abs(value: Any) -> Any:
    number = cast(value, "double") if isinstance(value, str) else value
    return None if number is None else abs(number) if not isinstance(number, Int) else cast(abs(number), "int")


def _substring(text: Any, start: Any, length: Any = None) -> str:
    """From the end for a negative start; 0 is the first character as 1 is."""
    letters, place = _text(text), int(start)
    begin = place - 1 if place > 0 else len(letters) + place if place < 0 else 0
    end = len(letters) if length is None else begin + int(length)
    return letters[max(begin, 0) : max(end, 0)]


def _initcap(text: Any) -> str:
    """Only a space begins a word."""
    return " ".join(word[:1].upper() + word[1:] for word in _text(text).lower().split(" "))


def _split_part(text: Any, separator: Any, part: Any) -> str:
    place = int(part)
    if place == 0:
        raise UnsupportedExpressionError("split_part counts from 1, or from -1 backwards: its part 0 stops Spark")
    parts = _text(text).split(separator) if separator else [_text(text)]
    place = place - 1 if place > 0 else len(parts) + place
    return parts[place] if 0 <= place < len(parts) else ""


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    """A pattern that means the same to Java."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # a set of sets
            return re.compile(text, re.ASCII)
    except (re.error, FutureWarning) as error:
        raise UnsupportedExpressionError(f"the pattern {text!r} is not evaluated here ({error})") from error


def _regexp_extract(text: Any, pattern: str, group: Any = 1) -> str:
    found = _pattern(pattern)
    if not 0 <= int(group) <= found.groups:
        raise UnsupportedExpressionError(f"the pattern {pattern!r} has no group {group}")
    match = found.search(_text(text))
    return (match[int(group)] or "") if match else ""


def _regexp_replace(text: Any, pattern: str, new: Any) -> str:
    r"""``$1`` is a group and ``\`` takes the sign behind it as it is, as in Java."""
    found, parts = _pattern(pattern), re.findall(r"\\(.)|\$(\d)|([^\\$]+)", _text(new), re.DOTALL)
    if sum(len(quoted or rest) + len(group) for quoted, group, rest in parts) + sum(
        1 for quoted, group, _ in parts if quoted or group
    ) != len(_text(new)) or any(int(group) > found.groups for _, group, _ in parts if group):
        raise UnsupportedExpressionError(f"the replacement {new!r} of {pattern!r} is not evaluated here")
    return found.sub(lambda match: "".join(quoted or rest or match[int(group)] or "" for quoted, group, rest in parts),
                     _text(text))  # fmt: skip


def _to_date(value: Any, pattern: str | None = None) -> Any:
    return date_of(value) if pattern is None else date_in(_text(value), pattern)


def _first(*values: Lazy) -> Any:
    return next((found for value in values if (found := value()) is not None), None)


def _chosen(condition: Lazy, then: Lazy, otherwise: Lazy) -> Any:
    return then() if condition() else otherwise()


def _days_between(end: Any, start: Any) -> int | None:
    last, first = date_of(end), date_of(start)
    return None if last is None or first is None else Int((last - first).days)


def _extreme(sign: str) -> Callable[..., Any]:
    """The least or greatest of the values that are not null."""

    def choose(*values: Any) -> Any:
        found = None
        for value in values:
            if isinstance(value, str) != isinstance(found, str) and None not in (value, found):
                raise UnsupportedExpressionError("greatest and least of text and numbers are not evaluated here")
            if found is None or compare(sign, value, found):
                found = value if value is not None else found
        return found

    return choose


def _joined(separator: Any, *parts: Any) -> str | None:
    if separator is None:
        return None
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return _text(separator).join(_text(one) for one in flat if one is not None)


def _size(values: Any) -> Int:
    if not isinstance(values, list):
        raise UnsupportedExpressionError("size of what is no array is not evaluated here")
    return Int(len(values))


# Null in any argument gives null.
STRICT: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "concat": lambda *parts: "".join(map(_text, parts)),
    "ceil": _to_whole("ROUND_CEILING"),
    "date_add": lambda day, days: arithmetic("+")(date_of(day), days) if date_of(day) else None,
    "date_sub": lambda day, days: arithmetic("-")(date_of(day), days) if date_of(day) else None,
    "datediff": _days_between,
    "floor": _to_whole("ROUND_FLOOR"),
    "initcap": _initcap,
    "length": lambda text: Int(len(_text(text))),
    "lower": lambda text: _text(text).lower(),
    "regexp_extract": _regexp_extract,
    "regexp_replace": _regexp_replace,
    "replace": lambda text, old, new="": _text(text).replace(old, _text(new)) if old else _text(text),
    "round": _round,
    "size": _size,
    "split_part": _split_part,
    "substring": _substring,
    "to_date": _to_date,
    "trim": lambda text: _text(text).strip(" "),
    "try_add": arithmetic("+"),
    "try_divide": arithmetic("/"),
    "try_multiply": arithmetic("*"),
    "try_subtract": arithmetic("-"),
    "try_to_date": _to_date,
    "upper": lambda text: _text(text).upper(),
    "year": lambda day: Int(found.year) if (found := date_of(day)) else None,
}
# These see nulls.
LENIENT: dict[str, Callable[..., Any]] = {
    "concat_ws": _joined,
    "greatest": _extreme(">"),
    "isnull": lambda value: value is None,
    "least": _extreme("<"),
    "named_struct": lambda *pairs: {
        str(name).casefold(): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)
    },
    "nullif": lambda value, other: None if compare("=", value, other) else value,
}
# These compute only those of their arguments that decide: another may be one that stops Spark.
LAZY: dict[str, Callable[..., Any]] = {"coalesce": _first, "if": _chosen, "ifnull": _first, "nvl": _first}


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _sum(values: list[Any]) -> Any:
    """Of texts as doubles; whole numbers as BIGINT."""
    total: Any = None
    for value in values:
        number = cast(value, "double") if isinstance(value, str) else int(value) if isinstance(value, Int) else value
        if number is None:
            continue
        total = number if total is None else arithmetic("+")(total, number)
        if total is None:
            return None
    return total


def _average(values: list[Any]) -> Any:
    numbers = [cast(value, "double") if isinstance(value, str) else value for value in values]
    total = _sum(known := [number for number in numbers if number is not None])
    if total is None:
        return None
    return EXACT.divide(total, Decimal(len(known))) if isinstance(total, Decimal) else total / len(known)


def _extreme_of(sign: str) -> Callable[[list[Any]], Any]:
    def choose(values: list[Any]) -> Any:
        found = values[0] if values else None
        for value in values[1:]:
            one, other = comparable(value, found)
            if compare(sign, one, other):
                found = value
        return found

    return choose


# Over the values, without nulls, of the rows of a group.
AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "avg": _average,
    "collect_list": list,
    "collect_set": _distinct,
    "count": len,
    "first": lambda values: values[0] if values else None,
    "max": _extreme_of(">"),
    "min": _extreme_of("<"),
    "sum": _sum,
}
SEES_NULLS = {"first"}


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        return None if any(value is None for value in values) else function(*values)

    return call
