"""Which interpreter `make setup` takes, and what it says when there is none."""

import os
import sys
from pathlib import Path

import pytest

from local import bootstrap


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing is a Python 3.12 yet: /bin and an empty home."""
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(sys, "executable", str(executable(tmp_path / "old" / "python3", "echo 3 11")))
    return tmp_path


def test_a_shim_that_exits_127_is_passed_over_for_pyenvs_versions_folder(bare_machine: Path) -> None:
    executable(bare_machine / "shims" / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    real = executable(bare_machine / ".pyenv" / "versions" / "3.12.9" / "bin" / "python", "echo 3 12")
    assert bootstrap.find_python(None) == str(real)


def test_a_second_python_on_the_path_is_found_behind_a_shim(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(bare_machine / "shims" / "python3.12", "exit 127")
    real = executable(bare_machine / "bin" / "python3.12", "echo 3 12")
    monkeypatch.setenv("PATH", f"{bare_machine / 'shims'}{os.pathsep}{bare_machine / 'bin'}")
    assert bootstrap.find_python(None) == str(real)


def test_the_python_that_the_user_names_comes_first(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(bare_machine / "shims" / "python3.12", "echo 3 12")
    named = executable(bare_machine / "named" / "python", "echo 3 12")
    monkeypatch.setenv("PYTHON", str(named))
    assert bootstrap.find_python(None) == str(named)


def test_an_interpreter_of_another_version_is_not_taken(bare_machine: Path) -> None:
    executable(bare_machine / "shims" / "python3.12", "echo 3 13")
    with pytest.raises(bootstrap.SetupError, match=r"no Python 3\.12 found .*: install one"):
        bootstrap.find_python(None)


def test_what_uv_finds_is_the_last_resort(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "STATE", bare_machine)
    real = executable(bare_machine / "elsewhere" / "python", "echo 3 12")
    uv = executable(bare_machine / "uv", f"echo {real}")
    assert bootstrap.find_python(uv) == str(real)


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(bootstrap.SetupError, match=r"state cannot be written .*: free some space"):
        bootstrap._check_writable(blocked)


def test_the_installed_versions_are_those_of_mwaas_files() -> None:
    bootstrap.check_versions(bootstrap.ENVIRONMENTS["airflow"])


def test_a_version_that_differs_from_mwaas_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "installed_versions", lambda _: {"apache-airflow": "3.1.0"})
    with pytest.raises(bootstrap.SetupError, match=r"apache-airflow 3\.1\.0 \(MWAA: 3\.0\.6\)"):
        bootstrap.check_versions(Path(".venv"))


def test_requirements_for_mwaa_name_no_constraint_file() -> None:
    lines = (bootstrap.ROOT / "requirements.txt").read_text().splitlines()
    assert not [line for line in lines if line.lstrip().startswith(("-c", "--constraint"))]
    wanted = bootstrap.pinned_versions(bootstrap.ROOT / "constraints" / "constraints-3.0.6.txt")
    for name, version in bootstrap.pinned_versions(bootstrap.ROOT / "requirements.txt").items():
        assert wanted.get(name, version) == version, name
