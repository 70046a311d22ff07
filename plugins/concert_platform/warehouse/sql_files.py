"""The files of include/sql as statements; a value enters only through a filter that checks it. No Airflow import."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from concert_platform.resources import resource
from concert_platform.settings import settings
from concert_platform.sql_values import sql_date, sql_s3_uri, sql_slug, sql_slugs, sql_timestamp

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_PIECE = re.compile(r"(?P<kept>'(?:[^']|'')*'|\$\$.*?\$\$)|(?P<comment>--[^\n]*)|(?P<end>;)", re.DOTALL)


def sql_role_arn(value: object) -> str:
    """The ARN of a role as a quoted SQL literal.

    :raises ValueError: when it is none
    """
    if not _ROLE_ARN.fullmatch(str(value)):
        raise ValueError(f"{value!r} may not stand in SQL: it is no ARN of a role")
    return f"'{value}'"


def render(files: Iterable[str], **values: Any) -> list[str]:
    """Statements of files of include/sql, in order, with values filled in; comments are left out.

    :param files: paths below include/sql; a pattern stands for its matches in byte order
    :param values: what the files ask for; `warehouse_role` is always there
    :raises FileNotFoundError: when a path or pattern matches nothing
    """
    environment = _templates()
    values.setdefault("warehouse_role", settings().role_arn("warehouse"))
    return [
        statement
        for pattern in files
        for name in matches(pattern)
        for statement in split(environment.get_template(name).render(**values))
    ]


def split(sql: str) -> list[str]:
    """Single statements of a text, without comments and semicolons.

    >>> split("SELECT ';'; -- a comment;\\nSELECT 2")
    ["SELECT ';'", 'SELECT 2']
    """
    marked = _PIECE.sub(lambda piece: piece["kept"] or ("\0" if piece["end"] else ""), sql)
    return [statement.strip() for statement in marked.split("\0") if statement.strip()]


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - SQL is no HTML: values pass the filters below
        loader=FileSystemLoader(resource("include/sql")), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(
        sql_date=sql_date, sql_timestamp=sql_timestamp, sql_slug=sql_slug, sql_slugs=sql_slugs,
        sql_s3_uri=sql_s3_uri, sql_role_arn=sql_role_arn,
    )  # fmt: skip
    return environment


def matches(pattern: str) -> list[str]:
    root = resource("include/sql")
    names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
    if not names:
        raise FileNotFoundError(f"{pattern} matches no file below {root}")
    return names
