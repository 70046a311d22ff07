"""CREATE TABLE and ALTER TABLE.

Encodings and keys are taken off: they change nothing that a query answers, and Redshift does not enforce keys. A column
of the sort or distribution key gets an index: it stands for the blocks that Redshift's zone maps let a scan pass over,
and for the slice on which a join finds its rows. VARCHAR(n) counts bytes on Redshift, so each such column gets a check
of its length in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from local.engines.redshift import StatementError
from local.engines.redshift.tokens import Reader, Token, made, render, split_commas

LONGEST_VARCHAR = 65535  # bytes
BYTES_CHECK = "octets_"  # a check named octets_<n>_<column> guards the n bytes of a column
CHARACTER_WORDS = frozenset({"VARCHAR", "VARYING", "NVARCHAR", "CHAR", "CHARACTER", "NCHAR"})
Expressions = Callable[[Sequence[Token]], list[Token]]

_CHARACTERS = {  # Redshift type -> (PostgreSQL type, length without a given one, longest)
    "VARCHAR": ("varchar", 256, LONGEST_VARCHAR),
    "NVARCHAR": ("varchar", 256, LONGEST_VARCHAR),
    "TEXT": ("varchar", 256, 256),
    "CHARACTER VARYING": ("varchar", 256, LONGEST_VARCHAR),
    "CHAR": ("char", 1, 4096),
    "CHARACTER": ("char", 1, 4096),
    "NCHAR": ("char", 1, 4096),
    "BPCHAR": ("char", 256, 256),
}
_OTHER_TYPES = {
    "SUPER": "jsonb", "VARBYTE": "bytea", "VARBINARY": "bytea",
    "SMALLINT": "", "INT2": "", "INTEGER": "", "INT": "", "INT4": "", "BIGINT": "", "INT8": "",
    "REAL": "", "FLOAT4": "", "DOUBLE PRECISION": "", "FLOAT8": "", "FLOAT": "double precision",
    "BOOLEAN": "", "BOOL": "", "DATE": "", "TIME": "", "TIMETZ": "", "TIMESTAMP": "", "TIMESTAMPTZ": "",
    "TIMESTAMP WITH TIME ZONE": "", "TIMESTAMP WITHOUT TIME ZONE": "",
    "TIME WITH TIME ZONE": "", "TIME WITHOUT TIME ZONE": "",
}  # fmt: skip
_SECOND_WORDS = frozenset({"VARYING", "PRECISION", "WITH", "WITHOUT", "TIME", "ZONE"})


def is_create_table(tokens: Sequence[Token]) -> bool:
    words = [token.word for token in tokens[:5]]
    return "TABLE" in words and all(word in ("CREATE", "LOCAL", "TEMP", "TEMPORARY", "TABLE")
                                    for word in words[: words.index("TABLE") + 1])  # fmt: skip


def create_table(tokens: Sequence[Token], expressions: Expressions) -> list[Token]:
    """:raises StatementError: when a column or an attribute is none that Redshift knows"""
    reader = Reader(tokens)
    out: list[Token] = []
    while not reader.accept("TABLE"):
        word = reader.take()
        out += [] if word.word == "LOCAL" else [word]
    is_temporary = len(out) > 1
    out.append(made("TABLE"))
    if reader.accept("IF", "NOT", "EXISTS"):
        out.append(made("IF NOT EXISTS"))
    table = reader.qualified_name()
    out += table
    if reader.peek() == "(":
        inside = reader.parentheses()
        out += [made("(" + ", ".join(_elements(inside, expressions)) + ")")]
    keys = _attributes(reader)
    if reader.accept("AS"):
        out += [made("AS"), *expressions(reader.tokens[reader.position :])]
    elif not reader.at_end:
        raise reader.unexpected(": expected DISTSTYLE, DISTKEY, SORTKEY, ENCODE AUTO, BACKUP or AS")
    return out if is_temporary else [*out, *_indexes(table, keys)]


def _indexes(table: Sequence[Token], keys: Sequence[Token]) -> list[Token]:
    """One index for each column of the keys, as statements after the one that makes the table."""
    out: list[Token] = []
    for name in dict.fromkeys(token.name for token in keys if token.word != ","):
        index = f"{table[-1].name}_{name}"[:63]
        out.append(made(f'; CREATE INDEX IF NOT EXISTS "{index}" ON {render(table)} ("{name}")'))
    return out


def _attributes(reader: Reader) -> list[Token]:
    """Pass over what a table says of its storage; returns the columns of its keys."""
    keys: list[Token] = []
    while not reader.at_end:
        if reader.accept("DISTSTYLE"):
            if reader.take().word not in ("AUTO", "EVEN", "KEY", "ALL"):
                raise StatementError("ERROR: DISTSTYLE must be AUTO, EVEN, KEY or ALL")
        elif reader.accept("DISTKEY"):
            keys += reader.parentheses()
        elif reader.peek() in ("COMPOUND", "INTERLEAVED") and reader.peek(1) == "SORTKEY":
            reader.position += 2
            keys += reader.parentheses()
        elif reader.accept("SORTKEY"):
            if not reader.accept("AUTO"):
                keys += reader.parentheses()
        elif reader.accept("BACKUP"):
            if reader.take().word not in ("YES", "NO"):
                raise StatementError("ERROR: BACKUP must be YES or NO")
        elif not reader.accept("ENCODE", "AUTO"):
            break
    return keys


def _elements(inside: Sequence[Token], expressions: Expressions) -> list[str]:
    """Columns with their checks; the constraints of the table are dropped, its primary key is NOT NULL."""
    columns: list[tuple[Token, str]] = []
    copies: list[str] = []
    not_null: set[str] = set()
    for element in split_commas(inside):
        reader = Reader(element)
        if reader.peek() == "LIKE":
            copies.append(_like(reader))
        elif reader.peek() in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT"):
            not_null |= _table_constraint(reader)
        else:
            columns.append((element[0], column(reader, expressions)))
    return copies + [
        text + (" NOT NULL" if name.name in not_null and " NOT NULL" not in text else "") for name, text in columns
    ]


def _like(reader: Reader) -> str:
    reader.expect("LIKE")
    source = render(reader.qualified_name())
    kept = " INCLUDING DEFAULTS" if reader.accept("INCLUDING", "DEFAULTS") else ""
    reader.accept("EXCLUDING", "DEFAULTS")
    if not reader.at_end:
        raise reader.unexpected(" after LIKE")
    return f"LIKE {source} INCLUDING CONSTRAINTS{kept}"  # constraints: the checks of lengths in bytes


def _table_constraint(reader: Reader) -> set[str]:
    """The columns of a primary key, which Redshift makes NOT NULL though it does not enforce the key."""
    if reader.accept("CONSTRAINT"):
        reader.take()
    if reader.accept("PRIMARY", "KEY"):
        return {token.name for token in reader.parentheses() if token.word != ","}
    if reader.accept("UNIQUE"):
        reader.parentheses()
        return set()
    if reader.accept("FOREIGN", "KEY"):
        reader.parentheses()
        if reader.accept("REFERENCES"):
            return set()
    raise reader.unexpected(": Redshift knows PRIMARY KEY, UNIQUE and FOREIGN KEY, and no CHECK")


def column(reader: Reader, expressions: Expressions) -> str:
    """A column definition in PostgreSQL's words, with the check of its length in bytes."""
    name = reader.take()
    if name.kind not in ("word", "quoted"):
        raise reader.unexpected(": expected the name of a column")
    type_text, most_bytes = _column_type(reader)
    parts = [f"{name.text} {type_text}", *_column_attributes(reader, expressions)]
    if most_bytes:
        parts.append(
            f"CONSTRAINT {_check_name(name.name, most_bytes)} CHECK (octet_length({name.text}) <= {most_bytes})"
        )
    return " ".join(dict.fromkeys(parts))


def _check_name(name: str, most_bytes: int) -> str:
    return '"' + f"{BYTES_CHECK}{most_bytes}_{name}"[:63].replace('"', "") + '"'


def _column_type(reader: Reader) -> tuple[str, int]:
    """PostgreSQL's type, and the most bytes of a character column (else 0)."""
    words = [reader.take().word]
    while reader.peek() in _SECOND_WORDS:
        words.append(reader.take().word)
    kind = " ".join(words)
    given = [token.text.upper() for token in reader.parentheses()] if reader.peek() == "(" else []
    if kind in _CHARACTERS:
        name, default, longest = _CHARACTERS[kind]
        length = longest if given == ["MAX"] else int(given[0]) if given else default
        if length > longest:
            raise StatementError(f"ERROR: {kind}({length}) is too long: Redshift allows {longest} bytes")
        return f"{name}({length})", length
    if kind in ("DECIMAL", "NUMERIC"):
        precision = int(given[0]) if given else 18
        if precision > 38:
            raise StatementError(f"ERROR: {kind} precision {precision} must be between 1 and 38")
        return f"numeric({''.join(given) or '18,0'})", 0
    if kind not in _OTHER_TYPES:
        raise StatementError(f"ERROR: type {kind.lower()!r} is not supported by Redshift")
    suffix = f"({''.join(given)})" if given and kind not in ("VARBYTE", "VARBINARY", "FLOAT") else ""
    return (_OTHER_TYPES[kind] or kind.lower()) + suffix, 0


def _column_attributes(reader: Reader, expressions: Expressions) -> list[str]:
    out: list[str] = []
    while not reader.at_end:
        if reader.accept("NOT", "NULL") or reader.accept("PRIMARY", "KEY"):
            out.append("NOT NULL")
        elif reader.accept("ENCODE"):
            reader.take()
        elif reader.accept("COLLATE"):
            if reader.take().word not in ("CASE_SENSITIVE", "CS"):
                raise StatementError("ERROR: only COLLATE CASE_SENSITIVE is offered locally")
        elif reader.accept("IDENTITY"):
            # Redshift takes no value for such a column; one that says BY DEFAULT does.
            out.append(f"GENERATED ALWAYS AS IDENTITY {_identity(reader)}")
        elif reader.accept("GENERATED", "BY", "DEFAULT", "AS", "IDENTITY"):
            out.append(f"GENERATED BY DEFAULT AS IDENTITY {_identity(reader)}")
        elif reader.accept("DEFAULT"):
            out.append("DEFAULT " + render(expressions(_default(reader))))
        elif reader.accept("REFERENCES"):
            reader.qualified_name()
            if reader.peek() == "(":
                reader.parentheses()
        elif not any(reader.accept(word) for word in ("NULL", "DISTKEY", "SORTKEY", "UNIQUE")):
            raise reader.unexpected(" in a column definition")
    return out


def _identity(reader: Reader) -> str:
    numbers = "".join(token.text for token in reader.parentheses()).split(",")
    if len(numbers) != 2:
        raise StatementError("ERROR: IDENTITY takes a seed and a step")
    seed, step = (int(number) for number in numbers)
    smallest = f" MINVALUE {seed}" if step > 0 and seed < 1 else ""
    return f"(START WITH {seed} INCREMENT BY {step}{smallest})"


_AFTER_DEFAULT = frozenset(
    {"NOT", "NULL", "ENCODE", "DISTKEY", "SORTKEY", "UNIQUE", "PRIMARY", "REFERENCES", "COLLATE"}
)


def _default(reader: Reader) -> list[Token]:
    """The tokens of a default: at least one, up to the next attribute."""
    expression = [reader.take()]
    while not reader.at_end and reader.peek() not in _AFTER_DEFAULT:
        if reader.peek() == "(":
            expression += [Token("symbol", "(", ""), *reader.parentheses(), Token("symbol", ")", "")]
        else:
            expression.append(reader.take())
    return expression


def alter_table(tokens: Sequence[Token], expressions: Expressions) -> list[Token]:
    """ADD COLUMN gets the same treatment as a column of CREATE TABLE; keys and storage become no change at all."""
    reader = Reader(tokens)
    if not reader.accept("ALTER", "TABLE"):
        return expressions(tokens)
    table = render(reader.qualified_name())
    if reader.accept("ADD"):
        if reader.peek() in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT"):
            _table_constraint(reader)
            return [made("SELECT 1 WHERE false")]
        reader.accept("COLUMN")
        if reader.peek() == "IF":
            raise StatementError("ERROR: Redshift has no ADD COLUMN IF NOT EXISTS: look into SVV_COLUMNS first")
        return [made(f"ALTER TABLE {table} ADD COLUMN {column(reader, expressions)}")]
    if reader.accept("ALTER"):
        if reader.peek() in ("DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "ENCODE"):
            return [made("SELECT 1 WHERE false")]
        raise StatementError(
            "ERROR: ALTER TABLE ... ALTER COLUMN is not offered locally: make a new table and swap names"
        )
    return expressions(tokens)
