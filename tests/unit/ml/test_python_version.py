"""Everything of the models' source bundle runs on Python 3.10: SageMaker's XGBoost images have no newer one.

The platform itself runs on 3.12, so that no other test would notice.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from concert_platform.cloudformation.documents import parse_document

ML = Path(__file__).parents[3] / "ml"
OLDEST = (3, 10)
# What 3.11 and 3.12 added to the standard library: `dir()` of each module on 3.12.1 less that on 3.10.13. Names newer
# than 3.12 do not run here either.
NEWER_MODULES = {"importlib.resources.abc", "tomllib", "wsgiref.types"}
NEWER_NAMES = {
    "asyncio": {"Barrier", "Runner", "TaskGroup", "Timeout", "eager_task_factory", "timeout", "timeout_at"},
    "calendar": {"Day", "Month"},
    "collections.abc": {"Buffer"},
    "contextlib": {"chdir"},
    "csv": {"QUOTE_NOTNULL", "QUOTE_STRINGS"},
    "datetime": {"UTC"},
    "enum": {
        "CONFORM", "CONTINUOUS", "EJECT", "EnumCheck", "EnumType", "FlagBoundary", "KEEP", "NAMED_FLAGS", "ReprEnum",
        "STRICT", "StrEnum", "UNIQUE", "global_enum", "member", "nonmember", "property", "show_flag_values", "verify",
    },
    "hashlib": {"file_digest"},
    "http": {"HTTPMethod"},
    "inspect": {"BufferFlags", "getasyncgenlocals", "getasyncgenstate", "getmembers_static", "markcoroutinefunction"},
    "itertools": {"batched"},
    "locale": {"getencoding"},
    "logging": {"getHandlerByName", "getHandlerNames", "getLevelNamesMapping"},
    "math": {"cbrt", "exp2", "sumprod"},
    "operator": {"call"},
    "os": {"setns", "unshare"},
    "os.path": {"isjunction", "splitroot"},
    "random": {"binomialvariate"},
    "re": {"NOFLAG"},
    "sqlite3": {"Blob", "LEGACY_TRANSACTION_CONTROL"},
    "sys": {"exception", "monitoring"},
    "threading": {"setprofile_all_threads", "settrace_all_threads"},
    "types": {"get_original_bases"},
    "typing": {
        "LiteralString", "Never", "NotRequired", "Required", "Self", "TypeAliasType", "TypeVarTuple", "Unpack",
        "assert_never", "assert_type", "clear_overloads", "dataclass_transform", "get_overloads", "override",
        "reveal_type",
    },
}  # fmt: skip
NEWER_BUILTINS = {"BaseExceptionGroup", "ExceptionGroup"}
# Of objects whose type a scan does not know; os.walk and ast.walk are older than Path.walk.
NEWER_METHODS = {"add_note", "get_identifiers", "is_junction", "walk"}
OLDER_OWNERS = {"ast", "os"}
NEWER_KEYWORDS = {"case_sensitive", "delete_on_close", "onexc", "walk_up"}


def newer(source: str) -> list[str]:
    """What a text has that Python 3.10 has not, with the line."""
    try:
        tree = ast.parse(source, feature_version=OLDEST)
    except SyntaxError as error:
        return [f"{error.lineno}: {error.msg}"]
    return sorted({*_names(tree), *_f_strings(source)})


def _names(tree: ast.Module) -> Iterator[str]:
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in NEWER_MODULES)
        elif isinstance(node, ast.ImportFrom):
            if node.module in NEWER_MODULES:
                yield f"{node.lineno}: {node.module}"
            new = NEWER_NAMES.get(node.module or "", set())
            yield from (f"{node.lineno}: {node.module}.{alias.name}" for alias in node.names if alias.name in new)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if node.attr in NEWER_NAMES.get(modules.get(owner, owner), ()):
                yield f"{node.lineno}: {owner}.{node.attr}"
            elif node.attr in NEWER_METHODS and owner not in OLDER_OWNERS:
                yield f"{node.lineno}: .{node.attr}"
        elif isinstance(node, ast.Name) and node.id in NEWER_BUILTINS:
            yield f"{node.lineno}: {node.id}"
        elif isinstance(node, ast.keyword) and node.arg in NEWER_KEYWORDS:
            yield f"{node.value.lineno}: {node.arg}="


def _f_strings(source: str) -> Iterator[str]:
    """Before 3.12 an expression of an f-string held neither its quotes nor a backslash: ast.parse lets both pass."""
    quotes: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if quotes and token.type in (tokenize.STRING, tokenize.FSTRING_START):
            quote = token.string.lstrip("rRbBuUfF")[:1]
            if any(outer.startswith(quote) and len(outer) == 1 for outer in quotes) or "\\" in token.string:
                yield f"{token.start[0]}: an f-string with its own quotes, or a backslash, in an expression"
        if token.type == tokenize.FSTRING_START:
            quotes.append(token.string.lstrip("rRfF"))
        elif token.type == tokenize.FSTRING_END:
            quotes.pop()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from itertools import batched, chain", ["1: itertools.batched"]),
        ("import hashlib\nhashlib.file_digest(file, 'md5')", ["2: hashlib.file_digest"]),
        ("import datetime as dt\ndt.datetime.now(dt.UTC)", ["2: dt.UTC"]),
        ("from typing import Protocol, Self", ["1: typing.Self"]),
        ("import tomllib", ["1: tomllib"]),
        ("raise ExceptionGroup('x', [])", ["1: ExceptionGroup"]),
        ("for a in path.walk(): pass\nimport os\nos.walk('x')", ["1: .walk"]),
        ("shutil.rmtree(path, onexc=print)", ["1: onexc="]),
        ("try: pass\nexcept* ValueError: pass", ["2: Exception groups are only supported in Python 3.11 and greater"]),
        ("def f[T](x: T) -> T: ...", ["1: Type parameter lists are only supported in Python 3.12 and greater"]),
        ('f"{row["a"]}"', ["1: an f-string with its own quotes, or a backslash, in an expression"]),
        ("""f"{'\\n'.join(x)}\"""", ["1: an f-string with its own quotes, or a backslash, in an expression"]),
        ("""f"{row['a']} {'b'}\\n" 'c' "d\"""", []),
        ("match x:\n    case 1: pass\nzip(a, b, strict=True)", []),
    ],
)
def test_the_scan_sees_what_is_newer(source: str, found: list[str]) -> None:
    assert newer(source) == found


@pytest.mark.parametrize("path", sorted(ML.rglob("*.py")), ids=lambda path: str(path.relative_to(ML)))
def test_the_bundle_uses_nothing_newer_than_the_image(path: Path) -> None:
    assert newer(path.read_text(encoding="utf-8")) == []


def test_the_image_is_the_one_whose_python_is_meant() -> None:
    template = parse_document((ML.parent / "include" / "cfn" / "orchestration.yaml").read_text())
    image = template["Parameters"]["ModelImage"]["Default"]
    assert image == "sagemaker-xgboost:3.0-5", "another image: look at its Python, then at OLDEST"
