"""A stored model that was damaged on its way is refused in one line, wherever the damage is."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import archive, evaluation
from ml.recommender import artifact
from ml.recommender import judgement as recommender_judgement
from ml.recommender import predict as recommender
from ml.sales import judgement as sales_judgement
from ml.sales import model as sales_model
from ml.sales import predict as sales
from ml.venues import judgement as venues_judgement
from ml.venues import model as venue_model
from ml.venues import predict as venues

READERS: list[tuple[Callable[[Path], Any], type[Exception]]] = [
    (sales.read_model, sales_model.UnreadableModelError),
    (recommender.read_model, artifact.ArtifactError),
    (venues.read_model, venue_model.ModelError),
    (lambda folder: artifact.load(folder / archive.FILE), artifact.ArtifactError),
]
JUDGEMENTS = (sales_judgement, recommender_judgement, venues_judgement)


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """An archive of files that deflate makes something of: each of its bytes says more than one of theirs."""
    words = np.random.default_rng(1).choice(["act", "venue", "seats", "week"], 30_000)
    for name in ("metrics.json", "model.json"):
        (tmp_path / name).write_text(" ".join(words))
    with tarfile.open(tmp_path / archive.FILE, "w:gz") as packed:
        for name in ("metrics.json", "model.json"):
            packed.add(tmp_path / name, arcname=name)
            (tmp_path / name).unlink()
    return (tmp_path / archive.FILE).read_bytes()


def damaged(whole: bytes, damage: str) -> bytes:
    if damage == "cut":
        return whole[: len(whole) // 2]
    if damage == "without its end":
        return whole[:-4]
    place = {"beginning": 60, "middle": len(whole) // 2, "checksum": len(whole) - 8}[damage]
    return whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]


def test_a_whole_archive_is_unpacked(tmp_path: Path, whole: bytes) -> None:
    with archive.unpacked(tmp_path) as files:
        assert {path.name for path in files.iterdir()} == {"metrics.json", "model.json"}


@pytest.mark.parametrize("damage", ["beginning", "middle", "checksum", "cut", "without its end"])
def test_a_damaged_archive_is_refused_by_all_who_read_it(tmp_path: Path, whole: bytes, damage: str) -> None:
    (tmp_path / archive.FILE).write_bytes(damaged(whole, damage))
    with (
        pytest.raises(archive.DamagedArchiveError, match=r"model\.tar\.gz cannot be unpacked"),
        archive.unpacked(tmp_path),
    ):
        pass
    with (
        pytest.raises(evaluation.UnusableChampionError, match="cannot be unpacked"),
        evaluation.unpacked(tmp_path),
    ):
        pass
    for read, refusal in READERS:
        with pytest.raises(refusal, match="cannot be unpacked"):
            read(tmp_path)


@pytest.mark.parametrize("place", range(40, 60_000, 4_999))
def test_no_changed_byte_is_taken_for_the_model(tmp_path: Path, whole: bytes, place: int) -> None:
    place %= len(whole) - 40
    changed = bytearray(whole)
    changed[place + 40] ^= 0x55
    (tmp_path / archive.FILE).write_bytes(changed)
    with pytest.raises(archive.DamagedArchiveError), archive.unpacked(tmp_path):
        pass


@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=lambda judgement: judgement.__name__.split(".")[1])
def test_a_damaged_champion_leaves_the_baseline_to_beat(tmp_path: Path, whole: bytes, judgement: Any) -> None:
    (tmp_path / archive.FILE).write_bytes(damaged(whole, "middle"))
    champion, absent = evaluation.champion_in(tmp_path, judgement.read_champion)
    assert champion is None
    assert "cannot be unpacked" in absent.reason
    assert not absent.served
