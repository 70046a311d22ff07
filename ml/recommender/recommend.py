"""Recommend items to users: fits on the given interactions and writes user, item, score, best first.

Nothing that a user has in the interactions is recommended to them. A user without interactions gets the most popular
items, whose score is the share of users who have them. Users that are known get a blend of signals, whose scores
compare within a user only.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ml import command_line
from ml.recommender import features, hybrid, metrics, tuning
from ml.recommender.data import Dataset, InputError, read_dataset, read_users
from ml.recommender.schema import ALGORITHMS


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="TSV with the header: user item weight")
    parser.add_argument("--tags", type=Path, help="TSV with the header: user item tag; only pairs of train are read")
    parser.add_argument("--friends", type=Path, help="TSV with the header: user friend")
    parser.add_argument("--users", type=Path, required=True, help="TSV with the header: user")
    parser.add_argument("--limit", type=int, default=10, help="items per user; fewer where the catalogue ends")
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="hybrid")
    parser.add_argument("--tune", action="store_true", help="choose the blend on a validation part (fits twice)")
    parser.add_argument("--seed", type=command_line.seed, default=7)
    parser.add_argument("--output", type=command_line.output_file, required=True, help="TSV of user, item, score")
    return parser.parse_args(arguments)


def tuned_options(data: Dataset, options: hybrid.Options) -> hybrid.Options:
    """Options whose shares were chosen on a tenth of each user's pairs."""
    train, validation, _ = metrics.split_per_user(data.weights, options.seed)
    fitted = hybrid.fit(data.with_weights(train), options, with_plain=False)
    return tuning.tune(fitted, validation).options


def recommendations(
    model: hybrid.Hybrid, users: list[str], limit: int, algorithm: str = "hybrid"
) -> Iterator[tuple[str, str, float]]:
    """(user, item, score), users as given, but those without interactions last.

    :raises InputError: when the limit is below 1
    """
    if limit < 1:
        raise InputError(f"limit {limit} asks for no item: give 1 or more")
    known, unknown = model.known_users(users)
    for ranked in model.recommend(known, limit, algorithm):
        for item, score in zip(ranked.items, ranked.scores, strict=True):
            yield model.users[ranked.user], model.items[item], float(score)
    items, shares = model.popular(limit)
    for user in unknown:
        for item, share in zip(items, shares, strict=True):
            yield user, model.items[item], float(share)


def check_writable(path: Path, names: Iterable[str]) -> None:
    """
    :raises InputError: when a name holds what ends a cell or a line of a TSV, as one of a Parquet file may
    """
    for name in names:
        if any(sign in name for sign in "\t\r\n"):
            raise InputError(
                f"{path} has the name {name!r}, with a tab or a line end, which no TSV can hold: rename it"
            )


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    if asked.limit < 1:
        raise InputError(f"limit {asked.limit} asks for no item: give 1 or more")
    if asked.algorithm == "content" and asked.tags is None:
        raise InputError("the algorithm content ranks by tags alone: give --tags")
    users = read_users(asked.users)
    read = read_dataset(asked.train, asked.tags, asked.friends)
    for path, names in ((asked.users, users), (asked.train, read.users), (asked.train, read.items)):
        check_writable(path, names)
    data = read.with_weights(read.weights)
    options = replace(hybrid.Options(), seed=asked.seed)
    if asked.tune:
        options = tuned_options(data, options)
    model = hybrid.fit(data, options, with_plain=asked.algorithm == "collaborative")
    if asked.algorithm == "content" and "tags" not in model.signals:
        least = f"is used {features.LEAST_TAG_USES} times or more on pairs of {asked.train}"
        print(f"no tag of {asked.tags} {least}: the most popular items are written", file=sys.stderr)
    if unknown := model.known_users(users)[1]:
        what = f"{len(unknown)} of {len(users)} users asked for have no interaction in {asked.train}"
        print(f"{what} ({unknown[0]!r}, for one): they get the most popular items", file=sys.stderr)
    with command_line.made_parent(asked.output).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        writer.writerow(("user", "item", "score"))
        for user, item, score in recommendations(model, users, asked.limit, asked.algorithm):
            writer.writerow((user, item, f"{score:.6f}"))


def main() -> None:
    try:
        run()
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
