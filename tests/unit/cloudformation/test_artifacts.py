"""The code bundle: the same files give the same bytes, and only what is new is uploaded."""

import gzip
import io
import subprocess
import sys
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
        **{f"ml/{path}": "" for path in artifacts.SERVED["api"]},
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
        assert {"ml/requirements.txt", "ml/sales/train.py", "requirements.txt"} <= set(source.getnames())
        assert "ml/.hidden" not in source.getnames()
    assert names == ["concert_etl/__init__.py", "expectations/event.py", "mappings/canonical.yaml"]
    assert sorted(bundle.files) == [
        "glue/concert_etl.zip", "glue/concert_etl_job.py", "lambda/api.zip", "lambda/chatbot.zip",
        "lambda/concert_data_processor.zip", "ml/source.tar.gz",
    ]  # fmt: skip


def names(function: str) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(artifacts.build().files[f"lambda/{function}.zip"])).namelist()


def test_a_function_has_the_shared_modules_beside_its_handler_and_what_it_serves(project: Path) -> None:
    assert names("chatbot") == ["answers.py", "handler.py"]
    assert names("api") == ["answers.py", "handler.py", *(f"ml/{path}" for path in artifacts.SERVED["api"])]


@pytest.mark.parametrize("function", artifacts.FUNCTIONS)
def test_a_function_imports_nothing_but_its_bundle_the_standard_library_and_boto3(
    tmp_path: Path, function: str
) -> None:
    (tmp_path / "code.zip").write_bytes(artifacts.zip_archive(artifacts.lambda_package(function)))
    code = (
        "import sys, boto3, botocore.config, botocore.exceptions; sys.path.insert(0, sys.argv[1])\n"
        "known = set(sys.modules); import handler\n"
        "for name in set(sys.modules) - known:\n"
        "    if name.partition('.')[0] not in sys.stdlib_module_names: print(sys.modules[name].__file__)"
    )
    command = [sys.executable, "-I", "-c", code, str(tmp_path / "code.zip")]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    imported = answer.stdout.splitlines()
    assert imported and [path for path in imported if not path.startswith(str(tmp_path))] == []


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
