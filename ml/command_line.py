"""Arguments of the command lines, refused before any work is done: days, counts, times, seeds and files to write."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path

import pandas as pd

MOST_DAYS = 36_500  # a hundred years: more than any history has
LARGEST_SEED = 2**31 - 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day(text: str) -> pd.Timestamp:
    """A day without a time."""
    try:
        if _DAY.fullmatch(text):
            return pd.Timestamp(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD, such as 2018-05-27")


def days(text: str) -> int:
    """A number of days, at least 1."""
    number = _number(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of days from 1 on")
    if number > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_DAYS} days: give fewer")
    return number


def count(text: str) -> int:
    """A whole number, at least 1."""
    number = _number(text)
    if number is None or not 1 <= number <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {LARGEST_SEED}")
    return number


def seconds(text: str) -> float:
    """A time, at least 1 second: what is bounded by it has then begun."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 on")
    return number


def seed(text: str) -> int:
    number = _number(text)
    if number is None or not 0 <= number <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {LARGEST_SEED}")
    return number


def seeds(text: str) -> list[int]:
    """Seeds between commas."""
    return [seed(part.strip()) for part in text.split(",")]


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else None


def output_file(text: str) -> Path:
    """A file that can be written; its folder may not be there yet (see ``made_parent``)."""
    path = Path(text)
    try:
        is_folder = not text or text.endswith(("/", os.sep)) or path.is_dir()
        is_closed = path.exists() and not os.access(path, os.W_OK)
    except OSError as error:
        raise _unusable(text, error) from error
    if is_folder:
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file to write")
    if is_closed:
        raise argparse.ArgumentTypeError(f"{text!r} may not be written: name another file")
    _check_folder(text, path.parent)
    return path


def output_folder(text: str) -> Path:
    """A folder that is there or can be made."""
    path = Path(text)
    if not text:
        raise argparse.ArgumentTypeError("'' is no folder: name one to write")
    _check_folder(text, path)
    return path


def _check_folder(text: str, folder: Path) -> None:
    try:
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        usable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError as error:
        raise _unusable(text, error) from error
    if not usable:
        what = "may not be written" if nearest.is_dir() else "is no folder"
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {nearest} {what}")


def _unusable(text: str, error: OSError) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text[:80]!r} cannot be written ({error.strerror}): name another")


def made_parent(path: Path) -> Path:
    """The path, whose folder is there now.

    :raises SystemExit: when it cannot be made
    """
    return made_folder(path.parent) / path.name


def made_folder(path: Path) -> Path:
    """The folder, made with those above it.

    :raises SystemExit: when it cannot be made
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"the folder {path} cannot be made ({error.strerror}): name another") from error
    return path
