"""The Spark SQL subset that mappings use (include/mappings), evaluated in Python without Spark.

`compile_expression(text)` gives a function from a row (name -> value) to a value. Like Spark's try_ functions, nothing
fails on a bad cell: it becomes None. A function that is not known here stops with its name.

Supported: literals, names, a.b, + - * / %, comparisons, AND OR NOT, IS [NOT] NULL, IN, CASE, CAST and TRY_CAST, the
functions in FUNCTIONS, lambdas of aggregate(), and the aggregates in AGGREGATES over rows of a group.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

Row = dict[str, Any]
Node = Callable[[Row], Any]
GROUP = "\0rows"  # key under which a group's row holds the rows that it was made from

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)[lL]?|'(?P<text>(?:[^'\\]|\\.|'')*)'|(?P<name>[A-Za-z_]\w*|`[^`]+`)"
    r"|(?P<sign>->|<=|>=|<>|!=|\|\||[-+*/%=<>(),.]))"
)


class ExpressionError(ValueError):
    """A mapping's expression that this reader does not know."""


def _try(function: Callable[..., Any]) -> Callable[..., Any]:
    """None for None, and for what the function cannot do."""

    def attempt(*values: Any) -> Any:
        if any(value is None for value in values):
            return None
        try:
            return function(*values)
        except (ArithmeticError, ValueError, TypeError, InvalidOperation):
            return None

    return attempt


def _number(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic in which text counts as a number and Decimal meets float."""

    def calculate(left: Any, right: Any) -> Any:
        one, other = (float(value) if isinstance(value, str) else value for value in (left, right))
        if {type(one), type(other)} == {Decimal, float}:
            one, other = float(one), float(other)
        return operation(one, other)

    return _try(calculate)


def _split_part(text: str, separator: str, place: int) -> str:
    parts = text.split(separator)
    return parts[place - 1] if 0 < place <= len(parts) else ""


def _concat_ws(separator: str, *values: Any) -> str:
    return separator.join(str(value) for value in values if value is not None)


def _aggregate(values: list[Any] | None, start: Any, merge: Callable[..., Any]) -> Any:
    if values is None:
        return None
    total = start
    for value in values:
        total = merge(total, value)
    return total


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat_ws": _concat_ws,
    "concat": _try(lambda *values: "".join(map(str, values))),
    "coalesce": _coalesce,
    "nullif": lambda value, other: None if value == other else value,
    "if": lambda condition, yes, no: yes if condition else no,
    "try_add": _number(operator.add),
    "try_subtract": _number(operator.sub),
    "try_multiply": _number(operator.mul),
    "try_divide": _number(operator.truediv),
    "date_sub": _try(lambda day, days: day - timedelta(days=int(days))),
    "date_add": _try(lambda day, days: day + timedelta(days=int(days))),
    "split_part": _try(_split_part),
    "replace": _try(lambda text, old, new="": str(text).replace(old, new)),
    "regexp_replace": _try(lambda text, pattern, new: re.sub(pattern, new.replace("$", "\\"), str(text))),
    "trim": _try(lambda text: str(text).strip()),
    "upper": _try(lambda text: str(text).upper()),
    "lower": _try(lambda text: str(text).lower()),
    "round": _try(lambda value, digits=0: round(value, digits)),
    "abs": _try(abs),
    "aggregate": _aggregate,
}
AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "sum": lambda values: sum(values[1:], start=values[0]) if values else None,
    "first": lambda values: values[0] if values else None,
    "avg": lambda values: sum(values[1:], start=values[0]) / len(values) if values else None,
    "collect_list": list,
    "collect_set": lambda values: list({repr(value): value for value in values}.values()),
}


def cast(value: Any, kind: str) -> Any:
    """TRY_CAST: None where the text is no such value."""
    name, _, size = kind.partition("(")
    return _try(lambda given: _cast(given, name.strip().upper(), size.rstrip(")")))(value)


def _cast(value: Any, name: str, size: str) -> Any:
    if name in ("BIGINT", "INT", "INTEGER"):
        return int(value.strip()) if isinstance(value, str) else int(value)
    if name in ("DOUBLE", "FLOAT"):
        return float(value)
    if name in ("DECIMAL", "NUMERIC"):
        scale = int(size.split(",")[1]) if "," in size else 0
        return Decimal(str(value).strip()).quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    if name == "DATE":
        return value if isinstance(value, date) else date.fromisoformat(str(value).strip()[:10])
    if name == "STRING":
        return str(value)
    raise ExpressionError(f"type {name} is not known here: cast to BIGINT, DOUBLE, DECIMAL, DATE or STRING")


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def compile_expression(text: str) -> Node:
    """
    :raises ExpressionError: for a function, type or form that is not known here
    """
    parser = _Parser(text)
    node = parser.expression()
    if parser.peek() is not None:
        raise ExpressionError(f"'{text}' is not understood at '{parser.peek()}'")
    return node


class _Parser:
    """Recursive descent; each method reads one level of precedence and returns its function."""

    def __init__(self, text: str) -> None:
        self.text, self.place, self.tokens = text, 0, self._tokens(text)

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        found, place = [], 0
        while text[place:].strip():
            match = TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise ExpressionError(f"'{text}' is not understood at '{text[place : place + 20].strip()}'")
            found.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        return found

    def peek(self, ahead: int = 0) -> str | None:
        """The next token, keywords and signs in upper case; a literal never equals one."""
        if self.place + ahead >= len(self.tokens):
            return None
        kind, value = self.tokens[self.place + ahead]
        return value.upper() if kind in ("name", "sign") else f"{kind} {value}"

    def take(self, *wanted: str) -> bool:
        if self.peek() in wanted:
            self.place += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise ExpressionError(f"'{self.text}' lacks {wanted} before '{self.peek()}'")

    def name(self) -> str:
        if self.place >= len(self.tokens) or self.tokens[self.place][0] != "name":
            raise ExpressionError(f"'{self.text}' lacks a name before '{self.peek()}'")
        self.place += 1
        return self.tokens[self.place - 1][1].strip("`")

    def expression(self) -> Node:
        left = self.conjunction()
        while self.take("OR"):
            left = self._logic(left, self.conjunction(), any)
        return left

    def conjunction(self) -> Node:
        left = self.negation()
        while self.take("AND"):
            left = self._logic(left, self.negation(), all)
        return left

    def _logic(self, left: Node, right: Node, rule: Callable[[list[Any]], bool]) -> Node:
        return lambda row: rule([left(row), right(row)])

    def negation(self) -> Node:
        if self.take("NOT"):
            inner = self.negation()
            return lambda row: None if (value := inner(row)) is None else not value
        return self.comparison()

    def comparison(self) -> Node:
        left = self.binary(0)
        if self.take("IS"):
            negated = self.take("NOT")
            self.expect("NULL")
            return lambda row: (left(row) is None) != negated
        if self.take("IN"):
            self.expect("(")
            options = self.arguments()
            return lambda row: left(row) in [option(row) for option in options]
        sign = self.peek()
        if sign in COMPARISONS:
            self.place += 1
            right, compare = self.binary(0), _try(COMPARISONS[sign])
            return lambda row: compare(left(row), right(row))
        return left

    def binary(self, level: int) -> Node:
        levels = ({"+": "try_add", "-": "try_subtract", "||": "concat"}, {"*": "try_multiply", "/": "try_divide"})
        if level == len(levels):
            return self.primary()
        left = self.binary(level + 1)
        while (sign := self.peek()) in levels[level]:
            self.place += 1
            left = self._calculate(FUNCTIONS[levels[level][str(sign)]], left, self.binary(level + 1))
        return left

    def _calculate(self, function: Callable[..., Any], left: Node, right: Node) -> Node:
        return lambda row: function(left(row), right(row))

    def primary(self) -> Node:
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.take("-"):
            number = self.primary()
            return lambda row: _try(operator.neg)(number(row))
        if self.place >= len(self.tokens):
            raise ExpressionError(f"'{self.text}' ends too early")
        kind, value = self.tokens[self.place]
        if kind == "number":
            self.place += 1
            literal: Any = int(value) if value.isdigit() else Decimal(value)
            return lambda row: literal
        if kind == "text":
            self.place += 1
            text = value.replace("''", "'")
            return lambda row: text
        return self.named()

    def named(self) -> Node:
        if self.take("NULL"):
            return lambda row: None
        if self.peek() in ("TRUE", "FALSE"):
            truth = self.name().upper() == "TRUE"
            return lambda row: truth
        if self.take("CASE"):
            return self.case()
        name = self.name()
        if self.take("("):
            return self.call(name.lower())
        path = [name]
        while self.take("."):
            path.append(self.name())
        return lambda row: _field(row, path)

    def case(self) -> Node:
        branches: list[tuple[Node, Node]] = []
        otherwise: Node = lambda row: None  # noqa: E731 - a default of the same form as the branches
        while self.take("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            branches.append((condition, self.expression()))
        if self.take("ELSE"):
            otherwise = self.expression()
        self.expect("END")
        return lambda row: next((value(row) for condition, value in branches if condition(row)), otherwise(row))

    def call(self, name: str) -> Node:
        if name in ("cast", "try_cast"):
            value = self.expression()
            self.expect("AS")
            kind = self._type()
            return lambda row: cast(value(row), kind)
        if name in AGGREGATES:
            return self.aggregate(AGGREGATES[name], counts_rows=name == "count" and self.peek() == "*")
        arguments = self.arguments()
        if name == "named_struct":
            pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
            return lambda row: {key(row): value(row) for key, value in pairs}
        if name not in FUNCTIONS:
            raise ExpressionError(f"function {name} is not known here: use one of {', '.join(sorted(FUNCTIONS))}")
        function = FUNCTIONS[name]
        return lambda row: function(*(argument(row) for argument in arguments))

    def aggregate(self, function: Callable[[list[Any]], Any], *, counts_rows: bool) -> Node:
        if counts_rows:
            self.expect("*")
            self.expect(")")
            return lambda row: len(row[GROUP])
        value = self.arguments()[0]
        return lambda row: function([found for one in row[GROUP] if (found := value(one)) is not None])

    def _type(self) -> str:
        kind = self.name()
        if self.take("("):
            sizes = []
            while not self.take(")"):
                sizes.append(self.tokens[self.place][1])
                self.place += 1
            kind += f"({''.join(sizes)})"
        self.expect(")")
        return kind

    def arguments(self) -> list[Node]:
        found: list[Node] = []
        while not self.take(")"):
            found.append(self.function() if self.is_function() else self.expression())
            if self.peek() != ")":
                self.expect(",")
        return found

    def is_function(self) -> bool:
        """Whether `(a, b) -> ...` comes next."""
        return self.peek() == "(" and self.peek(2) == "," and self.peek(4) == ")" and self.peek(5) == "->"

    def function(self) -> Node:
        self.expect("(")
        first = self.name()
        self.expect(",")
        second = self.name()
        self.expect(")")
        self.expect("->")
        body = self.expression()
        return lambda row: lambda one, other: body(row | {first: one, second: other})


def _field(row: Row, path: list[str]) -> Any:
    value: Any = row.get(path[0])
    for key in path[1:]:
        # A field of an array of structures is the array of that field, as in Spark.
        value = [one.get(key) for one in value] if isinstance(value, list) else (value or {}).get(key)
    return value
