"""One Redshift statement to one PostgreSQL statement.

Works on tokens, for the subset of Redshift's SQL that the platform uses. It translates what both can do, and refuses
what only PostgreSQL can do, so that a statement that passes here is not refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from local.engines.redshift import StatementError, merge, tables
from local.engines.redshift.tokens import (
    Token,
    closing,
    literal,
    made,
    render,
    split_commas,
    split_statements,
    tokenize,
)

BINDABLE = frozenset({"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE"})
READS_ONLY = frozenset({"SELECT", "WITH", "SHOW", "EXPLAIN", "UNLOAD"})
OUTSIDE_TRANSACTIONS = frozenset({"VACUUM"})
TRANSACTION_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT"})

# Words in a row that PostgreSQL understands and Redshift does not, with the way out.
NOT_IN_REDSHIFT: dict[tuple[str, ...], str] = {
    ("ON", "CONFLICT"): "use MERGE",
    ("DISTINCT", "ON"): "use ROW_NUMBER() and filter outside",
    ("FILTER", "("): "use CASE inside the aggregate",
    ("RETURNING",): "select in a statement of its own",
    ("LATERAL",): "use a join",
    ("CREATE", "INDEX"): "use SORTKEY",
    ("CREATE", "UNIQUE", "INDEX"): "Redshift enforces no uniqueness: check it with a query",
    ("CREATE", "SEQUENCE"): "use IDENTITY(seed, step)",
    ("CREATE", "TRIGGER"): "Redshift has no triggers",
    ("CREATE", "EXTENSION"): "Redshift has no extensions",
    ("CREATE", "TYPE"): "Redshift has no user-defined types",
    ("CREATE", "DOMAIN"): "Redshift has no domains",
    ("FOR", "UPDATE"): "use LOCK",
    ("STRING_AGG", "("): "use LISTAGG",
    ("ARRAY_AGG", "("): "use LISTAGG",
    ("MAKE_DATE", "("): "use TO_DATE",
    ("CLOCK_TIMESTAMP", "("): "use GETDATE() or SYSDATE",
}
_FIRST_WORDS = frozenset(words[0] for words in NOT_IN_REDSHIFT)
_BARE_DATE_PART = frozenset({"DATEADD", "DATEDIFF", "DATE_PART", "DATE_TRUNC", "DATEPART"})
_DEFAULT_DECIMAL = "(18,0)"


@dataclass(frozen=True)
class Rewritten:
    """:param kind: first word of the statement, in upper case"""

    kind: str
    tokens: tuple[Token, ...]

    @property
    def parameters(self) -> set[str]:
        return {token.text[1:] for token in self.tokens if token.kind == "parameter"}

    @property
    def sql(self) -> str:
        return render(self.tokens)

    def bindable(self) -> str:
        """The statement with psycopg2's placeholders in place of ``:name``."""
        return render([
            replace(token, text=f"%({token.text[1:]})s") if token.kind == "parameter"
            else replace(token, text=token.text.replace("%", "%%"))
            for token in self.tokens
        ])  # fmt: skip


def rewrite(sql: str) -> Rewritten:
    """:raises StatementError: when the statement cannot run on Redshift, or this engine does not know it"""
    statements = split_statements(tokenize(sql))
    if len(statements) != 1:
        found = "it holds no statement" if not statements else f"it holds {len(statements)}; use BatchExecuteStatement"
        raise StatementError(f"ERROR: one statement is expected: {found}")
    tokens = statements[0]
    kind = tokens[0].word
    if kind in TRANSACTION_CONTROL:
        raise StatementError(f"ERROR: {kind} is not allowed: each ExecuteStatement and each batch is one transaction")
    if kind in ("COPY", "UNLOAD"):
        return Rewritten(kind, tuple(tokens))
    refuse_foreign(tokens)
    if kind == "MERGE":
        merge.check(tokens)
    rewritten = _DIALECTS.get(kind, expressions)(tokens)
    return Rewritten(kind, tuple(rewritten))


def refuse_foreign(tokens: Sequence[Token]) -> None:
    """:raises StatementError: when a construct stands in the statement that Redshift does not have"""
    words = [token.word for token in tokens]
    for index, word in enumerate(words):
        if word not in _FIRST_WORDS:
            continue
        for foreign, way_out in NOT_IN_REDSHIFT.items():
            if tuple(words[index : index + len(foreign)]) == foreign:
                raise StatementError(f"ERROR: {' '.join(foreign)} is not supported by Redshift: {way_out}")


# ---------------------------------------------------------------- expressions


def expressions(tokens: Sequence[Token]) -> list[Token]:
    """Rewrite what may stand anywhere: functions, casts, literals."""
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        call = _CALLS.get(tokens[index].word)
        if call and index + 1 < len(tokens) and tokens[index + 1].word == "(" and not _after_dot(tokens, index):
            end = closing(tokens, index + 1)
            made_tokens, used = call(tokens[index], list(tokens[index + 2 : end]), tokens[end + 1 :])
            out += made_tokens
            index = end + 1 + used
        else:
            out += _single(tokens, index)
            index += 1
    return out


def _after_dot(tokens: Sequence[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].word == "."


def _single(tokens: Sequence[Token], index: int) -> list[Token]:
    token = tokens[index]
    following = tokens[index + 1].word if index + 1 < len(tokens) else ""
    before = tokens[index - 1].word if index else ""
    if token.kind == "string" and "\\" in token.text and token.text.startswith("'"):
        # Redshift reads a backslash in a literal as an escape; PostgreSQL only in E''.
        return [replace(token, text="E" + token.text, space=token.space or " ")]
    if token.word == "SYSDATE" and before != "." and following != "(":
        return [replace(token, text="sysdate()")]
    if token.word == "APPROXIMATE" and following in ("COUNT", "PERCENTILE_DISC"):
        return []
    if before == "::" or (before == "AS" and following in (")", "(")):
        return cast_type(token, following)
    if token.word == "MAX" and before == "(" and index > 1 and tokens[index - 2].word in tables.CHARACTER_WORDS:
        return [replace(token, text=str(tables.LONGEST_VARCHAR))]
    return [token]


def cast_type(token: Token, following: str) -> list[Token]:
    """The type of a cast: SUPER is jsonb here, and a DECIMAL without digits is DECIMAL(18,0) on Redshift."""
    if token.word == "SUPER":
        return [replace(token, text="jsonb")]
    if token.word in ("DECIMAL", "NUMERIC") and following != "(":
        return [token, Token("sql", _DEFAULT_DECIMAL, "")]
    return [token]


Call = Callable[[Token, list[Token], Sequence[Token]], tuple[list[Token], int]]


def _call(name: Token, arguments: Sequence[Token], text: str = "") -> list[Token]:
    opening, end = Token("symbol", "(", ""), Token("symbol", ")", "")
    return [replace(name, text=text or name.text), opening, *arguments, end]


def _nvl(name: Token, arguments: list[Token], _: Sequence[Token]) -> tuple[list[Token], int]:
    return _call(name, expressions(arguments), "COALESCE"), 0


def _nvl2(name: Token, arguments: list[Token], _: Sequence[Token]) -> tuple[list[Token], int]:
    parts = [expressions(part) for part in split_commas(arguments)]
    if len(parts) != 3:
        raise StatementError("ERROR: NVL2 takes three arguments")
    tested, present, absent = parts
    return [made("(CASE WHEN ("), *tested, made(") IS NOT NULL THEN"), *present, made("ELSE"), *absent, made("END)")], 0


def _date_part(name: Token, arguments: list[Token], _: Sequence[Token]) -> tuple[list[Token], int]:
    first, *others = split_commas(arguments) if arguments else [[]]
    if len(first) == 1 and first[0].kind in ("word", "quoted"):
        first = [literal(first[0].name)]
    comma = Token("symbol", ",", "")
    rewritten = [token for part in others for token in (comma, *expressions(part))]
    function = "date_part" if name.word == "DATEPART" else name.text
    return _call(name, [*first, *rewritten], function), 0


def _extract(name: Token, arguments: list[Token], _: Sequence[Token]) -> tuple[list[Token], int]:
    # An integer on Redshift, a numeric on PostgreSQL.
    return [made("trunc("), *_call(name, expressions(arguments)), made(")::integer")], 0


def _listagg(name: Token, arguments: list[Token], rest: Sequence[Token]) -> tuple[list[Token], int]:
    values = list(split_commas(arguments))
    if not values or len(values) > 2:
        raise StatementError("ERROR: LISTAGG takes an expression and at most one delimiter")
    delimiter = expressions(values[1]) if len(values) == 2 else [literal("")]
    inside = [*expressions(values[0]), Token("symbol", ",", ""), *delimiter]
    if [token.word for token in rest[:3]] != ["WITHIN", "GROUP", "("]:
        return _call(name, inside, "string_agg"), 0
    end = closing(rest, 2)
    return _call(name, [*inside, made(""), *expressions(rest[3:end])], "string_agg"), end + 1


_CALLS: dict[str, Call] = {
    "NVL": _nvl,
    "NVL2": _nvl2,
    "EXTRACT": _extract,
    "LISTAGG": _listagg,
    **dict.fromkeys(_BARE_DATE_PART, _date_part),
}


# ---------------------------------------------------------------- statements


def _create(tokens: Sequence[Token]) -> list[Token]:
    if tables.is_create_table(tokens):
        return tables.create_table(tokens, expressions)
    words = [token.word for token in tokens]
    if words[1:2] == ["ROLE"] and len(words) != 3:
        raise StatementError("ERROR: CREATE ROLE takes a name alone here; Redshift has no IF NOT EXISTS for it")
    if words[-4:] == ["WITH", "NO", "SCHEMA", "BINDING"]:
        # A late-binding view: PostgreSQL binds at once, which only asks for more.
        tokens = tokens[:-4]
    return expressions(tokens)


def _alter(tokens: Sequence[Token]) -> list[Token]:
    if [token.word for token in tokens[:3]] == ["ALTER", "DEFAULT", "PRIVILEGES"]:
        return _grant(tokens)
    return tables.alter_table(tokens, expressions)


def _grant(tokens: Sequence[Token]) -> list[Token]:
    """GRANT ... TO ROLE name: PostgreSQL knows roles alone and has no word for them."""
    words = [token.word for token in tokens]
    return [
        token
        for index, token in enumerate(tokens)
        if not (token.word == "ROLE" and index and words[index - 1] in ("TO", "FROM", ","))
    ]


def _drop(tokens: Sequence[Token]) -> list[Token]:
    """DROP ROLE name FORCE also takes back what was granted to the role."""
    words = [token.word for token in tokens]
    if words[1:2] == ["ROLE"] and words[3:] == ["FORCE"]:
        return [made(f"DROP OWNED BY {tokens[2].text} CASCADE; DROP ROLE {tokens[2].text}")]
    return expressions(tokens)


def _vacuum(tokens: Sequence[Token]) -> list[Token]:
    """VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table] [TO n PERCENT] [BOOST]"""
    kept = [token for token in tokens[1:] if token.word not in ("FULL", "SORT", "DELETE", "ONLY", "REINDEX",
                                                               "RECLUSTER", "BOOST", "PERCENT")]  # fmt: skip
    for index, token in enumerate(kept):
        if token.word == "TO":
            kept = kept[:index]
            break
    return [tokens[0], *kept]


def _analyze(tokens: Sequence[Token]) -> list[Token]:
    words = [token.word for token in tokens]
    if words[-2:] in (["PREDICATE", "COLUMNS"], ["ALL", "COLUMNS"]):
        tokens = tokens[:-2]
    return list(tokens)


_DIALECTS: Mapping[str, Callable[[Sequence[Token]], list[Token]]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "GRANT": _grant,
    "REVOKE": _grant,
    "VACUUM": _vacuum,
    "ANALYZE": _analyze,
}
