"""The code bundle: the same files give the same bytes, and only what is new is uploaded."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from concert_platform import artifacts, resources


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in place of the real one."""
    files = {
        "include/glue/concert_etl_job.py": "main()", "include/glue/concert_etl/__init__.py": "",
        "include/glue/concert_etl/__pycache__/x.pyc": "no", "include/mappings/canonical.yaml": "a: b",
        "include/expectations/event.py": "suite = 1", "include/lambda/api/handler.py": "def handler(): ...",
        "include/lambda/chatbot/handler.py": "", "include/lambda/concert_data_processor/handler.py": "",
        "include/lambda/shared/answers.py": "def answer(): ...",
        "ml/requirements.txt": "numpy", "ml/sales/train.py": "train()", "ml/.hidden": "no",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(artifacts, "resource", lambda relative: tmp_path / relative)
    return tmp_path


def test_the_bundle_has_every_archive_and_what_belongs_inside(project: Path) -> None:
    bundle = artifacts.build()
    names = zipfile.ZipFile(io.BytesIO(bundle.files["glue/concert_etl.zip"])).namelist()
    with tarfile.open(fileobj=io.BytesIO(bundle.files["ml/source.tar.gz"])) as source:
        assert source.getnames() == ["ml/requirements.txt", "ml/sales/train.py", "requirements.txt"]
    assert names == ["concert_etl/__init__.py", "expectations/event.py", "mappings/canonical.yaml"]
    assert sorted(bundle.files) == [
        "glue/concert_etl.zip", "glue/concert_etl_job.py", "lambda/api.zip", "lambda/chatbot.zip",
        "lambda/concert_data_processor.zip", "ml/source.tar.gz",
    ]  # fmt: skip


def test_a_function_has_the_shared_modules_beside_its_handler(project: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(artifacts.build().files["lambda/api.zip"]))
    assert archive.namelist() == ["answers.py", "handler.py"]


def test_file_times_do_not_change_the_hash(project: Path) -> None:
    before = artifacts.build()
    for path in project.rglob("*"):
        path.touch()
    assert artifacts.build() == before
    assert before.prefix == f"artifacts/{before.hash}" and len(before.hash) == 32


def test_a_changed_file_changes_the_hash(project: Path) -> None:
    before = artifacts.build().hash
    (project / "include/mappings/canonical.yaml").write_text("a: c")
    assert artifacts.build().hash != before


def test_archives_do_not_depend_on_the_compression_library() -> None:
    files = {"b.py": b"b" * 1000, "a.py": b"a"}
    packed = artifacts.tar_archive(files)
    assert len(gzip.decompress(packed)) <= len(packed)  # stored, not deflated
    entries = zipfile.ZipFile(io.BytesIO(artifacts.zip_archive(files))).infolist()
    assert [entry.filename for entry in entries] == ["a.py", "b.py"]
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_the_project_itself_has_everything_that_the_bundle_holds() -> None:
    try:
        bundle = artifacts.build()
    except resources.ResourceNotFoundError as error:
        pytest.fail(f"the bundle cannot be built: {error}")
    assert all(bundle.files.values())
