"""The Spark SQL that mappings of box-office files are written in, evaluated without Spark.

A subset: literals, columns, calls, CAST and TRY_CAST, CASE WHEN, IS NULL, IN, comparisons, arithmetic, fields of a
struct and lambdas. Null behaves as in Spark; whatever cannot be computed is null, as under try_*. What is outside the
subset is refused by name when the expression is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from ml.box_office import sql_functions, sql_values
from ml.box_office.sql_values import Int, UnsupportedExpressionError

ROWS_OF_GROUP = "\0rows"  # the rows of a group, for its aggregates

Row = Mapping[str, Any]
Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:[lLdD]|[bB][dD])?)(?![\w])"
    r"|'(?P<text>(?:[^'\\]|\\.|'')*)'|\"(?P<double>(?:[^\"\\]|\\.|\"\")*)\"|`(?P<quoted>(?:[^`]|``)+)`"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>->|<=>|<=|>=|<>|!=|==|\|\||[-+*/%()=<>,.]))",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([01][0-7]{2})|(.))", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_END = ("end", "")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place, text = [], 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise UnsupportedExpressionError(f"{text!r} cannot be read from {text[place : place + 20]!r} on")
        kind = str(match.lastgroup)
        value = match[kind]
        if kind in ("text", "double"):
            quote = "'" if kind == "text" else '"'
            kind, value = "text", _unescaped(value.replace(quote * 2, quote))
        found.append((kind, value.replace("``", "`") if kind == "quoted" else value))
        place = match.end()
    return [*found, _END]


def _unescaped(literal: str) -> str:
    """The text of a literal: a backslash escapes what follows, so that a pattern needs two of them."""

    def sign(match: re.Match[str]) -> str:
        code = int(match[1] or match[2] or "0", 16) or int(match[3] or "0", 8)
        return chr(code) if match[4] is None else _ESCAPES.get(match[4], match[4])

    return _ESCAPED.sub(sign, literal)


def _number(text: str) -> Any:
    """INT or BIGINT, DECIMAL with a point, DOUBLE with an exponent or a D."""
    suffix = text.lstrip("0123456789.+-eE").lower()
    digits = text[: len(text) - len(suffix)]
    if suffix == "d" or (suffix == "" and "e" in digits.lower()):
        return float(digits)
    if suffix == "bd" or "." in digits:
        return Decimal(digits)
    number = int(digits)
    return number if suffix == "l" or number >= 2 ** sql_values.WHOLE["int"] else Int(number)


def _joined(join: Callable[[Row, Value, Value], Any], left: Value, right: Value) -> Value:
    return lambda row: join(row, left, right)


def _or(row: Row, left: Value, right: Value) -> bool | None:
    """Null when neither side is true and one is null."""
    if (one := left(row)) or (other := right(row)):
        return True
    return None if one is None or other is None else False


def _and(row: Row, left: Value, right: Value) -> bool | None:
    """Null when neither side is false and one is null."""
    one = left(row)
    if one is not None and not one:
        return False
    other = right(row)
    if other is not None and not other:
        return False
    return None if one is None or other is None else True


def _computed(compute: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    return lambda row: compute(left(row), right(row))


def _of_field(struct: Value, name: str) -> Value:
    return lambda row: _field(struct(row), name)


class _Parser:
    """Recursive descent: one method a level of precedence, each giving a function of a row."""

    def __init__(self, text: str, lose: Callable[[str], None]) -> None:
        self.text, self.tokens, self.place = text, _tokens(text), 0
        self.lose, self.columns = lose, set[str]()

    def refuse(self, what: str) -> UnsupportedExpressionError:
        return UnsupportedExpressionError(f"{what} in {self.text!r} is not evaluated here: rewrite the mapping")

    def next(self) -> tuple[str, str]:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)  # the end stays next
        return token

    def sees(self, *words: str) -> bool:
        kinds = [kind for kind, _ in self.tokens[self.place : self.place + len(words)]]
        values = [value.upper() for _, value in self.tokens[self.place : self.place + len(words)]]
        return values == list(words) and all(kind in ("name", "sign") for kind in kinds)

    def takes(self, *words: str) -> bool:
        if not self.sees(*words):
            return False
        self.place += len(words)
        return True

    def needs(self, word: str) -> None:
        if not self.takes(word):
            raise self.refuse(f"{self.tokens[self.place][1] or 'the end'!r} where {word} belongs")

    def whole(self) -> Value:
        value = self.either()
        if self.tokens[self.place] != _END:
            raise self.refuse(f"{self.tokens[self.place][1]!r}")
        return value

    def either(self) -> Value:
        value = self.both()
        while self.takes("OR"):
            value = _joined(_or, value, self.both())
        return value

    def both(self) -> Value:
        value = self.negated()
        while self.takes("AND"):
            value = _joined(_and, value, self.negated())
        return value

    def negated(self) -> Value:
        if self.takes("NOT"):
            value = self.negated()
            return lambda row: None if (found := value(row)) is None else not found
        return self.compared()

    def compared(self) -> Value:
        value = self.summed()
        if self.takes("IS", "NOT", "NULL"):
            return lambda row: value(row) is not None
        if self.takes("IS", "NULL"):
            return lambda row: value(row) is None
        if self.takes("IN"):
            self.needs("(")
            options = self.arguments()
            return lambda row: sql_values.among(value(row), [option(row) for option in options])
        kind, sign = self.tokens[self.place]
        if kind == "sign" and sign in ("=", "==", "<>", "!=", "<", ">", "<=", ">="):
            self.place += 1
            other = self.summed()
            return lambda row: sql_values.compare(sign, value(row), other(row))
        return value

    def summed(self) -> Value:
        return self.chain(("+", "-", "||"), self.multiplied)

    def multiplied(self) -> Value:
        return self.chain(("*", "/", "%"), self.fielded)

    def chain(self, signs: tuple[str, ...], operand: Callable[[], Value]) -> Value:
        value = operand()
        while self.tokens[self.place][0] == "sign" and self.tokens[self.place][1] in signs:
            sign = self.next()[1]
            compute = sql_functions.strict(
                sql_functions.STRICT["concat"] if sign == "||" else sql_values.arithmetic(sign)
            )
            value = _computed(compute, value, operand())
        return value

    def fielded(self) -> Value:
        value = self.single()
        while self.takes("."):
            value = _of_field(value, self.next()[1].casefold())
        return value

    def single(self) -> Value:
        if self.takes("("):
            value = self.either()
            self.needs(")")
            return value
        if self.takes("-"):
            negative = self.fielded()
            return lambda row: sql_values.negative(negative(row))
        kind, text = self.next()
        if kind == "number":
            number = _number(text)
            return lambda _: number
        if kind == "text":
            return lambda _: text
        if kind == "quoted":
            return self.column(text)
        if kind == "name":
            return self.named(text)
        raise self.refuse(repr(text))

    def named(self, name: str) -> Value:
        word = name.upper()
        if word in ("NULL", "TRUE", "FALSE"):
            return lambda _: {"NULL": None, "TRUE": True, "FALSE": False}[word]
        if word == "CASE":
            return self.case()
        if not self.takes("("):
            return self.column(name)
        if word in ("CAST", "TRY_CAST"):
            return self.cast()
        return self.call(name.lower())

    def column(self, name: str) -> Value:
        key = name.casefold()
        self.columns.add(key)
        return lambda row: row[key]

    def cast(self) -> Value:
        value = self.either()
        self.needs("AS")
        kind = self.next()[1].lower()
        size = self.size()
        self.needs(")")
        sql_values.cast(None, kind)
        return self.told(lambda given: sql_values.cast(given, kind, size), value)

    def told(self, convert: Callable[..., Any], value: Value, *more: Value) -> Value:
        """A conversion that says of which texts it makes nothing."""

        def compute(row: Row) -> Any:
            given = value(row)
            made = convert(given, *(other(row) for other in more))
            if made is None and isinstance(given, str) and given.strip():
                self.lose(given)
            return made

        return compute

    def size(self) -> tuple[int, int]:
        """Digits of a type such as DECIMAL(14, 2), and those after its point."""
        if not self.takes("("):
            return 10, 0
        sizes = [self.next()]
        while self.takes(","):
            sizes.append(self.next())
        self.needs(")")
        if any(kind != "number" or not text.isdigit() for kind, text in sizes) or len(sizes) > 2:
            raise self.refuse("the size of a type")
        return int(sizes[0][1]), int(sizes[1][1]) if len(sizes) > 1 else 0

    def case(self) -> Value:
        branches = []
        while self.takes("WHEN"):
            condition = self.either()
            self.needs("THEN")
            branches.append((condition, self.either()))
        otherwise: Value = self.either() if self.takes("ELSE") else lambda _: None
        self.needs("END")
        return lambda row: next((value for condition, value in branches if condition(row)), otherwise)(row)

    def call(self, name: str) -> Value:
        if name in sql_functions.AGGREGATES:
            return self.aggregate_of_rows(name)
        if name == "aggregate":
            return self.fold()
        if name in sql_functions.LAZY:
            lazy, choices = sql_functions.LAZY[name], self.arguments()
            return lambda row: lazy(*(partial(choice, row) for choice in choices))
        function = sql_functions.LENIENT.get(name) or (
            sql_functions.strict(sql_functions.STRICT[name]) if name in sql_functions.STRICT else None
        )
        if function is None:
            raise self.refuse(f"{name}()")
        values = self.arguments()
        if name in ("to_date", "try_to_date") and values:
            return self.told(function, *values)
        return lambda row: function(*(value(row) for value in values))

    def arguments(self) -> list[Value]:
        """Up to the closing bracket."""
        values: list[Value] = []
        while not self.takes(")"):
            if values:
                self.needs(",")
            values.append(self.either())
        return values

    def aggregate_of_rows(self, name: str) -> Value:
        if self.takes("*"):
            self.needs(")")
            return lambda group: len(group[ROWS_OF_GROUP])
        value = self.either()
        self.needs(")")
        reduce, all_values = sql_functions.AGGREGATES[name], name in sql_functions.SEES_NULLS
        return lambda group: reduce(
            [found for row in group[ROWS_OF_GROUP] if (found := value(row)) is not None or all_values]
        )

    def fold(self) -> Value:
        """aggregate(array, start, (total, one) -> expression)"""
        array = self.either()
        self.needs(",")
        start = self.either()
        self.needs(",")
        self.needs("(")
        total = self.next()[1].casefold()
        self.needs(",")
        one = self.next()[1].casefold()
        self.needs(")")
        self.needs("->")
        body = self.either()
        self.needs(")")

        def compute(row: Row) -> Any:
            value, items = start(row), array(row)
            if items is None:
                return None
            for item in items:
                value = body({**row, total: value, one: item})
            return value

        return compute


def _field(of: Any, name: str) -> Any:
    """A field of a struct, or that field of each struct of an array."""
    if isinstance(of, list):
        return [item[name] for item in of]
    return None if of is None else of[name]


def _ignore(_: str) -> None:
    return


def parse(text: str, lose: Callable[[str], None] = _ignore) -> Value:
    """A Spark SQL expression as a function of a row, a mapping of case-folded column names to values.

    :param lose: called with each text that a cast makes nothing of
    :raises UnsupportedExpressionError: when it uses what is not evaluated here; so does the function
    """
    value = _Parser(text, lose).whole()

    def compute(row: Row) -> Any:
        try:
            return value(row)
        except (TypeError, AttributeError, ValueError, ArithmeticError) as error:
            if isinstance(error, UnsupportedExpressionError):
                raise
            raise UnsupportedExpressionError(f"{text!r} cannot be computed ({error}): rewrite the mapping") from error

    return compute


def names(text: str) -> set[str]:
    """Case-folded names of an expression that may be columns.

    :raises UnsupportedExpressionError: as ``parse``
    """
    parser = _Parser(text, _ignore)
    parser.whole()
    return parser.columns
