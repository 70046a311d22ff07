"""evaluation.json: what a training job says of its model beside the baseline and the champion, and the decision."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ml import archive
from ml.promotion import Absence, Decision, Judgement, Rule

FILE = "evaluation.json"
Champion = TypeVar("Champion")
NO_DRIFT: dict[str, list[dict[str, Any]]] = {"inputs": [], "errors": []}


class UnusableChampionError(ValueError):
    """The model in service cannot be read, so that it cannot be served either: the message says why, in one line."""


class UnjudgedChampionError(ValueError):
    """The model in service can be served, but lacks what it would be judged by: the message says why, in one line."""


def champion_in(folder: Path | None, read: Callable[[Path], Champion]) -> tuple[Champion | None, Absence]:
    """The champion of a channel; without one to compare with, why.

    One that cannot be served leaves the baseline to beat; one that only cannot be judged is not replaced.

    :param read: of the files of a stored model
    """
    try:
        with unpacked(folder) as files:
            return (None, Absence()) if files is None else (read(files), Absence())
    except UnusableChampionError as error:
        return None, Absence(str(error))
    except UnjudgedChampionError as error:
        return None, Absence(f"{error}: it stays in service, roll back to another version to replace it", served=True)


@contextmanager
def unpacked(folder: Path | None) -> Iterator[Path | None]:
    """Files of the champion from its channel; None when the channel is absent or empty, as on the first night.

    :raises UnusableChampionError: when the archive is damaged
    """
    if folder is None or not folder.is_dir() or not any(folder.iterdir()):
        yield None
        return
    try:
        with archive.unpacked(folder) as files:
            yield files
    except archive.DamagedArchiveError as error:
        raise UnusableChampionError(str(error)) from error


def stored_report(folder: Path) -> dict[str, Any]:
    """metrics.json of a stored model.

    :raises UnusableChampionError: when it cannot be read or names no version
    """
    try:
        report = json.loads((folder / "metrics.json").read_text())
        str(report["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableChampionError(f"metrics.json cannot be read ({error!r})") from error
    return dict(report)


def content(
    rule: Rule,
    report: Mapping[str, Any],
    challenger: Judgement,
    champion: tuple[str, Judgement] | None,
    decision: Decision,
    drift: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What evaluation.json holds.

    :param report: content of metrics.json
    :param champion: its version and figures
    """
    return {
        "name": report["name"],
        "version": report["version"],
        "feature_schema": report["feature_schema"],
        "data_from": report["data_from"],
        "data_through": report["data_through"],
        **challenger.as_dict(rule),
        "baseline": dict(report["baseline"]),
        "champion": None if champion is None else {"version": champion[0], **champion[1].as_dict(rule)},
        "decision": asdict(decision),
        "drift": dict(drift or NO_DRIFT),
    }


def output_folder(given: Path | None, model_dir: Path) -> Path:
    """SM_OUTPUT_DATA_DIR of a job; beside the model where a person trains by hand."""
    folder = given or Path(os.environ.get("SM_OUTPUT_DATA_DIR", model_dir))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Strict JSON: a figure that does not exist is null, so that every reader takes it."""
    text = json.dumps(_finite(evaluation), indent=2, allow_nan=False)
    (folder / FILE).write_text(text, encoding="utf-8")
    decision = evaluation["decision"]
    print(f"decision: {'promote' if decision['promote'] else 'keep the champion'}: {decision['reason']}")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
