"""Score every user in batch: entry point of a SageMaker processing job.

Reads model.tar.gz and tonight's interactions, which may be newer than those that the model was fitted on: they say who
is scored, what is known and so never recommended, and what is popular. Writes JSON lines, which Redshift copies as they
are: recommendations (one row per user, algorithm and position), popular artists, known pairs, and the registry's row.
Beside them what a service shows of an artist: names and upcoming concerts, where their folders are given.
`store.read_files` reads the same folder.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml import archive, scoring
from ml.recommender import artifact, explain, fold_in, hybrid
from ml.recommender.data import Dataset, InputError, read_dataset, read_parquet
from ml.recommender.schema import ALGORITHMS, FEATURE_SCHEMA, MODEL_NAME

POPULAR = 1_000
EVENT_COLUMNS = ("concert_id", "artist_id", "name", "event_date", "venue", "city", "country", "status")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = scoring.parser(__doc__, ("model", "interactions", "output"))
    parser.add_argument("--artists", type=Path, help="folder of artist_id, name (Parquet)")
    parser.add_argument(
        "--events", type=Path, help=f"folder of upcoming concerts (Parquet): {', '.join(EVENT_COLUMNS)}"
    )
    parser.add_argument("--limit", type=int, default=30, help="artists per user and algorithm")
    parser.add_argument("--algorithms", default=",".join(ALGORITHMS))
    return parser.parse_args(arguments)


def scores(model: hybrid.Hybrid, algorithm: str, limit: int) -> Iterator[dict[str, Any]]:
    """One row per user and position, with the reason."""
    everyone = model.recommend(np.arange(len(model.users)), limit, algorithm)
    while block := list(islice(everyone, hybrid.USERS_AT_ONCE)):
        for ranked, why in explain.reasons(model, block):
            for position, (item, score, reason) in enumerate(zip(ranked.items, ranked.scores, why, strict=True), 1):
                yield {
                    "user_id": str(model.users[ranked.user]),
                    "algorithm": algorithm,
                    "position": position,
                    "artist_id": str(model.items[item]),
                    "score": round(float(score), 6),
                    "signal": reason.signal,
                    "because": reason.because,
                }


def popular(data: Dataset) -> Iterator[dict[str, Any]]:
    """Artists with most listeners, with their share of all listeners: what an unknown user gets."""
    listeners = np.bincount(data.weights.indices, minlength=len(data.items))
    for position, item in enumerate(np.argsort(-listeners, kind="stable")[:POPULAR], 1):
        share = round(float(listeners[item] / len(data.users)), 6)
        yield {"position": position, "artist_id": str(data.items[item]), "score": share}


def known_pairs(data: Dataset) -> Iterator[dict[str, Any]]:
    """Artists that each user knows, which are never recommended to them; also those that the model does not know."""
    for user, name in enumerate(data.users):
        row = data.weights.indices[data.weights.indptr[user] : data.weights.indptr[user + 1]]
        yield {"user_id": str(name), "artist_ids": [str(data.items[item]) for item in row]}


def read_rows(folder: Path | None, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of all Parquet files below a folder, empty where a value is missing; none without a folder.

    :raises InputError: when a file lacks a column
    """
    files = sorted(folder.rglob("*.parquet")) if folder is not None else []
    frames = [read_parquet(path).to_pandas() for path in files]
    for frame in frames:
        if missing := [name for name in columns if name not in frame]:
            raise InputError(f"{folder} lacks the column {missing[0]}: it must hold {', '.join(columns)}")
    rows = [row for frame in frames for row in frame[list(columns)].to_dict("records")]
    return [{name: "" if pd.isna(value) else str(value) for name, value in row.items()} for row in rows]


def artists(data: Dataset, names: list[dict[str, Any]], events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What is shown of each artist that can be recommended and is more than an id: name and upcoming concerts."""
    named = {row["artist_id"]: row["name"] for row in names}
    playing = _grouped(events, lambda event: {event["artist_id"]})
    for artist in sorted({*map(str, data.items), *playing} - {""}):
        if artist in named or artist in playing:
            yield {"artist_id": artist, "name": named.get(artist, ""), "events": playing.get(artist, [])}


def places(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Upcoming concerts by city and by country, whose names are in small letters."""
    grouped = _grouped(events, lambda event: {event["city"].casefold(), event["country"].casefold()})
    for place in sorted(set(grouped) - {""}):
        yield {"place": place, "events": grouped[place]}


def _grouped(
    events: list[dict[str, Any]], keys: Callable[[dict[str, Any]], set[str]]
) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event["event_date"], event["concert_id"])):
        for key in keys(event):
            grouped[key].append(event)
    return grouped


def read_model(folder: Path) -> tuple[hybrid.Hybrid, dict[str, Any]]:
    """The model and its metrics.json, from model.tar.gz or from an unpacked folder.

    :raises artifact.ArtifactError: when they are missing or damaged
    """
    try:
        with archive.unpacked(folder) as files:
            return artifact.load(files), dict(json.loads((files / "metrics.json").read_text()))
    except (archive.DamagedArchiveError, OSError, ValueError, TypeError) as error:
        if isinstance(error, artifact.ArtifactError):
            raise
        raise artifact.ArtifactError(f"{folder} holds no usable model ({error}): train again, or roll back") from error


def write(output: Path, name: str, rows: Iterable[dict[str, Any]]) -> int:
    return scoring.write_rows(output / name / f"{name}.json", rows)


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    data = read_dataset(asked.interactions)
    stored, report = read_model(asked.model)
    model = fold_in.on(stored, data)
    stamps = {
        "as_of": asked.as_of,
        "model_name": MODEL_NAME,
        "model_version": report["version"],
        "run_id": asked.run_id,
    }
    rows = (row | stamps for name in asked.algorithms.split(",") for row in scores(model, name, asked.limit))
    ranked = (row | stamps for row in popular(data))
    names, events = read_rows(asked.artists, ("artist_id", "name")), read_rows(asked.events, EVENT_COLUMNS)
    written = write(asked.output, "recommendations", rows)
    write(asked.output, "popular", ranked)
    write(asked.output, "known", known_pairs(data))
    write(asked.output, "artists", artists(data, names, events))
    write(asked.output, "places", places(events))
    write(asked.output, "registry", [scoring.registry_row(MODEL_NAME, report, asked)])
    publication = stamps | {
        "feature_schema": FEATURE_SCHEMA,
        "metrics": report["metrics"],
        "baseline": report["baseline"],
        "users": len(model.users),
    }
    (asked.output / "publication.json").write_text(json.dumps(publication, indent=2))
    print(f"{written} recommendations for {len(model.users)} users")


def main() -> None:
    try:
        run()
    except (InputError, artifact.ArtifactError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
