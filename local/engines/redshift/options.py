"""The clauses of COPY and UNLOAD."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.engines.redshift import StatementError
from local.engines.redshift.tokens import Reader, Token

_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.DOTALL)
DEFAULT_ROLE = "default"
_COLUMNAR_OPTIONS = frozenset({"MANIFEST", "FILLRECORD", "STATUPDATE"})


@dataclass(frozen=True)
class S3Place:
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Place:
        """:raises StatementError: when it is no s3:// address"""
        match = _S3_URI.fullmatch(uri)
        if not match:
            raise StatementError(f"ERROR: {uri!r} is no valid S3 path: expected s3://bucket/prefix")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass
class CopyOptions:
    """:param format: PARQUET | JSON | CSV | DELIMITED"""

    table: list[Token]
    columns: list[str] = field(default_factory=list)
    source: S3Place = field(default_factory=lambda: S3Place("", ""))
    role: str = ""
    format: str = ""
    json_keys: str = "auto"
    delimiter: str = ""
    quote: str = '"'
    ignore_header: int = 0
    null: str = "\\N"
    time_format: str = ""
    date_format: str = ""
    flags: set[str] = field(default_factory=set)


@dataclass
class UnloadOptions:
    query: str
    target: S3Place
    role: str = ""
    partition_by: list[str] = field(default_factory=list)
    include: bool = False
    parallel: bool = True
    flags: set[str] = field(default_factory=set)


_FLAGS = frozenset({"GZIP", "MANIFEST", "EMPTYASNULL", "BLANKSASNULL", "TRUNCATECOLUMNS", "FILLRECORD", "EXPLICIT_IDS"})


def parse_copy(tokens: Sequence[Token]) -> CopyOptions:
    """COPY table [(columns)] FROM 's3://...' IAM_ROLE {'arn' | default} [FORMAT [AS]] ...

    :raises StatementError: for a clause that is wrong, or that this engine does not know
    """
    reader = Reader(tokens)
    reader.expect("COPY")
    options = CopyOptions(table=reader.qualified_name())
    if reader.peek() == "(":
        options.columns = [token.name for token in reader.parentheses() if token.word != ","]
    reader.expect("FROM")
    options.source = S3Place.parse(reader.string())
    while not reader.at_end:
        _copy_clause(reader, options)
    if not options.role:
        raise StatementError("ERROR: COPY needs IAM_ROLE 'arn:aws:iam::<account>:role/<name>'")
    options.format = options.format or "DELIMITED"
    options.delimiter = options.delimiter or ("," if options.format == "CSV" else "|")
    if options.format == "PARQUET" and (wrong := options.flags - _COLUMNAR_OPTIONS):
        raise StatementError(f"ERROR: {', '.join(sorted(wrong))} is not supported for COPY from columnar files")
    return options


def _copy_clause(reader: Reader, options: CopyOptions) -> None:
    token = reader.take()
    word = token.word
    if word in _FLAGS:
        options.flags.add(word)
    elif word == "IAM_ROLE":
        options.role = _role(reader)
    elif word == "FORMAT":
        reader.accept("AS")
    elif word in ("PARQUET", "CSV", "JSON"):
        options.format = word
        if word == "JSON":
            reader.accept("AS")
            options.json_keys = reader.string() if not reader.at_end and _next_is_string(reader) else "auto"
        elif word == "CSV" and reader.accept("QUOTE"):
            reader.accept("AS")
            options.quote = reader.string()
    elif word in ("DELIMITER", "NULL", "TIMEFORMAT", "DATEFORMAT", "QUOTE"):
        reader.accept("AS")
        attribute = {"TIMEFORMAT": "time_format", "DATEFORMAT": "date_format"}.get(word, word.lower())
        setattr(options, attribute, reader.string())
    elif word == "IGNOREHEADER":
        reader.accept("AS")
        options.ignore_header = _whole_number(reader)
    elif word in ("STATUPDATE", "COMPUPDATE"):
        if reader.peek() in ("ON", "OFF", "TRUE", "FALSE", "PRESET"):
            reader.take()
    elif word == "REGION":
        reader.accept("AS")
        reader.string()
    elif word == "MAXERROR":
        reader.accept("AS")
        if _whole_number(reader):
            raise StatementError("ERROR: MAXERROR above 0 is not offered locally: a load takes all rows or none")
    else:
        reader.position -= 1
        raise reader.unexpected(" in COPY: Redshift or this engine knows no such clause")


def _next_is_string(reader: Reader) -> bool:
    return reader.tokens[reader.position].kind == "string"


def _role(reader: Reader) -> str:
    if reader.accept("DEFAULT"):
        return DEFAULT_ROLE
    return reader.string()


def _whole_number(reader: Reader) -> int:
    token = reader.take()
    if not token.text.isdigit():
        raise StatementError(f"ERROR: {token.text!r} is no whole number")
    return int(token.text)


def parse_unload(tokens: Sequence[Token]) -> UnloadOptions:
    """UNLOAD ('select ...') TO 's3://...' IAM_ROLE 'arn' FORMAT [AS] PARQUET ...

    :raises StatementError: for a clause that is wrong, or that this engine does not know
    """
    reader = Reader(tokens)
    reader.expect("UNLOAD")
    query = Reader(reader.parentheses()).string()
    reader.expect("TO")
    options = UnloadOptions(query=query, target=S3Place.parse(reader.string()))
    formats: list[str] = []
    while not reader.at_end:
        _unload_clause(reader, options, formats)
    if formats != ["PARQUET"]:
        raise StatementError("ERROR: UNLOAD is offered locally with FORMAT AS PARQUET only")
    if not options.role:
        raise StatementError("ERROR: UNLOAD needs IAM_ROLE 'arn:aws:iam::<account>:role/<name>'")
    if options.flags >= {"ALLOWOVERWRITE", "CLEANPATH"}:
        raise StatementError("ERROR: CLEANPATH and ALLOWOVERWRITE cannot be used together")
    return options


def _unload_clause(reader: Reader, options: UnloadOptions, formats: list[str]) -> None:
    word = reader.take().word
    if word in ("ALLOWOVERWRITE", "CLEANPATH"):
        options.flags.add(word)
    elif word == "IAM_ROLE":
        options.role = _role(reader)
    elif word == "FORMAT":
        reader.accept("AS")
    elif word in ("PARQUET", "CSV", "JSON"):
        formats.append(word)
    elif word == "PARALLEL":
        choice = reader.take().word
        if choice not in ("ON", "OFF", "TRUE", "FALSE"):
            raise StatementError("ERROR: PARALLEL must be ON or OFF")
        options.parallel = choice in ("ON", "TRUE")
    elif word == "PARTITION":
        reader.expect("BY")
        options.partition_by = [token.name for token in reader.parentheses() if token.word != ","]
        options.include = reader.accept("INCLUDE")
    elif word == "REGION":
        reader.accept("AS")
        reader.string()
    elif word in ("MAXFILESIZE", "ROWGROUPSIZE"):
        # Files of this engine are small: one per partition keeps within any size that Redshift allows (5 MB or more).
        reader.accept("AS")
        reader.take()
        if reader.peek() in ("MB", "GB"):
            reader.take()
    else:
        reader.position -= 1
        raise reader.unexpected(" in UNLOAD: Redshift or this engine knows no such clause")
