"""Interactions, tags and friends: from files with a header to sparse matrices with known users and items.

Identifiers are text and sorted, so that the same rows in another order give the same model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
from scipy import sparse

INTERACTION_COLUMNS = ("user", "item", "weight")
TAG_COLUMNS = ("user", "item", "tag")
FRIEND_COLUMNS = ("user", "friend")
USER_COLUMNS = ("user",)
IDENTIFIERS = (*INTERACTION_COLUMNS[:2], *TAG_COLUMNS[2:], *FRIEND_COLUMNS[1:])
# Names of the same columns in the samples and in the warehouse.
ALIASES = {"user_id": "user", "artist_id": "item", "item_id": "item", "tag_id": "tag", "friend_id": "friend"}
TEXT = pa.dictionary(pa.int32(), pa.string())
LARGEST_WHOLE = 2.0**53  # doubles above it skip whole numbers, so that what they were cannot be told
LEAST_WEIGHT = 1e-6
LARGEST_WEIGHT = 1e30  # sums of such stay finite in 32 bits


class InputError(ValueError):
    """A file that cannot be used; the message names it, the reason and what to do."""


@dataclass(frozen=True)
class Tags:
    """Assignments of tags by users to items, as positions in Dataset.users, Dataset.items and ``names``."""

    user: np.ndarray
    item: np.ndarray
    tag: np.ndarray
    names: np.ndarray

    @classmethod
    def none(cls) -> Tags:
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, empty, np.empty(0, dtype=object))


@dataclass(frozen=True)
class Dataset:
    """What a model is fitted on.

    :param weights: users x items, the sum of a pair's weights (plays, or any positive strength)
    :param friends: users x users, 1 where a user names a friend
    """

    users: np.ndarray
    items: np.ndarray
    weights: sparse.csr_matrix
    tags: Tags = field(default_factory=Tags.none)
    friends: sparse.csr_matrix | None = None

    def with_weights(self, weights: sparse.csr_matrix) -> Dataset:
        """The same users and items with other interactions; tags are cut to the pairs that these hold.

        A tag on a held-out pair says that the pair exists; a tag on a pair of no part says that the item is not among
        the held-out ones. Both would answer for the model, so both go.
        """
        return Dataset(self.users, self.items, weights, tags_of_pairs(self.tags, weights), self.friends)

    def without_side_data(self) -> Dataset:
        return Dataset(self.users, self.items, self.weights)


def tags_of_pairs(tags: Tags, weights: sparse.csr_matrix) -> Tags:
    """The tag rows whose (user, item) pair is an interaction."""
    width = weights.shape[1]
    rows = np.repeat(np.arange(weights.shape[0], dtype=np.int64), np.diff(weights.indptr))
    kept = np.isin(tags.user * width + tags.item, rows * width + weights.indices)
    return Tags(tags.user[kept], tags.item[kept], tags.tag[kept], tags.names)


def read_table(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """A TSV (also gzip-compressed), a Parquet file, or a folder of either, with at least these columns.

    Identifiers come as text, dictionary-encoded: ten million rows then take 120 MB, not gigabytes of Python text.

    :raises InputError: when it is missing, unreadable, or lacks a column or has it twice
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: name a file with the columns {', '.join(columns)}")
    try:
        table = pa.concat_tables(
            [read_parquet(file) if file.suffix == ".parquet" else _read_tsv(file) for file in _files(path)],
            promote_options="permissive",
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read ({reason}): give a UTF-8 file with tabs between cells") from error
    table = _in_own_names(path, table, columns)
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]}: its header must hold {', '.join(columns)}")
    return table.select(list(columns))


def _in_own_names(path: Path, table: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """The table with its columns under the names that they have here."""
    named = [ALIASES.get(name, name) for name in table.column_names]
    for wanted in columns:
        alike = [name for name, own in zip(table.column_names, named, strict=True) if own == wanted]
        if len(alike) > 1:
            raise InputError(f"{path} has several columns for {wanted}, {' and '.join(alike)}: keep one of them")
    return table.rename_columns(named)


def read_parquet(path: Path) -> pa.Table:
    """A Parquet file whose identifiers, such as user and artist_id, are text."""
    table = pq.read_table(path)
    for place, name in enumerate(table.column_names):
        if name in IDENTIFIERS or name.endswith("_id"):
            table = table.set_column(place, name, texts(table.column(place)))
    return table


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Identifiers of any type as text; a whole number is its digits, also as the 1.0 of a column with gaps."""
    if column.type == TEXT:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_floating(column.type):
        return column.cast(pa.string()).dictionary_encode()
    numbers = column.cast(pa.float64())
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    is_whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less_equal(pc.abs(numbers), LARGEST_WHOLE))
    digits = pc.if_else(is_whole, numbers, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(digits, numbers.cast(pa.string())).dictionary_encode()


def _read_tsv(path: Path) -> pa.Table:
    return pv.read_csv(
        path,
        read_options=pv.ReadOptions(use_threads=False, block_size=8 << 20),
        parse_options=pv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=pv.ConvertOptions(
            column_types=dict.fromkeys((*IDENTIFIERS, *ALIASES), TEXT) | {"weight": pa.float64()},
            strings_can_be_null=True,
            null_values=[""],  # an artist may be called NA or null
        ),
    )


def _files(path: Path) -> list[Path]:
    """The file itself, or the tables of a folder, as a channel of a training job is one."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.suffix == ".parquet" or ".tsv" in file.suffixes)
    if not files:
        raise pa.ArrowInvalid("the folder holds no .parquet or .tsv file")
    return files


def positions(column: pa.ChunkedArray, known: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a column's values among sorted identifiers, and those identifiers.

    :param column: as read_table gives it
    :param known: identifiers to look up, sorted; an unknown value has position -1. Without it, those of the column
    """
    combined = column.unify_dictionaries().combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        combined = combined.chunk(0) if combined.num_chunks else pa.array([], column.type)
    values = np.asarray(combined.dictionary.to_pylist(), dtype=object)
    codes = combined.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = np.array(sorted(set(values.tolist())), dtype=object) if known is None else known
    if not len(values) or not len(names):
        return np.full(len(codes), -1, dtype=np.int64), names
    place = pd.Index(names).get_indexer(pd.Index(values))
    return np.where(codes < 0, -1, place[codes]), names


def read_dataset(interactions: Path, tags: Path | None = None, friends: Path | None = None) -> Dataset:
    """Interactions with their side data; tags and friends of users or items without an interaction are left out.

    :raises InputError: when there is no interaction, or a weight is negative, no number or above LARGEST_WEIGHT
    """
    table = read_table(interactions, INTERACTION_COLUMNS)
    if table.num_rows == 0:
        raise InputError(f"{interactions} holds no interaction: give at least one row of user, item and weight")
    user, users = positions(table["user"])
    item, items = positions(table["item"])
    try:
        weight = table["weight"].cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{interactions} has a weight that is no number ({reason}): correct the row") from error
    del table
    _check_interactions(interactions, user, item, weight)
    weights = pair_matrix(user, item, weight, (len(users), len(items)))
    read = Dataset(users, items, weights)
    return Dataset(users, items, weights, _read_tags(tags, read), _read_friends(friends, read))


def _check_interactions(path: Path, user: np.ndarray, item: np.ndarray, weight: np.ndarray) -> None:
    broken = (user < 0) | (item < 0) | ~np.isfinite(weight) | (weight < 0)
    if broken.any():
        line = int(np.flatnonzero(broken)[0]) + 2
        raise InputError(f"{path} line {line} has no user or item, or a weight that is no number >= 0: correct the row")
    large = np.flatnonzero(weight > LARGEST_WEIGHT)
    if len(large):
        what = f"a weight of {weight[large[0]]:g}, above {LARGEST_WEIGHT:g}"
        raise InputError(f"{path} line {int(large[0]) + 2} has {what}: correct the row")


def pair_matrix(row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """Sparse matrix in which rows of the same pair are one cell, their sum.

    A pair of weight 0 stays a cell, of next to no weight: it teaches little, but is known and so never recommended.
    """
    strength = np.maximum(value, LEAST_WEIGHT).astype(np.float32)
    matrix = sparse.coo_matrix((strength, (row, column)), shape=shape).tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def _read_tags(path: Path | None, read: Dataset) -> Tags:
    if path is None:
        return Tags.none()
    table = read_table(path, TAG_COLUMNS)
    tag, names = positions(table["tag"])
    user, item = positions(table["user"], read.users)[0], positions(table["item"], read.items)[0]
    kept = (user >= 0) & (item >= 0) & (tag >= 0)
    return Tags(user[kept], item[kept], tag[kept], names)


def _read_friends(path: Path | None, read: Dataset) -> sparse.csr_matrix | None:
    if path is None:
        return None
    table = read_table(path, FRIEND_COLUMNS)
    user, friend = positions(table["user"], read.users)[0], positions(table["friend"], read.users)[0]
    kept = (user >= 0) & (friend >= 0) & (user != friend)
    matrix = pair_matrix(user[kept], friend[kept], np.ones(kept.sum()), (len(read.users), len(read.users)))
    matrix.data[:] = 1
    return matrix


def read_users(path: Path) -> list[str]:
    """Users in the order of the file, each once."""
    table = read_table(path, USER_COLUMNS)
    return list(dict.fromkeys(user for user in table["user"].to_pylist() if user is not None))
