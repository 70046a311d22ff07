"""model.tar.gz as SageMaker packs it: unpacked to the last byte, or refused."""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "model.tar.gz"
AT_ONCE = 1 << 20


class DamagedArchiveError(ValueError):
    """An archive that is not what was packed; the message names it and the reason."""


def unpack(archive: Path, folder: Path) -> None:
    """
    :raises DamagedArchiveError: when it cannot be read, is cut, or has another checksum
    """
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
            # gzip compares its checksum at the end of the stream, which tarfile does not read to.
            while packed.fileobj is not None and packed.fileobj.read(AT_ONCE):
                pass
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DamagedArchiveError(f"{archive} cannot be unpacked ({error})") from error


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """Files of a stored model: those of the archive in a folder, or the folder's own where there is none.

    :raises DamagedArchiveError: when the archive is damaged
    """
    if not (folder / FILE).exists():
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        unpack(folder / FILE, Path(scratch))
        yield Path(scratch)
