"""SQL text to tokens and back. Comments are dropped; everything else keeps its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from local.engines.redshift import StatementError

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s+|--[^\n]*|/\*.*?\*/)+)
  | (?P<string>\$(?P<tag>[^\W\d]?\w*)\$.*?\$(?P=tag)\$ | '(?:[^'\\]|''|\\.)*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<parameter>(?<!:):[A-Za-z_]\w*)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<symbol>::|<=|>=|<>|!=|\|\||[-+*/%^<>=~!@#&|?:(),;.\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Token:
    """:param kind: string | quoted | number | parameter | word | symbol | sql (made here, printed as it is)"""

    kind: str
    text: str
    space: str = " "

    @property
    def word(self) -> str:
        """The upper-case word, or the symbol, or an empty string for what is neither."""
        return self.text.upper() if self.kind in ("word", "symbol") else ""

    @property
    def name(self) -> str:
        """The identifier that this token names: folded to lower case, as Redshift does, unless it is quoted."""
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.text.lower()

    @property
    def value(self) -> str:
        """The content of a string literal."""
        if self.text.startswith("$"):
            return self.text.split("$", 2)[2].rpartition("$")[0].rpartition("$")[0]
        inner = self.text[1:-1].replace("''", "'")
        return re.sub(r"\\(.)", lambda match: _STRING_ESCAPES.get(match[1], match[1]), inner, flags=re.DOTALL)


def tokenize(sql: str) -> list[Token]:
    """:raises StatementError: when a literal or a comment has no end"""
    tokens: list[Token] = []
    position, space = 0, ""
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None or (match.lastgroup == "symbol" and sql.startswith("/*", position)):
            raise StatementError(f"ERROR: unterminated literal or comment at or near {sql[position : position + 20]!r}")
        position = match.end()
        kind = next(name for name in match.groupdict() if name != "tag" and match[name] is not None)
        if kind == "space":
            space = "\n" if "\n" in match[0] else " "
        else:
            tokens.append(Token(kind, match[0], space))
            space = ""
    return tokens


def render(tokens: Sequence[Token]) -> str:
    return "".join(token.space + token.text for token in tokens).strip()


def made(text: str) -> Token:
    """A piece of PostgreSQL that the rewriter makes."""
    return Token("sql", text)


def literal(text: str, space: str = "") -> Token:
    return Token("string", "'" + text.replace("'", "''") + "'", space)


def split_statements(tokens: Sequence[Token]) -> list[list[Token]]:
    """The statements between semicolons; empty ones are left out."""
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.word == ";":
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


def closing(tokens: Sequence[Token], opening: int) -> int:
    """Index of the parenthesis that closes the one at `opening`.

    :raises StatementError: when there is none
    """
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[index].word, 0)
        if depth == 0:
            return index
    raise StatementError('ERROR: syntax error at end of input: a "(" is never closed')


def split_commas(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The parts between commas that stand in no parentheses."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


class Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        """The upper-case word or symbol ahead; empty at the end or before any other token."""
        index = self.position + ahead
        return self.tokens[index].word if index < len(self.tokens) else ""

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.tokens)

    def take(self) -> Token:
        """:raises StatementError: at the end of the statement"""
        if self.at_end:
            raise StatementError("ERROR: syntax error at end of input")
        self.position += 1
        return self.tokens[self.position - 1]

    def accept(self, *words: str) -> bool:
        """Pass over these words if they all come next."""
        if any(self.peek(ahead) != word for ahead, word in enumerate(words)):
            return False
        self.position += len(words)
        return True

    def expect(self, *words: str) -> None:
        """:raises StatementError: when these words do not come next"""
        if not self.accept(*words):
            raise self.unexpected(f": expected {' '.join(words)}")

    def string(self) -> str:
        """:raises StatementError: when no string literal comes next"""
        token = self.take()
        if token.kind != "string":
            self.position -= 1
            raise self.unexpected(": expected a string literal")
        return token.value

    def parentheses(self) -> list[Token]:
        """The tokens inside the parentheses that come next."""
        if self.peek() != "(":
            raise self.unexpected(': expected "("')
        end = closing(self.tokens, self.position)
        inside = list(self.tokens[self.position + 1 : end])
        self.position = end + 1
        return inside

    def qualified_name(self) -> list[Token]:
        """``table``, ``schema.table`` or ``database.schema.table``."""
        parts = [self.take()]
        while self.peek() == ".":
            parts += [self.take(), self.take()]
        if any(token.kind not in ("word", "quoted") for token in parts[::2]):
            raise StatementError(f"ERROR: {render(parts)!r} is no name of a table")
        return [replace(parts[0], space=" "), *parts[1:]]

    def unexpected(self, why: str = "") -> StatementError:
        near = render(self.tokens[self.position : self.position + 3]) or "end of input"
        return StatementError(f'ERROR: syntax error at or near "{near}"{why}')
