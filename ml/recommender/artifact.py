"""A fitted model as files: model.json (what it is) and arrays.npz (numbers, names); no pickle, so loading runs no code.

SageMaker packs the folder into model.tar.gz; `load` takes either.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ml import archive
from ml.recommender.content import Factors, Friends, TagProfile
from ml.recommender.hybrid import Hybrid, Options
from ml.recommender.schema import FEATURE_SCHEMA
from ml.recommender.signals import Ease, Popularity, Signal, UserRidge

DESCRIPTION, ARRAYS = "model.json", "arrays.npz"
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Popularity, Ease, UserRidge, TagProfile, Friends, Factors)}


class ArtifactError(ValueError):
    """A model that cannot be used; the message names it, the reason and what to do."""


def save(model: Hybrid, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {
        "users": model.users.astype(str),
        "items": model.items.astype(str),
        "tag_names": model.tag_names.astype(str),
        "popularity": model.popularity,
    }
    _put(arrays, "seen", model.seen)
    signals = {}
    for name, signal in model.signals.items():
        values = {field.name: getattr(signal, field.name) for field in fields(signal)}  # type: ignore[arg-type]
        signals[name] = {
            "kind": type(signal).__name__,
            "numbers": {key: value for key, value in values.items() if isinstance(value, float)},
        }
        for key, value in values.items():
            if not isinstance(value, float):
                _put(arrays, f"{name}/{key}", value)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type] # numpy 2 types its own keywords alone
    description = {
        "feature_schema": FEATURE_SCHEMA,
        "options": asdict(model.options),
        "signals": signals,
        "sha256": _digest(folder / ARRAYS),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2))


def load(path: Path) -> Hybrid:
    """A model from its folder or from model.tar.gz.

    :raises ArtifactError: when it is missing, damaged, or made from other features
    """
    if path.is_dir():
        return _load_folder(path)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            archive.unpack(path, Path(scratch))
        except archive.DamagedArchiveError as error:
            raise ArtifactError(f"{error}: train again, or roll back to a former model") from error
        return _load_folder(Path(scratch), shown=path)


def _load_folder(folder: Path, shown: Path | None = None) -> Hybrid:
    shown = shown or folder
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        schema = description["feature_schema"]
        if schema != FEATURE_SCHEMA:
            raise ArtifactError(
                f"{shown} was made from feature schema {schema}, this code reads {FEATURE_SCHEMA}: train again"
            )
        if _digest(folder / ARRAYS) != description["sha256"]:
            raise ArtifactError(f"{shown} is damaged ({ARRAYS} has another checksum): train again, or roll back")
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            return _assemble(description, arrays)
    except (OSError, KeyError, TypeError, json.JSONDecodeError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{shown} holds no usable model ({error}): train again, or roll back") from error


def _assemble(description: dict[str, Any], arrays: Any) -> Hybrid:
    signals: dict[str, Signal] = {}
    for name, signal in description["signals"].items():
        kind = KINDS[signal["kind"]]
        values = dict(signal["numbers"])
        for field in fields(kind):
            if field.name not in values:
                values[field.name] = _get(arrays, f"{name}/{field.name}")
        signals[name] = kind(**values)
    return Hybrid(
        users=arrays["users"].astype(object),
        items=arrays["items"].astype(object),
        tag_names=arrays["tag_names"].astype(object),
        seen=_get(arrays, "seen"),
        popularity=arrays["popularity"],
        signals=signals,
        options=Options(**description["options"]),
    )


def _put(arrays: dict[str, np.ndarray], name: str, value: Any) -> None:
    if not sparse.issparse(value):
        arrays[name] = value
        return
    rows = value.tocsr()
    arrays |= {
        f"{name}.data": rows.data,
        f"{name}.indices": rows.indices,
        f"{name}.indptr": rows.indptr,
        f"{name}.shape": np.array(rows.shape),
    }


def _get(arrays: Any, name: str) -> Any:
    if name in arrays:
        return arrays[name]
    parts = [arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr")]
    return sparse.csr_matrix(tuple(parts), shape=tuple(arrays[f"{name}.shape"]))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
