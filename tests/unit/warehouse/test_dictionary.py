"""The data dictionary says what the migrations say."""

from pathlib import Path

import pytest

from concert_platform.warehouse.dictionary import Column, renewed, tables

PAGE = Path(__file__).parents[3] / "docs" / "data.md"
MIGRATION = """-- core.thing: one thing.
-- Key thing_id. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.thing (
    thing_id VARCHAR(64) NOT NULL,
    price DECIMAL(12, 2),  -- of one ticket
    weight DOUBLE PRECISION
) DISTKEY (thing_id);
"""


def test_the_page_is_what_the_migrations_make_of_it() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert renewed(text) == text, "run: .venv/bin/python -m concert_platform.warehouse.dictionary docs/data.md"


def test_columns_have_their_type_note_and_whether_they_may_be_null(tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text(MIGRATION)
    (tmp_path / "0002_colour.sql").write_text(
        "-- x\nALTER TABLE core.thing ADD COLUMN colour VARCHAR(8);  -- its own\n"
    )

    [thing] = tables(tmp_path)

    assert thing.header == "core.thing: one thing. Key thing_id. Owner: data-platform."
    assert thing.columns == [
        Column("thing_id", "VARCHAR(64)", True, ""),
        Column("price", "DECIMAL(12, 2)", False, "of one ticket"),
        Column("weight", "DOUBLE PRECISION", False, ""),
        Column("colour", "VARCHAR(8)", False, "its own"),
    ]


def test_the_source_is_the_last_migrations_and_a_comment_on_the_table_follows(tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text(MIGRATION.replace("Owner", "Source: load/a.sql. Owner"))
    (tmp_path / "0002_colour.sql").write_text(
        "-- core.thing: colour.\n-- Source: load/b.sql, load/c*.sql. Owner: x.\n"
        "ALTER TABLE core.thing ADD COLUMN a DATE;\nCOMMENT ON TABLE core.thing IS\n'Not another''s.';\n"
    )
    [thing] = tables(tmp_path)
    assert thing.header == (
        "core.thing: one thing. Key thing_id. Source: load/b.sql, load/c*.sql. Owner: data-platform. Not another's."
    )


def test_a_line_that_is_no_column_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text("CREATE TABLE IF NOT EXISTS core.thing (\n    what is this\n);\n")

    with pytest.raises(ValueError, match=r"0001_thing\.sql: 'what is this' is no column definition"):
        tables(tmp_path)


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        renewed("# a page")
